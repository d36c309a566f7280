"""Tells what a Django site's settings and models are, as JSON on descriptor 3. It changes nothing, and asks no database."""

import json
import os
import sys
import types

answer = {"refused": [], "notes": []}


def tell():
    with os.fdopen(3, "w") as out:
        json.dump(answer, out)


def give_up(problem, remedy):
    answer["refused"].append([problem, remedy])
    tell()
    sys.exit(0)


def refuse(problem, remedy):
    answer["refused"].append([problem, remedy])


def note(text):
    answer["notes"].append(text)


def text_of(value):
    """Bytes and paths as text."""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return str(value)


def plain(value):
    """What JSON can hold of a value, or None."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {text_of(key): plain(item) for key, item in value.items()}
    return text_of(value)


def redis_url(host):
    """The URL of one of the hosts of channels_redis, or None."""
    if isinstance(host, (list, tuple)) and len(host) == 2:
        return "redis://%s:%s/0" % (host[0], host[1])
    if isinstance(host, dict) and set(host) == {"address"}:
        return redis_url(host["address"])
    return host if isinstance(host, str) else None


def layer(settings):
    entry = dict(getattr(settings, "CHANNEL_LAYERS", {}).get("default") or {})
    config = dict(entry.get("CONFIG") or {})
    hosts = config.get("hosts", [])
    if isinstance(hosts, (str, bytes)):
        hosts = [text_of(hosts)]
    urls = [redis_url(host) for host in hosts]
    if None in urls:
        refuse("a host of CHANNEL_LAYERS has options that a URL cannot say, as those of a Sentinel", "write it as a URL, as in redis://user:password@host:6379/0")
    config["hosts"] = [url for url in urls if url]
    if not all(isinstance(glob, str) for glob in config.get("channel_capacity", {})):
        refuse("channel_capacity of CHANNEL_LAYERS has a compiled regular expression", "write a glob, as in http.request*")
    return {"backend": entry.get("BACKEND", ""), "config": plain(config)}


def backends(settings):
    """The backends that let inactive users in, besides Django's own."""
    from django.contrib.auth import load_backend

    inactive = []
    for path in settings.AUTHENTICATION_BACKENDS:
        try:
            allowed = load_backend(path).user_can_authenticate(types.SimpleNamespace(is_active=False))
        except Exception:  # it has none, or wants a real user
            continue
        if allowed and not path.startswith("django.contrib.auth."):
            inactive.append(path)
    return inactive


def hashers(settings):
    from django.utils.module_loading import import_string

    names, cost = [], {}
    fields = {
        "iterations": ("iterations", "pbkdf2"), "rounds": ("bcrypt_rounds", "bcrypt"),
        "work_factor": ("scrypt_n", "scrypt"), "block_size": ("scrypt_r", "scrypt"), "time_cost": ("argon2_time", "argon2"),
        "memory_cost": ("argon2_memory", "argon2"),
    }
    for path in settings.PASSWORD_HASHERS:
        if path.startswith("django.contrib.auth.hashers."):
            names.append(path)
            continue
        own = import_string(path)
        names.append(own.algorithm)
        for attribute, (key, kind) in fields.items():
            if own.algorithm.startswith(kind) and attribute in vars(own) and key not in cost:
                cost[key] = getattr(own, attribute)
    return {"names": names, "cost": cost}


def user():
    from django.contrib.auth import get_user_model
    from django.contrib.auth.base_user import AbstractBaseUser

    model = get_user_model()
    meta = model._meta
    fields = {field.name: field for field in meta.concrete_fields}
    found = {"table": meta.db_table, "pk": meta.pk.column, "label": meta.label, "columns": {}}
    for name in ["password", "is_active", "is_staff", "is_superuser", "first_name", "last_name", "email", "last_login", "date_joined"]:
        if name in fields:
            found["columns"][name] = fields[name].column
    found["columns"]["username"] = fields[model.USERNAME_FIELD].column
    if any(field.model._meta.concrete_model is not meta.concrete_model and field.model._meta.db_table != meta.db_table for field in fields.values()):
        refuse("the user model %s is spread over several tables" % meta.label, "Belleville reads users from one table: make a view of them in the database, and name it in [django.user]")
    if getattr(model, "get_session_auth_hash", None) is not AbstractBaseUser.get_session_auth_hash:
        refuse("the user model %s has a get_session_auth_hash of its own" % meta.label, "that is code: write a program in Go with sessionstore.Config.AuthHash")
    if model._default_manager.all().query.where.children:
        note("the default manager of %s hides rows: say which in django.user.where" % meta.label)
    for relation, key in [("groups", "user_groups_table"), ("user_permissions", "user_permissions_table")]:
        if hasattr(model, relation):
            found["columns"][key] = getattr(model, relation).through._meta.db_table
    return found


