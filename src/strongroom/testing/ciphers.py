"""What must hold for every cipher."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strongroom import (
    AuthenticationError,
    Cipher,
    Codec,
    JsonSerializer,
    Key,
    Keyring,
    MsgpackSerializer,
    UnknownKeyError,
    ZlibCompressor,
)
from strongroom.format.text import decode_text, to_text
from strongroom.testing.stages import StageSuite
from strongroom.testing.values import PROPERTY, SECRET, shown

PAYLOAD = f'{{"role":"user","content":"{SECRET}"}}'.encode()
KEYS = [Key(bytes([number]) * 32) for number in (17, 34, 51)]
RING = Keyring(*KEYS)


class CipherSuite(StageSuite):
    """The tests of a cipher. A subclass defines ``make``, which returns one on given keys."""

    protocol = Cipher

    def make(self, keys: Keyring) -> Cipher:
        """Return the cipher that is tested; its primary key is ``keys.primary``."""
        raise NotImplementedError

    def _stage(self) -> Any:
        return self.make(RING)

    @PROPERTY
    @given(payload=st.binary(max_size=300), namespace=st.text(), context=st.text())
    @example(payload=b"", namespace="", context="")
    @example(payload=b"\0data\0\0", namespace="\0", context="\U0001f600")
    def test_opens_what_it_sealed(self, payload: bytes, namespace: str, context: str) -> None:
        cipher = self.make(RING)
        body = cipher.bind(namespace, context).seal(payload, header(cipher))
        assert type(body) is bytes
        # Another object, as in another process.
        box = self.make(RING).bind(namespace, context)
        assert box.open(body, header(cipher)) == payload

    @pytest.mark.parametrize("size", [0, 1, 1_000_000])
    def test_takes_payloads_of_every_size(self, size: int) -> None:
        cipher = self.make(RING)
        box = cipher.bind("", "s")
        assert box.open(box.seal(bytes(size), header(cipher)), header(cipher)) == bytes(size)

    def test_hides_the_payload(self) -> None:
        cipher = self.make(RING)
        body = cipher.bind("", "s").seal(PAYLOAD, header(cipher))
        assert SECRET.encode() not in body
        assert PAYLOAD[::-1] not in body

    @pytest.mark.parametrize(
        ("namespace", "context"),
        [("", "other"), ("", ""), ("", "s\0"), ("", "S"), ("", "s "), ("", "s" * 1000)],
    )
    def test_a_row_of_another_session_does_not_open(self, namespace: str, context: str) -> None:
        self._assert_closed_to(namespace, context)

    @pytest.mark.parametrize(("namespace", "context"), [("tenant", "s"), ("s", ""), ("s", "s")])
    def test_a_row_of_another_namespace_does_not_open(self, namespace: str, context: str) -> None:
        self._assert_closed_to(namespace, context)

    def test_namespace_and_context_are_kept_apart(self) -> None:
        cipher = self.make(RING)
        body = cipher.bind("ab", "c").seal(PAYLOAD, header(cipher))
        for namespace, context in (("a", "bc"), ("abc", ""), ("", "abc"), ("c", "ab")):
            with pytest.raises(AuthenticationError):
                cipher.bind(namespace, context).open(body, header(cipher))

    def test_an_altered_header_does_not_open(self) -> None:
        cipher = self.make(RING)
        box = cipher.bind("", "s")
        body = box.seal(PAYLOAD, header(cipher))
        others = [
            Codec(MsgpackSerializer(), cipher=cipher).header,
            Codec(JsonSerializer(), compressor=ZlibCompressor(), cipher=cipher).header,
            header(cipher)[:-1] + bytes([header(cipher)[-1] ^ 1]),
        ]
        for other in others:
            with pytest.raises((AuthenticationError, UnknownKeyError)):
                box.open(body, other)

    def test_every_altered_byte_of_a_body_is_refused(self) -> None:
        cipher = self.make(RING)
        box, head = cipher.bind("", "s"), header(cipher)
        body = box.seal(PAYLOAD, head)
        for position in range(len(body)):
            for flip in (0x01, 0x80, 0xFF):
                altered = bytearray(body)
                altered[position] ^= flip
                with pytest.raises(AuthenticationError):
                    box.open(bytes(altered), head)

    def test_every_truncated_or_longer_body_is_refused(self) -> None:
        cipher = self.make(RING)
        box, head = cipher.bind("", "s"), header(cipher)
        body = box.seal(PAYLOAD, head)
        altered = [body[:end] for end in range(len(body))]
        altered += [body[start:] for start in range(1, len(body))]
        altered += [body + tail for tail in (b"\0", b"=", b"\n", bytes(16), body)]
        for value in [*altered, b"\0" + body]:
            with pytest.raises(AuthenticationError):
                box.open(value, head)

    @PROPERTY
    @given(body=st.binary(max_size=200))
    def test_any_other_body_is_refused(self, body: bytes) -> None:
        cipher = self.make(RING)
        with pytest.raises(AuthenticationError):
            cipher.bind("", "s").open(body, header(cipher))

    def test_equal_payloads_look_different(self) -> None:
        cipher = self.make(RING)
        box, head = cipher.bind("", "s"), header(cipher)
        assert len({box.seal(PAYLOAD, head) for _ in range(200)}) == 200

    def test_equal_payloads_of_several_processes_look_different(self) -> None:
        # What is made anew stands for another process: a counter would begin again.
        bodies = set()
        for _ in range(50):
            cipher = self.make(RING)
            bodies.add(cipher.bind("", "s").seal(PAYLOAD, header(cipher)))
        assert len(bodies) == 50

    def test_every_key_of_the_keyring_opens_and_the_primary_one_seals(self) -> None:
        old, new = Keyring(KEYS[0]), Keyring(KEYS[1], KEYS[0])
        before = self.make(old)
        body = before.bind("", "s").seal(PAYLOAD, header(before))
        after = self.make(new)
        assert after.bind("", "s").open(body, header(before)) == PAYLOAD
        body = after.bind("", "s").seal(PAYLOAD, header(after))
        alone = self.make(Keyring(KEYS[1]))
        assert alone.bind("", "s").open(body, header(after)) == PAYLOAD

    def test_a_key_that_the_keyring_does_not_hold_opens_nothing(self) -> None:
        cipher, other = self.make(Keyring(KEYS[0])), self.make(Keyring(KEYS[1]))
        body = cipher.bind("", "s").seal(PAYLOAD, header(cipher))
        for head in (header(cipher), header(other)):
            with pytest.raises((UnknownKeyError, AuthenticationError)):
                other.bind("", "s").open(body, head)

    def test_shows_no_key(self) -> None:
        cipher = self.make(RING)
        box = cipher.bind("", "s")
        body = box.seal(PAYLOAD, header(cipher))
        with pytest.raises(AuthenticationError) as caught:
            box.open(body[:-1] + bytes([body[-1] ^ 1]), header(cipher))
        told = f"{cipher!r} {cipher} {box!r} {box} {shown(caught.value)}"
        for key in KEYS:
            for secret in _spellings(key):
                assert secret not in told
        assert SECRET not in told

    def test_threads_may_share_a_box(self) -> None:
        cipher = self.make(RING)
        box, head = cipher.bind("", "s"), header(cipher)
        payloads = [b"%d" % number * 100 for number in range(800)]
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda p: box.open(box.seal(p, head), head), payloads)) == payloads

    def test_a_text_form_is_the_base64url_of_the_body(self) -> None:
        cipher = self.make(RING)
        box: Any = cipher.bind("", "s")
        head = header(cipher)
        if not (hasattr(box, "seal_text") and hasattr(box, "open_text")):
            return  # The text form is optional.
        for size in range(40):
            payload = bytes(size)
            assert box.open(decode_text(box.seal_text(payload, head)), head) == payload
            assert box.open_text(to_text(box.seal(payload, head)), head) == payload
        body = box.seal(PAYLOAD, head)
        for position in range(len(body)):
            altered = body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
            with pytest.raises(AuthenticationError):
                box.open_text(to_text(altered), head)

    def test_works_in_a_codec(self) -> None:
        codec = Codec(JsonSerializer(), cipher=self.make(RING))
        item = {"role": "user", "content": SECRET}
        row = codec.encode(item, context="s", namespace="n")
        assert codec.decode(row, context="s", namespace="n") == item
        with pytest.raises(AuthenticationError):
            codec.decode(row, context="t", namespace="n")

    def _assert_closed_to(self, namespace: str, context: str) -> None:
        cipher = self.make(RING)
        body = cipher.bind("", "s").seal(PAYLOAD, header(cipher))
        with pytest.raises(AuthenticationError):
            cipher.bind(namespace, context).open(body, header(cipher))


def header(cipher: Cipher) -> bytes:
    """Return the header of rows that a codec with this cipher writes."""
    return Codec(JsonSerializer(), cipher=cipher).header


def _spellings(key: Key) -> list[str]:
    text = key.to_base64().rstrip("=")
    material = bytes([KEYS.index(key) * 17 + 17]) * 32
    return [text, text.replace("-", "+").replace("_", "/"), material.hex(), repr(material)[2:-1]]
