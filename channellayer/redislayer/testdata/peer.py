"""A process of a Django site, as far as its channel layer goes: peer.py core|pubsub CONFIG

Each line of input is a JSON object: what to call, and its arguments. Messages are Python literals, since JSON lacks
bytes and more. Each answer is a line.
"""

import ast
import asyncio
import json
import logging
import sys
import time

from channels.exceptions import ChannelFull
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

logging.getLogger("channels_redis.core").setLevel(logging.INFO)
logging.getLogger("channels_redis.core").propagate = False
FORMS = {"core": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}


class Drops(logging.Handler):
    """Counts the inboxes that were over capacity, which the layer logs."""

    count = 0

    def emit(self, record):
        self.count += record.args[0]


async def burst(layer, group, count, pause=None):
    """Sends numbered events to a group as fast as it can, or with pauses between them."""
    drops = Drops()
    logging.getLogger("channels_redis.core").addHandler(drops)
    began, cpu = time.perf_counter(), time.process_time()
    for n in range(count):
        await layer.group_send(group, {"type": "numbered", "sender": "django", "n": n})
        if pause:
            await asyncio.sleep(pause)
    took = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    logging.getLogger("channels_redis.core").removeHandler(drops)
    return took | {"dropped": drops.count}


async def receive(layer, channel, timeout):
    """Returns the next event as a literal, and None when none came."""
    try:
        return repr(await asyncio.wait_for(layer.receive(channel), timeout))
    except asyncio.TimeoutError:
        return None


async def call(layer, order):
    name, args = order["call"], order.get("args", [])
    if "message" in order:
        args = args + [ast.literal_eval(order["message"])]
    if name == "burst":
        return await burst(layer, *args)
    if name == "receive":
        return await receive(layer, *args)
    try:
        return await getattr(layer, name)(*args)
    except ChannelFull:
        return "full"


async def main():
    layer = FORMS[sys.argv[1]](**json.loads(sys.argv[2]))
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await call(layer, json.loads(line))), flush=True)


asyncio.run(main())
