from channels.routing import ChannelNameRouter, ProtocolTypeRouter
from django.core.asgi import get_asgi_application

django = get_asgi_application()  # before the consumers, which need Django set up

from bridgesite.consumers import RoomBridge  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": django,
        "channel": ChannelNameRouter({"rooms": RoomBridge.as_asgi()}),
    }
)
