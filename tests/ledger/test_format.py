"""The bytes of links and heads, against a second reader and golden files that no test writes."""

import hashlib
import hmac
import json
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

import make_ledger_golden
import second_reader

import strongroom
from strongroom import (
    Codec,
    EnvelopeError,
    HistoryTamperedError,
    Key,
    Keyring,
    Ledger,
    UnknownKeyError,
    describe,
)
from strongroom.format import envelope
from strongroom.ledger.verification import HistoryVerifier

KEY = bytes(range(32))


def lines(name):
    path = Path(__file__).parent / "golden" / f"{name}.jsonl"
    assert path.is_file(), f"{path} is missing"
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert found
    return found


def history(line):
    """Return keys, names, head and rows (stored, time) of a golden line."""
    binary = line["column"] == "binary"
    rows = [(bytes.fromhex(stored) if binary else stored, time) for stored, time in line["rows"]]
    head = None if line["head"] is None else bytes.fromhex(line["head"])
    return (
        [bytes.fromhex(key) for key in line["keys"]],
        line["namespace"],
        line["session_id"],
        head,
        rows,
    )


def bound(keys, namespace, session_id):
    return Ledger(Keyring(*map(Key, keys))).bind(session_id, namespace)


def numbered(rows):
    return [(number, *row) for number, row in enumerate(rows, 1)]


VALID, INVALID = lines("valid"), lines("invalid")


@pytest.mark.parametrize("line", VALID, ids=lambda line: line["name"])
def test_every_golden_history_is_read_by_both_readers(line):
    keys, namespace, session_id, head, rows = history(line)
    values = (
        [bytes.fromhex(v) for v in line["values"]] if line["column"] == "binary" else line["values"]
    )
    assert second_reader.read(keys, namespace, session_id, head, rows) == values
    ledger = bound(keys, namespace, session_id)
    opened = ledger.open_head(head)
    assert ledger.verify_all(opened, numbered(rows)) == values
    for wanted in range(1, len(rows) + 2):
        last = numbered(rows)[-wanted:]
        assert ledger.verify_last(opened, last, wanted)[1] == values[-wanted:]
    for size in (1, 2, 3):
        chain = HistoryVerifier(ledger)
        got = []
        for start in range(0, len(rows) + 1, size):
            got += chain.follow(opened, numbered(rows)[start : start + size])[1]
        chain.finish(opened)
        assert got == values


@pytest.mark.parametrize("line", INVALID, ids=lambda line: line["name"])
def test_every_invalid_history_is_refused_by_both_readers(line):
    keys, namespace, session_id, head, rows = history(line)
    with pytest.raises((second_reader.RefusedError, ValueError)):
        pytest.fail(str(second_reader.read(keys, namespace, session_id, head, rows)))
    ledger = bound(keys, namespace, session_id)
    with pytest.raises(getattr(strongroom, line["error"])) as caught:
        pytest.fail(str(ledger.verify_all(ledger.open_head(head), numbered(rows))))
    assert caught.value.session_id == session_id
    with pytest.raises(getattr(strongroom, line["error"])):
        ledger.verify_last(ledger.open_head(head), numbered(rows), len(rows) + 1)


def test_a_link_is_what_the_page_says_byte_for_byte():
    ledger = bound([KEY], "prod", "user-123")
    (stored,), head = ledger.append(None, [b"value"], [1_700_000_000_000_000])
    names = b"\0\0\0\x04prod\0\0\0\x08user-123"
    key_id = second_reader.hkdf(KEY, b"strongroom key id v1", 9)
    assert stored[:12] == b"\xc1\xa6\x01" + key_id
    assert struct.unpack(">Qq", stored[12:28]) == (1, 1_700_000_000_000_000)
    assert stored[44:60] == bytes(16)
    subkey = second_reader.hkdf(KEY, b"strongroom ledger v1" + key_id + names, 32)
    message = b"\x01" + stored[:60] + b"value"
    assert stored[60:76] == hmac.new(subkey, message, hashlib.sha256).digest()[:16]
    assert stored[76:] == b"value"
    assert head.raw[:12] == b"\xc1\xa8\x01" + key_id
    assert struct.unpack(">QQ", head.raw[12:28]) == (1, 1)
    assert head.raw[28:44] == stored[28:44]
    message = b"\x02" + head.raw[:44]
    assert head.raw[44:] == hmac.new(subkey, message, hashlib.sha256).digest()[:16]
    assert len(head.raw) == 60
    assert ledger.witness_key == hashlib.sha256(names).digest()


