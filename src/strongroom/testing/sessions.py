"""What must hold for everything that openai-agents calls a session."""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strongroom.testing.values import items, same

ITEMS: list[Any] = [
    {"role": "user", "content": "Grüße, 世界 \U0001f600"},
    {"type": "function_call", "call_id": "c1", "name": "find", "arguments": '{"n": 1}'},
    {"type": "function_call_output", "call_id": "c1", "output": "x" * 5000},
    {"role": "assistant", "content": [{"type": "output_text", "text": "done", "logprobs": []}]},
    {"type": "reasoning", "id": "r1", "summary": [], "extra": {"b": 1.5, "a": None, "c": -1}},
]


class SessionSuite:
    """The tests of a session. A subclass defines ``make``, which returns one for a session id.

    Sessions that one test makes share their storage, and every test begins with an empty one: a
    folder of the test's own (pytest's ``tmp_path``, in a fixture with ``autouse``) does that.
    Each test runs in one event loop, and closes what it made.
    """

    def make(self, session_id: str) -> Any:
        """Return a session, or an awaitable of one."""
        raise NotImplementedError

    async def close(self, session: Any) -> None:
        """Close a session: calls its ``aclose`` or ``close``, if it has one."""
        close = getattr(session, "aclose", None) or getattr(session, "close", None)
        result = close() if close is not None else None
        if inspect.isawaitable(result):
            await result

    def run(self, test: Coroutine[Any, Any, None]) -> None:
        """Run the coroutine that is one test."""
        asyncio.run(test)

    def with_sessions(self, *session_ids: str, test: Callable[..., Awaitable[None]]) -> None:
        """Run a test with sessions of these ids."""

        async def whole() -> None:
            sessions: list[Any] = []
            try:
                for session_id in session_ids:
                    made = self.make(session_id)
                    sessions.append(await made if inspect.isawaitable(made) else made)
                await test(*sessions)
            finally:
                for session in sessions:
                    await self.close(session)

        self.run(whole())

    def test_a_new_one_is_empty_and_knows_its_id(self) -> None:
        async def test(session: Any) -> None:
            assert session.session_id == "s"
            assert list(await session.get_items()) == []
            assert await session.pop_item() is None
            await session.clear_session()

        self.with_sessions("s", test=test)

    def test_items_come_back_as_they_were_and_in_order(self) -> None:
        async def test(session: Any) -> None:
            await session.add_items(ITEMS[:2])
            await session.add_items([])
            await session.add_items(ITEMS[2:])
            assert same(await session.get_items(), ITEMS)

        self.with_sessions("s", test=test)

    # The storage of one test is used for all examples: it is emptied between them.
    @settings(
        deadline=None,
        max_examples=20,
        suppress_health_check=[
            HealthCheck.differing_executors,
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
        ],
    )
    @given(batch=st.lists(items(), max_size=5))
    def test_any_items_come_back(self, batch: list[Any]) -> None:
        async def test(session: Any) -> None:
            await session.clear_session()
            await session.add_items(copy.deepcopy(batch))
            assert await session.get_items() == batch

        self.with_sessions("s", test=test)

    @pytest.mark.parametrize("limit", [1, 2, 5, 6, 1000])
    def test_a_limit_gives_the_latest_ones_oldest_first(self, limit: int) -> None:
        async def test(session: Any) -> None:
            await session.add_items(ITEMS)
            assert await session.get_items(limit=limit) == ITEMS[-limit:]
            assert await session.get_items(limit) == ITEMS[-limit:]

        self.with_sessions("s", test=test)

    def test_a_limit_of_zero_gives_none(self) -> None:
        async def test(session: Any) -> None:
            await session.add_items(ITEMS)
            assert await session.get_items(0) == []
            assert await session.get_items(None) == ITEMS

        self.with_sessions("s", test=test)

    def test_pop_returns_and_removes_the_newest(self) -> None:
        async def test(session: Any) -> None:
            await session.add_items(ITEMS)
            for count in range(len(ITEMS), 0, -1):
                assert await session.pop_item() == ITEMS[count - 1]
                assert await session.get_items() == ITEMS[: count - 1]
            assert await session.pop_item() is None

        self.with_sessions("s", test=test)

    def test_what_is_added_after_a_pop_is_the_newest(self) -> None:
        async def test(session: Any) -> None:
            await session.add_items(ITEMS[:3])
            await session.pop_item()
            await session.add_items(ITEMS[3:])
            assert await session.get_items() == ITEMS[:2] + ITEMS[3:]

        self.with_sessions("s", test=test)

    def test_clear_removes_all_and_the_session_goes_on(self) -> None:
        async def test(session: Any) -> None:
            await session.add_items(ITEMS)
            await session.clear_session()
            assert await session.get_items() == []
            await session.add_items(ITEMS[:1])
            assert await session.get_items() == ITEMS[:1]

        self.with_sessions("s", test=test)

    @pytest.mark.parametrize("other_id", ["t", "S", "s ", "s%", "ß", "s" * 40])
    def test_sessions_are_kept_apart(self, other_id: str) -> None:
        async def test(session: Any, other: Any) -> None:
            await session.add_items(ITEMS)
            assert await other.get_items() == []
            assert await other.pop_item() is None
            await other.add_items(ITEMS[:1])
            assert await session.get_items(1) == ITEMS[-1:]
            await other.clear_session()
            assert await session.get_items() == ITEMS

        self.with_sessions("s", other_id, test=test)

    def test_two_objects_of_one_id_are_one_session(self) -> None:
        async def test(first: Any, second: Any) -> None:
            await first.add_items(ITEMS[:3])
            assert await second.get_items() == ITEMS[:3]
            assert await second.pop_item() == ITEMS[2]
            assert await first.get_items() == ITEMS[:2]

        self.with_sessions("s", "s", test=test)

    def test_what_the_caller_does_to_an_item_changes_nothing_stored(self) -> None:
        async def test(session: Any) -> None:
            mine = copy.deepcopy(ITEMS)
            await session.add_items(mine)
            assert same(mine, ITEMS)
            mine[0]["content"] = "changed"
            (await session.get_items())[1]["name"] = "changed"
            assert await session.get_items() == ITEMS

        self.with_sessions("s", test=test)

    def test_concurrent_batches_all_arrive_and_do_not_mix(self) -> None:
        async def test(session: Any) -> None:
            batches = [[{"batch": b, "n": n} for n in range(5)] for b in range(8)]
            await asyncio.gather(*(session.add_items(batch) for batch in batches))
            found = await session.get_items()
            stored = [found[start : start + 5] for start in range(0, len(found), 5)]
            assert sorted(stored, key=lambda batch: int(batch[0]["batch"])) == batches

        self.with_sessions("s", test=test)

    def test_concurrent_pops_give_each_item_to_one_caller(self) -> None:
        async def test(session: Any) -> None:
            await session.add_items([{"n": n} for n in range(10)])
            popped = await asyncio.gather(*(session.pop_item() for _ in range(12)))
            assert sorted(item["n"] for item in popped if item) == list(range(10))
            assert await session.get_items() == []

        self.with_sessions("s", test=test)
