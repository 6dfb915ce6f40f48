"""What holds for both ciphers, written once; their own facts are beside this file."""

import base64
import copy
import dataclasses
import multiprocessing
import os
import pickle
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frames import is_ours
from strongroom.codec.ciphers import AesGcmCipher, FernetCipher
from strongroom.errors import AuthenticationError, ConfigurationError, UnknownKeyError
from strongroom.keys.key import Key
from strongroom.keys.keyring import Keyring
from strongroom.protocols import Cipher

KEYS = [Key(bytes([number]) * 32) for number in range(3)]
RING = Keyring(*KEYS)
PAYLOAD = b'{"role":"user","content":"hello"}'

pytestmark = pytest.mark.parametrize("cipher_type", [FernetCipher, AesGcmCipher])


def header(cipher, key: Key = KEYS[0], serializer: int = 1, compressor: int = 0) -> bytes:
    suite = {"fernet": 1, "aesgcm": 2}[cipher.name]
    fixed = b"\xc1\xa5\x01" + bytes((suite, serializer, compressor))
    return fixed + base64.urlsafe_b64decode(key.id)


@pytest.fixture
def cipher(cipher_type):
    return cipher_type(RING)


@given(payload=st.binary(max_size=300), namespace=st.text(max_size=9), context=st.text(max_size=9))
def test_what_is_sealed_opens_again(cipher_type, payload, namespace, context):
    cipher = cipher_type(keys=RING)
    head = header(cipher)
    body = cipher.bind(namespace, context).seal(payload, head)
    assert cipher_type(RING).bind(namespace, context).open(body, head) == payload