def test_uids_are_random():
    ledger = bound([KEY], "", "s")
    linked, _ = ledger.append(None, [b""] * 100, [0] * 100)
    assert len({stored[28:44] for stored in linked}) == 100


@given(
    st.lists(st.binary(max_size=40), max_size=6),
    st.lists(st.integers(-(2**62), 2**62), min_size=6, max_size=6),
    st.text(min_size=1),
    st.text(),
)
def test_what_one_reader_writes_the_other_reads(values, times, session_id, namespace):
    ledger = bound([KEY], namespace, session_id)
    times = times[: len(values)]
    linked, head = ledger.append(None, values, times)
    rows = list(zip(linked, times, strict=True))
    assert second_reader.read([KEY], namespace, session_id, head.raw, rows) == values
    assert ledger.verify_all(head, numbered(rows)) == values


@given(st.data())
def test_every_flipped_bit_of_a_link_a_value_or_a_head_is_refused(data):
    text = data.draw(st.booleans())
    ledger = bound([KEY], "", "s")
    linked, head = ledger.append(None, ["one", "two"] if text else [b"one", b"two"], [5, 6])
    rows = [(1, linked[0], 5), (2, linked[1], 6)]
    raw = head.raw
    which = data.draw(st.integers(0, 2))
    if which == 2:
        raw = make_ledger_golden.flipped(raw, data.draw(st.integers(0, 8 * len(raw) - 1)))
    else:
        stored = rows[which][1]
        encoded = stored.encode("latin-1") if text else stored
        encoded = make_ledger_golden.flipped(
            encoded, data.draw(st.integers(0, 8 * len(encoded) - 1))
        )
        value = encoded.decode("latin-1") if text else encoded
        rows[which] = (rows[which][0], value, rows[which][2])
    with pytest.raises((HistoryTamperedError, UnknownKeyError)):
        ledger.verify_all(ledger.open_head(raw), rows)


def test_the_error_says_which_check_failed_where():
    ledger = bound([KEY], "", "s")
    linked, head = ledger.append(None, [b"one", b"two"], [5, 5])
    with pytest.raises(
        HistoryTamperedError, match=r"created_at.* at position 2.*row 8\]"
    ) as caught:
        ledger.verify_all(head, [(7, linked[0], 5), (8, linked[1], 6)])
    assert (caught.value.session_id, caught.value.row_id) == ("s", 8)


@pytest.mark.parametrize("stored", [5, None, 1.5, "text", b"bytes", "é" * 200, memoryview(b"x")])
def test_what_is_no_linked_value_at_all_is_refused(stored):
    ledger = bound([KEY], "", "s")
    (linked,), head = ledger.append(None, [b"one"], [5])
    for rows in ([(1, stored, 5)], [(1, linked, 5), (2, stored, 5)]):
        with pytest.raises(HistoryTamperedError):
            ledger.verify_all(head, rows)


def test_a_text_and_a_binary_row_do_not_mix():
    ledger = bound([KEY], "", "s")
    linked, head = ledger.append(None, ["one", b"two"], [5, 5])
    with pytest.raises(HistoryTamperedError):
        ledger.verify_all(head, [(1, linked[0], 5), (2, linked[1], 5)])


