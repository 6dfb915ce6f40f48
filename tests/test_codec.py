"""The codec as a value, its spec, and what it refuses to be."""

import copy
import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiers
from strongroom import (
    AesGcmCipher,
    Codec,
    ConfigurationError,
    EncodeError,
    EnvelopeError,
    FernetCipher,
    FernetTokenReader,
    JsonSerializer,
    Key,
    Keyring,
    MsgpackSerializer,
    OpenAIEncryptedReader,
    OrjsonSerializer,
    PayloadError,
    PlaintextReader,
    RowInfo,
    ZlibCompressor,
    ZstdCompressor,
    describe,
)
from strongroom.codec import registry
from strongroom.format.envelope import column_text

KEY, OTHER = Key(bytes(range(32))), Key(bytes(32))
RING = Keyring(KEY, OTHER)
ITEM = {"role": "user", "content": "hello"}
SPECS = [
    "+".join(filter(None, (serializer, compressor, cipher)))
    for serializer in ("json", "orjson", "msgpack")
    for compressor in (None, "zlib", "zstd")
    for cipher in (None, "fernet", "aesgcm")
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def codec_of(spec, **options):
    return Codec.parse(spec, keys=RING if "fernet" in spec or "aesgcm" in spec else None, **options)


# What goes in comes out ------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["binary", "text"])
@pytest.mark.parametrize("spec", SPECS)
@given(item=VALUES, context=st.text(max_size=9), namespace=st.text(max_size=9))
@settings(max_examples=tiers.examples(40), deadline=None)
def test_what_goes_in_comes_out(spec, form, item, context, namespace):
    codec = codec_of(spec)
    row = codec.encode(item, context=context, namespace=namespace)
    stored = row if form == "binary" else column_text(row)
    read = codec.decode(stored, context=context, namespace=namespace)
    assert json.dumps(read) == json.dumps(item)  # tells -0.0 from 0.0, 1 from 1.0, and NaN is NaN
    assert describe(stored).spec == spec.replace("orjson", "json")


@given(item=VALUES)
def test_without_compressor_and_cipher_a_row_is_the_bare_json(item):
    row = Codec.parse("json").encode(item, context="s")
    assert row.decode() == json.dumps(item, separators=(",", ":"))
    assert json.dumps(Codec.parse("orjson").decode(row, context="s")) == json.dumps(item)
    assert Codec.parse("json").header == Codec.parse("orjson").header == b""


# A value -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", SPECS)
def test_a_spec_comes_back(spec):
    codec = codec_of(spec)
    assert codec.spec == spec
    assert codec_of(codec.spec) == codec
    assert hash(codec_of(spec)) == hash(codec)


def test_a_spec_stands_for_the_stages():
    by_hand = Codec(MsgpackSerializer(), compressor=ZstdCompressor(), cipher=AesGcmCipher(RING))
    assert Codec.parse("msgpack+zstd+aesgcm", keys=RING) == by_hand
    assert Codec.parse("json") != Codec.parse("orjson")
    assert Codec.parse("json+zlib") != Codec(JsonSerializer(), compressor=ZlibCompressor(level=1))
    assert Codec.parse("json+aesgcm", keys=Keyring(OTHER)) != Codec.parse("json+aesgcm", keys=RING)


def test_a_codec_is_frozen():
    codec = Codec.parse("json+aesgcm", keys=RING)
    for name in ("serializer", "cipher", "accept", "max_size"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(codec, name, None)


def test_only_the_serializer_is_positional():
    with pytest.raises(TypeError):
        Codec(JsonSerializer(), FernetCipher(RING))


def test_a_repr_shows_the_stages_and_no_key():
    codec = Codec.parse("msgpack+zstd+fernet", keys=RING, accept=("plaintext", "aesgcm"))
    shown = repr(codec) + str(codec) + repr(codec.bind("s"))
    assert KEY.id in shown
    for key in RING:
        assert key.to_base64().rstrip("=") not in shown
        assert repr(bytes(32))[2:-1] not in shown


def test_a_codec_is_copied():
    codec = Codec.parse("json+aesgcm", keys=RING, accept=("plaintext",))
    assert copy.copy(codec) == copy.deepcopy(codec) == dataclasses.replace(codec) == codec


def test_names_in_accept_become_stages():
    codec = Codec.parse("json+aesgcm", keys=RING, accept=["plaintext", "fernet"])
    assert codec.accept == (PlaintextReader(), FernetCipher(RING))
    assert Codec(JsonSerializer(), accept=("msgpack",)).accept == (MsgpackSerializer(),)


# What is refused ---------------------------------------------------------------------------------


class Stage:
    def __init__(self, name, **methods):
        self.name = name
        self.__dict__.update(methods)


def named(name, *methods):
    return Stage(name, **dict.fromkeys(methods, lambda *_: b""))


BAD = {
    "unknown": (
        lambda: Codec.parse("yaml"),
        "no codec stage 'yaml'.*json, orjson, msgpack.*aesgcm",
    ),
    "empty": (lambda: Codec.parse(""), "no codec stage ''"),
    "a stray plus": (lambda: Codec.parse("json+"), "no codec stage ''"),
    "a space": (lambda: Codec.parse("json + zlib"), "no codec stage 'json '"),
    "upper case": (lambda: Codec.parse("JSON"), "no codec stage 'JSON'"),
    "no text": (lambda: Codec.parse(None), "is a str, not NoneType"),
    "no serializer": (lambda: Codec.parse("zlib"), "not serializer"),
    "cipher first": (lambda: Codec.parse("fernet+json", keys=RING), "not serializer"),
    "encrypted, then compressed": (
        lambda: Codec.parse("json+fernet+zlib", keys=RING),
        "not serializer",
    ),
    "two serializers": (lambda: Codec.parse("json+msgpack"), "not serializer"),
    "two compressors": (lambda: Codec.parse("json+zlib+zstd"), "not serializer"),
    "two ciphers": (lambda: Codec.parse("json+fernet+aesgcm", keys=RING), "not serializer"),
    "a reader": (lambda: Codec.parse("json+plaintext"), "not serializer"),
    "no keys": (lambda: Codec.parse("json+aesgcm"), "'aesgcm' needs keys"),
    "no keys for accept": (lambda: Codec.parse("json", accept=("fernet",)), "'fernet' needs keys"),
    "a name that needs keys": (lambda: Codec(JsonSerializer(), accept=("fernet",)), "needs keys"),
    "keys that nothing uses": (lambda: Codec.parse("json", keys=RING), "keys would not be used"),
    "keys for plaintext": (
        lambda: Codec.parse("json", keys=RING, accept=("plaintext",)),
        "keys would not be used",
    ),
    "keys that are a text": (lambda: Codec.parse("json+fernet", keys=KEY.to_base64()), "a Keyring"),
    "accept as a text": (lambda: Codec.parse("json", accept="plaintext"), "accept is a tuple"),
    "accept as a text, by hand": (lambda: Codec(JsonSerializer(), accept="msgpack"), "is a tuple"),
    "accept as a stage": (lambda: Codec(JsonSerializer(), accept=PlaintextReader()), "is a tuple"),
    "accept of nothing known": (lambda: Codec(JsonSerializer(), accept=(1,)), "not int"),
    "accept of a wrong name": (lambda: Codec(JsonSerializer(), accept=("x",)), "no codec stage"),
    "a cipher twice": (
        lambda: Codec.parse("json+aesgcm", keys=RING, accept=(AesGcmCipher(Keyring(OTHER)),)),
        "the cipher 'aesgcm' twice",
    ),
    "a reader twice": (
        lambda: Codec(JsonSerializer(), accept=(FernetTokenReader(RING), FernetTokenReader([KEY]))),
        "'fernet-token' twice",
    ),
    "max_size 0": (lambda: Codec.parse("json", max_size=0), "max_size"),
    "a spec for a serializer": (lambda: Codec("json"), "read by Codec.parse"),
    "a class for a serializer": (lambda: Codec(None), "serializer has to be one"),
    "a cipher as compressor": (
        lambda: Codec(JsonSerializer(), compressor=FernetCipher(RING)),
        "compressor has to be one",
    ),
    "a compressor as cipher": (
        lambda: Codec(JsonSerializer(), cipher=ZlibCompressor()),
        "cipher has to be one",
    ),
    "a name with capitals": (lambda: Codec(named("Big", "dumps", "loads")), "1 to 64"),
    "a built-in name": (lambda: Codec(named("json", "dumps", "loads")), "built-in"),
    "a built-in cipher's name": (
        lambda: Codec(JsonSerializer(), accept=(named("aesgcm", "bind"),)),
        "built-in",
    ),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_what_does_not_fit_together_is_a_configuration_error(make, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        make()
    assert KEY.to_base64() not in str(caught.value)


@pytest.mark.parametrize("spec", ["json", "msgpack", "json+zlib", "json+zstd+aesgcm"])
def test_what_could_not_be_read_back_is_not_written(spec):
    item = "x" * 1000
    size = 1003 if "msgpack" in spec else 1002
    exact, small = codec_of(spec, max_size=size), codec_of(spec, max_size=size - 1)
    assert exact.decode(exact.encode(item, context=""), context="") == item
    with pytest.raises(EncodeError, match="max_size") as caught:
        small.encode(item, context="")
    assert "xxx" not in str(caught.value)
    with pytest.raises(PayloadError, match=str(small.max_size)):
        small.decode(exact.encode(item, context=""), context="")


@pytest.mark.parametrize("spec", ["json+zlib", "msgpack+zstd", "json+zlib+fernet"])
def test_a_decompression_bomb_is_not_inflated(spec):
    row = codec_of(spec).encode("0" * 10_000_000, context="s")
    assert len(row) < 100_000
    with pytest.raises(PayloadError, match="1000000"):
        codec_of(spec, max_size=1_000_000).decode(row, context="s")


# Without a key -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "info"),
    [
        (b'{"a":1}', RowInfo(format="json", serializer="json")),
        ("[NaN]", RowInfo(format="json", serializer="json")),
        ("hello", RowInfo(format="unknown")),
        (b"\xff", RowInfo(format="unknown")),
        ("", RowInfo(format="unknown")),
        (
            Codec.parse("msgpack+zstd").encode(1, context=""),
            RowInfo(format="envelope", version=1, serializer="msgpack", compressor="zstd"),
        ),
        (
            column_text(codec_of("json+zlib+fernet").encode(1, context="s")),
            RowInfo(
                format="envelope",
                version=1,
                serializer="json",
                compressor="zlib",
                cipher="fernet",
                key_id=KEY.id,
            ),
        ),
        (
            '{"__enc__":1,"v":1,"kid":"hkdf-v1","payload":"gAAAAA"}',
            RowInfo(format="encrypted-session", cipher="fernet"),
        ),
        ("gAAAAABh", RowInfo(format="fernet-token", cipher="fernet")),
        (
            bytes.fromhex("c1a501ff010003632d31000102030405060708") + b"?",
            RowInfo(
                format="envelope", version=1, serializer="json", cipher="c-1", key_id="AAECAwQFBgcI"
            ),
        ),
    ],
)
def test_a_row_says_how_it_was_written_without_a_key(stored, info):
    assert describe(stored) == info


@pytest.mark.parametrize(
    "stored", [b"\xc1\xa5\x02\x00\x01\x00", "waUBAAE", "waUBAAEA=", b"\xc1\xa5"]
)
def test_a_malformed_envelope_is_not_described(stored):
    with pytest.raises(EnvelopeError):
        describe(stored)


def test_the_registry_knows_no_more_than_it_says():
    with pytest.raises(ConfigurationError) as caught:
        registry.find("nothing")
    for stages in list(registry.BUILT_IN.values())[:3]:
        for name in stages:
            assert name in str(caught.value)
    assert OrjsonSerializer.name in str(caught.value)
    assert OpenAIEncryptedReader.name not in str(caught.value)
