"""The row format, version 1: what stands before a row's data, and the text form of rows.

::

    header = C1 A5 | version 01 | suite 1 | serializer 1 | compressor 1
             [| name of each third-party stage] [| key id 9, if suite is not 00]
    row    = header | body

A third-party stage has the id FF, and its name (length byte, then 1 to 64 of ``[a-z0-9_-]``)
follows in the order suite, serializer, compressor. In a text column a row is its base64url without
padding. ``docs/row-format.md`` is the specification; no other module knows the format.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from strongroom.errors import ConfigurationError, EnvelopeError
from strongroom.format.text import NOT_CANONICAL, decode_text, to_text

MAGIC = b"\xc1\xa5"
LINK_MAGIC = b"\xc1\xa6\x01"
"""What a ledger's link begins with."""
VERSION = 1
KEY_ID_SIZE = 9
HEADER_SIZE = len(MAGIC) + 4
"""The size of a header without a key id and without names of third-party stages."""
KEYED_HEADER_SIZE = HEADER_SIZE + KEY_ID_SIZE
"""The same with a key id; in the text form it takes a whole number of characters."""
KEYED_HEADER_TEXT_SIZE = KEYED_HEADER_SIZE // 3 * 4
NO_KEY_ID = "AAAAAAAAAAAA"
"""The key id of a third-party cipher that has none: nine zeros."""

CIPHERS = {"fernet": 1, "aesgcm": 2}
SERIALIZERS = {"orjson": 1, "json": 1, "msgpack": 2}
COMPRESSORS = {"zlib": 1, "zstd": 2}
BUILT_IN = frozenset(CIPHERS) | frozenset(SERIALIZERS) | frozenset(COMPRESSORS)
"""Names that no third party's stage bears, whatever its kind."""
NONE = 0
THIRD_PARTY = 0xFF

