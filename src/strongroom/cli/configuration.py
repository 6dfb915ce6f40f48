"""The codec, the keys and the ledger that the options describe."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from strongroom.cli.errors import CommandError
from strongroom.cli.exit_codes import USAGE
from strongroom.cli.options import CodecOptions, KeyOptions, LedgerOptions

if TYPE_CHECKING:
    from strongroom import Codec, Keyring, Ledger

_KEYS = "STRONGROOM_KEYS"
_LEDGER_KEYS = "STRONGROOM_LEDGER_KEYS"
_FERNET_KEYS = "STRONGROOM_FERNET_KEYS"
_MASTER_KEY = "STRONGROOM_MASTER_KEY"


def read_codec(where: CodecOptions, *, writes: bool = False) -> Codec:
    """Return the codec that the options describe."""
    from strongroom import Codec

    if where.codec == "" or (where.codec is None and writes):
        raise CommandError(
            "Say how rows are to be written: --codec orjson+aesgcm, or another.", USAGE
        )
    spec = where.codec or "json"
    names = where.accept or []
    if where.ttl is not None and "encrypted-session" not in names:
        raise CommandError("--ttl goes with --accept encrypted-session.", USAGE)
    needs = any(_is_cipher(name) for name in (*spec.split("+"), *names))
    keys = read_keys(where, needed=needs) if needs or "fernet-token" in names else None
    accept = tuple(_accepted(name, where, keys) for name in names)
    return Codec.parse(spec, keys=keys if needs else None, accept=accept)


def read_keys(where: KeyOptions, *, needed: bool) -> Keyring | None:
    """Return the keys that the options name, or those of the environment."""
    from strongroom import Keyring

    if where.key_file is not None:
        return Keyring.from_file(where.key_file, any_mode=where.any_mode)
    if os.environ.get(_KEYS):
        return Keyring.from_env(_KEYS)
    if needed:
        raise CommandError(
            f"There is no key: name a key file with --key-file, or set {_KEYS}. "
            f"`strongroom keygen FILE` makes one."
        )
    return None


def read_ledger(where: CodecOptions | LedgerOptions) -> Ledger | None:
    """Return the ledger that the options or the environment describe, None if neither does."""
    from strongroom import FileWitness, Keyring, Ledger

    if where.witness_id is not None and where.witness is None:
        raise CommandError("--witness-id goes with --witness.", USAGE)
    if where.ledger_key_file is not None:
        keys = Keyring.from_file(where.ledger_key_file, any_mode=where.any_mode)
    elif os.environ.get(_LEDGER_KEYS):
        keys = Keyring.from_env(_LEDGER_KEYS)
    elif where.witness is not None:
        raise CommandError(
            f"A witness needs the ledger's keys: --ledger-key-file, or {_LEDGER_KEYS}."
        )
    else:
        return None
    if where.witness is None:
        return Ledger(keys)
    return Ledger(keys, witness=FileWitness(where.witness, id=where.witness_id))


def _is_cipher(name: str) -> bool:
    from strongroom.codec import registry

    return name not in {"encrypted-session", "fernet-token"} and registry.find(name)[0] == "cipher"


def _accepted(name: str, where: CodecOptions, keys: Keyring | None) -> Any:
    from strongroom import FernetTokenReader, Keyring, OpenAIEncryptedReader

    if name == "fernet-token":
        known = Keyring.from_env(_FERNET_KEYS) if os.environ.get(_FERNET_KEYS) else keys
        if known is None:
            raise CommandError(f"--accept fernet-token needs its keys: set {_FERNET_KEYS}.")
        return FernetTokenReader(known)
    if name == "encrypted-session":
        master = os.environ.get(_MASTER_KEY)
        if not master:
            raise CommandError(
                f"--accept encrypted-session needs the class's encryption_key: set {_MASTER_KEY}."
            )
        return OpenAIEncryptedReader(master, ttl=_seconds(where.ttl))
    return name


def _seconds(ttl: str | None) -> float | None:
    if ttl is None:
        raise CommandError(
            "Say which rows --accept encrypted-session is to leave out: --ttl 600 those that its "
            "default leaves out, --ttl none none of them.",
            USAGE,
        )
    try:
        return None if ttl == "none" else float(ttl)
    except ValueError:
        raise CommandError("--ttl is a number of seconds, or none.", USAGE) from None