def sessions(settings):
    from importlib import import_module

    engine = import_module(settings.SESSION_ENGINE)
    store = engine.SessionStore
    found = {"salt": store().key_salt if hasattr(store, "key_salt") else "django.contrib.sessions." + store.__qualname__}
    own = getattr(settings, "SESSION_SERIALIZER", "")
    if not isinstance(own, str):
        refuse("SESSION_SERIALIZER is no dotted path", "name one of Django's serializers")
    model = getattr(store, "get_model_class", None)
    if model:
        from django.contrib.auth import get_user_model
        from django.db import router

        model = model()
        found["table"] = model._meta.db_table
        found["database"] = router.db_for_read(model)
        if found["database"] != router.db_for_read(get_user_model()):
            refuse("sessions and users are in different databases", "Belleville has one: use another session engine, as the cache")
    return found


def tokens(settings):
    """What the site has of tokens: the settings of simplejwt, and the table of authtoken."""
    found = {}
    installed = [config.name for config in apps.get_app_configs()]
    rest = getattr(settings, "REST_FRAMEWORK", {})
    classes = [c for c in rest.get("DEFAULT_AUTHENTICATION_CLASSES", []) if isinstance(c, str)]
    if "rest_framework.authtoken" in installed:
        found["authtoken"] = apps.get_model("authtoken", "Token")._meta.db_table
    if any(c.startswith("rest_framework_simplejwt.") for c in classes) or "rest_framework_simplejwt" in installed or hasattr(settings, "SIMPLE_JWT"):
        own = dict(getattr(settings, "SIMPLE_JWT", {}))
        own.pop("JSON_ENCODER", None)
        own = {key: value for key, value in own.items() if key.isupper()}
        for key in ["LEEWAY"]:
            if hasattr(own.get(key), "total_seconds"):
                own[key] = int(own[key].total_seconds())
        own["blacklist"] = "rest_framework_simplejwt.token_blacklist" in installed
        found["simplejwt"] = plain(own)
    return found


WANTED = [
    "DEBUG", "ALLOWED_HOSTS", "AUTHENTICATION_BACKENDS", "USE_TZ", "TIME_ZONE", "FORCE_SCRIPT_NAME",
    "SESSION_ENGINE", "SESSION_SERIALIZER", "SESSION_CACHE_ALIAS", "SESSION_FILE_PATH", "SESSION_COOKIE_NAME", "SESSION_COOKIE_AGE",
    "SESSION_COOKIE_DOMAIN", "SESSION_COOKIE_PATH", "SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SESSION_COOKIE_SAMESITE",
    "SESSION_EXPIRE_AT_BROWSER_CLOSE", "SESSION_SAVE_EVERY_REQUEST",
]

os.environ["DJANGO_SETTINGS_MODULE"] = sys.argv[1]
sys.path.insert(0, os.getcwd())
try:
    import django
except ImportError:
    give_up("this Python has no Django", "name the site's own with --python, as in .venv/bin/python")
try:
    from django.conf import global_settings, settings

    settings.DEBUG
except ModuleNotFoundError as missing:
    give_up("the settings cannot be imported: there is no module %s" % missing.name, "start in the folder of manage.py, with the site's own Python")
except Exception as wrong:
    give_up("the settings cannot be imported: they raise %s" % type(wrong).__name__, "start with the site's environment, as manage.py check is started")
try:
    django.setup()
    from django.apps import apps

    answer["django"] = "%d.%d" % django.VERSION[:2]
    answer["settings"] = {name: plain(getattr(settings, name)) for name in WANTED if hasattr(settings, name)}
    answer["secret_key"] = text_of(settings.SECRET_KEY)
    answer["fallbacks"] = [text_of(key) for key in getattr(settings, "SECRET_KEY_FALLBACKS", [])]
    answer["sessions"] = sessions(settings)
    answer["user"] = user()
    answer["inactive_backends"] = backends(settings)
    if settings.PASSWORD_HASHERS != global_settings.PASSWORD_HASHERS:
        answer["hashers"] = hashers(settings)
    alias = answer["sessions"].get("database", "default")
    answer["database"] = plain({key: value for key, value in settings.DATABASES.get(alias, {}).items() if key in ["ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT"]})
    answer["database"]["OPTIONS"] = {key: text_of(value) for key, value in settings.DATABASES.get(alias, {}).get("OPTIONS", {}).items() if isinstance(value, (str, int, bytes))}
    answer["cache"] = plain({key: value for key, value in settings.CACHES.get(settings.SESSION_CACHE_ALIAS, {}).items()})
    answer["layer"] = layer(settings)
    answer["tokens"] = tokens(settings)
except Exception as wrong:
    give_up("the site cannot be set up: it raises %s" % type(wrong).__name__, "see what manage.py check says, with the same Python and environment")
tell()
