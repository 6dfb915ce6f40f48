"""Whatever was altered, moved, cut or extended is a typed error, for every suite and form."""

import base64
import itertools

import pytest

from strongroom import (
    AuthenticationError,
    Codec,
    DecodeError,
    EnvelopeError,
    FernetTokenReader,
    Key,
    Keyring,
    OpenAIEncryptedReader,
    PayloadError,
    UnknownKeyError,
)
from strongroom.format.envelope import column_text, to_text

OWN, OTHER, OLD = (Key(bytes([number]) * 32) for number in (1, 2, 3))
RING = Keyring(OWN)
ITEM = {"role": "user", "content": "The code of the safe is 8-12-40."}
SEALED = ("json+fernet", "orjson+aesgcm", "msgpack+zlib+fernet", "msgpack+zstd+aesgcm")


def form_of(row, form):
    return row if form == "binary" else column_text(row)


def sealed(spec, key=OWN, item=ITEM, context="s", namespace=""):
    return Codec.parse(spec, keys=Keyring(key)).encode(item, context=context, namespace=namespace)


def readers(spec):
    """Return the codec that wrote the rows, and one that accepts whatever there is."""
    other = "aesgcm" if spec.endswith("fernet") else "fernet"
    accept = ("plaintext", other, FernetTokenReader(RING), OpenAIEncryptedReader("m", ttl=None))
    return Codec.parse(spec, keys=RING), Codec.parse(spec, keys=RING, accept=accept)


def refuse(spec, alterations):
    """Check that neither reader reads any of these."""
    alterations = list(alterations)
    assert alterations
    for codec in readers(spec):
        bound = codec.bind("s")
        assert bound.decode(sealed(spec)) == ITEM
        for what, stored in alterations:
            with pytest.raises(DecodeError):
                pytest.fail(f"{what} was read: {bound.decode(stored)!r}")


def flips(row):
    for place, bit in itertools.product(range(len(row)), range(8)):
        altered = bytearray(row)
        altered[place] ^= 1 << bit
        yield f"bit {bit} of byte {place}", bytes(altered)


@pytest.mark.parametrize("form", ["binary", "text"])
@pytest.mark.parametrize("spec", SEALED)
def test_every_flipped_bit_is_refused(spec, form):
    row = sealed(spec)
    altered = flips(row)
    if form == "text":
        altered = ((what, to_text(stored)) for what, stored in altered)
    refuse(spec, altered)


@pytest.mark.parametrize("form", ["binary", "text"])
@pytest.mark.parametrize("spec", SEALED)
def test_every_truncation_is_refused(spec, form):
    stored = form_of(sealed(spec), form)
    refuse(spec, ((f"the first {size}", stored[:size]) for size in range(len(stored))))
    strict, _ = readers(spec)  # where plaintext is accepted, a digit that is left over is JSON
    for size in range(1, len(stored)):
        with pytest.raises(DecodeError):
            strict.decode(stored[size:], context="s")


@pytest.mark.parametrize("form", ["binary", "text"])
@pytest.mark.parametrize("spec", SEALED)
def test_every_extension_is_refused(spec, form):
    row = sealed(spec)
    longer = [row + bytes((byte,)) for byte in range(256)] + [bytes((b,)) + row for b in range(256)]
    refuse(spec, (("a byte more", form_of(r, form)) for r in longer if r[:2] == row[:2]))
    refuse(spec, [("twice", form_of(row + row, form))])


@pytest.mark.parametrize("spec", SEALED)
def test_every_altered_inserted_or_removed_character_is_refused(spec):
    text = to_text(sealed(spec))
    refuse(
        spec,
        (
            (f"{character!r} at {place}, {cut} replaced", text[:place] + character + text[end:])
            for place in range(len(text) + 1)
            for cut, end in ((0, place), (1, place + 1))
            for character in ("A", "B", "_", "\n", " ", "=", "+", "\0", "é", "")
            if text[:place] + character + text[end:] != text
        ),
    )


@pytest.mark.parametrize("rest", [1, 2])
def test_the_last_character_has_one_spelling(rest):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    rows = (sealed("json+aesgcm", item="x" * size) for size in range(3))
    row = next(row for row in rows if len(row) % 3 == rest)
    text = to_text(row)
    same_bytes = [
        text[:-1] + last
        for last in alphabet
        if base64.urlsafe_b64decode(text[:-1] + last + "=" * (3 - rest)) == row
    ]
    assert len(same_bytes) == {1: 16, 2: 4}[rest]
    for spelling in same_bytes:
        if spelling != text:
            with pytest.raises(EnvelopeError, match="canonical"):
                Codec.parse("json+aesgcm", keys=RING).decode(spelling, context="s")


