"""A Python end of channels_postgres's protocol, for tests: it does to the tables what that does.

It reads orders from stdin, a JSON object a line, and answers each with a line.
"""

import ast
import base64
import hashlib
import json
import select
import sys
import time
import uuid

import msgpack
import psycopg2


class Peer:
    expiry = 60

    def __init__(self, dsn, keys):
        self.db = psycopg2.connect(dsn)
        self.db.autocommit = True
        self.ear = psycopg2.connect(dsn)
        self.ear.autocommit = True
        self.cursor = self.db.cursor()
        self.ear.cursor().execute("LISTEN channels_postgres_messages")
        self.node = uuid.uuid4().hex[:5]
        self.crypter = None
        if keys:
            from cryptography.fernet import Fernet, MultiFernet

            self.crypter = MultiFernet(
                [Fernet(base64.urlsafe_b64encode(hashlib.sha256(k.encode()).digest())) for k in keys]
            )

    def pack(self, message):
        body = msgpack.packb(message, use_bin_type=True)
        return self.crypter.encrypt(body) if self.crypter else body

    def unpack(self, body):
        if self.crypter:
            body = self.crypter.decrypt(bytes(body), self.expiry + 10)
        return msgpack.unpackb(bytes(body), raw=False)

    def new_channel(self):
        return "specific.%s!%s" % (self.node, uuid.uuid4().hex)

    def put(self, channels, body):
        self.cursor.executemany(
            "INSERT INTO channels_postgres_message (channel, message, expire)"
            " VALUES (%s, %s, now() + interval '1 second' * %s)",
            [(channel, psycopg2.Binary(body), self.expiry) for channel in channels],
        )

    def send(self, channel, message):
        self.put([channel], self.pack(message))

    def poison(self, channel, text):
        self.put([channel], bytes.fromhex(text))

    def members(self, group):
        self.cursor.execute(
            "SELECT DISTINCT channel FROM channels_postgres_groupchannel WHERE group_key = %s",
            ["asgi:group:" + group],
        )
        return [row[0] for row in self.cursor.fetchall()]

    def group_send(self, group, message):
        self.put(self.members(group), self.pack(message))

    def group_send_many(self, group, message, count):
        for n in range(count):
            self.put(self.members(group), self.pack(dict(message, n=n)))

    def group_add(self, group, channel):
        self.cursor.execute(
            "INSERT INTO channels_postgres_groupchannel (group_key, channel, expire) VALUES (%s, %s, now())",
            ["asgi:group:" + group, channel],
        )

    def group_discard(self, group, channel):
        self.cursor.execute(
            "DELETE FROM channels_postgres_groupchannel WHERE group_key = %s AND channel = %s",
            ["asgi:group:" + group, channel],
        )

    def lock(self, channel):
        number = int.from_bytes(hashlib.sha256(channel.encode()).digest()[-8:], "big", signed=True)
        self.cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        return self.cursor.fetchone()[0]

    def unlock(self, channel):
        number = int.from_bytes(hashlib.sha256(channel.encode()).digest()[-8:], "big", signed=True)
        self.cursor.execute("SELECT pg_advisory_unlock(%s)", [number])
        return self.cursor.fetchone()[0]

    def steal(self):
        """What a listener that starts does: it takes everything that has not expired."""
        self.cursor.execute(
            "DELETE FROM channels_postgres_message WHERE id IN"
            " (SELECT id FROM channels_postgres_message WHERE expire > now() FOR UPDATE SKIP LOCKED) RETURNING id"
        )
        return len(self.cursor.fetchall())

    def receive(self, channel, wanted, timeout):
        """Waits for one message to a channel, and tells whether it is the one that is wanted."""
        if not self.lock(channel):
            return {"locked": True}
        got = self.next(channel, timeout)
        if got is None:
            return {"nothing": True}
        return {"equal": same(got, wanted), "got": repr(got)[:500]}

    def next(self, channel, timeout):
        """Returns the next message to a channel, or None where none comes in time."""
        end = time.time() + timeout
        while True:
            while self.ear.notifies:
                body = self.body(self.ear.notifies.pop(0).payload, channel)
                if body is not None:
                    return self.unpack(body)
            if time.time() > end:
                return None
            select.select([self.ear], [], [], 0.1)
            self.ear.poll()

    def body(self, payload, channel):
        parts = payload.split(":")
        int(parts[0])
        if parts[1] != channel:
            return None
        if len(parts) == 4:
            return base64.b64decode(parts[2]) if float(parts[3]) > time.time() else None
        self.cursor.execute("DELETE FROM channels_postgres_message WHERE id = %s RETURNING message", [parts[0]])
        return self.cursor.fetchone()[0]


def same(a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and repr(a) == repr(b)


def main():
    peer = Peer(sys.argv[1], json.loads(sys.argv[2]))
    for line in sys.stdin:
        order = json.loads(line)
        args = order["args"]
        if order.get("message"):
            args.insert(1, ast.literal_eval(order["message"]))
        try:
            answer = getattr(peer, order["call"])(*args)
        except psycopg2.Error as error:  # the test says whether it should have failed
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
