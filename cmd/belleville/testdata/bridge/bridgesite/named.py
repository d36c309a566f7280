"""The rooms' logic of consumers.py for who must not miss anything: Django itself puts a connection into its group."""

from asgiref.sync import async_to_sync
from bridgesite.consumers import RoomBridge
from channels.routing import ChannelNameRouter, ProtocolTypeRouter


class NamedBridge(RoomBridge):
    """Knows everybody, also who is not logged in."""

    def websocket_connect(self, event):
        async_to_sync(self.channel_layer.group_add)(self.group(event), event["reply_channel"])
        self.answer(event, "websocket.accept")
        self.say(event, {"entered": event["query"]})

    def websocket_disconnect(self, event):
        async_to_sync(self.channel_layer.group_discard)(self.group(event), event["reply_channel"])


application = ProtocolTypeRouter({"channel": ChannelNameRouter({"rooms": NamedBridge.as_asgi()})})
