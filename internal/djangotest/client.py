"""A WebSocket client that does what it is told on stdin, one JSON array a line, and answers in JSON lines.

    client.py URL HEADERS       HEADERS is a JSON array of [name, value]

It answers once by itself: {"status": 101, "subprotocol": …} or {"status": …}, as the handshake went. Then

    ["send", TEXT]              {}
    ["receive"]                 {"text": …} or {"base64": …} or {"closed": CODE, "reason": …}
    ["close", CODE, REASON]     {"closed": CODE, "reason": …}, the code that came back
"""

import asyncio
import base64
import json
import sys

import websockets

PATIENCE = 20  # seconds


def answer(**fields):
    print(json.dumps(fields), flush=True)


def connect(url, headers):
    options = {"open_timeout": PATIENCE}
    others = []
    for name, value in headers:
        if name.lower() == "origin":
            options["origin"] = value
        elif name.lower() == "sec-websocket-protocol":
            options["subprotocols"] = [item.strip() for item in value.split(",")]
        else:
            others.append((name, value))
    version = int(websockets.__version__.split(".")[0])
    options["additional_headers" if version >= 14 else "extra_headers"] = others
    if version >= 15:
        options["proxy"] = None
    return websockets.connect(url, **options)


async def receive(socket):
    try:
        message = await asyncio.wait_for(socket.recv(), PATIENCE)
    except websockets.exceptions.ConnectionClosed:
        answer(closed=socket.close_code, reason=socket.close_reason)
        return
    if isinstance(message, str):
        answer(text=message)
    else:
        answer(base64=base64.b64encode(message).decode())


async def obey(socket, verb, *arguments):
    if verb == "send":
        await socket.send(*arguments)
        answer()
    elif verb == "receive":
        await receive(socket)
    elif verb == "close":
        await socket.close(*arguments)
        answer(closed=socket.close_code, reason=socket.close_reason)
    else:
        raise ValueError(verb)


async def main(url, headers):
    try:
        socket = await connect(url, headers)
    except websockets.exceptions.InvalidHandshake as error:
        status = getattr(error, "status_code", None)  # in websockets before 14
        answer(status=status if status is not None else error.response.status_code)
        return
    answer(status=101, subprotocol=socket.subprotocol or "")
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)  # the socket lives on meanwhile
        if not line:
            return
        await obey(socket, *json.loads(line))


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
sys.stdin.read()  # stay until the test is done
