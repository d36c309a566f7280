"""Talks to an echo with Python's websockets, and prints what came of it as JSON.

    conversation.py URL
"""

import asyncio
import json
import sys

import websockets


async def main(url):
    large = "0123456789abcdef" * (1 << 16)
    options = {"max_size": 1 << 21, "subprotocols": ["chat"]}
    heard = {}
    async with websockets.connect(url, **options) as socket:
        heard["subprotocol"] = socket.subprotocol or ""
        await socket.send("grüße ☃ \U0001f30d")
        heard["text"] = await socket.recv()
        await socket.send("")
        heard["empty"] = await socket.recv() == ""
        await socket.send(bytes(range(256)))
        heard["binary"] = (await socket.recv()).hex()
        await socket.send(large)
        heard["largeText"] = await socket.recv() == large
        await socket.send(large.encode())
        heard["largeBinary"] = await socket.recv() == large.encode()
        await socket.send(["frag", "men", "ted"])
        heard["fragments"] = await socket.recv()
        await (await socket.ping(b"are you there"))
        await socket.send("close")
        await socket.wait_closed()
        heard["code"], heard["reason"] = socket.close_code, socket.close_reason
    async with websockets.connect(url) as socket:
        await socket.close(4321, "bye")
        heard["answer"] = socket.close_code
    print(json.dumps(heard))


asyncio.run(asyncio.wait_for(main(sys.argv[1]), 30))