def test_is_a_frozen_value_that_meets_the_protocol(cipher, cipher_type):
    assert isinstance(cipher, Cipher)
    assert cipher == cipher_type(Keyring(*KEYS))
    assert hash(cipher) == hash(cipher_type(Keyring(*KEYS)))
    assert cipher != cipher_type(Keyring(*reversed(KEYS)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        cipher.keys = Keyring(KEYS[0])


def test_writes_with_the_primary_key(cipher):
    assert cipher.key_id == KEYS[0].id


def test_seals_under_the_key_that_the_header_names(cipher, cipher_type):
    head = header(cipher, KEYS[1])
    body = cipher.bind("", "s").seal(PAYLOAD, head)
    assert cipher_type(Keyring(KEYS[1])).bind("", "s").open(body, head) == PAYLOAD


def test_a_missing_key_is_named(cipher, cipher_type):
    head = header(cipher, KEYS[1])
    body = cipher.bind("", "s").seal(PAYLOAD, head)
    box = cipher_type(Keyring(KEYS[0])).bind("", "s")
    for operation in (lambda: box.open(body, head), lambda: box.seal(PAYLOAD, head)):
        with pytest.raises(UnknownKeyError, match=KEYS[1].id) as caught:
            operation()
        assert caught.value.key_id == KEYS[1].id


@pytest.mark.parametrize(
    ("namespace", "context"),
    [("", "other"), ("tenant", "s"), ("s", ""), ("", "s\0"), ("", "S"), ("", "s ")],
)
def test_a_row_of_another_session_or_namespace_does_not_open(cipher, namespace, context):
    head = header(cipher)
    body = cipher.bind("", "s").seal(PAYLOAD, head)
    with pytest.raises(AuthenticationError, match="another session or namespace"):
        cipher.bind(namespace, context).open(body, head)


def test_namespace_and_context_are_kept_apart(cipher):
    head = header(cipher)
    body = cipher.bind("ab", "c").seal(PAYLOAD, head)
    with pytest.raises(AuthenticationError):
        cipher.bind("a", "bc").open(body, head)


@pytest.mark.parametrize("changes", [{"serializer": 2}, {"compressor": 1}, {"key": KEYS[1]}])
def test_an_altered_header_does_not_open(cipher, changes):
    box = cipher.bind("", "s")
    body = box.seal(PAYLOAD, header(cipher))
    with pytest.raises(AuthenticationError):
        box.open(body, header(cipher, **changes))


def test_every_altered_byte_of_a_body_is_noticed(cipher):
    box, head = cipher.bind("", "s"), header(cipher)
    body = box.seal(PAYLOAD, head)
    for position in range(len(body)):
        for flip in (0x01, 0x80, 0xFF):
            altered = bytearray(body)
            altered[position] ^= flip
            with pytest.raises(AuthenticationError):
                box.open(bytes(altered), head)


def test_every_truncation_and_extension_of_a_body_is_noticed(cipher):
    box, head = cipher.bind("", "s"), header(cipher)
    body = box.seal(PAYLOAD, head)
    altered = [body[:end] for end in range(len(body))] + [body[start:] for start in range(1, 99)]
    altered += [body + tail for tail in (b"\0", b"=", b"\n", bytes(16), body)] + [b"\0" + body]
    for value in altered:
        with pytest.raises(AuthenticationError):
            box.open(value, head)


@given(body=st.binary(max_size=200))
def test_arbitrary_bodies_are_refused(cipher_type, body):
    cipher = cipher_type(RING)
    with pytest.raises(AuthenticationError):
        cipher.bind("", "s").open(body, header(cipher))


def test_a_failure_to_open_shows_no_key(cipher):
    box, head = cipher.bind("", "s"), header(cipher)
    body = box.seal(PAYLOAD, head)
    with pytest.raises(AuthenticationError) as caught:
        box.open(body[:-1] + bytes([body[-1] ^ 1]), head)
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = "".join(trace.format())
    subkey = KEYS[0].derive(b"strongroom v1" + head + b"\0\0\0\0" + b"\0\0\0\1s")
    for secret in (KEYS[0].to_base64()[:16], repr(subkey)[2:-1], base64.b64encode(subkey).decode()):
        assert secret not in shown


@pytest.mark.parametrize("value", [None, KEYS[0], KEYS, KEYS[0].to_base64()])
def test_takes_a_keyring_and_does_not_show_what_else_it_got(cipher_type, value):
    with pytest.raises(ConfigurationError, match="takes a Keyring") as caught:
        cipher_type(value)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in shown.stack if is_ours(frame)]
    assert ours
    assert KEYS[0].to_base64() not in repr([frame.locals for frame in ours])
    assert KEYS[0].to_base64() not in str(caught.value)


def test_shows_key_ids_only(cipher):
    cipher.bind("", "s").seal(PAYLOAD, header(cipher))
    assert repr(cipher).startswith(f"{type(cipher).__name__}(keys=Keyring(Key(id='{KEYS[0].id}')")
    shown = repr([cipher, dataclasses.asdict(cipher), vars(cipher), cipher.bind("", "s")])
    for key in KEYS:
        assert key.to_base64() not in shown
        assert repr(base64.b64decode(key.to_base64()))[2:-1] not in shown


def test_a_box_is_not_pickled(cipher):
    for refuse in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            refuse(cipher.bind("", "s"))


def test_a_subkey_is_derived_once_for_many_rows(cipher, monkeypatch):
    derived = []
    original = Key.derive

    def counting(self, info, length=32):
        derived.append(info)
        return original(self, info, length)

    monkeypatch.setattr(Key, "derive", counting)
    box, head = cipher.bind("", "s"), header(cipher)
    for _ in range(100):
        box.open(box.seal(PAYLOAD, head), head)
    assert derived == [b"strongroom v1" + head + bytes(4) + b"\0\0\0\1s"]


def test_headers_that_a_writer_makes_up_do_not_fill_the_memory(cipher):
    box = cipher.bind("", "s")
    for number in range(1000):
        with pytest.raises(AuthenticationError):
            box.open(b"", number.to_bytes(2, "big") + header(cipher))
    assert box._primitive.cache_info().currsize <= 64


def test_equal_payloads_look_different(cipher):
    box, head = cipher.bind("", "s"), header(cipher)
    assert len({box.seal(PAYLOAD, head) for _ in range(200)}) == 200


def test_threads_share_a_box(cipher):
    box = cipher.bind("", "s")
    heads = [header(cipher, key) for key in KEYS]

    def work(number):
        payload, head = b"%d" % number, heads[number % 3]
        return box.open(box.seal(payload, head), head) == payload

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(800)))


def _sealed_by_a_child(box, head, results):
    results.put(box.seal(PAYLOAD, head))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # of pytest's own threads
def test_forked_processes_write_different_rows(cipher):
    box, head = cipher.bind("", "s"), header(cipher)
    fork = multiprocessing.get_context("fork")
    results = fork.Queue()
    children = [
        fork.Process(target=_sealed_by_a_child, args=(box, head, results)) for _ in range(4)
    ]
    for child in children:
        child.start()
    bodies = {results.get(timeout=30) for _ in children} | {box.seal(PAYLOAD, head)}
    for child in children:
        child.join()
    assert len(bodies) == 5
    assert {box.open(body, head) for body in bodies} == {PAYLOAD}
