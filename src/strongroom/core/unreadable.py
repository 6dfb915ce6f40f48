"""Decides about rows that cannot be read: ``on_error``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from strongroom.codec.guards import Outcome
from strongroom.errors import ConfigurationError, DecodeError, NotJSONError, RowLeftOutError

logger = logging.getLogger("strongroom")

OnError: TypeAlias = Literal["raise", "skip"] | None


@dataclass(frozen=True, slots=True)
class UnreadableRows:
    """The policy of a store: which rows that cannot be read are left out, and which raise.

    ``encrypted`` says that the store's codec has a cipher.
    """

    on_error: OnError
    encrypted: bool

    def __post_init__(self) -> None:
        if self.on_error not in {None, "raise", "skip"}:
            raise ConfigurationError(f'on_error is None, "raise" or "skip", not {self.on_error!r}.')

    def leaves_out(self, error: DecodeError) -> bool:
        """Decide whether a row is left out, and log it if so."""
        left_out = (
            self.on_error == "skip"
            or isinstance(error, RowLeftOutError)
            or (
                # openai-agents leaves out bare rows that are not JSON, and so do we until a
                # cipher makes every such row suspicious.
                self.on_error is None and not self.encrypted and isinstance(error, NotJSONError)
            )
        )
        if left_out:
            logger.warning("A row was left out: %s: %s", type(error).__name__, error)
        return left_out

    def first_refused(self, outcomes: Sequence[Outcome]) -> DecodeError | None:
        """Return the first error that is to be raised; those before it are logged as left out.

        It is returned, since a traceback keeps the frames that it is raised in, and these hold
        the items of its neighbours: let go of them, and raise it then.
        """
        for outcome in outcomes:
            if isinstance(outcome, DecodeError) and not self.leaves_out(outcome):
                return outcome
        return None


def has_errors(outcomes: Sequence[Outcome]) -> bool:
    """Tell whether there is an error among many outcomes; each type is asked once."""
    return any(issubclass(kind, DecodeError) for kind in set(map(type, outcomes)))


def readable(outcomes: list[Outcome]) -> list[Outcome]:
    """Return the outcomes that are items."""
    return [outcome for outcome in outcomes if not isinstance(outcome, DecodeError)]
