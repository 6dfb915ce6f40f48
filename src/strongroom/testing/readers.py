"""What must hold for every reader of rows that somebody else wrote."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from strongroom import (
    AesGcmCipher,
    Codec,
    DecodeError,
    Item,
    Key,
    Keyring,
    OrjsonSerializer,
    Reader,
    StrongroomError,
)
from strongroom.format.text import to_text
from strongroom.testing.values import PROPERTY, same

_CODEC = Codec(OrjsonSerializer(), cipher=AesGcmCipher(Keyring(Key(bytes([68]) * 32))))
_ITEM = {"role": "user", "content": "sealed by strongroom"}


@dataclass(frozen=True, kw_only=True)
class ForeignRow:
    """A row that a reader is to read: as its column holds it, its session id, and its item."""

    stored: str | bytes
    item: Item
    session_id: str = "s"


class ReaderSuite:
    """The tests of a reader. A subclass defines ``make`` and ``rows``, and perhaps ``others``."""

    def make(self) -> Reader:
        """Return the reader that is tested."""
        raise NotImplementedError

    def rows(self) -> Sequence[ForeignRow]:
        """Return rows that it reads: at least one, better one of every shape."""
        raise NotImplementedError

    def others(self) -> Sequence[str | bytes]:
        """Return rows that it must leave alone, beside those that strongroom sealed."""
        return ()

    def test_meets_the_protocol(self) -> None:
        reader = self.make()
        assert isinstance(reader, Reader)
        assert isinstance(reader.name, str)
        assert reader.name

    def test_recognises_and_reads_its_rows(self) -> None:
        reader = self.make()
        assert self.rows(), "rows() returns at least one row"
        for row in self.rows():
            assert reader.matches(row.stored) is True
            assert same(reader.decode(row.stored, context=row.session_id), row.item)

    def test_leaves_rows_alone_that_strongroom_sealed(self) -> None:
        reader = self.make()
        sealed = _CODEC.encode(_ITEM, context="s")
        assert reader.matches(sealed) is False
        assert reader.matches(to_text(sealed)) is False

    def test_leaves_other_rows_alone(self) -> None:
        reader = self.make()
        for stored in self.others():
            assert reader.matches(stored) is False

    @PROPERTY
    @given(stored=st.text() | st.binary())
    def test_whatever_it_is_offered_it_says_yes_or_no(self, stored: str | bytes) -> None:
        reader = self.make()
        assert reader.matches(stored) in {True, False}
        if reader.matches(stored):
            with contextlib.suppress(DecodeError):
                reader.decode(stored, context="s")

    def test_a_damaged_row_is_an_item_or_a_decode_error_that_does_not_quote_it(self) -> None:
        reader = self.make()
        for row in self.rows():
            for damaged in _damaged(row.stored):
                if not reader.matches(damaged):
                    continue
                error = _error(reader, damaged, row.session_id)
                assert error is None or isinstance(error, DecodeError)
                assert _quote(damaged) not in str(error)

    def test_reads_its_rows_in_a_codec_that_accepts_it(self) -> None:
        codec = Codec(_CODEC.serializer, cipher=_CODEC.cipher, accept=(self.make(),))
        for row in self.rows():
            assert same(codec.decode(row.stored, context=row.session_id), row.item)
        sealed = codec.encode(_ITEM, context="s")
        assert _CODEC.decode(sealed, context="s") == _ITEM


def _error(reader: Reader, stored: str | bytes, session_id: str) -> StrongroomError | None:
    try:
        reader.decode(stored, context=session_id)
    except StrongroomError as error:
        return error
    return None


def _damaged(stored: str | bytes) -> list[str | bytes]:
    """Return a row cut off, made longer, and with one place altered."""
    size = len(stored)
    places = sorted({0, 1, size // 4, size // 2, size - 2, size - 1} & set(range(size)))
    if isinstance(stored, str):
        cut: list[str | bytes] = [stored[:place] for place in places]
        return [*cut, stored + "x", *(f"{stored[:p]}~{stored[p + 1 :]}" for p in places)]
    cut = [stored[:place] for place in places]
    return [*cut, stored + b"x", *(stored[:p] + b"~" + stored[p + 1 :] for p in places)]


def _quote(stored: str | bytes) -> str:
    """Return the middle of a row as an error would repeat it."""
    middle = stored[len(stored) // 3 : len(stored) // 3 + 16]
    return middle if isinstance(middle, str) and middle else repr(middle)
