"""A process of a Django site whose layer has serializer_format "json", which Debian's channels_redis has not: the same
keys, with json.dumps where the other has msgpack.packb. jsonpeer.py URL

Each line of input is a JSON object: what to do, and its arguments. Each answer is a line.
"""

import json
import os
import sys
import time

import redis

PREFIX = "asgi"
EXPIRY = 60


def key_of(channel):
    return PREFIX + (channel[: channel.index("!") + 1] if "!" in channel else channel)


class Layer:
    def __init__(self, url):
        self.redis = redis.Redis.from_url(url)
        self.name = "specific." + os.urandom(16).hex() + "!" + os.urandom(16).hex()

    def new_channel(self):
        return self.name

    def group_add(self, group, channel):
        key = f"{PREFIX}:group:{group}"
        self.redis.zadd(key, {channel: time.time()})
        self.redis.expire(key, 86400)

    def put(self, key, message):
        member = os.urandom(12) + json.dumps(message).encode()
        self.redis.zadd(key, {member: time.time()})
        self.redis.expire(key, EXPIRY)

    def send(self, channel, message):
        if "!" in channel:
            message = {**message, "__asgi_channel__": channel}
        self.put(key_of(channel), message)

    def group_send(self, group, message):
        by_key = {}
        for member in self.redis.zrange(f"{PREFIX}:group:{group}", 0, -1):
            by_key.setdefault(key_of(member.decode()), []).append(member.decode())
        for key, channels in by_key.items():
            self.put(key, {**message, "__asgi_channel__": channels})

    def receive(self, channel):
        popped = self.redis.bzpopmin(key_of(channel), timeout=20)
        return popped and json.loads(popped[1][12:])


layer = Layer(sys.argv[1])
for line in sys.stdin:
    order = json.loads(line)
    print(json.dumps(getattr(layer, order["call"])(*order["args"])), flush=True)
