"""A process of a Django site that sends: peer.py URL GROUP SENDER COUNT PAUSE SKEW

It sends numbered messages to a group, with pauses between them, and a clock that is SKEW seconds ahead. It prints how
many inboxes were over capacity, which is all that its layer knows of what it dropped.
"""

import asyncio
import logging
import sys
import time

url, group, sender, count, pause, skew = sys.argv[1:]
right = time.time
time.time = lambda: right() + float(skew)

from channels_redis.core import RedisChannelLayer  # noqa: E402


class Drops(logging.Handler):
    count = 0

    def emit(self, record):
        self.count += record.args[0]


async def main():
    drops = Drops()
    logger = logging.getLogger("channels_redis.core")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(drops)
    layer = RedisChannelLayer(hosts=[url])
    for n in range(int(count)):
        await layer.group_send(group, {"type": "numbered", "sender": sender, "n": n})
        if float(pause):
            await asyncio.sleep(float(pause))
    print(drops.count)


asyncio.run(main())
