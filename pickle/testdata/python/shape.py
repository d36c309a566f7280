"""The exact shape of a value, and its rendering as JSON."""

import base64
import collections
import datetime
import decimal
import enum
import json
import math
import uuid
import zoneinfo

from django.utils.safestring import SafeString

SCALARS = (type(None), bool, int, str, bytes, complex, decimal.Decimal, uuid.UUID, datetime.date,
           datetime.timedelta, type(len), type(lambda: 0))


def tz_text(tz):
    if tz is None:
        return "naive"
    if isinstance(tz, zoneinfo.ZoneInfo):
        return "zoneinfo " + tz.key
    return type(tz).__module__ + " " + repr(tz)


def shape(value):
    """A text that is equal for two values only if they are equal in content, types and references."""
    numbers, lines, todo = {}, [], []

    def name(v):
        if isinstance(v, float) and type(v) is float:
            return "float " + v.hex()
        if isinstance(v, (datetime.datetime, datetime.time)):
            return "%s %s fold %d tz %s" % (type(v).__name__, v.replace(tzinfo=None).isoformat(), v.fold, tz_text(v.tzinfo))
        if isinstance(v, datetime.tzinfo):
            return tz_text(v)
        if type(v) in SCALARS or type(v) is tuple and not v:
            return "%s %r" % (type(v).__name__, v)
        if type(v) is SafeString:  # immutable: whether two are one object does not matter
            return "SafeString %r" % str.__str__(v)
        if isinstance(v, (type, enum.Enum)):
            return "%s.%s %r" % (type(v).__module__, type(v).__name__, v)
        if id(v) not in numbers:
            numbers[id(v)] = len(numbers)
            todo.append(v)
        return "#%d" % numbers[id(v)]

    def content(v):
        kind = type(v).__module__ + "." + type(v).__qualname__
        if type(v) in (list, tuple):
            return kind + " " + " ".join(map(name, v))
        if type(v) is dict:
            return kind + " " + " ".join(name(k) + ":" + name(x) for k, x in v.items())
        if type(v) in (set, frozenset):
            try:
                return kind + " " + " ".join(sorted(json.dumps(render(x)) for x in v))
            except (AttributeError, TypeError):  # a member has no rendering
                return kind + " " + " ".join(sorted(map(name, v)))
        if type(v) is bytearray:
            return kind + " " + v.hex()
        reduced = v.__reduce_ex__(4)
        if isinstance(reduced, str):
            return kind + " " + reduced
        parts = list(reduced) + [None] * (5 - len(reduced))
        if parts[3] is not None:
            parts[3] = list(parts[3])
        if parts[4] is not None:
            parts[4] = dict(parts[4])
        keep.append(parts)
        return kind + " " + " ".join(part_text(p) for p in parts)

    def part_text(p):
        # The tuples and lists that __reduce_ex__ makes are new each time, and so without a number.
        if type(p) in (tuple, list):
            return "(" + " ".join(part_text(x) if type(x) is tuple else name(x) for x in p) + ")"
        if type(p) is dict:
            return "{" + " ".join(name(k) + ":" + name(x) for k, x in p.items()) + "}"
        return name(p)

    keep = []
    lines.append(name(value))
    done = 0
    while done < len(todo):
        lines.append("#%d = %s" % (done, content(todo[done])))
        done += 1
    return "\n".join(lines)


def render_tz(tz):
    if tz is None:
        return None
    if tz is datetime.timezone.utc:
        return {"kind": "utc"}
    if isinstance(tz, zoneinfo.ZoneInfo):
        return {"kind": "zoneinfo", "key": tz.key}
    if type(tz) is datetime.timezone:
        r = {"kind": "fixed", "offset_seconds": tz.utcoffset(None).total_seconds()}
        if len(tz.__getinitargs__()) == 2:
            r["name"] = tz.tzname(None)
        return r
    if type(tz).__name__ == "_FixedOffset":
        return {"kind": "pytz_fixed", "offset_seconds": tz._minutes * 60}
    return {"kind": "pytz", "zone": tz.zone}


def render(value):
    """The JSON form that AppendJSON writes."""
    path = set()

    def tagged(kind, **rest):
        return dict({"$type": kind}, **rest)

    def pairs(v):
        return [[go(k), go(x)] for k, x in v.items()]

    def moment(v):
        r = tagged(type(v).__name__, value=v.isoformat(), tz=render_tz(v.tzinfo))
        if v.fold:
            r["fold"] = v.fold
        return r

    def container(v):
        if type(v) is list:
            return [go(x) for x in v]
        if type(v) is tuple:
            return tagged("tuple", items=[go(x) for x in v])
        if type(v) in (set, frozenset):
            items = sorted((go(x) for x in v), key=lambda x: json.dumps(x, separators=(",", ":")))
            return tagged(type(v).__name__, items=items)
        if type(v) is collections.OrderedDict:
            return tagged("OrderedDict", items=pairs(v))
        if type(v) is collections.defaultdict:
            f = v.default_factory
            return tagged("defaultdict", factory=f and f.__module__ + "." + f.__name__, items=pairs(v))
        if all(type(k) is str and not k.startswith("$") and plain(k) for k in v):
            return {k: go(x) for k, x in v.items()}
        return tagged("dict", items=pairs(v))

    def go(v):
        t = type(v)
        if v is None or t is bool:
            return v
        if t is int:
            return v if -2**53 < v < 2**53 else tagged("int", value=str(v))
        if t is float:
            return v if math.isfinite(v) else tagged("float", value=repr(v))
        if t is str:
            return v if plain(v) else tagged("str", code_points=list(map(ord, v)))
        if t in (bytes, bytearray):
            return tagged(t.__name__, b64=base64.b64encode(v).decode())
        if t is complex:
            return tagged("complex", real=go(v.real), imag=go(v.imag))
        if t in (datetime.datetime, datetime.time):
            return moment(v)
        if t is datetime.date:
            return tagged("date", value=v.isoformat())
        if t is datetime.timedelta:
            return tagged("timedelta", days=v.days, seconds=v.seconds, microseconds=v.microseconds)
        if t is decimal.Decimal:
            return tagged("Decimal", value=str(v))
        if t is uuid.UUID:
            return tagged("UUID", value=str(v))
        if t is SafeString:
            return tagged("SafeString", value=go(str.__str__(v)))
        if isinstance(v, datetime.tzinfo):
            return tagged("tzinfo", tz=render_tz(v))
        if id(v) in path:
            return tagged("recursive")
        path.add(id(v))
        try:
            return container(v)
        finally:
            path.discard(id(v))

    return go(value)


def plain(text):
    return not any(0xD800 <= ord(c) < 0xE000 for c in text)
