import base64
import copy
import dataclasses
import io
import os
import pickle
import stat
import traceback
import unicodedata

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given
from hypothesis import strategies as st

from frames import is_ours
from strongroom.errors import ConfigurationError, UnknownKeyError
from strongroom.keys.key import Key
from strongroom.keys.keyring import Keyring

MATERIAL = bytes.fromhex("fb5d2c17e1ff0a3e9b64c08d51a72f3e6bd9eefbff0c4a7781935e2fd0b6a4c9")
STANDARD = base64.b64encode(MATERIAL).decode()
URL_SAFE = base64.urlsafe_b64encode(MATERIAL).decode()
SALT = b"sixteen bytes at least"


def everything_shown(error: BaseException) -> str:
    """What a log with locals shows of an error and of all that hangs on it, our frames only."""
    seen: list[str] = []
    chain: list[BaseException | None] = [error]
    while chain:
        current = chain.pop()
        if current is None:
            continue
        seen += [str(current), repr(current), repr(current.args), repr(vars(current))]
        shown = traceback.TracebackException.from_exception(current, capture_locals=True)
        for frame in shown.stack:
            if is_ours(frame) or frame.filename == "<string>":
                seen += [frame.name, repr(frame.locals)]
        chain += [current.__cause__, current.__context__]
    return "\n".join(seen)


def assert_hidden(shown: str, *secrets: str) -> None:
    for secret in secrets:
        assert secret not in shown
    for material in (MATERIAL, MATERIAL[:12], MATERIAL[-12:]):
        assert repr(material)[2:-1] not in shown
        assert material.hex() not in shown
    for text in (STANDARD, URL_SAFE):
        assert text[:12] not in shown
        assert text[-14:-2] not in shown


@pytest.mark.parametrize("text", [STANDARD, URL_SAFE, STANDARD[:-1], URL_SAFE[:-1]])
def test_a_key_is_read_in_either_alphabet_with_or_without_padding(text):
    assert Key.from_base64(text).to_base64() == URL_SAFE


def test_a_key_written_out_is_a_fernet_key():
    key = Key.generate()
    token = Fernet(key.to_base64()).encrypt(b"x")
    assert Fernet(Key.from_base64(key.to_base64()).to_base64()).decrypt(token) == b"x"


BAD_KEYS = {
    "empty": "",
    "31 bytes": base64.b64encode(MATERIAL[:31]).decode(),
    "33 bytes": base64.b64encode(MATERIAL + b"x").decode(),
    "mixed alphabets": STANDARD[:3].replace("+", "-") + STANDARD[3:],
    "doubled padding": STANDARD + "=",
    "other last character": URL_SAFE[:-2] + chr(ord(URL_SAFE[-2]) + 1) + "=",
    "leading space": " " + STANDARD,
    "trailing newline": STANDARD + "\n",
    "inner newline": STANDARD[:20] + "\n" + STANDARD[20:],
    "stray character": STANDARD[:20] + "!" + STANDARD[20:],
    "not ASCII": STANDARD[:20] + "é" + STANDARD[21:],
    "lone surrogate": STANDARD[:20] + "\ud800" + STANDARD[21:],
    "hexadecimal": MATERIAL.hex(),
}


@pytest.mark.parametrize("text", BAD_KEYS.values(), ids=BAD_KEYS)
def test_what_is_not_a_canonical_key_of_32_bytes_is_refused_and_not_shown(text):
    with pytest.raises(ConfigurationError) as caught:
        Key.from_base64(text)
    assert_hidden(everything_shown(caught.value))
    assert caught.value.__context__ is None


@pytest.mark.parametrize("value", [None, 5, STANDARD.encode()], ids=["None", "int", "bytes"])
def test_a_key_that_is_no_text_is_refused_and_not_shown(value):
    with pytest.raises(ConfigurationError) as caught:
        Key.from_base64(value)
    assert_hidden(everything_shown(caught.value))


@pytest.mark.parametrize("value", [MATERIAL[:31], MATERIAL + b"x", bytearray(MATERIAL), STANDARD])
def test_a_key_is_made_of_32_bytes(value):
    with pytest.raises(ConfigurationError) as caught:
        Key(value)
    assert_hidden(everything_shown(caught.value))


@given(st.binary(min_size=32, max_size=32))
def test_any_key_survives_its_text(material):
    key = Key(material)
    assert Key.from_base64(key.to_base64()) == key
    assert base64.urlsafe_b64decode(key.to_base64()) == material


