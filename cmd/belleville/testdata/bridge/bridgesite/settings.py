"""The example site, with an ASGI application that has a channel for Belleville's bridge."""

import os

from mysite.settings import *  # noqa: F403

ASGI_APPLICATION = os.environ.get("BRIDGE_APPLICATION", "bridgesite.asgi.application")

POSTGRES_LAYER = os.environ.get("POSTGRES_LAYER")  # the class of a layer on the site's own database
if POSTGRES_LAYER:
    DATABASES["channels_postgres"] = DATABASES["default"]  # noqa: F405
    CONFIG = {**DATABASES["default"], "TIME_ZONE": None}  # noqa: F405
    CHANNEL_LAYERS = {"default": {"BACKEND": POSTGRES_LAYER, "CONFIG": CONFIG}}
    if POSTGRES_LAYER.startswith("channels_postgres."):
        INSTALLED_APPS = [*INSTALLED_APPS, "channels_postgres"]  # noqa: F405
