"""Boxes whose ciphertext is text already, as a Fernet token is: they spare a round of base64."""

from __future__ import annotations

from typing import Protocol, cast

from strongroom.protocols import Box


class TextBox(Protocol):
    """A box that also writes and opens the text form of a body.

    The text form is the base64url, without padding, of what ``seal`` returns and ``open`` takes.
    """

    def seal_text(self, payload: bytes, header: bytes, /) -> str:
        """Encrypt a payload; returns the text form of the row's body."""
        ...

    def open_text(self, body: str, header: bytes, /) -> bytes:
        """Decrypt a body in its canonical text form; raises as ``open`` does."""
        ...


def as_text_box(box: Box | None, header: bytes) -> TextBox | None:
    """Return a box as a TextBox, or None if it is none.

    None also if the header is no whole number of characters in its text form: then the text form of
    the body does not stand by itself.
    """
    # isinstance with a protocol takes longer than all else that binding a session does.
    has_text = hasattr(box, "seal_text") and hasattr(box, "open_text")
    return cast("TextBox", box) if has_text and len(header) % 3 == 0 else None
