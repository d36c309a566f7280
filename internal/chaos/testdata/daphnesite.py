"""A site that Daphne serves: whoever opens a WebSocket at ws/open/ hears what is said to the group "open".

BURST_REDIS is the URL of the channel layer's Redis.
"""

import json
import os

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [os.environ["BURST_REDIS"]]},
        }
    },
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402


class Listener(AsyncWebsocketConsumer):
    """Hears the group."""

    groups = ["open"]

    async def numbered(self, event):
        await self.send(json.dumps({"sender": event["sender"], "n": event["n"]}))


application = ProtocolTypeRouter(
    {"websocket": URLRouter([path("ws/open/", Listener.as_asgi())])}
)
