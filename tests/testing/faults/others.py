"""Readers, witnesses and sessions that are wrong in one way each, and the test that catches it."""

import asyncio
import copy
import json

from faulty import fault

from strongroom import DecodeError, PayloadError
from strongroom.testing import ForeignRow, ReaderSuite, SessionSuite, WitnessSuite

# Readers ----------------------------------------------------------------------------------------


class Rows(ReaderSuite):
    def rows(self):
        return [
            ForeignRow(stored='#{"n": 1, "text": "quite some text"}', item=ITEM),
            ForeignRow(stored=b'#{"n": 1, "text": "quite some text"}', item=ITEM),
        ]

    def others(self):
        return ['{"n": 1}', b"{}", ""]


ITEM = {"n": 1, "text": "quite some text"}


class Hash:
    """A sound reader: JSON behind a hash mark."""

    name = "hash"

    def matches(self, stored):
        return stored[:1] in ("#", b"#")

    def decode(self, stored, *, context):
        try:
            return json.loads(stored[1:])
        except (ValueError, RecursionError):
            raise PayloadError("damaged") from None


@fault("test_leaves_rows_alone_that_strongroom_sealed", Rows)
class TakesEverything(Hash):
    def matches(self, stored):
        return True

    def decode(self, stored, *, context):
        return ITEM


@fault("test_leaves_other_rows_alone", Rows)
class TakesJsonToo(Hash):
    def matches(self, stored):
        return stored[:1] in ("#", b"#", "{", b"{")


@fault("test_whatever_it_is_offered_it_says_yes_or_no", Rows)
class ChokesOnText(Hash):
    def matches(self, stored):
        return stored[:1].encode("ascii") == b"#" if isinstance(stored, str) else stored[0] == 35


@fault("test_recognises_and_reads_its_rows", Rows)
class ReadsTextOnly(Hash):
    def matches(self, stored):
        return stored[:1] == "#"


@fault("test_a_damaged_row_is_an_item_or_a_decode_error_that_does_not_quote_it", Rows)
class RaisesValueError(Hash):
    def decode(self, stored, *, context):
        return json.loads(stored[1:])


@fault("test_a_damaged_row_is_an_item_or_a_decode_error_that_does_not_quote_it", Rows)
class QuotesTheRow(Hash):
    def decode(self, stored, *, context):
        try:
            return json.loads(stored[1:])
        except (ValueError, RecursionError):
            raise DecodeError(f"cannot read {stored}") from None


@fault("test_reads_its_rows_in_a_codec_that_accepts_it", Rows)
class BearsANameThatIsTaken(Hash):
    name = "plaintext"


class TestSoundReader(Rows):
    make = Hash


# Witnesses --------------------------------------------------------------------------------------


class Memory:
    """A sound witness, if it were only durable."""

    def __init__(self):
        self.heads = {}

    async def seen(self, key):
        return self.heads.get(key)

    async def advance(self, key, version, tag):
        if key not in self.heads or self.heads[key][0] < version:
            self.heads[key] = version, tag


@fault("test_never_goes_back", WitnessSuite)
class GoesBack(Memory):
    async def advance(self, key, version, tag):
        self.heads[key] = version, tag


@fault("test_does_not_take_another_head_of_the_same_version", WitnessSuite)
class TakesTheLastOne(Memory):
    async def advance(self, key, version, tag):
        if key not in self.heads or self.heads[key][0] <= version:
            self.heads[key] = version, tag


@fault("test_keeps_histories_apart", WitnessSuite)
class HasOneSlot(Memory):
    async def seen(self, key):
        return next(iter(self.heads.values()), None)


@fault("test_remembers_the_newest_head", WitnessSuite)
class RemembersTheFirst(Memory):
    async def advance(self, key, version, tag):
        self.heads.setdefault(key, (version, tag))


@fault("test_the_newest_wins_whatever_the_order", WitnessSuite)
class ReadsAndThenWrites(Memory):
    async def advance(self, key, version, tag):
        seen = self.heads.get(key, (0, b""))
        await asyncio.sleep(0)
        if seen[0] < version:
            self.heads[key] = version, tag


