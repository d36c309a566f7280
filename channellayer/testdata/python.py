"""Writes python.json: what Python and Channels say about names, globs and JSON, for the tests in Go."""

import fnmatch
import json
import platform
import random
import re
import struct

import channels
from channels.layers import BaseChannelLayer

random.seed(20)


def accepts(check, name):
    try:
        return bool(check(name))
    except TypeError:
        return False


def names():
    layer = BaseChannelLayer()
    rows = [
        "", "a", "chat", "chat.room-1_X", "chat room", "chat/room", "chat:room", "chät", "chat\n", "chat\n\n", "\nchat",
        "a!", "!a", "!", "a!b", "a!b!c", "a!!", "a!b\n", "a!é", "a!б", "a!_-.", "a!b c", "a\x00", "٣", "a٣", "a!٣",
        "x" * 99, "x" * 100, "x" * 97 + "!a", "x" * 98 + "!a", "é" * 50, "specific.9f31c0!1a", "a,b", "a@b", "a+b", "*", "a?",
    ]
    alphabet = "ab9._-! \né/"
    rows += ["".join(random.choice(alphabet) for _ in range(random.randint(1, 6))) for _ in range(300)]
    return [
        {
            "name": name,
            "channel": accepts(layer.valid_channel_name, name),
            "group": accepts(layer.valid_group_name, name),
        }
        for name in rows
    ]


def globs():
    pairs = [
        ("http.response!*", "http.response!abc"), ("http.response!*", "http.response"), ("*", ""), ("", ""), ("", "a"),
        ("[]]", "]"), ("[!]]", "]"), ("[!]]", "a"), ("[", "["), ("[a", "[a"), ("[]", "[]"), ("[!]", "[!]"), ("[!", "[!"),
        ("[a-", "[a-"), ("[a-]", "-"), ("[-a]", "-"), ("[z-a]", "m"), ("[!z-a]", "m"), ("[b-a-c]", "-"), ("[b-a-c]", "b"),
        ("[a-c-e]", "d"), ("[a-c-e]", "-"), ("[^a]", "a"), ("[^a]", "^"), ("a\\*", "a\\x"), ("a.b", "axb"), ("A*", "abc"),
        ("*a*b*c*", "xxaxxbxxcxx"), ("*a*b*c*", "xxaxxcxxbxx"), ("a**b", "ab"), ("?", ""), ("??", "ab"), ("[[]", "["),
        ("[--0]", "."), ("[a-a]", "a"), ("[!a-c]", "d"), ("[!-a]", "-"), ("[]-a]", "^"), ("[\\]", "\\"), ("*.\n", "a.\n"),
        ("chat", "chat\n"), ("[&&]", "&"), ("[a||b]", "|"), ("[a~~b]", "~"), ("[.-0]", "/"),
    ]
    alphabet, letters = "ab-*?[]!c", "abc-]["
    for _ in range(1500):
        pattern = "".join(random.choice(alphabet) for _ in range(random.randint(1, 8)))
        name = "".join(random.choice(letters) for _ in range(random.randint(0, 5)))
        pairs.append((pattern, name))
    return [
        {"glob": p, "name": n, "matches": bool(re.compile(fnmatch.translate(p)).match(n))}
        for p, n in pairs
    ]


def texts():
    strings = [
        "", "héllo", "\x00\x01\x1f\x7f\x80", "\"\\/\b\f\n\r\t", "<script>&", "\u2028\u2029", "\U0001F3B8", "\ufffd\uffff\ue000",
        "日本", "a" * 50,
    ]
    floats = [
        0.0, -0.0, 1.0, -1.0, 1000.0, 0.1, 1.5, 1e15, 1e16, 1e17, 9999999999999998.0, 123456789012345680.0, 0.0001, 0.00001,
        9.999999999999999e-05, 1e22, 1e23, 5e-324, 1.7976931348623157e308, 2.5e-7, 1e100, 1e-7, float("nan"), float("inf"),
        float("-inf"), 2.0**53, 2.0**63,
    ]
    floats += [struct.unpack("<d", struct.pack("<Q", random.getrandbits(64)))[0] for _ in range(600)]
    floats += [random.uniform(-1, 1) * 10 ** random.randint(-6, 18) for _ in range(400)]
    floats += [float(random.randint(-(10**17), 10**17)) for _ in range(100)]
    ints = [0, -1, 255, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)]
    values = strings + floats + ints + [
        None, True, False, [], {}, [[]], [{}], {"": None}, {"b": 1, "a": [1, 1.0, "x"], "é": {"z": None, "Z": True}},
        {"\U0001F3B8": 1, "\uffff": 2, "z": 3}, [None, True, [False, [1.5]]],
    ]
    return [
        {
            "dumps": json.dumps(v, sort_keys=True),
            "compact": json.dumps(v, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        }
        for v in values
    ]


with open("python.json", "w", encoding="utf-8") as out:
    json.dump(
        {
            "versions": {"python": platform.python_version(), "channels": channels.__version__},
            "names": names(),
            "globs": globs(),
            "texts": texts(),
        },
        out,
        indent=0,
    )
    out.write("\n")
