"""The golden files are law: strongroom and a second decoder read them, and no test writes them."""

import base64
import json
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import golden_files
import make_golden
import second_decoder
from golden_files import FOLDER, THIRD_PARTY, key_bytes, to_json

import strongroom
from strongroom import Codec, Key, Keyring, describe

ROOT = Path(__file__).parents[2]
SERIALIZERS, COMPRESSORS = ("json", "orjson", "msgpack"), ("", "+zlib", "+zstd")
CIPHERS = ("", "+fernet", "+aesgcm")
SPECS = [s + c + e for s in SERIALIZERS for c in COMPRESSORS for e in CIPHERS]
INVALID = ("header", "text", "sealed", "payload", "refused")
FOREIGN_STAGES = {
    "test-hex": THIRD_PARTY[0].loads,
    "test_reverse": lambda data: data[::-1],
    "test-checksum-1": THIRD_PARTY[2].open,
}


def exactly(item):
    """Tell apart what == does not: 0.0 and -0.0, 1 and 1.0, orders; and NaN is NaN."""
    return json.dumps(to_json(item))


def forms(line):
    """Return the row as a binary column holds it, and as a text column does."""
    binary = [bytes.fromhex(line["binary"])] if "binary" in line else []
    return binary + ([line["text"]] if "text" in line else [])


def keyring(line):
    return Keyring(*map(Key, key_bytes(line)))


def valid(name):
    lines = golden_files.lines(FOLDER / "valid" / f"{name}.jsonl")
    assert lines
    return lines


def invalid(name):
    lines = golden_files.lines(FOLDER / "invalid" / f"{name}.jsonl")
    assert lines
    return lines


def reader(spec, line):
    sealing = spec.endswith(("fernet", "aesgcm"))
    return Codec.parse(
        spec,
        keys=keyring(line) if sealing else None,
        accept=line.get("accept", ()),
        max_size=line.get("max_size", 1 << 20),
    )


@pytest.mark.parametrize("spec", SPECS)
def test_every_golden_row_is_read(spec):
    for line in valid(spec):
        codec = reader(spec, line)
        for stored in forms(line):
            item = codec.decode(stored, context=line["context"], namespace=line["namespace"])
            assert exactly(item) == json.dumps(line["item"]), line["name"]


@pytest.mark.parametrize("spec", SPECS)
def test_every_golden_row_is_read_by_any_codec_with_its_cipher(spec):
    cipher = spec.partition("+fernet")[1] or spec.partition("+aesgcm")[1]
    for line in valid(spec):
        for serializer in SERIALIZERS:
            codec = reader(serializer + cipher, line)
            bound = codec.bind(line["context"], line["namespace"])
            for outcome in bound.decode_many(forms(line)[:1]):
                assert exactly(outcome) == json.dumps(line["item"]), line["name"]


@pytest.mark.parametrize("spec", SPECS)
def test_the_second_decoder_opens_every_golden_row(spec):
    for line in valid(spec):
        for stored in forms(line):
            item = second_decoder.decode(
                stored, key_bytes(line), line["namespace"], line["context"], {}, 1 << 20
            )
            assert exactly(item) == json.dumps(line["item"]), line["name"]


@pytest.mark.parametrize("spec", SPECS)
def test_every_golden_row_says_how_it_was_written(spec):
    for line in valid(spec):
        for stored in forms(line):
            info = describe(stored)
            assert info.spec == spec.replace("orjson", "json"), line["name"]
            assert info.format == ("envelope" if line["binary"].startswith("c1a5") else "json")
            assert (info.key_id is None) == (info.cipher is None)
            assert info.key_id is None or info.key_id in keyring(line)


def test_rows_of_third_party_stages_are_read_by_those_who_have_the_stages():
    for line in valid("third-party"):
        place = {"context": line["context"], "namespace": line["namespace"]}
        aesgcm = strongroom.AesGcmCipher(keyring(line))
        codec = Codec(
            strongroom.JsonSerializer(), cipher=aesgcm, accept=(*THIRD_PARTY, "plaintext")
        )
        for stored in forms(line):
            assert exactly(codec.decode(stored, **place)) == json.dumps(line["item"])
            assert describe(stored).spec == line["name"]
            item = second_decoder.decode(
                stored, key_bytes(line), *reversed(place.values()), FOREIGN_STAGES, 1 << 20
            )
            assert exactly(item) == json.dumps(line["item"])


