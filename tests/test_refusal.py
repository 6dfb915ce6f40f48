"""What each codec reads: the table of DESIGN §3."""

import base64
import itertools
import json

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom import (
    AuthenticationError,
    Codec,
    CodecNotAcceptedError,
    FernetTokenReader,
    JsonSerializer,
    Key,
    Keyring,
    OpenAIEncryptedReader,
    PayloadError,
    PlaintextRefusedError,
    UnknownKeyError,
)
from strongroom.format.envelope import column_text

OWN, OTHER = (Key(bytes([number]) * 32) for number in (1, 2))
RING = Keyring(OWN)
ITEM = {"role": "user", "content": "The code of the safe is 8-12-40."}
JSON = json.dumps(ITEM).encode()


def form_of(row, form):
    return row if form == "binary" else column_text(row)


def sealed(spec, key=OWN, item=ITEM, context="s", namespace=""):
    return Codec.parse(spec, keys=Keyring(key)).encode(item, context=context, namespace=namespace)


class Thirds:
    """A third party's serializer, compressor or cipher, depending on its name."""

    def __init__(self, name):
        self.name = name


class Backwards(Thirds):
    def dumps(self, item):
        return json.dumps(item)[::-1].encode()

    def loads(self, data):
        return json.loads(data[::-1])


class Vault(Thirds):
    def bind(self, namespace, context):
        return self

    def seal(self, payload, header):
        return payload[::-1]

    def open(self, body, header):
        return body[::-1]


def session_row(master_key="master", context="s"):
    """What openai-agents' EncryptedSession writes; its own rows are read in tests/readers."""
    info = b"agents.session-store.hkdf.v1"
    subkey = HKDF(hashes.SHA256(), 32, context.encode(), info).derive(master_key.encode())
    token = Fernet(base64.urlsafe_b64encode(subkey)).encrypt(JSON).decode()
    return json.dumps({"__enc__": 1, "v": 1, "kid": "hkdf-v1", "payload": token}).encode()


ROWS = {
    "bare JSON": JSON,
    "bare text": b"no JSON",
    "JSON behind a header": bytes.fromhex("c1a501000100") + JSON,
    "msgpack": Codec.parse("msgpack").encode(ITEM, context="s"),
    "json+zlib": Codec.parse("json+zlib").encode(ITEM, context="s"),
    "json+fernet": sealed("json+fernet"),
    "json+fernet, another key": sealed("json+fernet", OTHER),
    "msgpack+zstd+aesgcm": sealed("msgpack+zstd+aesgcm"),
    "json+aesgcm, another key": sealed("json+aesgcm", OTHER),
    "EncryptedSession": session_row(),
    "EncryptedSession, another key": session_row("another"),
    "Fernet token": Fernet(OWN.to_base64()).encrypt(JSON),
    "Fernet token, another key": Fernet(OTHER.to_base64()).encrypt(JSON),
    "third-party serializer": Codec(Backwards("backwards")).encode(ITEM, context="s"),
    "third-party cipher": Codec(JsonSerializer(), cipher=Vault("vault")).encode(ITEM, context="s"),
}
SESSIONS = OpenAIEncryptedReader("master", ttl=None)
THIRD = (Backwards("backwards"), Vault("vault"))
CODECS = {
    "none": ("json", ()),
    "fernet": ("msgpack+fernet", ()),
    "aesgcm": ("json+zlib+aesgcm", ()),
    "gcm+plain": ("json+aesgcm", ("plaintext",)),
    "gcm+fernet": ("json+aesgcm", ("fernet",)),
    "gcm+sess": ("json+aesgcm", (SESSIONS,)),
    "gcm+token": ("json+aesgcm", (FernetTokenReader(RING),)),
    "gcm+third": ("json+aesgcm", THIRD),
    "gcm+all": (
        "json+aesgcm",
        ("plaintext", "fernet", SESSIONS, FernetTokenReader(RING), *THIRD),
    ),
    "none+all": ("orjson", ("fernet", "aesgcm", SESSIONS, FernetTokenReader(RING))),
}
OUTCOMES = {
    "plain": PlaintextRefusedError,
    "codec": CodecNotAcceptedError,
    "key": UnknownKeyError,
    "auth": AuthenticationError,
    "payload": PayloadError,
}

# "item": it is read; "itself": bare JSON is what it is; anything else: the error that it raises.
TABLE = """
                              none    fernet aesgcm gcm+plain gcm+fernet gcm+sess gcm+token gcm+third gcm+all none+all
bare JSON                     item    plain  plain  item      plain      plain    plain     plain     item    item
bare text                     payload plain  plain  payload   plain      plain    plain     plain     payload payload
JSON behind a header          item    plain  plain  item      plain      plain    plain     plain     item    item
msgpack                       item    plain  plain  item      plain      plain    plain     plain     item    item
json+zlib                     item    plain  plain  item      plain      plain    plain     plain     item    item
json+fernet                   codec   item   codec  codec     item       codec    codec     codec     item    item
json+fernet, another key      codec   key    codec  codec     key        codec    codec     codec     key     key
msgpack+zstd+aesgcm           codec   codec  item   item      item       item     item      item      item    item
json+aesgcm, another key      codec   codec  key    key       key        key      key       key       key     key
EncryptedSession              itself  plain  plain  plain     plain      item     plain     plain     item    item
EncryptedSession, another key itself  plain  plain  plain     plain      auth     plain     plain     auth    auth
Fernet token                  codec   plain  plain  plain     plain      plain    item      plain     item    item
Fernet token, another key     codec   plain  plain  plain     plain      plain    auth      plain     auth    auth
third-party serializer        codec   plain  plain  codec     plain      plain    plain     plain     item    codec
third-party cipher            codec   codec  codec  codec     codec      codec    codec     item      item    codec
"""  # noqa: E501 - a table


def cells():
    head, *lines = TABLE.strip("\n").splitlines()
    for line in lines:
        row, outcomes = line[:30].strip(), line[30:].split()
        for codec, outcome in zip(head.split(), outcomes, strict=True):
            yield pytest.param(row, codec, outcome, id=f"{codec} reads {row}: {outcome}")


def test_the_table_has_every_row_and_codec():
    assert [cell.values[:2] for cell in cells()] == list(itertools.product(ROWS, CODECS))


@pytest.mark.parametrize("form", ["binary", "text"])
@pytest.mark.parametrize(("row", "codec", "outcome"), list(cells()))
def test_what_each_codec_reads(row, codec, outcome, form):
    spec, accept = CODECS[codec]
    needs_keys = "+" in spec or "fernet" in accept
    reader = Codec.parse(spec, keys=RING if needs_keys else None, accept=accept)
    stored = form_of(ROWS[row], form)
    if outcome == "item":
        assert reader.decode(stored, context="s") == ITEM
    elif outcome == "itself":
        assert reader.decode(stored, context="s") == json.loads(stored)
    else:
        with pytest.raises(OUTCOMES[outcome]) as caught:
            reader.decode(stored, context="s")
        assert isinstance(caught.value, PlaintextRefusedError) == (outcome == "plain")
        (again,) = reader.bind("s").decode_many([stored])
        assert type(again) is type(caught.value)


def test_what_is_accepted_is_never_written():
    codec = Codec.parse("json+aesgcm", keys=RING, accept=("plaintext", "fernet"))
    for _ in range(3):
        assert codec.encode(ITEM, context="s")[:6] == bytes.fromhex("c1a501020100")
