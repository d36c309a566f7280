import json

from asgiref.sync import async_to_sync
from channels.consumer import SyncConsumer
from django.contrib.auth import get_user_model


class RoomBridge(SyncConsumer):
    """The rooms' logic. One instance serves all connections: an event says which one it is about."""

    def websocket_connect(self, event):
        user = get_user_model().objects.filter(pk=event["user"]).first()
        if user is None:
            self.answer(event, "websocket.close")  # 403
            return
        self.answer(event, "belleville.group_add", group=self.group(event))
        self.answer(event, "websocket.accept", subprotocol="json")
        self.say(event, {"entered": user.username})

    def websocket_receive(self, event):
        said = event.get("text")
        if said is None:
            self.answer(event, "websocket.close", code=4003, reason="text, please")
        else:
            self.say(event, {"user": event["user"], "said": said})

    def websocket_disconnect(self, event):
        self.say(event, {"user": event["user"], "left": event["code"]})

    def group(self, event):
        return "room_" + event["kwargs"]["room"]

    def answer(self, event, type, **fields):
        """Tells Belleville what to do with the connection."""
        async_to_sync(self.channel_layer.send)(event["reply_channel"], {"type": type, **fields})

    def say(self, event, content):
        """Sends to every connection in the room, wherever it is held."""
        message = {"type": "websocket.send", "text": json.dumps(content)}
        async_to_sync(self.channel_layer.group_send)(self.group(event), message)
