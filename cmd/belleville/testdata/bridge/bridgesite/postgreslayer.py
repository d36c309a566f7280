"""A channel layer for tests on the tables of channels_postgres, which Debian lacks: over peer.py of pglayer's tests."""

import asyncio
import threading

import psycopg2.extensions
from channels.layers import BaseChannelLayer
from peer import Peer


class PostgresLayer(BaseChannelLayer):
    extensions = ["groups"]

    def __init__(self, NAME, USER, PASSWORD, HOST, PORT, **others):
        super().__init__()
        names = {"dbname": NAME, "user": USER, "password": PASSWORD, "host": HOST, "port": PORT}
        self.dsn = psycopg2.extensions.make_dsn(**{name: value for name, value in names.items() if value})
        self.busy = threading.Lock()  # guards the sender: consumers run in threads
        self.sender = Peer(self.dsn, [])
        self.receivers = {}

    async def new_channel(self, prefix="specific"):
        return self.sender.new_channel()

    async def send(self, channel, message):
        with self.busy:
            self.sender.send(channel, message)

    async def receive(self, channel):
        if channel not in self.receivers:
            self.receivers[channel] = Peer(self.dsn, [])
            self.receivers[channel].lock(channel)
        loop = asyncio.get_running_loop()
        while True:
            message = await loop.run_in_executor(None, self.receivers[channel].next, channel, 1)
            if message is not None:
                return message

    async def group_add(self, group, channel):
        with self.busy:
            self.sender.group_add(group, channel)

    async def group_discard(self, group, channel):
        with self.busy:
            self.sender.group_discard(group, channel)

    async def group_send(self, group, message):
        with self.busy:
            self.sender.group_send(group, message)
