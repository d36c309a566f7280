"""Writes re.json: what Python's re makes of random patterns and texts, of all characters, and of their cases.

Usage: python3 generate.py SEED COUNT > re.json
"""
import json
import random
import re
import sys
import unicodedata
import warnings

LITERALS = list("aabbkKsSiI0_-/. \n") + ["é", "É", "٣", "\u00a0", "\u2126", "\u212a", "\u0131", "日", "\u0301", "\u01c5", "\\.", "\\/", "\\n", "\\x41", "\\u00e9", "\\060", "\\101"]
CLASSES = ["\\w", "\\W", "\\d", "\\D", "\\s", "\\S", ".", "[^/]", "[a-z]", "[^\\W_]", "[\\w-]", "[-a-zA-Z0-9_]",
           "[^\\s/]", "[]a]", "[^]a]", "[a\\-z]", "[K-k]", "[[:alpha:]]", "[\\b\\d]", "[à-ÿ]", "[^à-ÿ\\d]", "[\\Wa]", "[\\x00-\\x1f]"]
ASSERTIONS = ["^", "$", "\\A", "\\Z", "\\b", "\\b", "\\B"]
QUANTIFIERS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{,2}", "{1,}", "{0,1}?", "{,}", "{", "{}", "{a}", "*", "+", "?", "?", "{2,1}", "*+"]
FLAGS = ["i", "m", "s", "x", "a", "u", "im", "ia", "is"]
TEXT = list("aaabbkKsSiI01_-/. \n]{}[:") + ["é", "É", "٣", "\u00a0", "\u2126", "ω", "\u212a", "\u0131", "\u0130", "\u017f", "日", "\u0301", "\u01c5", "à", "²", "Å", "\x1c", "\x08"]


def atom(r, depth):
    kind = r.random()
    if kind < 0.45:
        return r.choice(LITERALS)
    if kind < 0.65:
        return r.choice(CLASSES)
    if kind < 0.75:
        return r.choice(ASSERTIONS)
    if depth == 0 or kind < 0.77:
        return r.choice(["a", "b", "(?#c)", "(?:)", "()", "(", ")", "[", "\\", "\\q", "[z-a]"] if kind < 0.76 else ["a", "\\w"])
    inner = alternatives(r, depth - 1)
    open_ = r.choice(["(", "(", "(?:", "(?:", "(?P<n%d>" % r.randrange(4), "(?%s:" % r.choice(FLAGS), "(?-i:",
                      "(?s:"] if r.random() < 0.95 else ["(?=", "(?!", "(?<=", "(?>", "(?<n>", "(?P=n1)(", "(?i)(", "\\1("])
    return open_ + inner + ")"


def sequence(r, depth):
    out = ""
    for _ in range(r.choice([0, 1, 1, 2, 2, 3, 4])):
        out += atom(r, depth)
        if r.random() < 0.3:
            out += r.choice(QUANTIFIERS)
    return out


def alternatives(r, depth):
    return "|".join(sequence(r, depth) for _ in range(r.choice([1, 1, 1, 2, 3])))


def pattern(r):
    p = alternatives(r, 2)
    if r.random() < 0.15:
        p = "(?%s)" % r.choice(FLAGS) + p
    if r.random() < 0.4:
        p = "^" + p
    if r.random() < 0.4:
        p += "$"
    return p


def text(r, p):
    chars = TEXT if r.random() < 0.4 else [c for c in p if c not in "()|?*+{}^$\\"] or TEXT
    return "".join(r.choice(chars) for _ in range(r.choice([0, 1, 1, 2, 2, 3, 4, 5, 6]))) + r.choice(["", "", "", "\n"])


def spans(m):
    """Offsets in UTF-8, as Go counts."""
    if m is None:
        return None
    out = []
    for g in range(len(m.groups()) + 1):
        for at in m.span(g):
            out.append(-1 if at < 0 else len(m.string[:at].encode()))
    return out


def ranges(holds):
    """First and last of each run of characters for which holds is true, one after the other."""
    out = []
    for c in range(sys.maxunicode + 1):
        if holds(chr(c)):
            if out and out[-1] == c - 1:
                out[-1] = c
            else:
                out += [c, c]
    return out


def same():
    """The sets of characters that are the same to (?i), as texts."""
    cased = [chr(c) for c in range(sys.maxunicode + 1) if re.match("[^\\d\\W]|\u0345|[\u24b6-\u24e9\u2160-\u217f]", chr(c))]
    cased = [c for c in cased if c.lower() != c or c.upper() != c or c.title() != c or c == "\u0131"]
    everything = "".join(cased)
    return sorted({"".join(re.findall("(?i)" + re.escape(c), everything)) for c in cased})


def main():
    r = random.Random(int(sys.argv[1]))
    warnings.simplefilter("ignore")
    cases = []
    seen = set()
    while len(cases) < int(sys.argv[2]):
        p = pattern(r)
        if p in seen:
            continue
        seen.add(p)
        try:
            compiled = re.compile(p)
        except (re.error, OverflowError):
            if r.random() < 0.3:
                cases.append({"pattern": p, "error": True})
            continue
        names = [""] * (compiled.groups + 1)
        for name, g in compiled.groupindex.items():
            names[g] = name
        texts = []
        for _ in range(4):
            t = text(r, p)
            try:
                texts.append({"text": t, "search": spans(compiled.search(t)), "fullmatch": spans(compiled.fullmatch(t))})
            except SystemError:
                pass  # a bug of re: "The span of capturing group is wrong"
        cases.append({"pattern": p, "names": names, "texts": texts})
    json.dump({"python": sys.version.split()[0], "unicode": unicodedata.unidata_version,
               "assigned": ranges(lambda c: unicodedata.category(c) != "Cn"),
               "classes": {c: ranges(re.compile(c).match) for c in ["\\w", "\\d", "\\s"]},
               "same": same(), "cases": cases},
              sys.stdout, ensure_ascii=True, separators=(",", ":"))


main()