_CIPHER_NAMES = {number: name for name, number in CIPHERS.items()}
_SERIALIZER_NAMES = {number: name for name, number in SERIALIZERS.items()}
_COMPRESSOR_NAMES = {number: name for name, number in COMPRESSORS.items()}
_NAME = re.compile(rb"[a-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A row taken apart; stages are named, None where the row has none."""

    header: bytes
    body: bytes
    serializer: str
    compressor: str | None
    cipher: str | None
    key_id: str | None


def lp(text: str) -> bytes:
    """Return the UTF-8 of a text behind its length in 4 bytes, big-endian."""
    data = text.encode("utf-8")
    return len(data).to_bytes(4, "big") + data


def build_header(
    serializer: str,
    compressor: str | None = None,
    cipher: str | None = None,
    key_id: str | None = None,
) -> bytes:
    """Return the header of rows that these stages write; ConfigurationError for an odd name."""
    suite, suite_name = _stage_id(cipher, CIPHERS)
    serial, serial_name = _stage_id(serializer, SERIALIZERS)
    compress, compress_name = _stage_id(compressor, COMPRESSORS)
    header = MAGIC + bytes((VERSION, suite, serial, compress))
    header += suite_name + serial_name + compress_name
    if suite != NONE:
        header += key_id_bytes(key_id or NO_KEY_ID)
    return header


def key_id_bytes(key_id: str) -> bytes:
    """Return the nine bytes of a key id; ConfigurationError if it is not twelve base64url."""
    try:
        raw = base64.urlsafe_b64decode(key_id)
    except ValueError:
        raw = b""
    if len(raw) != KEY_ID_SIZE or base64.urlsafe_b64encode(raw).decode("ascii") != key_id:
        raise ConfigurationError("A key id is twelve characters of base64url.")
    return raw


def parse(row: bytes) -> Envelope:
    """Take a row apart; EnvelopeError if it is truncated, malformed or of another version."""
    if len(row) < HEADER_SIZE:
        raise EnvelopeError("The row is truncated: its header is not complete.")
    if row[2] != VERSION:
        raise EnvelopeError(
            f"The row has version {row[2]} of the row format, and this strongroom reads "
            f"version {VERSION}: upgrade strongroom, or the row is damaged."
        )
    suite, serial, compress = row[3], row[4], row[5]
    cipher, end = _stage_name("suite", suite, _CIPHER_NAMES, row, HEADER_SIZE)
    serializer, end = _stage_name("serializer", serial, _SERIALIZER_NAMES, row, end)
    compressor, end = _stage_name("compressor", compress, _COMPRESSOR_NAMES, row, end)
    if serializer is None:
        raise EnvelopeError("The row is malformed: it names no serializer.")
    key_id = None
    if suite != NONE:
        raw = row[end : end + KEY_ID_SIZE]
        end += KEY_ID_SIZE
        if len(raw) < KEY_ID_SIZE:
            raise EnvelopeError("The row is truncated: its header is not complete.")
        key_id = base64.urlsafe_b64encode(raw).decode("ascii")
    return Envelope(row[:end], row[end:], serializer, compressor, cipher, key_id)


def from_text(stored: str) -> bytes | None:
    """Return the row of a text form, or None if the text is no envelope.

    The first 16 bits tell: they are the first two characters and a part of the third. EnvelopeError
    for an encoding that is not the canonical one.
    """
    if stored[:2] != "wa" or stored[2:3] not in {"U", "V", "W", "X"}:
        return None
    row = decode_text(stored)
    if row is None:
        raise EnvelopeError(NOT_CANONICAL)
    return row


def has_text_magic(stored: bytes) -> bool:
    """Tell bytes that begin as the text form of a row does."""
    return stored[:2] == b"wa" and stored[2:3] in {b"U", b"V", b"W", b"X"}


def is_linked(stored: str | bytes) -> bool:
    """Tell a value that begins as a ledger's link does."""
    if isinstance(stored, str):
        return stored[:4] == "waYB"
    return stored[:3] == LINK_MAGIC


def is_envelope(row: bytes) -> bool:
    """Tell a row of this format by its magic."""
    return row[:2] == MAGIC


def wire_name(serializer: str) -> str:
    """Return what rows call a serializer: ``json`` and ``orjson`` write one wire format."""
    return _SERIALIZER_NAMES.get(SERIALIZERS.get(serializer, NONE), serializer)


def column_text(row: bytes) -> str:
    """Return what a text column holds for a row: bare JSON as it is, an envelope's text form."""
    return to_text(row) if is_envelope(row) else row.decode("utf-8")


def check_name(name: str) -> bytes:
    """Return a stage's name as bytes; ConfigurationError unless 1 to 64 of ``[a-z0-9_-]``."""
    raw = name.encode("utf-8", "replace")
    if not _NAME.fullmatch(raw):
        raise ConfigurationError(
            f"A stage is named by 1 to 64 lower-case letters, digits, '-' or '_', not {name!r}."
        )
    return raw


def _stage_id(name: str | None, ids: dict[str, int]) -> tuple[int, bytes]:
    if name is None:
        return NONE, b""
    if name in ids:
        return ids[name], b""
    raw = check_name(name)
    return THIRD_PARTY, bytes((len(raw),)) + raw


def _stage_name(
    kind: str, number: int, names: dict[int, str], row: bytes, start: int
) -> tuple[str | None, int]:
    """Return a stage's name and where the header goes on."""
    if number == NONE:
        return None, start
    if number in names:
        return names[number], start
    if number != THIRD_PARTY:
        raise EnvelopeError(f"The row is malformed: version 1 has no {kind} {number}.")
    if start >= len(row):
        raise EnvelopeError("The row is truncated: its header is not complete.")
    end = start + 1 + row[start]
    raw = row[start + 1 : end]
    if not _NAME.fullmatch(raw) or len(raw) != row[start]:
        raise EnvelopeError(f"The row is malformed: its {kind} has no proper name.")
    name = raw.decode("ascii")
    if name in BUILT_IN:
        raise EnvelopeError(f"The row is malformed: it spells out the built-in {kind} {name}.")
    return name, end
