"""A second reader of ledgers, written from docs/row-format.md alone; it only knows the stdlib."""

import base64
import hashlib
import hmac
import struct


class RefusedError(Exception):
    """The history is not what the ledger recorded."""


def lp(text):
    data = text.encode()
    return struct.pack(">I", len(data)) + data


def hkdf(key, info, size):
    secret = hmac.new(bytes(32), key, hashlib.sha256).digest()
    out = block = b""
    number = 1
    while len(out) < size:
        block = hmac.new(secret, block + info + bytes([number]), hashlib.sha256).digest()
        out += block
        number += 1
    return out[:size]


def key_id(key):
    return hkdf(key, b"strongroom key id v1", 9)


def mac(key, namespace, session_id, message):
    info = b"strongroom ledger v1" + key_id(key) + lp(namespace) + lp(session_id)
    return hmac.new(hkdf(key, info, 32), message, hashlib.sha256).digest()[:16]


def read_link(keys, namespace, session_id, stored, time):
    """Return position, uid, previous uid and value of a stored row."""
    if isinstance(stored, str):
        link, value = base64.urlsafe_b64decode(stored[:102] + "=="), stored[102:]
        if base64.urlsafe_b64encode(link).decode()[:102] != stored[:102]:
            raise RefusedError("not canonical")
        data = value.encode()
    else:
        link, value = stored[:76], stored[76:]
        data = value
    if len(link) != 76 or link[:3] != b"\xc1\xa6\x01":
        raise RefusedError("no link")
    known = {key_id(key): key for key in keys}
    if link[3:12] not in known:
        raise RefusedError("unknown key")
    wanted = mac(known[link[3:12]], namespace, session_id, b"\x01" + link[:60] + data)
    if wanted != link[60:]:
        raise RefusedError("mac of a link")
    position, linked_time = struct.unpack(">Qq", link[12:28])
    if linked_time != time:
        raise RefusedError("time")
    return position, link[28:44], link[44:60], value


def read(keys, namespace, session_id, head, rows):
    """Return the values of a history; rows are (stored, time), oldest first."""
    count, last = 0, bytes(16)
    if head is not None:
        if len(head) != 60 or head[:3] != b"\xc1\xa8\x01":
            raise RefusedError("no head")
        known = {key_id(key): key for key in keys}
        if head[3:12] not in known:
            raise RefusedError("unknown key")
        if mac(known[head[3:12]], namespace, session_id, b"\x02" + head[:44]) != head[44:]:
            raise RefusedError("mac of the head")
        (version, count), last = struct.unpack(">QQ", head[12:28]), head[28:44]
        if max(version, count) >= 2**63:
            raise RefusedError("numbers of the head")
    values, before = [], bytes(16)
    for number, (stored, time) in enumerate(rows, 1):
        position, uid, previous, value = read_link(keys, namespace, session_id, stored, time)
        if position != number or previous != before:
            raise RefusedError("order")
        values.append(value)
        before = uid
    if len(rows) != count or before != last:
        raise RefusedError("head")
    return values
