"""Builds the core of a store or a session from the arguments of their constructors."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Unpack

from strongroom.codec.codec import Codec
from strongroom.codec.serializers.json import JsonSerializer
from strongroom.core.core import Core
from strongroom.core.unreadable import UnreadableRows
from strongroom.errors import ConfigurationError
from strongroom.keys.keyring import Keyring
from strongroom.ledger.ledger import Ledger
from strongroom.sql.runner import Runner
from strongroom.sql.schema import TableNames

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from strongroom.core.options import StoreOptions


def build_core(engine: AsyncEngine, **options: Unpack[StoreOptions]) -> Core:
    """Return the core that the options describe; ConfigurationError for a combination that fails.

    Every option but those that are left out has the default of the constructors.
    """
    namespace, ledger = options.get("namespace", ""), options.get("ledger")
    codec = _codec(
        options.get("codec", "json"),
        options.get("keys"),
        ensure_ascii=options.get("ensure_ascii", True),
    )
    unreadable = UnreadableRows(options.get("on_error"), codec.cipher is not None)
    if not isinstance(namespace, str):
        raise ConfigurationError(f"namespace is a str, not {type(namespace).__name__}.")
    if ledger is not None and not isinstance(ledger, Ledger):
        raise ConfigurationError("ledger is a Ledger, such as Ledger(Keyring(…)).")
    names = TableNames(
        sessions=options.get("sessions_table", "agent_sessions"),
        messages=options.get("messages_table", "agent_messages"),
        column_type=options.get("column_type", "text"),
        schema=options.get("schema"),
        ledger=ledger is not None,
    )
    runner = Runner(
        engine,
        names,
        create_tables=options.get("create_tables", False),
        transactions=options.get("transactions", False),
    )
    return Core(runner, codec, namespace, ledger, unreadable, names.column_type == "text")


def _codec(codec: object, keys: object, *, ensure_ascii: bool) -> Codec:
    if isinstance(codec, Codec):
        if keys is not None:
            raise ConfigurationError(
                "The codec has its keys already: pass keys only with a spec such as "
                "'orjson+aesgcm'."
            )
        resolved = codec
    elif keys is not None and not isinstance(keys, Keyring):
        raise ConfigurationError("keys is a Keyring, such as Keyring(Key.from_base64(…)).")
    elif isinstance(codec, str):
        resolved = _parse(codec, keys)
    else:
        raise ConfigurationError(f"codec is a spec or a Codec, not {type(codec).__name__}.")
    if ensure_ascii:
        return resolved
    if not isinstance(resolved.serializer, JsonSerializer):
        raise ConfigurationError(
            f"ensure_ascii=False concerns the json serializer alone; {resolved.serializer.name} "
            f"never escapes: leave the argument out."
        )
    return replace(resolved, serializer=JsonSerializer(ensure_ascii=False))


@lru_cache(maxsize=64)
def _parse(spec: str, keys: Keyring | None) -> Codec:
    """Parse a spec; kept, since a web application makes a session for each request."""
    return Codec.parse(spec, keys=keys)
