"""A process of a Django site with channels_postgres itself, for tests: it obeys the same orders as peer.py.

Every channel that it makes has a reader from the beginning, as a consumer's has: what comes to a channel that nobody
reads is lost in channels_postgres.
"""

import ast
import asyncio
import json
import logging
import sys
from urllib.parse import urlsplit

import django
from django.conf import settings


def configure(url):
    parts = urlsplit(url)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": parts.username,
        "PASSWORD": parts.password or "",
        "HOST": parts.hostname,
        "PORT": parts.port or 5432,
    }
    settings.configure(
        SECRET_KEY="a test's",
        USE_TZ=True,
        INSTALLED_APPS=["channels_postgres"],
        DATABASES={"default": database, "channels_postgres": database},
        LOGGING_CONFIG=None,
    )
    django.setup()
    logging.disable(logging.WARNING)  # it warns of each group without members
    return dict(database)


class Site:
    def __init__(self, layer):
        self.layer = layer
        self.inboxes = {}
        self.readers = []

    async def read(self, channel):
        while True:
            await self.inboxes[channel].put(await self.layer.receive(channel))

    async def listen(self, channel):
        self.inboxes[channel] = asyncio.Queue()
        self.readers.append(asyncio.create_task(self.read(channel)))
        while not (self.layer._channel_advisory_locks.get(channel) and self.layer.listener_task_is_running.is_set()):
            await asyncio.sleep(0.01)

    async def migrate(self):
        from asgiref.sync import sync_to_async
        from django.core.management import call_command

        await sync_to_async(call_command)("migrate", "channels_postgres", verbosity=0)

    async def new_channel(self):
        channel = await self.layer.new_channel()
        await self.listen(channel)
        return channel

    async def send(self, channel, message):
        await self.layer.send(channel, message)

    async def group_send(self, group, message):
        await self.layer.group_send(group, message)

    async def group_add(self, group, channel):
        await self.layer.group_add(group, channel)

    async def group_discard(self, group, channel):
        await self.layer.group_discard(group, channel)

    async def members(self, group):
        return await self.layer.django_db.retrieve_group_channels(self.layer._group_key(group))

    async def receive(self, channel, wanted, timeout):
        """Waits for one message to a channel, and tells whether it is the one that is wanted."""
        if channel not in self.inboxes:
            await self.listen(channel)
        try:
            got = await asyncio.wait_for(self.inboxes[channel].get(), timeout)
        except asyncio.TimeoutError:
            return {"nothing": True}
        return {"equal": same(got, wanted), "got": repr(got)[:500]}


def same(a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and repr(a) == repr(b)


async def main():
    database = configure(sys.argv[1])
    from channels_postgres.core import PostgresChannelLayer

    site = Site(PostgresChannelLayer(symmetric_encryption_keys=json.loads(sys.argv[2]), **database))
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        args = order["args"]
        if order.get("message"):
            args.insert(1, ast.literal_eval(order["message"]))
        try:
            answer = await getattr(site, order["call"])(*args)
        except Exception as error:  # the test says whether it should have failed
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), flush=True)


asyncio.run(main())
