"""Writes the pickles beside this script: the same objects under every protocol, and what Python 2 adds.

    python3.11 make_pickles.py       zoo-0.pkl ... zoo-5.pkl (Python 3.11)
    python2.7 make_pickles.py        py2-0.pkl, py2-1.pkl, py2-2.pkl (Python 2.7.18)
"""
import argparse
import collections
import datetime
import functools
import os
import pickle
import sys

here = os.path.dirname(os.path.abspath(__file__))


class Config(dict):
    """A dict with attributes, as yacs.config.CfgNode."""


class Layers(list):
    """A list with attributes."""


class Slots(object):
    __slots__ = ("left", "right")

    def __init__(self):
        self.left, self.right = 1, "r"


Point = collections.namedtuple("Point", "x y")


def both():
    """What Python 2 and 3 write alike."""
    config = Config(width=0.25, depth=[2, 4])
    config.frozen = True
    layers = Layers([1, 2, 3])
    layers.name = "stage"
    shared = [1]
    circular = []
    circular.append(circular)
    return [
        ("none", None),
        ("bools", [True, False]),
        ("integers", [0, 1, 255, 256, 65535, 65536, -1, -129, 2**31 - 1, 2**31, -2**31, -2**31 - 1,
                      2**63 - 1, -2**63]),
        ("big", [2**63, -2**63 - 1, 2**64, 2**80, -2**80, 10**40]),
        ("floats", [0.0, -0.5, 1e300, 0.1, float("inf"), float("-inf")]),
        ("tuples", [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)]),
        ("long list", list(range(1100))),
        ("dict", {"a": 1}),
        ("ordered", collections.OrderedDict([("z", 1), ("a", 2)])),
        ("default", collections.defaultdict(list, {"k": [1]})),
        ("config", config),
        ("layers", layers),
        ("point", Point(3, 4)),
        ("set", set([7])),
        ("frozen", frozenset([8])),
        ("time", datetime.datetime(2021, 1, 11, 12, 30)),
        ("arguments", argparse.Namespace(lr=0.1, data="x")),
        ("partial", functools.partial(int, base=2)),
        ("function", os.path.join),
        ("shared", [shared, shared]),
        ("circular", circular),
    ]


def save(name, value, protocol):
    with open(os.path.join(here, name), "wb") as file:
        pickle.dump(value, file, protocol)


def python3():
    zoo = both() + [
        ("text", ["", "plain", "a\\b\n\r\u00e9\u4e2d\U0001f600", "\\u0041", "x" * 300]),
        ("surrogate", "\ud800"),
        ("bytes", [b"", b"weights", bytes(range(256)), bytes([0, 128, 255]) * 200]),
        ("bytearrays", [bytearray(), bytearray(range(256))]),
        ("counter", collections.Counter({"a": 2})),
        ("method", collections.OrderedDict.fromkeys),
        ("range", range(3)),
    ]
    for protocol in range(6):
        values = dict(zoo)
        if protocol >= 2:
            values["slots"] = Slots()
        save("zoo-%d.pkl" % protocol, values, protocol)


def python2():
    class OldStyle:
        def __init__(self, *arguments):
            self.arguments = arguments

        def __getinitargs__(self):
            return self.arguments

    OldStyle.__name__ = "OldStyle"
    globals()["OldStyle"] = OldStyle
    zoo = both() + [
        ("unicode", [u"", u"plain", u"a\\b\n\u00e9\u4e2d", u"\\u0041"]),
        ("bytes", ["", "weights", "".join(map(chr, range(256))), "'quoted\"", "x" * 300]),
        ("long", [long(5), long(-5), long(0)]),
        ("old", OldStyle(1, "two")),
        ("xrange", [xrange, unicode, long]),
        ("exception", ValueError("bad")),
    ]
    for protocol in range(3):
        save("py2-%d.pkl" % protocol, collections.OrderedDict(zoo), protocol)


if sys.version_info[0] == 2:
    python2()
else:
    python3()
