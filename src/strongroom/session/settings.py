"""Session settings: openai-agents' own where they are given, a small stand-in otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast


@dataclass(frozen=True)
class Settings:
    """How a session is read when the call does not say: the latest ``limit`` items, or all."""

    limit: int | None = None

    def resolve(self, override: Any) -> Settings:
        """Return these settings with what is not None in another object, a dict or None."""
        limit = None if override is None else coerce_settings(override).limit
        return self if limit is None else replace(self, limit=limit)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a dict."""
        return {"limit": self.limit}


def coerce_settings(value: Any) -> Any:
    """Return None, or an object with ``limit`` and ``resolve``, for settings, a dict or None.

    Raises TypeError for anything else, and for keys that are no setting.
    """
    if value is None or (hasattr(value, "limit") and callable(getattr(value, "resolve", None))):
        return value
    if isinstance(value, dict):
        return Settings(**value)
    raise TypeError(f"session_settings is SessionSettings, a dict or None, not {value!r}.")


def resolve_limit(limit: int | None, settings: Any) -> int | None:
    """Return the limit of a read: the call's own, else that of the settings.

    Raises ValueError if it is negative.
    """
    if limit is None and settings is not None:
        limit = cast("int | None", settings.limit)
    if limit is not None and limit < 0:
        raise ValueError(f"limit is 0 or more, or None for all items; not {limit}.")
    return limit
