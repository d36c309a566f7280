"""A Django that does what it is told, for the tests of session engines: reads lines of JSON, each some Python code,
runs it, and answers with a line of JSON, the value of result."""

import json
import os
import sys
import tempfile
import traceback
import types

# The example site's settings, and what the engine needs.
settings = types.ModuleType("engine_settings")
exec("from mysite.settings import *", settings.__dict__)
settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}, **json.loads(os.environ["CACHES"])}
settings.SESSION_FILE_PATH = os.environ["SESSION_FILE_PATH"] or None
settings.SESSION_CACHE_ALIAS = "sessions" if "sessions" in settings.CACHES else "default"
settings.ALLOWED_HOSTS = ["*"]
sys.modules["engine_settings"] = settings
os.environ["DJANGO_SETTINGS_MODULE"] = "engine_settings"

import django

django.setup()

import datetime
import decimal
from importlib import import_module

from django.conf import settings
from django.test import Client

Store = import_module(settings.SESSION_ENGINE).SessionStore


def visitor(cookie=None):
    """A browser that has the session cookie."""
    client = Client()
    if cookie:
        client.cookies[settings.SESSION_COOKIE_NAME] = cookie
    return client


def login(username, password):
    """The session cookie that the login form gives."""
    client = visitor()
    answer = client.post("/accounts/login/", {"username": username, "password": password})
    assert answer.status_code == 302, answer.status_code
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def whoami(cookie):
    return json.loads(visitor(cookie).get("/whoami/").content)["username"]


def values():
    """What a session of the tests holds."""
    v = {
        "int": 7, "long": 1 << 80, "float": 1.0, "tiny": 5e-324, "text": "caf\u00e9 \u2028 \U0001f600", "none": None, "true": True,
        "list": [1, [2.5, "x"], {}], "dict": {"b": 1, "a": [None]}, "gone": "soon",
    }
    if not settings.SESSION_SERIALIZER.endswith("JSONSerializer") or settings.SESSION_ENGINE.endswith(".cache"):
        v |= {
            "when": datetime.datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=datetime.timezone.utc), "day": datetime.date(2026, 2, 3),
            "price": decimal.Decimal("1.10"), "tuple": (1, "a"), "set": {1, 2}, "bytes": b"\x00\xff", "mixed": {5: "five"},
            "took": datetime.timedelta(seconds=1.5),
        }
    return v


def store(values):
    """Stores a session as a view does, and returns the cookie."""
    s = Store()
    s.update(values)
    s.save()
    return s.session_key


def same(a, b):
    """Equality with types, as 1 == 1.0 == True."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


for line in sys.stdin:
    try:
        space = globals()
        exec(json.loads(line), space)
        answer = {"result": space.pop("result", None)}
    except Exception:
        answer = {"error": traceback.format_exc()}
    print(json.dumps(answer), flush=True)
