"""The text form of bytes: base64url without padding, of which exactly one spelling is accepted."""

from __future__ import annotations

import binascii

from strongroom.errors import EnvelopeError

NOT_CANONICAL = "The row is not canonical base64url without padding: it is truncated or altered."
"""The message for a text that is not in this form."""

_URL_SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_FROM_URL_SAFE = bytes.maketrans(b"-_+/=", b"+/!!!")
"""From base64url to base64, whose own characters base64url lacks."""
_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_LAST_CHARACTERS = ("", "", "AQgw", "AEIMQUYcgkosw048")
"""What a text may end in whose length leaves this rest by four."""


def to_text(row: bytes) -> str:
    """Return the text form of a row: base64url without padding."""
    return binascii.b2a_base64(row, newline=False).translate(_TO_URL_SAFE, b"=").decode("ascii")


def check_canonical(stored: str) -> None:
    """Raise EnvelopeError unless a text is canonical base64url without padding."""
    rest = len(stored) % 4
    ends_well = not rest or stored[-1] in _LAST_CHARACTERS[rest]
    if not ends_well or not stored.isascii() or stored.encode().translate(None, _URL_SAFE):
        raise EnvelopeError(NOT_CANONICAL)


def decode_text(text: str) -> bytes | None:
    """Decode canonical base64url without padding; None for any other text.

    Python's decoders skip stray characters and ignore stray bits, so two texts would be one row.
    Here other characters fail, and the last one has to leave the bits zero that it has too many.
    """
    rest = len(text) % 4
    if rest and text[-1] not in _LAST_CHARACTERS[rest]:
        return None
    try:
        data = text.encode("ascii").translate(_FROM_URL_SAFE)
        return binascii.a2b_base64(data + b"=" * (-rest % 4), strict_mode=True)
    except ValueError:
        return None
