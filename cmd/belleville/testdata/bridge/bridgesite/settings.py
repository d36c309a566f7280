"""The example site, with an ASGI application that has a channel for Belleville's bridge."""

from mysite.settings import *  # noqa: F403

ASGI_APPLICATION = "bridgesite.asgi.application"
