"""For the type checker: stages that inherit from nothing satisfy the protocols."""

from typing import assert_type

from strongroom import (
    AesGcmCipher,
    Box,
    Cipher,
    Codec,
    Compressor,
    FernetCipher,
    Item,
    JsonSerializer,
    Key,
    Keyring,
    MsgpackSerializer,
    OpenAIEncryptedReader,
    OrjsonSerializer,
    PlaintextReader,
    Reader,
    RowInfo,
    Serializer,
    Witness,
    ZlibCompressor,
    ZstdCompressor,
    describe,
)


class Repr:
    """A serializer whose name is a plain attribute."""

    name = "repr"

    def dumps(self, item: Item) -> bytes:
        return repr(item).encode()

    def loads(self, data: bytes) -> Item:
        return data.decode()


class Halver:
    """A compressor whose name is a property."""

    @property
    def name(self) -> str:
        return "halver"

    def compress(self, data: bytes) -> bytes:
        return data[::2]

    def decompress(self, data: bytes, *, max_size: int) -> bytes:
        return data[:max_size]


class OpenBox:
    def seal(self, payload: bytes, header: bytes) -> bytes:
        return header + payload

    def open(self, body: bytes, header: bytes) -> bytes:
        return body.removeprefix(header)


class NoCipher:
    name = "none"

    def bind(self, namespace: str, context: str) -> OpenBox:
        return OpenBox()


class LegacyReader:
    name = "legacy"

    def matches(self, stored: str | bytes) -> bool:
        return stored[:1] in {"#", b"#"}

    def decode(self, stored: str | bytes, *, context: str) -> Item:
        return {"role": "user", "content": str(stored[1:])}


class MemoryWitness:
    async def seen(self, key: bytes) -> tuple[int, bytes] | None:
        return None

    async def advance(self, key: bytes, version: int, tag: bytes) -> None:
        return None


serializers: list[Serializer] = [
    Repr(),
    JsonSerializer(),
    OrjsonSerializer(),
    MsgpackSerializer(),
]
compressors: list[Compressor] = [Halver(), ZlibCompressor(), ZstdCompressor()]
keys = Keyring(Key.generate())
ciphers: list[Cipher] = [NoCipher(), FernetCipher(keys), AesGcmCipher(keys)]
boxes: list[Box] = [OpenBox(), ciphers[0].bind("namespace", "user-123")]
readers: list[Reader] = [LegacyReader(), PlaintextReader(), OpenAIEncryptedReader("k", ttl=None)]
witnesses: list[Witness] = [MemoryWitness()]

codec = Codec(
    serializers[0], compressor=Halver(), cipher=NoCipher(), accept=(LegacyReader(), "plaintext")
)
assert_type(codec.encode({"role": "user"}, context="user-123"), bytes)
assert_type(Codec.parse("orjson+aesgcm", keys=keys, accept=("plaintext",)), Codec)
assert_type(codec.spec, str)
assert_type(describe(b""), RowInfo)
assert_type(describe("{}").key_id, str | None)
