"""A second reader of version 1, from docs/row-format.md alone; any exception is a refusal."""

import base64
import datetime as dt
import json
import zlib

import msgpack
import zstandard
from cryptography.hazmat.primitives import hashes, hmac, padding
from cryptography.hazmat.primitives.ciphers import Cipher, aead, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def decode(stored, keys, namespace, context, third_party, max_size):
    row = stored.encode() if isinstance(stored, str) else stored
    if isinstance(stored, str) and stored[:3] in {"waU", "waV", "waW", "waX"}:
        row = base64.urlsafe_b64decode(stored + "=" * (-len(stored) % 4))
        assert base64.urlsafe_b64encode(row).decode().rstrip("=") == stored
    row = row if row[:2] == b"\xc1\xa5" else b"\xc1\xa5\x01\x00\x01\x00" + row
    (suite, serializer, compressor), names, end = row[3:6], [], 6
    for _ in range(row[3:6].count(0xFF)):
        names.append(row[end + 1 : end + 1 + row[end]].decode())
        end += 1 + row[end]
    others, end = iter([third_party[name] for name in names]), end + (9 if suite else 0)
    assert (row[2], len(row) >= end) == (1, True)
    data, binding = row[end:], row[:end]
    for text in (namespace.encode(), context.encode()):
        binding += len(text).to_bytes(4, "big") + text
    if suite in {1, 2}:
        ids = {HKDF(hashes.SHA256(), 9, None, b"strongroom key id v1").derive(k): k for k in keys}
        hkdf = HKDF(hashes.SHA256(), 32, None, b"strongroom v1" + binding)
        subkey = hkdf.derive(ids[row[end - 9 : end]])
    if suite == 1:
        mac, pad = hmac.HMAC(subkey[:16], hashes.SHA256()), padding.PKCS7(128).unpadder()
        mac.update(data[:-32])
        mac.verify(data[-32:])
        cbc = Cipher(algorithms.AES(subkey[16:]), modes.CBC(data[9:25])).decryptor()
        data = pad.update(cbc.update(data[25:-32])) + pad.finalize()
    elif suite == 0xFF:
        data = next(others)(data)
    elif suite:
        data = aead.AESGCM(subkey).decrypt(data[:12], data[12:], binding)
    parse = next(others) if serializer == 0xFF else PARSERS[serializer]
    if compressor in {1, 2}:
        stream = (zlib, zstandard.ZstdDecompressor())[compressor - 1].decompressobj()
        data = stream.decompress(data)
        assert (stream.eof, stream.unused_data) == (True, b"")
    elif compressor:
        data = next(others)(data)
    assert len(data) <= max_size
    return parse(data)


EXTENSIONS = {1: int, 2: lambda data: str(data, "utf-8", "surrogatepass")}
EXTENSIONS[3] = lambda data: dt.datetime.fromisoformat(data.decode())
PARSERS = {1: lambda data: json.loads(data.decode())}
PARSERS[2] = lambda data: msgpack.unpackb(data, ext_hook=lambda code, ext: EXTENSIONS[code](ext))