def test_generated_keys_differ():
    assert len({Key.generate() for _ in range(50)}) == 50


def test_the_id_is_the_published_derivation():
    # $ openssl kdf -keylen 9 -kdfopt digest:SHA256 -kdfopt hexkey:<MATERIAL> \
    #     -kdfopt info:"strongroom key id v1" -binary HKDF | base64 | tr +/ -_
    assert Key(MATERIAL).id == "zw9RrHTZdH8T"


def test_a_subkey_is_hkdf_sha256_without_salt():
    # $ openssl kdf -keylen 16 -kdfopt digest:SHA256 -kdfopt hexkey:<MATERIAL> \
    #     -kdfopt info:purpose HKDF
    assert Key(MATERIAL).derive(b"purpose", 16).hex() == "75b18522e418ff4838c41a0f7f5a1c4e"
    assert len(Key(MATERIAL).derive(b"purpose")) == 32


def test_a_passphrase_is_stretched_with_the_documented_argon2id():
    key = Key.from_passphrase("café", salt=SALT)
    expected = Argon2id(salt=SALT, length=32, iterations=3, lanes=4, memory_cost=65536)
    assert key == Key(expected.derive("café".encode()))


def test_a_passphrase_may_be_typed_with_composed_or_combining_accents():
    forms = [unicodedata.normalize(form, "café") for form in ("NFC", "NFD")]
    assert forms[0] != forms[1]
    assert len({Key.from_passphrase(form, salt=SALT) for form in forms}) == 1


def test_the_salt_matters():
    assert Key.from_passphrase("a", salt=SALT) != Key.from_passphrase("a", salt=SALT[::-1])


@pytest.mark.parametrize(
    ("passphrase", "salt"),
    [("", SALT), (b"correct horse", SALT), ("correct horse\ud800", SALT)]
    + [("correct horse", salt) for salt in (b"", b"x" * 15, "x" * 16, None)],
)
def test_a_bad_passphrase_or_salt_is_refused_and_not_shown(passphrase, salt):
    with pytest.raises(ConfigurationError) as caught:
        Key.from_passphrase(passphrase, salt=salt)
    assert "correct horse" not in everything_shown(caught.value)


def test_a_passphrase_has_no_default_salt():
    with pytest.raises(TypeError):
        Key.from_passphrase("correct horse")


