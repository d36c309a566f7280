"""A Django site with Django REST framework and simplejwt: makes tokens, and says whom it lets in with each.

Usage: site.py DATABASE ALGORITHM SIGNING_KEY VERIFYING_KEY

The environment variable SECRET_KEY is the site's; by default it is that of this package's tests.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from unittest import mock

import django
from django.conf import settings

database, algorithm, signing_key, verifying_key = sys.argv[1:]
settings.configure(
    SECRET_KEY=os.environ.get("SECRET_KEY") or "the tests' secret key, which is no site's",
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django.contrib.sessions",
        "rest_framework",
        "rest_framework.authtoken",
        "rest_framework_simplejwt.token_blacklist",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    USE_TZ=True,
    SIMPLE_JWT={
        "ALGORITHM": algorithm,
        "SIGNING_KEY": signing_key,
        "VERIFYING_KEY": verifying_key,
        "AUTH_TOKEN_CLASSES": (
            "rest_framework_simplejwt.tokens.AccessToken",
            "rest_framework_simplejwt.tokens.SlidingToken",
        ),
    },
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core import signing  # noqa: E402
from django.core.management import call_command  # noqa: E402
from rest_framework.authentication import TokenAuthentication  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402
from rest_framework.exceptions import AuthenticationFailed  # noqa: E402
from rest_framework.test import APIRequestFactory  # noqa: E402
from rest_framework_simplejwt.authentication import JWTAuthentication  # noqa: E402
from rest_framework_simplejwt.backends import TokenBackend  # noqa: E402
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, SlidingToken  # noqa: E402

call_command("migrate", verbosity=0)
ann = User.objects.create_user("ann", password="wonderland")
bob = User.objects.create_user("bob", password="wonderland", is_active=False)
carl = User.objects.create_user("carl", password="wonderland")
cases = []


def verdict(authentication, authorization):
    request = APIRequestFactory().get("/", HTTP_AUTHORIZATION=authorization)
    try:
        found = authentication().authenticate(request)
    except AuthenticationFailed:
        return 0
    except Exception as e:
        return 0 if type(e).__name__ in ("KeyError", "TypeError", "ValueError", "OverflowError") else str(e)
    return found and found[0].pk


def jwt(name, text):
    cases.append({"name": "simplejwt: " + name, "kind": "simplejwt", "text": str(text), "ask": lambda: verdict(JWTAuthentication, "Bearer " + str(text))})


def key(name, text):
    cases.append({"name": "authtoken: " + name, "kind": "authtoken", "text": text, "ask": lambda: verdict(TokenAuthentication, "Token " + text)})


def signed(name, text):
    def ask():
        try:
            value = signing.loads(text, salt="belleville.token", max_age=86400)
        except signing.BadSignature:
            return 0
        pk = value["user_id"] if isinstance(value, dict) else value
        return pk if User.objects.filter(pk=pk, is_active=True).exists() else 0

    cases.append({"name": "signed: " + name, "kind": "signed", "text": text, "ask": ask})


def changed(user, **claims):
    made = AccessToken.for_user(user)
    for claim, value in claims.items():
        if value is None:
            del made.payload[claim]
        else:
            made[claim] = value
    return made


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


now = int(time.time())
access = AccessToken.for_user(ann)
jwt("an access token", access)
jwt("of a refresh token", RefreshToken.for_user(ann).access_token)
jwt("a refresh token", RefreshToken.for_user(ann))
jwt("a sliding token", SlidingToken.for_user(ann))
listed = SlidingToken.for_user(ann)
listed.blacklist()
jwt("a sliding token in the blacklist", listed)
jwt("expired", changed(ann, exp=now - 1))
jwt("not yet", changed(ann, nbf=now + 600))
jwt("issued in the future", changed(ann, iat=now + 600))
jwt("without an end", changed(ann, exp=None))
jwt("without an id", changed(ann, jti=None))
jwt("without a type", changed(ann, token_type=None))
jwt("without a user", changed(ann, user_id=None))
jwt("of nobody", changed(ann, user_id=9999))
jwt("of a user as text", changed(ann, user_id=str(ann.pk)))
jwt("of no key", changed(ann, user_id="abc"))
jwt("of an inactive user", AccessToken.for_user(bob))
jwt("of a deleted user", AccessToken.for_user(carl))
head, payload, signature = str(access).split(".")
jwt("truncated", str(access)[:-2])
jwt("without a signature", head + "." + payload + ".")
jwt("of two parts", head + "." + payload)
jwt("of four parts", str(access) + ".x")
jwt("with another's claims", head + "." + str(AccessToken.for_user(bob)).split(".")[1] + "." + signature)
none = part(b'{"alg":"none","typ":"JWT"}') + "." + payload
jwt("alg none", none + ".")
jwt("alg none with a signature", none + "." + signature)
for secret in ("another key", settings.SECRET_KEY, verifying_key):
    made = part(b'{"alg":"HS256","typ":"JWT"}') + "." + payload
    mac = hmac.new(secret.encode(), made.encode(), hashlib.sha256).digest()
    jwt("HS256 with " + ("a public key" if secret.startswith("-") else secret[:11]), made + "." + part(mac))
if algorithm == "HS256":
    jwt("HS512 with the same key", TokenBackend("HS512", signing_key).encode(access.payload))

key("a key", Token.objects.create(user=ann).key)
key("of an inactive user", Token.objects.create(user=bob).key)
gone = Token.objects.create(user=carl)
key("of a deleted user", gone.key)
key("of nobody", "0" * 40)
key("in upper case", Token.objects.get(user=ann).key.upper())

signed("an id", signing.dumps(ann.pk, salt="belleville.token"))
signed("a dict, compressed", signing.dumps({"user_id": ann.pk, "x": "a" * 500}, salt="belleville.token", compress=True))
signed("another salt", signing.dumps(ann.pk, salt="x"))
signed("another key", signing.dumps(ann.pk, key="x", salt="belleville.token"))
signed("an inactive user", signing.dumps(bob.pk, salt="belleville.token"))
with mock.patch("time.time", return_value=time.time() - 86410):
    signed("a day old", signing.dumps(ann.pk, salt="belleville.token"))

carl.delete()
for case in cases:
    case["user"] = case.pop("ask")()
json.dump(cases, sys.stdout)
