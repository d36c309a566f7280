"""The Python at the other end of the tests.

peer.py compare        reads lines {"name", "original", "written"}, two pickles in base64, and says for each whether
                       Python loads equal values of them
peer.py random SEED N  writes N lines {"pickle", "json", "shared"} of random values, pickled with all protocols; shared
                       says that something is in a value twice
"""

import base64
import json
import pickle
import sys

import sites

sites.install()

import randomvalues  # noqa: E402  (needs Django set up)
import shape  # noqa: E402


def compare():
    for line in sys.stdin:
        case = json.loads(line)
        answer = {"name": case["name"]}
        try:
            original = shape.shape(pickle.loads(base64.b64decode(case["original"])))
            written = shape.shape(pickle.loads(base64.b64decode(case["written"])))
            if original != written:
                at = next((i for i, (a, b) in enumerate(zip(original, written)) if a != b), 0)
                answer["difference"] = "…%r where Python's own is …%r" % (written[at - 60:at + 140], original[at - 60:at + 140])
        except Exception as e:
            answer["difference"] = "%s: %s" % (type(e).__name__, e)
        print(json.dumps(answer))


def random_values(seed, count):
    for i in range(seed, seed + count):
        value, maker = randomvalues.make(i)
        protocol = i % 6
        if maker.safe_strings and protocol < 2:  # such a value cannot be pickled with protocols 0 and 1
            protocol = 2
        data = pickle.dumps(value, protocol=protocol)
        # What the rendering shows is what Python loads: protocols below 4 lose the fold of datetimes.
        text = json.dumps(shape.render(pickle.loads(data)), separators=(",", ":"))
        print(json.dumps({"name": "seed %d protocol %d" % (i, protocol), "shared": maker.shared > 0,
                          "pickle": base64.b64encode(data).decode(), "json": text}))


if sys.argv[1] == "compare":
    compare()
else:
    random_values(int(sys.argv[2]), int(sys.argv[3]))
