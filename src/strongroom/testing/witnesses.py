"""What must hold for every witness."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections.abc import Coroutine
from typing import Any

from strongroom import Witness, WitnessError
from strongroom.protocols import ListingWitness

KEY = hashlib.sha256(b"one").digest()
OTHER = hashlib.sha256(b"other").digest()
TAG, TAG2 = bytes(range(16)), bytes(16)


class WitnessSuite:
    """The tests of a witness. A subclass defines ``make``, and ``reopen`` if it outlives itself.

    Each test runs in one event loop and begins with a witness that has seen nothing.
    """

    def make(self) -> Witness:
        """Return a witness that has seen nothing."""
        raise NotImplementedError

    def reopen(self, witness: Witness) -> Witness:
        """Return another witness on the same storage, as another process has it."""
        return witness

    def run(self, test: Coroutine[Any, Any, None]) -> None:
        """Run the coroutine that is one test."""
        asyncio.run(test)

    def test_meets_the_protocol(self) -> None:
        async def test() -> None:
            assert isinstance(self.make(), Witness)

        self.run(test())

    def test_a_new_one_has_seen_nothing(self) -> None:
        async def test() -> None:
            assert await self.make().seen(KEY) is None

        self.run(test())

    def test_remembers_the_newest_head(self) -> None:
        async def test() -> None:
            witness = self.make()
            for version, tag in ((1, TAG), (2, TAG2), (7, TAG), (2**63 - 1, TAG2)):
                await witness.advance(KEY, version, tag)
                assert await witness.seen(KEY) == (version, tag)

        self.run(test())

    def test_keeps_histories_apart(self) -> None:
        async def test() -> None:
            witness = self.make()
            await witness.advance(KEY, 5, TAG)
            assert await witness.seen(OTHER) is None
            await witness.advance(OTHER, 1, TAG2)
            assert await witness.seen(KEY) == (5, TAG)

        self.run(test())

    def test_never_goes_back(self) -> None:
        async def test() -> None:
            witness = self.make()
            await witness.advance(KEY, 5, TAG)
            with contextlib.suppress(WitnessError):
                await witness.advance(KEY, 4, TAG2)
            assert await witness.seen(KEY) == (5, TAG)

        self.run(test())

    def test_does_not_take_another_head_of_the_same_version(self) -> None:
        async def test() -> None:
            witness = self.make()
            await witness.advance(KEY, 5, TAG)
            with contextlib.suppress(WitnessError):
                await witness.advance(KEY, 5, TAG2)
            assert await witness.seen(KEY) == (5, TAG)

        self.run(test())

    def test_may_be_told_the_same_twice(self) -> None:
        async def test() -> None:
            witness = self.make()
            for _ in range(2):
                await witness.advance(KEY, 5, TAG)
            assert await witness.seen(KEY) == (5, TAG)

        self.run(test())

    def test_another_process_sees_what_was_recorded(self) -> None:
        async def test() -> None:
            witness = self.make()
            await witness.advance(KEY, 5, TAG)
            reopened = self.reopen(witness)
            assert await reopened.seen(KEY) == (5, TAG)
            await reopened.advance(KEY, 6, TAG2)
            assert await witness.seen(KEY) == (6, TAG2)

        self.run(test())

    def test_lists_the_keys_that_were_recorded(self) -> None:
        async def test() -> None:
            witness = self.make()
            if not isinstance(witness, ListingWitness):
                return  # keys() is optional.
            assert list(await witness.keys()) == []
            for key in (KEY, OTHER, KEY):
                await witness.advance(key, 1, TAG)
            reopened = self.reopen(witness)
            assert isinstance(reopened, ListingWitness)
            assert sorted(await reopened.keys()) == sorted([KEY, OTHER])

        self.run(test())

    def test_the_newest_wins_whatever_the_order(self) -> None:
        async def test() -> None:
            witness = self.make()
            reopened = self.reopen(witness)
            versions = list(range(1, 41))
            random.Random(0).shuffle(versions)

            async def tell(version: int) -> None:
                told = witness if version % 2 else reopened
                with contextlib.suppress(WitnessError):
                    await told.advance(KEY, version, version.to_bytes(16, "big"))

            await asyncio.gather(*(tell(version) for version in versions))
            assert await witness.seen(KEY) == (40, (40).to_bytes(16, "big"))

        self.run(test())
