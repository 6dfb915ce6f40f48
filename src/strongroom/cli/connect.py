"""From options to stores."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from strongroom.cli.failures import USAGE, Failure, keep_secret
from strongroom.cli.options import Keys, Ledgered, Place, Sealed

if TYPE_CHECKING:
    from sqlalchemy import URL

    from strongroom import Codec, Keyring, Ledger, SessionStore

T = TypeVar("T")

_KEYS = "STRONGROOM_KEYS"
_LEDGER_KEYS = "STRONGROOM_LEDGER_KEYS"
_FERNET_KEYS = "STRONGROOM_FERNET_KEYS"
_MASTER_KEY = "STRONGROOM_MASTER_KEY"


def runs(work: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
    """Run a coroutine function in an event loop of its own."""
    import asyncio

    return asyncio.run(work(*arguments))


@asynccontextmanager
async def opened(
    where: Place, *, create: bool = False, writes: bool = False
) -> AsyncIterator[SessionStore]:
    """Open the store that the options describe; without codec options one that needs no key.

    A command that ``writes`` new rows has to be told its codec: the default would write plaintext.
    """
    from strongroom import SessionStore

    options: dict[str, Any] = {}
    if isinstance(where, Sealed):
        options = {
            "codec": read_codec(where, writes=writes),
            "namespace": where.namespace,
            "ledger": _ledger(where),
        }
    elif isinstance(where, Ledgered):
        options = {"namespace": where.namespace, "ledger": _ledger(where)}
    store = SessionStore.from_url(
        _url(where.url, create=create),
        engine_kwargs={"hide_parameters": True},
        create_tables=create,
        column_type=where.column_type.value,
        schema=where.schema,
        sessions_table=where.sessions_table,
        messages_table=where.messages_table,
        **options,
    )
    async with store:
        if create:
            await store.create_tables()  # also where nothing is written then
        yield store


def read_codec(where: Sealed, *, writes: bool = False) -> Codec:
    """Return the codec that the options describe."""
    from strongroom import Codec

    if where.codec is None and writes:
        raise Failure("Say how rows are to be written: --codec orjson+aesgcm, or another.", USAGE)
    spec = where.codec or "json"
    names = where.accept or []
    if where.ttl is not None and "encrypted-session" not in names:
        raise Failure("--ttl goes with --accept encrypted-session.", USAGE)
    needs = any(_is_cipher(name) for name in (*spec.split("+"), *names))
    keys = read_keys(where, needed=needs) if needs or "fernet-token" in names else None
    accept = tuple(_accepted(name, where, keys) for name in names)
    return Codec.parse(spec, keys=keys if needs else None, accept=accept)


def read_keys(where: Keys, *, needed: bool) -> Keyring | None:
    """Return the keys that the options name, or those of the environment."""
    from strongroom import Keyring

    if where.key_file is not None:
        return Keyring.from_file(where.key_file, any_mode=where.any_mode)
    if os.environ.get(_KEYS):
        return Keyring.from_env(_KEYS)
    if needed:
        raise Failure(
            f"There is no key: name a key file with --key-file, or set {_KEYS}. "
            f"`strongroom keygen FILE` makes one."
        )
    return None


def target_of(source: Sealed, **changed: Any) -> Sealed:
    """Return the options of a copy's target: those of the source, but for what was given."""
    given = {name: value for name, value in changed.items() if value is not None}
    bare = replace(source, accept=None, ttl=None, ledger_key_file=None, witness=None)
    return replace(bare, **given)


def _ledger(where: Sealed | Ledgered) -> Ledger | None:
    from strongroom import FileWitness, Keyring, Ledger

    if where.ledger_key_file is not None:
        keys = Keyring.from_file(where.ledger_key_file, any_mode=where.any_mode)
    elif os.environ.get(_LEDGER_KEYS):
        keys = Keyring.from_env(_LEDGER_KEYS)
    elif where.witness is not None:
        raise Failure(f"A witness needs the ledger's keys: --ledger-key-file, or {_LEDGER_KEYS}.")
    else:
        return None
    return Ledger(keys, witness=FileWitness(where.witness) if where.witness else None)


def _is_cipher(name: str) -> bool:
    from strongroom.codec import registry

    return name not in {"encrypted-session", "fernet-token"} and registry.find(name)[0] == "cipher"


def _accepted(name: str, where: Sealed, keys: Keyring | None) -> Any:
    from strongroom import FernetTokenReader, Keyring, OpenAIEncryptedReader

    if name == "fernet-token":
        known = Keyring.from_env(_FERNET_KEYS) if os.environ.get(_FERNET_KEYS) else keys
        if known is None:
            raise Failure(f"--accept fernet-token needs its keys: set {_FERNET_KEYS}.")
        return FernetTokenReader(known)
    if name == "encrypted-session":
        master = os.environ.get(_MASTER_KEY)
        if not master:
            raise Failure(
                f"--accept encrypted-session needs the class's encryption_key: set {_MASTER_KEY}."
            )
        return OpenAIEncryptedReader(master, ttl=_seconds(where.ttl))
    return name


def _seconds(ttl: str | None) -> float | None:
    if ttl is None:
        raise Failure(
            "Say which rows --accept encrypted-session is to leave out: --ttl 600 those that its "
            "default leaves out, --ttl none none of them.",
            USAGE,
        )
    try:
        return None if ttl == "none" else float(ttl)
    except ValueError:
        raise Failure("--ttl is a number of seconds, or none.", USAGE) from None


def _url(text: str | None, *, create: bool) -> URL:
    """Return the URL; its password is never printed from now on."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if not text:
        raise Failure(
            "There is no database: pass --url, or set STRONGROOM_URL, such as "
            "sqlite+aiosqlite:///memory.db or postgresql+asyncpg://user@host/name."
        )
    keep_secret(text.partition("://")[2].rpartition("@")[0].partition(":")[2])
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # The error may hold a part of the password.
        url = None  # raised below, without that error behind it
    if url is None:
        raise Failure(
            "The database URL cannot be parsed; one looks like "
            "postgresql+asyncpg://user:password@host:5432/name, and a password's own / @ : are "
            "written %2F %40 %3A."
        )
    keep_secret(str(url.password or ""))
    path = url.database or ""
    is_file = url.get_backend_name() == "sqlite" and path not in {"", ":memory:"}
    if is_file and not path.startswith("file:") and not create and not Path(path).exists():
        raise Failure(f"There is no database file {path}: check the URL.")
    return url
