"""Random values of the kinds that sites keep in sessions, with shared and recursive containers."""

import collections
import datetime
import decimal
import random
import uuid
import zoneinfo

import pytz
from django.utils.safestring import SafeString

ALPHABET = "abc _$\\\n\r\0'\"é東😀\x1a\x7f\ud800\udfff"
ZONES = ["Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]


def make(seed):
    """Makes the value of a seed, and returns its maker too. Each seventh is as deep and large as it may be."""
    maker = Maker(random.Random(seed))
    if seed % 7 == 0:
        return maker.value(4), maker
    return maker.container(1 + (seed % 5 == 0)), maker


class Maker:
    def __init__(self, rng):
        self.rng = rng
        self.made = []  # what may be referred to again
        self.shared = 0  # how often it was
        self.safe_strings = 0

    def value(self, depth):
        rng = self.rng
        if self.made and rng.random() < 0.15:
            self.shared += 1
            return rng.choice(self.made)
        if depth and rng.random() < 0.55:
            return self.container(depth - 1)
        return self.scalar()

    def container(self, depth):
        rng = self.rng
        kind = rng.choice([self.list, self.list, self.dict, self.dict, self.tuple, self.set, self.frozenset,
                           self.ordered, self.default])
        made = kind(depth)
        self.made.append(made)
        return made

    def some(self, depth, of=None):
        return [(of or self.value)(depth) for _ in range(self.rng.choice([0, 1, 2, 3, 4, 7]))]

    def list(self, depth):
        items = []
        if self.rng.random() < 0.1:
            self.made.append(items)  # its own elements may refer to it
        items.extend(self.some(depth))
        return items

    def dict(self, depth):
        items = {}
        if self.rng.random() < 0.1:
            self.made.append(items)
        for key in self.some(depth, self.key):
            items[key] = self.value(depth)
        return items

    def tuple(self, depth):
        return tuple(self.some(depth))

    def set(self, depth):
        return set(self.some(depth, self.key))

    def frozenset(self, depth):
        return frozenset(self.some(depth, self.key))

    def ordered(self, depth):
        return collections.OrderedDict((k, self.value(depth)) for k in self.some(depth, self.key))

    def default(self, depth):
        made = collections.defaultdict(self.rng.choice([None, list, int, dict]))
        for key in self.some(depth, self.key):
            made[key] = self.value(depth)
        return made

    def key(self, depth):
        rng = self.rng
        kind = rng.random()
        if kind < 0.6:
            return self.text()
        if kind < 0.7 and depth:
            return tuple(self.key(depth - 1) for _ in range(rng.randrange(4)))
        if kind < 0.75 and depth:
            return frozenset(self.key(depth - 1) for _ in range(rng.randrange(4)))
        while True:
            made = self.scalar()
            # A bytearray is no key; a signaling NaN and a time with an impossible offset have no hash.
            try:
                hash(made)
                return made
            except (TypeError, ValueError):
                pass

    def text(self):
        rng = self.rng
        length = rng.choice([0, 1, 3, 8, 30, 255, 256, 300] if rng.random() < 0.2 else [0, 1, 3, 8])
        return "".join(rng.choice(ALPHABET) for _ in range(length))

    def scalar(self):
        rng = self.rng
        return rng.choice([self.none, self.bool, self.small, self.int, self.int, self.float, self.text, self.text,
                           self.bytes, self.complex, self.decimal, self.uuid, self.date, self.time, self.datetime,
                           self.delta, self.zone, self.safe, self.bytearray])()

    def none(self):
        return None

    def bool(self):
        return self.rng.random() < 0.5

    def small(self):
        return self.rng.randrange(-3, 4)

    def int(self):
        bits = self.rng.choice([7, 8, 15, 16, 31, 32, 53, 63, 64, 65, 127, 128, 1015, 1016, 1017, 1023, 1024, 2039, 2040, 2048])
        n = self.rng.choice([2**bits, 2**bits - 1, 2**bits + 1, self.rng.getrandbits(bits)])
        return self.rng.choice([n, -n])

    def float(self):
        return self.rng.choice([0.0, -0.0, 1.0, 2.0, 0.1, 1e16, 1e15, 1e-4, 1e-5, 1.5e300, 5e-324, 2.0**53, 1e22, 1e23,
                                float("inf"), float("-inf"), float("nan"), self.rng.random(), self.rng.uniform(-1e9, 1e9)])

    def bytes(self):
        return self.rng.randbytes(self.rng.choice([0, 1, 4, 255, 256]))

    def bytearray(self):
        made = bytearray(self.bytes())
        self.made.append(made)
        return made

    def complex(self):
        return complex(self.float(), self.float())

    def decimal(self):
        return decimal.Decimal(self.rng.choice(["0", "-0", "1.10", "1E+30", "1E-10", "0.5", "2", "1E+2", "NaN", "sNaN12", "-Infinity",
                                                "123456789012345678901234567890.123", "0.000001", "0.0000001", "-7.50E-30"]))

    def uuid(self):
        return uuid.UUID(int=self.rng.choice([0, 1, 2**128 - 1, self.rng.getrandbits(128)]))

    def date(self):
        return datetime.date.fromordinal(self.rng.randrange(1, 3652060))

    def zone(self):
        rng = self.rng
        kind = rng.randrange(6)
        if kind == 0:
            return datetime.timezone.utc
        if kind == 1:
            return datetime.timezone(datetime.timedelta(microseconds=rng.randrange(-86399 * 10**6, 86399 * 10**6)))
        if kind == 2:
            return datetime.timezone(datetime.timedelta(minutes=rng.randrange(-1439, 1439)), rng.choice(["X", "é", "CET"]))
        if kind == 3:
            return pytz.utc
        if kind == 4:
            return pytz.FixedOffset(rng.choice([60, -90, 330]))
        return zoneinfo.ZoneInfo(rng.choice(ZONES))

    def time(self):
        rng = self.rng
        zone = rng.choice([None, datetime.timezone.utc, datetime.timezone(datetime.timedelta(hours=rng.randrange(-12, 12)))])
        return datetime.time(rng.randrange(24), rng.randrange(60), rng.randrange(60), rng.choice([0, 1, 999999]), zone,
                             fold=rng.choice([0, 0, 1]))

    def datetime(self):
        rng = self.rng
        naive = datetime.datetime(rng.randrange(1971, 2037), rng.randrange(1, 13), rng.randrange(1, 29), rng.randrange(24),
                                  rng.randrange(60), rng.randrange(60), rng.choice([0, 5, 999999]), fold=rng.choice([0, 0, 1]))
        kind = rng.randrange(4)
        if kind == 0:
            return naive
        if kind == 1:
            return pytz.timezone(rng.choice(ZONES)).localize(naive.replace(fold=0))
        return naive.replace(tzinfo=self.zone())

    def delta(self):
        rng = self.rng
        return datetime.timedelta(rng.choice([0, -1, 5, 999999999 - 1, -999999999]), rng.randrange(86400), rng.randrange(10**6))

    def safe(self):
        made = SafeString(self.text())
        self.safe_strings += 1
        self.made.append(made)
        return made
