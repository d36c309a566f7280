"""A process of a Django site that sends to groups: sender.py BACKEND CONFIG

Each line of input is a JSON object: what to do, and its arguments. Each answer is a line. BACKEND is that of
CHANNEL_LAYERS; for "postgres" it does to the tables what channels_postgres does, which Debian has not.
"""

import asyncio
import json
import sys
import time

TEXT = "x" * 100


class Postgres:
    """The sending half of channels_postgres: a row for each channel in the group."""

    def __init__(self, url):
        import msgpack
        import psycopg2

        self.pack, self.binary = msgpack.packb, psycopg2.Binary
        db = psycopg2.connect(url)
        db.autocommit = True
        self.cursor = db.cursor()

    async def group_send(self, group, message):
        self.cursor.execute(
            "SELECT DISTINCT channel FROM channels_postgres_groupchannel WHERE group_key = %s", ["asgi:group:" + group]
        )
        body = self.binary(self.pack(message, use_bin_type=True))
        self.cursor.executemany(
            "INSERT INTO channels_postgres_message (channel, message, expire)"
            " VALUES (%s, %s, now() + interval '60 seconds')",
            [(row[0], body) for row in self.cursor.fetchall()],
        )


def open_layer(backend, config):
    if backend == "postgres":
        return Postgres(config["url"])
    from django.conf import settings

    settings.configure(CHANNEL_LAYERS={"default": {"BACKEND": backend, "CONFIG": config}})
    from channels.layers import get_channel_layer

    return get_channel_layer()


async def send(layer, group, count):
    """Sends messages as fast as it can. Each has the time just before its group_send."""
    began, cpu = time.time_ns(), time.process_time_ns()
    for _ in range(count):
        await layer.group_send(group, {"type": "bench", "text": f"{time.time_ns()} {TEXT}"})
    return {"began": began, "cpu": time.process_time_ns() - cpu, "wall": time.time_ns() - began}


async def main():
    layer = open_layer(sys.argv[1], json.loads(sys.argv[2]))
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await send(layer, *json.loads(line))), flush=True)


asyncio.run(main())
