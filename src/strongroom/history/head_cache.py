"""The newest heads that were read or stored on an engine."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

from strongroom.format.ledger import Head

_MOST_HEADS = 10_000
"""How many sessions' heads are remembered; some 300 bytes each."""


class HeadCache:
    """Remembers the newest head of each session, for the threads of every event loop."""

    def __init__(self) -> None:
        self._heads: OrderedDict[Hashable, Head] = OrderedDict()
        self._guard = threading.Lock()

    def __len__(self) -> int:
        return len(self._heads)

    def get(self, key: Hashable) -> Head | None:
        """Return the newest head of a session, None if it is not known."""
        return self._heads.get(key)

    def remember(self, key: Hashable, head: Head) -> None:
        """Remember a head; the session that was longest without a change is forgotten for it."""
        with self._guard:
            known = self._heads.get(key)
            if known is not None and known.version >= head.version:
                return
            self._heads[key] = head
            self._heads.move_to_end(key)
            if len(self._heads) > _MOST_HEADS:
                self._heads.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        """Forget a head that turned out not to be the last."""
        with self._guard:
            self._heads.pop(key, None)


_caches: WeakKeyDictionary[Engine, HeadCache] = WeakKeyDictionary()


def cache_of(engine: Engine) -> HeadCache:
    """Return the cache of an engine."""
    cache = _caches.get(engine)
    return _caches.setdefault(engine, HeadCache()) if cache is None else cache