@fault("test_another_process_sees_what_was_recorded", WitnessSuite)
class Forgets(Memory):
    def reopened(self):
        return type(self)()


TestForgets.reopen = lambda self, witness: witness.reopened()  # noqa: F821 - made by fault


@fault("test_lists_the_keys_that_were_recorded", WitnessSuite)
class ListsTheLastOnly(Memory):
    async def keys(self):
        return list(self.heads)[-1:]


class TestSoundWitness(WitnessSuite):
    make = Memory


# Sessions ---------------------------------------------------------------------------------------


class Listed:
    """A sound session in memory; the storage is that of the class, as each test has its own."""

    storage: dict = {}  # noqa: RUF012

    def __init__(self, session_id):
        self.session_id = session_id

    @property
    def rows(self):
        return self.storage.setdefault(self.key, [])

    @property
    def key(self):
        return self.session_id

    async def get_items(self, limit=None):
        rows = copy.deepcopy(self.rows)
        return rows if limit is None else rows[len(rows) - min(limit, len(rows)) :]

    async def add_items(self, items):
        self.rows.extend(copy.deepcopy(items))

    async def pop_item(self):
        return self.rows.pop() if self.rows else None

    async def clear_session(self):
        self.rows.clear()


class InMemory(SessionSuite):
    def setup_method(self):
        Listed.storage.clear()


@fault("test_a_limit_gives_the_latest_ones_oldest_first[2]", InMemory)
class GivesTheFirst(Listed):
    async def get_items(self, limit=None):
        return (await super().get_items())[:limit]


@fault("test_a_limit_of_zero_gives_none", InMemory)
class TakesZeroForNone(Listed):
    async def get_items(self, limit=None):
        return await super().get_items(limit or None)


@fault("test_items_come_back_as_they_were_and_in_order", InMemory)
class PutsBatchesInFront(Listed):
    async def add_items(self, items):
        self.rows[:0] = copy.deepcopy(items)


@fault("test_pop_returns_and_removes_the_newest", InMemory)
class PopsTheOldest(Listed):
    async def pop_item(self):
        return self.rows.pop(0) if self.rows else None


@fault("test_clear_removes_all_and_the_session_goes_on", InMemory)
class ClearsAllButOne(Listed):
    async def clear_session(self):
        del self.rows[1:]


@fault("test_sessions_are_kept_apart[S]", InMemory)
class IgnoresCase(Listed):
    @property
    def key(self):
        return self.session_id.lower()


@fault("test_sessions_are_kept_apart[s ]", InMemory)
class IgnoresTrailingSpaces(Listed):
    @property
    def key(self):
        return self.session_id.rstrip()


@fault("test_two_objects_of_one_id_are_one_session", InMemory)
class KeepsItsOwn(Listed):
    def __init__(self, session_id):
        super().__init__(session_id)
        self.storage = {}


@fault("test_what_the_caller_does_to_an_item_changes_nothing_stored", InMemory)
class KeepsReferences(Listed):
    async def add_items(self, items):
        self.rows.extend(items)


@fault("test_concurrent_batches_all_arrive_and_do_not_mix", InMemory)
class AddsOneByOne(Listed):
    async def add_items(self, items):
        for item in copy.deepcopy(items):
            self.rows.append(item)
            await asyncio.sleep(0)


@fault("test_concurrent_pops_give_each_item_to_one_caller", InMemory)
class PopsInTwoSteps(Listed):
    async def pop_item(self):
        item = self.rows[-1] if self.rows else None
        await asyncio.sleep(0)
        if self.rows:
            self.rows.pop()
        return item


@fault("test_any_items_come_back", InMemory)
class LosesEmptyItems(Listed):
    async def add_items(self, items):
        await super().add_items([item for item in items if item])


@fault("test_a_new_one_is_empty_and_knows_its_id", InMemory)
class HasNoId(Listed):
    def __init__(self, session_id):
        super().__init__(session_id.upper())


class TestSoundSession(InMemory):
    make = Listed