def test_no_header_fits_another_rows_body():
    ring = Keyring(OWN, OTHER)
    kinds = [*SEALED, "json+aesgcm", "msgpack+aesgcm", "msgpack+fernet", "json+zlib+fernet"]
    rows = [sealed(spec, key) for spec in kinds for key in (OWN, OTHER)]
    rows += [sealed("json+aesgcm", context="t"), sealed("json+aesgcm", namespace="n")]
    codec = Codec.parse("json+aesgcm", keys=ring, accept=("fernet", "plaintext"))
    for one, other in itertools.permutations(rows, 2):
        row = one[:15] + other[15:]
        if row in (one, other) and row in rows[:-2]:
            continue
        for form in ("binary", "text"):
            with pytest.raises(AuthenticationError):
                codec.decode(form_of(row, form), context="s")
    for row in rows:
        for plain in ("c1a501000100", "c1a501000200", "c1a501000101", "c1a501000202"):
            with pytest.raises(PayloadError):
                codec.decode(bytes.fromhex(plain) + row[15:], context="s")


@pytest.mark.parametrize("form", ["binary", "text"])
@pytest.mark.parametrize("spec", SEALED)
@pytest.mark.parametrize(
    ("namespace", "context"),
    [
        ("tenant-1", "t"),
        ("tenant-2", "s"),
        ("", "s"),
        ("s", "tenant-1"),
        ("tenant-1", "S"),
        ("", ""),
    ],
)
def test_a_row_opens_in_its_own_session_and_namespace_only(spec, form, namespace, context):
    stored = form_of(sealed(spec, context="s", namespace="tenant-1"), form)
    for codec in readers(spec):
        assert codec.decode(stored, context="s", namespace="tenant-1") == ITEM
        with pytest.raises(AuthenticationError):
            codec.decode(stored, context=context, namespace=namespace)


@pytest.mark.parametrize("cipher", ["fernet", "aesgcm"])
def test_rows_of_three_generations_of_keys_read_back_in_one_session(cipher):
    generations, rows = [OLD, OTHER, OWN], []
    for number, key in enumerate(generations):
        ring = Keyring(key, *generations[:number])
        rows.append(Codec.parse(f"json+{cipher}", keys=ring).encode(number, context="s"))
    bound = Codec.parse(f"orjson+{cipher}", keys=Keyring(OWN, OTHER, OLD)).bind("s")
    assert bound.decode_many(rows) == [0, 1, 2]
    assert [row[6:15] for row in rows] == [base64.urlsafe_b64decode(k.id) for k in generations]


@pytest.mark.parametrize("cipher", ["fernet", "aesgcm"])
@pytest.mark.parametrize("dropped", [OWN, OTHER, OLD])
def test_dropping_a_key_makes_exactly_its_rows_unknown(cipher, dropped):
    rows = [(key, sealed(f"json+{cipher}", key)) for key in (OLD, OTHER, OWN) for _ in range(2)]
    ring = Keyring(*(key for key in (OWN, OTHER, OLD) if key is not dropped))
    outcomes = Codec.parse(f"json+{cipher}", keys=ring).bind("s").decode_many([r for _, r in rows])
    for (key, _), outcome in zip(rows, outcomes, strict=True):
        if key is dropped:
            assert type(outcome) is UnknownKeyError
            assert outcome.key_id == dropped.id
            assert dropped.id in str(outcome)
        else:
            assert outcome == ITEM


@pytest.mark.parametrize("cipher", ["fernet", "aesgcm"])
def test_neighbouring_steps_of_a_rolling_deploy_read_each_other(cipher):
    steps = [Keyring(OLD), Keyring(OLD, OWN), Keyring(OWN, OLD)]
    bound = [Codec.parse(f"json+{cipher}", keys=ring).bind("s") for ring in steps]
    for one, other in ((0, 1), (1, 2)):
        for writer, reader in itertools.product((one, other), repeat=2):
            assert bound[reader].decode(bound[writer].encode(ITEM)) == ITEM
    recoded = bound[2].encode(bound[2].decode(bound[0].encode(ITEM)))
    assert Codec.parse(f"json+{cipher}", keys=Keyring(OWN)).decode(recoded, context="s") == ITEM
    with pytest.raises(UnknownKeyError):  # the steps are there for a reason
        bound[0].decode(bound[2].encode(ITEM))
