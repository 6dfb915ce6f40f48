"""What the ciphers share: the binding of a row to its session, and the subkey derived from it."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from strongroom.format.envelope import KEY_ID_SIZE, lp
from strongroom.keys.keyring import Keyring

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

NOT_OPENED = (
    "The row does not open: the key is another one than its id says, the row was altered, or it "
    "was written for another session or namespace; which of these, its cipher cannot say."
)
PICKLE_REFUSED = "A cipher's box holds derived keys and is not pickled: bind the cipher anew."

_INFO = b"strongroom v1"
# A session's rows have a handful of headers: one for each key and each choice of other stages.
_CACHED_HEADERS = 64


def keyring_problem(keys: object) -> str | None:
    """Return what is wrong with a cipher's argument, or None; never quotes it: it may be a key."""
    if isinstance(keys, Keyring):
        return None
    return "A cipher takes a Keyring: Keyring(Key.from_base64(…)), or Keyring.from_file(…)."


def per_header(
    keys: Keyring, namespace: str, context: str, make: Callable[[bytes], T]
) -> Callable[[bytes], tuple[T, bytes]]:
    """Return a function from a header to a primitive on its subkey, and to its binding.

    binding = header | LP(namespace) | LP(context), and the subkey is HKDF-SHA256(key, info =
    "strongroom v1" | binding, 32 bytes) of the key whose id ends the header. The function remembers
    its results, and raises UnknownKeyError for a key that the keyring does not hold.
    """
    tail = lp(namespace) + lp(context)

    @lru_cache(maxsize=_CACHED_HEADERS)
    def derive(header: bytes) -> tuple[T, bytes]:
        key_id = base64.urlsafe_b64encode(header[-KEY_ID_SIZE:]).decode("ascii")
        binding = header + tail
        return make(keys.get(key_id).derive(_INFO + binding)), binding

    return derive
