"""Classes of a site, whose instances are in the vectors, and a Django that knows its own models."""

import collections
import dataclasses
import enum
import sys
import types
import warnings


class Color(enum.Enum):
    RED = 1
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Flag(enum.Flag):
    A = 1
    B = 2


@dataclasses.dataclass
class Data:
    a: object = None
    b: object = None


class Plain:
    pass


class Slots:
    __slots__ = ("p", "q")


class WithState:
    def __setstate__(self, state):
        self.state = state

    def __getstate__(self):
        return self.state


class NewArgsEx:
    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        self.got = (args, kwargs)
        return self

    def __getnewargs_ex__(self):
        return self.got

    def __getstate__(self):
        return None


class ListSub(list):
    pass


class DictSub(dict):
    pass


class StrSub(str):
    pass


class IntSub(int):
    pass


Point = collections.namedtuple("Point", "x y")


def install():
    """Make vecapp.things importable, and set Django up."""
    package, things = types.ModuleType("vecapp"), types.ModuleType("vecapp.things")
    for item in (Color, Level, Flag, Data, Plain, Slots, WithState, NewArgsEx, ListSub, DictSub, StrSub, IntSub, Point):
        item.__module__ = "vecapp.things"
        setattr(things, item.__name__, item)
    package.things = things
    sys.modules["vecapp"], sys.modules["vecapp.things"] = package, things

    warnings.simplefilter("ignore")  # models that another version of Django pickled
    import django
    from django.conf import settings

    settings.configure(USE_TZ=True, INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"])
    django.setup()
