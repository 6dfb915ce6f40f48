"""Our own stages, readers, witness and sessions pass the suites that third parties run."""

import asyncio
import json
from typing import ClassVar

import pytest
from agents import SQLiteSession
from agents.extensions.memory import EncryptedSession
from cryptography.fernet import Fernet

from strongroom import (
    AesGcmCipher,
    Codec,
    FernetCipher,
    FernetTokenReader,
    FileWitness,
    JsonSerializer,
    Key,
    Keyring,
    Ledger,
    MsgpackSerializer,
    OpenAIEncryptedReader,
    OrjsonSerializer,
    PlaintextReader,
    SessionStore,
    SQLAlchemySession,
    ZlibCompressor,
    ZstdCompressor,
)
from strongroom.format.envelope import to_text
from strongroom.testing import (
    CipherSuite,
    CompressorSuite,
    ForeignRow,
    ReaderSuite,
    SerializerSuite,
    SessionSuite,
    WitnessSuite,
)

KEY = Key(bytes(range(32)))
ITEMS = [{"role": "user", "content": "héllo"}, {"n": 2**70, "x": [float("inf"), -0.0]}]


class TestJson(SerializerSuite):
    make = JsonSerializer


class TestJsonUnicode(SerializerSuite):
    def make(self):
        return JsonSerializer(ensure_ascii=False)


class TestOrjson(SerializerSuite):
    make = OrjsonSerializer


class TestMsgpack(SerializerSuite):
    make = MsgpackSerializer


class TestZlib(CompressorSuite):
    make = ZlibCompressor


class TestZlib9(CompressorSuite):
    def make(self):
        return ZlibCompressor(level=9)


class TestZstd(CompressorSuite):
    make = ZstdCompressor


class TestZstd19(CompressorSuite):
    def make(self):
        return ZstdCompressor(level=19)


class TestFernet(CipherSuite):
    make = FernetCipher


class TestAesGcm(CipherSuite):
    make = AesGcmCipher


class TestPlaintextReader(ReaderSuite):
    make = PlaintextReader

    def rows(self):
        bare = json.dumps(ITEMS[1])
        codec = Codec(MsgpackSerializer(), compressor=ZlibCompressor())
        packed = codec.encode(ITEMS[1], context="s")
        return [
            ForeignRow(stored=stored, item=ITEMS[1])
            for stored in (bare, bare.encode(), packed, to_text(packed))
        ]

    def others(self):
        return [row.stored for row in TestOpenAIEncryptedReader().rows()] + [
            row.stored for row in TestFernetTokenReader().rows()
        ]


class TestOpenAIEncryptedReader(ReaderSuite):
    def make(self):
        return OpenAIEncryptedReader("a master key", ttl=None)

    def rows(self):
        async def written():
            inner = SQLiteSession("s-1")
            await EncryptedSession("s-1", inner, "a master key").add_items(ITEMS)
            try:
                return await inner.get_items()
            finally:
                inner.close()

        rows = [json.dumps(row) for row in asyncio.run(written())]
        return [
            ForeignRow(stored=stored, item=item, session_id="s-1")
            for row, item in zip(rows, ITEMS, strict=True)
            for stored in (row, row.encode())
        ]

    def others(self):
        return ['{"role":"user"}', "not JSON", "[]", b"", ""]


class TestFernetTokenReader(ReaderSuite):
    def make(self):
        return FernetTokenReader(Keyring(KEY))

    def rows(self):
        token = Fernet(KEY.to_base64()).encrypt(json.dumps(ITEMS[1]).encode())
        return [ForeignRow(stored=stored, item=ITEMS[1]) for stored in (token, token.decode())]

    def others(self):
        return ['{"role":"user"}', "not JSON", "[]", b"", ""]


class TestFileWitness(WitnessSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path / "witness"

    def make(self):
        return FileWitness(self.folder, create=True)

    def reopen(self, witness):
        return FileWitness(self.folder)


class OnSqlite(SessionSuite):
    """Sessions on one SQLite file, opened as an application does."""

    options: ClassVar = {}

    @pytest.fixture(autouse=True)
    def _database(self, tmp_path):
        self.url = f"sqlite+aiosqlite:///{tmp_path / 'sessions.db'}"

    def make(self, session_id):
        return SQLAlchemySession.from_url(
            session_id, url=self.url, create_tables=True, **self.options
        )


class TestDefaultSession(OnSqlite):
    pass


class TestEncryptedBinarySession(OnSqlite):
    options: ClassVar = {
        "codec": "msgpack+zstd+aesgcm",
        "keys": Keyring(KEY),
        "column_type": "binary",
    }


class TestEncryptedTextSession(OnSqlite):
    options: ClassVar = {"codec": "orjson+fernet", "keys": Keyring(KEY), "namespace": "tenant"}


class TestLedgerSession(OnSqlite):
    options: ClassVar = {
        "codec": "orjson+aesgcm",
        "keys": Keyring(KEY),
        "ledger": Ledger(Keyring(KEY)),
    }


class TestSessionOfAStore(OnSqlite):
    """Sessions that share a store, as in a web application."""

    def make(self, session_id):
        if not hasattr(self, "store"):
            self.store = SessionStore.from_url(self.url, create_tables=True)
        return self.store.session(session_id)

    async def close(self, session):
        await self.store.aclose()


class TestOpenAIAgentsSession(SessionSuite):
    """openai-agents' own: what the suite asks for is the protocol, and nothing of ours."""

    @pytest.fixture(autouse=True)
    def _database(self, tmp_path):
        self.path = tmp_path / "theirs.db"

    def make(self, session_id):
        return SQLiteSession(session_id, self.path)