def test_golden_files_are_overwritten_only_when_told(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(make_ledger_golden, "FOLDER", tmp_path)
    assert make_ledger_golden.main([]) == 0
    (tmp_path / "valid.jsonl").write_text("kept")
    assert make_ledger_golden.main([]) == 1
    assert (tmp_path / "valid.jsonl").read_text() == "kept"
    assert "left as it is" in capsys.readouterr().out
    assert make_ledger_golden.main(["--regenerate"]) == 0
    assert (tmp_path / "valid.jsonl").read_text() != "kept"


def test_a_ledger_checks_its_arguments():
    with pytest.raises(strongroom.ConfigurationError):
        Ledger(Key(KEY))
    with pytest.raises(strongroom.ConfigurationError):
        Ledger(Keyring(Key(KEY)), witness="a folder")
    assert "000102" not in repr(Ledger(Keyring(Key(KEY))))


@pytest.mark.parametrize("kind", [str, bytes])
def test_positions_and_counts_are_verified_beside_the_chain_of_uids(kind):
    """Authentic links and heads that no writer makes: uids alone would let them pass."""
    ledger = bound([KEY], "", "s")
    values = ["one", "two"] if kind is str else [b"one", b"two"]
    linked, last = ledger.link(3, bytes(16), values, [5, 5])
    rows = [(1, linked[0], 5), (2, linked[1], 5)]
    with pytest.raises(HistoryTamperedError, match="position 1 is expected"):
        ledger.verify_all(ledger.make_head(1, 2, last), rows)
    with pytest.raises(HistoryTamperedError, match="position 2 is expected"):
        ledger.verify_last(ledger.make_head(1, 2, last), rows, 2)
    linked, last = ledger.link(0, bytes(16), values, [5, 5])
    rows = [(1, linked[0], 5), (2, linked[1], 5)]
    with pytest.raises(HistoryTamperedError, match="has 2 rows and should have 3"):
        ledger.verify_all(ledger.make_head(1, 3, last), rows)
    with pytest.raises(HistoryTamperedError, match="position 3 is expected"):
        ledger.verify_last(ledger.make_head(1, 3, last), rows, 2)
    linked, last = ledger.link(0, bytes([1]) * 16, values, [5, 5])
    rows = [(1, linked[0], 5), (2, linked[1], 5)]
    for wanted in (2, 3):
        with pytest.raises(HistoryTamperedError, match="first row has one before it"):
            ledger.verify_last(ledger.make_head(1, 2, last), rows, wanted)


# What a linked row says without a key -------------------------------------------------------------

VALUES = {
    "bare": '{"n":1}',
    "envelope": Codec.parse("msgpack+zlib+aesgcm", keys=Keyring(Key(KEY))).encode(1, context="s"),
    "encrypted-session": '{"__enc__":1,"v":1,"kid":"hkdf-v1","payload":"gAAAAA"}',
    "fernet-token": "gAAAAABh",
    "unknown": "what is this",
}


def linked(value, *, text):
    """Return a value, in the form of a text or a binary column, and that value behind a link."""
    value = value.encode() if isinstance(value, str) else value
    if text:
        value = envelope.column_text(value)
    rows, _ = Ledger(Keyring(Key(KEY))).bind("s").append(None, [value], [0])
    return value, rows[0]


@pytest.mark.parametrize("text", [True, False], ids=["text", "binary"])
@pytest.mark.parametrize("name", VALUES)
def test_a_linked_row_is_described_by_what_is_behind_its_link(name, text):
    value, row = linked(VALUES[name], text=text)
    assert row != value
    assert describe(row) == describe(value)


@pytest.mark.parametrize("text", [True, False], ids=["text", "binary"])
def test_a_damaged_link_is_not_described(text):
    value, row = linked(VALUES["bare"], text=text)
    size = len(row) - len(value)
    damaged = [row[:4], row[: size - 1]]
    if text:
        damaged += [row[:50] + "!" + row[51:], row[:50] + "é" + row[51:], row[:101] + "x" + value]
    for stored in damaged:
        with pytest.raises(EnvelopeError, match="link"):
            describe(stored)
    assert describe(row[:size]).format == "unknown"


@pytest.mark.parametrize(("version", "count"), [(2**64 - 1, 0), (2**63, 1), (1, 2**63)])
def test_a_head_that_no_change_could_follow_is_refused(version, count):
    """Whoever has the key can make one; the next change must not fail on its numbers."""
    ledger = bound([KEY], "", "s")
    with pytest.raises(HistoryTamperedError, match="numbers"):
        ledger.open_head(ledger.make_head(version, count, bytes(16)).raw)
    largest = ledger.make_head(2**63 - 1, 2**63 - 1, bytes(16))
    assert ledger.open_head(largest.raw) == largest
    assert ledger.make_head(largest.version + 1, 0, bytes(16)).version == 2**63
