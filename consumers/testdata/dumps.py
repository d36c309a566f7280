"""Writes dumps.json: the frames that Channels' JsonWebsocketConsumer sends, for pythonjson_test.go."""

import asyncio
import json
import math
import platform

import channels
from channels.generic.websocket import AsyncJsonWebsocketConsumer

VALUES = {
    "the example of Channels": {"a": 1, "b": "h\u00e9", "c": [1.0, 1000.0, None, True]},
    "fields in their order": {"type": "chat.message", "from": "alice", "text": "hi", "at": 1.5},
    "fields in fields": {"id": 7, "author": {"name": "bob", "admin": False}, "tags": ["z", "a"]},
    "embedded fields stand where they are embedded": {"first": 1, "zulu": "z", "alpha": "a", "last": 2},
    "an empty field that is left out": {"id": 1},
    "keys of a map": {"a": 1, "b": 2, "c": 3},
    "keys that are numbers": {"1": "one", "10": "ten", "2": "two"},
    "fields in a map": {"x": {"zulu": "z", "alpha": "a"}},
    "fields in a map whose keys are numbers": {"5": {"zulu": "z", "alpha": "a"}},
    "fields in a list": [{"zulu": "z", "alpha": "a"}, {"zulu": "y", "alpha": "b"}],
    "fields behind pointers and interfaces": {"any": {"zulu": "z", "alpha": "a"}, "pointer": None},
    "floats": [0.1, 1e16, 1e-7, -0.0, 123456789012345680.0, 2.5e-5, 1e22],
    "floats that are no numbers": [math.nan, math.inf, -math.inf],
    "integers": [0, -1, 9223372036854775807, -9223372036854775808],
    "text": "a\"b\\c/d\n\t\x00\x1f\x7f\u2028\U0001f600<&>",
    "nothing": None,
    "empty": {"list": [], "dict": {}, "text": ""},
}


async def frame(value):
    sent = []
    consumer = AsyncJsonWebsocketConsumer()

    async def send(message):
        sent.append(message)

    consumer.base_send = send
    await consumer.send_json(value)
    return sent[0]["text"]


async def main():
    return {
        "python": platform.python_version(),
        "channels": channels.__version__,
        "frames": {name: await frame(value) for name, value in VALUES.items()},
    }


with open("dumps.json", "w") as f:
    json.dump(asyncio.run(main()), f, indent=1)
    f.write("\n")