def test_an_interrupted_stretching_leaves_no_passphrase_in_the_traceback(monkeypatch):
    def interrupted(self: object, material: bytes) -> bytes:
        del material
        raise KeyboardInterrupt

    class Interrupted:
        def __init__(self, **parameters: object) -> None:
            pass

        derive = interrupted

    monkeypatch.setattr("strongroom.keys.key.Argon2id", Interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        Key.from_passphrase("correct horse", salt=SALT)
    assert "correct horse" not in everything_shown(caught.value)


def test_keys_are_equal_by_their_material():
    assert Key(MATERIAL) == Key.from_base64(STANDARD)
    assert hash(Key(MATERIAL)) == hash(Key.from_base64(STANDARD))
    assert Key(MATERIAL) != Key.generate()
    assert Key(MATERIAL) != MATERIAL


def test_a_key_shows_its_id_and_nothing_else():
    key = Key(MATERIAL)
    ring = Keyring(key)
    shown = [repr(key), str(key), f"{key}", format(key), repr(ring), f"{ring}"]
    assert repr(key) == f"Key(id='{key.id}')"
    assert repr(ring) == f"Keyring(Key(id='{key.id}'))"
    assert_hidden("\n".join(shown))


@pytest.mark.parametrize("value", [Key(MATERIAL), Keyring(Key(MATERIAL))], ids=["Key", "Keyring"])
class TestGuarded:
    def test_has_no_dict_to_look_into(self, value):
        with pytest.raises(TypeError):
            vars(value)
        with pytest.raises(TypeError):
            dataclasses.asdict(value)

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_is_not_pickled(self, value, protocol):
        with pytest.raises(TypeError, match="not pickled") as caught:
            pickle.dumps(value, protocol)
        assert_hidden(everything_shown(caught.value))

    def test_gives_no_state_away(self, value):
        with pytest.raises(TypeError, match="not pickled"):
            value.__getstate__()

    def test_a_copy_is_the_thing_itself(self, value):
        assert copy.copy(value) is value
        assert copy.deepcopy([value])[0] is value

    def test_cannot_be_changed(self, value):
        for name in ("id", "primary", "_material", "anything"):
            with pytest.raises(AttributeError) as caught:
                setattr(value, name, URL_SAFE)
            assert_hidden(everything_shown(caught.value))
            with pytest.raises(AttributeError):
                delattr(value, name)


KEYS = [Key(bytes([number]) * 32) for number in range(3)]


def test_a_keyring_keeps_the_order_and_the_primary_first():
    ring = Keyring(*KEYS)
    assert ring.primary is KEYS[0]
    assert list(ring) == KEYS
    assert len(ring) == 3


def test_a_keyring_finds_keys_by_id():
    ring = Keyring(*KEYS[:2])
    assert ring.get(KEYS[1].id) is KEYS[1]
    assert KEYS[1].id in ring
    assert KEYS[1] in ring
    assert KEYS[2].id not in ring
    assert KEYS[2] not in ring
    assert 5 not in ring


def test_keyrings_are_equal_by_their_keys_in_order():
    assert Keyring(*KEYS) == Keyring(*KEYS)
    assert hash(Keyring(*KEYS)) == hash(Keyring(*KEYS))
    assert Keyring(*KEYS) != Keyring(*reversed(KEYS))
    assert Keyring(*KEYS) != KEYS


def test_a_key_is_found_in_one_lookup_however_many_there_are():
    lookups = []

    class Counting(dict):
        def get(self, *args):
            lookups.append(args)
            return super().get(*args)

        def __iter__(self):
            raise AssertionError("the keys were searched one by one")

        items = values = keys = __iter__

    ring = Keyring(*[Key.generate() for _ in range(200)])
    wanted = list(ring)[150]
    object.__setattr__(ring, "_by_id", Counting(ring._by_id))
    assert ring.get(wanted.id) is wanted
    assert len(lookups) == 1


def test_an_unknown_id_is_an_error_that_carries_it():
    with pytest.raises(UnknownKeyError, match=KEYS[2].id) as caught:
        Keyring(*KEYS[:2]).get(KEYS[2].id)
    assert caught.value.key_id == KEYS[2].id
    assert caught.value.__context__ is None


def test_a_keyring_is_not_empty():
    with pytest.raises(ConfigurationError, match="at least one key"):
        Keyring()


def test_a_keyring_does_not_hold_a_key_twice():
    with pytest.raises(ConfigurationError, match="two keys with one id"):
        Keyring(Key(MATERIAL), KEYS[0], Key(MATERIAL))


@pytest.mark.parametrize(
    "arguments",
    [[STANDARD], [MATERIAL], [Key(MATERIAL), URL_SAFE], [STANDARD, KEYS[0]], [None, KEYS[0]]],
)
def test_a_keyring_takes_keys_only_and_does_not_show_what_it_got(arguments):
    with pytest.raises(ConfigurationError, match="Key objects") as caught:
        Keyring(*arguments)
    assert_hidden(everything_shown(caught.value))


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "keys"

    def write(content: str | bytes, mode: int = 0o600):
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    return write


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_key_file_holds_a_key_a_line(key_file, newline):
    lines = ["# the keys, schlüssel", KEYS[1].to_base64(), "", "  # old", KEYS[0].to_base64()]
    path = key_file(newline.join(lines))
    assert Keyring.from_file(path) == Keyring(KEYS[1], KEYS[0])
    assert Keyring.from_file(str(path)) == Keyring(KEYS[1], KEYS[0])


@pytest.mark.parametrize("bad", [*BAD_KEYS["31 bytes"].split(), STANDARD[:30], STANDARD + "x"])
def test_a_bad_line_is_named_by_its_number_and_not_shown(key_file, bad):
    path = key_file(f"# first\n{KEYS[0].to_base64()}\n{bad}\n{URL_SAFE}\n")
    with pytest.raises(ConfigurationError, match="Line 3") as caught:
        Keyring.from_file(path)
    assert_hidden(everything_shown(caught.value), KEYS[0].to_base64())


def test_a_file_that_is_not_text_is_refused(key_file):
    with pytest.raises(ConfigurationError, match="Line 1"):
        Keyring.from_file(key_file(b"\xff\xfe" + MATERIAL))


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing\n"])
def test_a_key_file_without_keys_is_refused(key_file, content):
    with pytest.raises(ConfigurationError, match="no keys"):
        Keyring.from_file(key_file(content))


def test_a_file_with_the_same_key_twice_is_refused_and_not_shown(key_file):
    with pytest.raises(ConfigurationError, match="two keys with one id") as caught:
        Keyring.from_file(key_file(f"{STANDARD}\n{URL_SAFE}\n"))
    assert_hidden(everything_shown(caught.value))


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644])
def test_a_file_that_others_can_access_is_refused_unless_told(key_file, mode):
    path = key_file(STANDARD, mode)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    with pytest.raises(ConfigurationError, match="any_mode=True") as caught:
        Keyring.from_file(path)
    assert_hidden(everything_shown(caught.value))
    assert Keyring.from_file(path, any_mode=True) == Keyring(Key(MATERIAL))


