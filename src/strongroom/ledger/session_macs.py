"""The macs of one session's links and heads, under subkeys that are derived once."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from strongroom.errors import UnknownKeyError
from strongroom.format.envelope import lp
from strongroom.format.ledger import LINK, MAC_SIZE, RECORD
from strongroom.keys.keyring import Keyring
from strongroom.protocols import Stored

_INFO = b"strongroom ledger v1"


class SessionMacs:
    """Authenticates under the keys of a keyring, for one session of one namespace.

    The subkey is HKDF-SHA256(key, info = "strongroom ledger v1" | key id | LP(namespace) |
    LP(session id), 32 bytes); a mac is HMAC-SHA256, cut to 16 bytes. Both methods raise
    UnknownKeyError for a key that the keyring does not hold.
    """

    __slots__ = ("_keys", "_macs", "_names", "_session_id")

    def __init__(self, keys: Keyring, session_id: str, namespace: str) -> None:
        self._keys = keys
        self._session_id = session_id
        self._names = lp(namespace) + lp(session_id)
        self._macs: dict[bytes, HMAC] = {}

    def of(self, key_id: bytes, message: bytes) -> bytes:
        """Return the mac of a message."""
        mac = (self._macs.get(key_id) or self._derive(key_id)).copy()
        mac.update(message)
        return mac.finalize()[:MAC_SIZE]

    def of_links(self, joined: bytes, key_ids: Sequence[bytes], values: Sequence[Stored]) -> bytes:
        """Return the macs of links, one behind the other.

        ``joined`` holds the links as ``RECORD``s, and ``values`` the values behind them.
        """
        macs: list[bytes] = []
        start = 0
        # The loop that a long read spends its time in: no calls but those that it needs.
        known = self._macs
        for key_id, value in zip(key_ids, values, strict=True):
            data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
            mac = (known.get(key_id) or self._derive(key_id)).copy()
            mac.update(b"\1" + joined[start : start + LINK.size] + data)
            macs.append(mac.finalize()[:MAC_SIZE])
            start += RECORD.size
        return b"".join(macs)

    def _derive(self, key_id: bytes) -> HMAC:
        try:
            key = self._keys.get(base64.urlsafe_b64encode(key_id).decode("ascii"))
        except UnknownKeyError as error:
            error.at(self._session_id)
            raise
        subkey = key.derive(_INFO + key_id + self._names, 32)
        mac = self._macs[key_id] = HMAC(subkey, SHA256())
        return mac
