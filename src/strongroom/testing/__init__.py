"""Conformance suites for stages, readers, witnesses and sessions of one's own.

Each suite is a class of pytest tests. A subclass whose name begins with ``Test`` and which says
how to make one runs them all; strongroom's own stages and sessions pass the same suites::

    class TestCbor(SerializerSuite):
        def make(self):
            return CborSerializer()

Needs pytest and Hypothesis: ``pip install "strongroom[testing]"``.
"""

from strongroom.errors import MissingDependencyError

try:
    import hypothesis  # noqa: F401
    import pytest
except ImportError as error:
    raise MissingDependencyError(
        'strongroom.testing needs pytest and hypothesis: pip install "strongroom[testing]"'
    ) from error

pytest.register_assert_rewrite(
    *(
        f"strongroom.testing.{name}"
        for name in ("ciphers", "compressors", "readers", "serializers", "sessions", "witnesses")
    )
)

from strongroom.testing.ciphers import CipherSuite  # noqa: E402 - asserts are rewritten first
from strongroom.testing.compressors import CompressorSuite  # noqa: E402
from strongroom.testing.readers import ForeignRow, ReaderSuite  # noqa: E402
from strongroom.testing.serializers import SerializerSuite  # noqa: E402
from strongroom.testing.sessions import SessionSuite  # noqa: E402
from strongroom.testing.values import items, json_values, same  # noqa: E402
from strongroom.testing.witnesses import WitnessSuite  # noqa: E402

__all__ = [
    "CipherSuite",
    "CompressorSuite",
    "ForeignRow",
    "ReaderSuite",
    "SerializerSuite",
    "SessionSuite",
    "WitnessSuite",
    "items",
    "json_values",
    "same",
]
