"""The Python at the other end of the tests.

peer.py compare        reads lines {"name", "original", "written"}, two pickles in base64, and says for each whether
                       Python loads equal values of them
peer.py random SEED N  writes N lines {"pickle", "json"} of random values, pickled with all protocols
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
    for i in range(count):
        value = randomvalues.make(seed + i)
        try:
            data = pickle.dumps(value, protocol=i % 6)
        except RecursionError:  # a SafeString cannot be pickled with protocols 0 and 1
            data = pickle.dumps(value, protocol=2)
        # What the rendering shows is what Python loads: protocols below 4 lose the fold of datetimes.
        text = json.dumps(shape.render(pickle.loads(data)), separators=(",", ":"))
        print(json.dumps({"name": "seed %d protocol %d" % (seed + i, i % 6),
                          "pickle": base64.b64encode(data).decode(), "json": text}))


if sys.argv[1] == "compare":
    compare()
else:
    random_values(int(sys.argv[2]), int(sys.argv[3]))
