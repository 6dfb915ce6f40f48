"""The options of stores and sessions, for type checkers; the constructors say what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from agents.memory import SessionSettings

    from strongroom.codec.codec import Codec
    from strongroom.core.unreadable import OnError
    from strongroom.keys.keyring import Keyring
    from strongroom.ledger.ledger import Ledger
    from strongroom.sql.schema import ColumnType


class StoreOptions(TypedDict, total=False):
    """What ``SessionStore`` takes beside its engine."""

    create_tables: bool
    sessions_table: str
    messages_table: str
    ensure_ascii: bool
    codec: str | Codec
    keys: Keyring | None
    namespace: str
    column_type: ColumnType
    schema: str | None
    on_error: OnError
    ledger: Ledger | None
    transactions: bool


class SessionOptions(StoreOptions, total=False):
    """What ``SQLAlchemySession`` takes beside its id and engine."""

    session_settings: SessionSettings | dict[str, Any] | None