@pytest.mark.skipif(os.name != "posix", reason="files have owners on POSIX")
@pytest.mark.parametrize(("owner", "user"), [(1000, 1000), (0, 1000), (0, 0)])
def test_a_file_of_the_process_user_or_of_root_is_read(key_file, monkeypatch, owner, user):
    run_as(monkeypatch, owner, user)
    assert Keyring.from_file(key_file(STANDARD)) == Keyring(Key(MATERIAL))


@pytest.mark.skipif(os.name != "posix", reason="files have owners on POSIX")
@pytest.mark.parametrize(("owner", "user"), [(1000, 1001), (1000, 0)])
def test_a_file_of_another_user_is_refused_unless_told(key_file, monkeypatch, owner, user):
    run_as(monkeypatch, owner, user)
    path = key_file(STANDARD)
    with pytest.raises(ConfigurationError, match=r"another user \(uid 1000\).*chown") as caught:
        Keyring.from_file(path)
    assert "any_mode=True" in str(caught.value)
    assert_hidden(everything_shown(caught.value))
    assert Keyring.from_file(path, any_mode=True) == Keyring(Key(MATERIAL))


def run_as(monkeypatch, owner, user):
    """Let every file belong to one user, and the process to another."""
    real = os.fstat

    def fstat(descriptor):
        status = list(real(descriptor))
        status[stat.ST_UID] = owner
        return os.stat_result(status)

    monkeypatch.setattr(os, "fstat", fstat)
    monkeypatch.setattr(os, "geteuid", lambda: user)


def test_a_file_that_cannot_be_read_is_a_configuration_error(tmp_path):
    for path in (tmp_path / "missing", tmp_path, "nul\0byte"):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            Keyring.from_file(path)


def test_a_read_that_fails_halfway_is_a_configuration_error(key_file, monkeypatch):
    class Failing(io.StringIO):
        def fileno(self):
            raise OSError(5, "Input/output error")

    path = key_file(STANDARD)
    monkeypatch.setattr(type(path), "open", lambda *args, **options: Failing())
    with pytest.raises(ConfigurationError, match="Input/output error"):
        Keyring.from_file(path)


def test_the_environment_holds_keys_between_commas(monkeypatch):
    monkeypatch.setenv("ROOM_KEYS", f"{KEYS[1].to_base64()}, {KEYS[0].to_base64()}\n")
    assert Keyring.from_env("ROOM_KEYS") == Keyring(KEYS[1], KEYS[0])


@pytest.mark.parametrize("value", [None, "", " "])
def test_an_environment_variable_without_keys_is_refused(monkeypatch, value):
    monkeypatch.delenv("ROOM_KEYS", raising=False)
    if value is not None:
        monkeypatch.setenv("ROOM_KEYS", value)
    with pytest.raises(ConfigurationError, match="ROOM_KEYS is not set, or is empty"):
        Keyring.from_env("ROOM_KEYS")


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (f"{URL_SAFE},", 2),
        (f",{URL_SAFE}", 1),
        (f"{KEYS[0].to_base64()},,{URL_SAFE}", 2),
        (f"{KEYS[0].to_base64()},{URL_SAFE[:-3]}", 2),
        (f"# no comments,{URL_SAFE}", 1),
    ],
)
def test_a_bad_element_is_named_by_its_number_and_not_shown(monkeypatch, value, number):
    monkeypatch.setenv("ROOM_KEYS", value)
    with pytest.raises(ConfigurationError, match=f"Element {number} .*ROOM_KEYS") as caught:
        Keyring.from_env("ROOM_KEYS")
    assert_hidden(everything_shown(caught.value))


@pytest.mark.parametrize("load", [Keyring.from_env, Keyring.from_file])
@pytest.mark.parametrize("text", [STANDARD, URL_SAFE, f"{KEYS[0].to_base64()},{URL_SAFE}"])
def test_a_key_in_the_place_of_a_name_or_path_is_refused_and_not_shown(load, text):
    with pytest.raises(ConfigurationError, match="not a key") as caught:
        load(text)
    assert_hidden(everything_shown(caught.value))
