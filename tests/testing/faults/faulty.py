"""Makes suites of stages that are wrong in one way each."""

import sys

from strongroom import JsonSerializer

JSON = JsonSerializer()


def fault(caught_by, suite):
    """Make a suite of a faulty stage; the class is called by the stage's name."""

    def wrap(stage):
        def make(self, *keys):
            return stage(*keys)

        name = f"Test{stage.__name__}"
        attributes = {"make": make, "caught_by": caught_by, "__module__": stage.__module__}
        setattr(sys.modules[stage.__module__], name, type(name, (suite,), attributes))
        return stage

    return wrap


class Sound:
    """A serializer without a fault, for the others to spoil."""

    name = "sound"

    def __eq__(self, other):
        return type(self) is type(other)

    def __hash__(self):
        return hash(type(self))

    def dumps(self, item):
        return JSON.dumps(item)

    def loads(self, data):
        return JSON.loads(data)