def test_every_form_of_a_golden_row_is_its_only_one():
    for spec in (*SPECS, "third-party"):
        for line in valid(spec):
            row = bytes.fromhex(line["binary"])
            unpadded = base64.urlsafe_b64encode(row).decode().rstrip("=")
            assert line["text"] == (unpadded if row[:2] == b"\xc1\xa5" else row.decode())


@pytest.mark.parametrize("name", INVALID)
def test_every_invalid_row_raises_the_error_that_it_names(name):
    for line in invalid(name):
        (stored,) = forms(line)
        codec = reader(line["codec"], line)
        place = {"context": line["context"], "namespace": line["namespace"]}
        with pytest.raises(strongroom.DecodeError) as caught:
            codec.decode(stored, **place)
            pytest.fail(f"was read: {line}")
        public = next(
            c.__name__ for c in type(caught.value).__mro__ if hasattr(strongroom, c.__name__)
        )
        assert public == line["error"], (line["name"], caught.value)
        (outcome,) = codec.bind(**place).decode_many([stored])
        assert type(outcome) is type(caught.value)


@pytest.mark.parametrize("name", ["header", "text", "sealed", "payload"])
def test_the_second_decoder_refuses_invalid_rows(name):
    for line in invalid(name):
        if "extension" in line["name"] or line["name"].startswith("msgpack"):
            continue  # it is not strict about what stands inside a MessagePack document
        (stored,) = forms(line)
        place = line["namespace"], line["context"]
        with pytest.raises(Exception):  # noqa: B017 - whatever its libraries raise
            pytest.fail(
                str(second_decoder.decode(stored, key_bytes(line), *place, {}, line["max_size"]))
            )


def test_a_missing_golden_file_is_a_failure_and_is_not_made(monkeypatch, tmp_path):
    monkeypatch.setattr(sys.modules[__name__], "FOLDER", tmp_path)
    with pytest.raises(AssertionError, match="is missing"):
        valid("json")
    assert list(tmp_path.iterdir()) == []


def test_golden_files_are_overwritten_only_when_told(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(make_golden, "FOLDER", tmp_path)
    assert make_golden.main([]) == 0
    names = {path.relative_to(FOLDER) for path in FOLDER.rglob("*.jsonl")}
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*.jsonl")} == names
    kept = tmp_path / "valid" / "json.jsonl"
    kept.write_text("kept")
    assert make_golden.main([]) == 1
    assert kept.read_text() == "kept"
    assert "left as it is" in capsys.readouterr().out
    assert make_golden.main(["--regenerate"]) == 0
    assert kept.read_text() != "kept"


def test_the_worked_example_of_the_page_opens():
    page = (ROOT / "docs" / "row-format.md").read_text("utf-8")
    example = page[page.index("## Worked example") :]
    fields = dict(re.findall(r"^(\w+(?: id)?) {2,}(\S.*?)(?: {4,}.*)?$", example, re.MULTILINE))
    parts = {name: bytes.fromhex(fields[name]) for name in ("nonce", "ciphertext", "tag")}
    row = bytes.fromhex(fields["header"]) + b"".join(parts.values())
    text = re.search(r"^waUB\S+$", example, re.MULTILINE)[0]
    key = Key.from_base64(fields["key"])
    assert base64.urlsafe_b64decode(key.id) == bytes.fromhex(fields["key id"])
    derived = key.derive(b"strongroom v1" + bytes.fromhex(fields["binding"]))
    assert derived == bytes.fromhex(fields["subkey"])
    codec = Codec.parse("json+aesgcm", keys=Keyring(key))
    for stored in (row, text):
        item = {"role": "user", "content": "hi"}
        assert codec.decode(stored, context="user-123", namespace="prod") == item
        raw = base64.urlsafe_b64decode(key.to_base64())
        assert second_decoder.decode(stored, [raw], "prod", "user-123", {}, 99) == item


def test_the_second_decoder_is_short_and_stands_alone():
    source = Path(second_decoder.__file__).read_text("utf-8")
    assert len(source.splitlines()) <= 60
    assert not re.search(r"import strongroom|from strongroom", source)
