"""Turning a session's ledger on again after a writer without it has touched the session."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.core.core import Core
from strongroom.errors import HistoryTamperedError, UnknownKeyError
from strongroom.maintenance.linking import SessionLinker, ledger_of
from strongroom.store.store import SessionStore, core_of


@dataclass(frozen=True, kw_only=True)
class ResetReport:
    """The state of a session before its rows were linked anew as they stood.

    ``problem`` says why it could not be read, None if the history was whole. ``linked`` rows had a
    link of their own value, ``altered`` ones another link, ``unlinked`` ones none. ``version`` is
    that of the new head.
    """

    problem: str | None
    rows: int
    linked: int
    altered: int
    unlinked: int
    version: int


async def reset(store: SessionStore, session_id: str) -> ResetReport:
    """Link all rows of a session as they stand, whatever they are, and say what it was.

    For a session that a writer without the ledger has touched, after somebody has looked at it:
    what it holds is trusted from now on. The new head's version is above the old head's and above
    what the witness has seen. Raises ValueError for a session that has never been.
    """
    core = core_of(store)
    core.check_session_id(session_id)
    linker = SessionLinker(core, ledger_of(core), session_id)
    problem = await _problem(core, session_id)
    seen = await linker.heads.seen()
    if problem is None and seen is None and await linker.newest() == (None, []):
        raise ValueError("There is no session of this id.")
    found = await linker.link_again(seen)
    return ResetReport(
        problem=problem,
        rows=found.head.count,
        linked=found.linked,
        altered=found.altered,
        unlinked=found.unlinked,
        version=found.head.version,
    )


async def _problem(core: Core, session_id: str) -> str | None:
    """Return why the session's history is refused, None if it is whole."""
    try:
        await core.history(session_id).rows()
    except (HistoryTamperedError, UnknownKeyError) as error:
        return error.message
    return None
