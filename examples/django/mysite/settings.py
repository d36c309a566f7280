"""Settings of the example site.

What differs between a laptop and a server comes from the environment; the defaults are for a laptop. The same
values stand in belleville.toml, under the same names.

    DEBUG                   "1" or "0"
    SECRET_KEY              signs the sessions
    SECRET_KEY_FALLBACKS    older keys, separated by commas (Django 4.1 and later)
    ALLOWED_HOSTS           host names, separated by commas
    CSRF_TRUSTED_ORIGINS    origins, separated by commas, for a site behind a proxy that speaks TLS
    DATABASE_URL            postgres://user:password@host:port/name or sqlite:////absolute/path
    SESSION_ENGINE          a module, as in Django's setting of that name
    SESSION_SERIALIZER      a class, likewise
    CHANNEL_LAYER_URL       redis://host:port/db, for the page that speaks from a view
    CHANNEL_LAYER           the class of the layer there, by default channels_redis.core.RedisChannelLayer
    WEBSOCKETS_URL          where the pages open their WebSockets: ws://host:port, or :port on the page's own
                            host; empty where one host name serves both, as behind nginx
"""

import os
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent


def from_environment(name, default=""):
    """A list from a variable that separates its items by commas."""
    return [item.strip() for item in os.environ.get(name, default).split(",") if item.strip()]


def database(url):
    """Django's entry for a database that is named by a URL."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": unquote(parts.path[1:])}
    if parts.scheme not in ("postgres", "postgresql"):
        raise ValueError("DATABASE_URL must begin with postgres:// or sqlite://")
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", parts.hostname or ""),
        "PORT": options.pop("port", parts.port or ""),
        "OPTIONS": options,
    }


DEBUG = os.environ.get("DEBUG", "1") == "1"
SECRET_KEY = os.environ.get("SECRET_KEY", "insecure-key-for-development-only")
SECRET_KEY_FALLBACKS = from_environment("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = from_environment("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = from_environment("CSRF_TRUSTED_ORIGINS")

# Channels is optional here: with it, this site also runs under an ASGI server and Django can speak in the rooms.
HAS_CHANNELS = find_spec("channels") is not None

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "chat",
]
if HAS_CHANNELS:
    INSTALLED_APPS.append("channels")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "chat.context.belleville",
            ],
        },
    },
]

ROOT_URLCONF = "mysite.urls"
WSGI_APPLICATION = "mysite.wsgi.application"
ASGI_APPLICATION = "mysite.asgi.application"

DATABASES = {
    "default": database(os.environ.get("DATABASE_URL", "sqlite:///%s" % (BASE_DIR / "db.sqlite3"))),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SESSION_ENGINE = os.environ.get("SESSION_ENGINE", "django.contrib.sessions.backends.db")
SESSION_SERIALIZER = os.environ.get("SESSION_SERIALIZER", "django.contrib.sessions.serializers.JSONSerializer")

LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"

CHANNEL_LAYER_URL = os.environ.get("CHANNEL_LAYER_URL", "")
if CHANNEL_LAYER_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": os.environ.get("CHANNEL_LAYER", "channels_redis.core.RedisChannelLayer"),
            "CONFIG": {"hosts": [CHANNEL_LAYER_URL]},
        },
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

WEBSOCKETS_URL = os.environ.get("WEBSOCKETS_URL", "")

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
STATIC_URL = "static/"
