"""Serializers that are wrong in one way each, and the test that has to catch it."""

import json
import time

import msgpack
from faulty import JSON, Sound, fault

from strongroom import EncodeError, MsgpackSerializer, PayloadError
from strongroom.testing import SerializerSuite


class Spoiling(Sound):
    """Puts another value into the place of one."""

    def loads(self, data):
        return self.walk(JSON.loads(data))

    def walk(self, value):
        if isinstance(value, dict):
            return {self.walk(key): self.walk(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self.walk(part) for part in value]
        return self.spoil(value)


@fault("test_keeps[wide integers]", SerializerSuite)
class RoundsWideIntegers(Spoiling):
    def spoil(self, value):
        return float(value) if type(value) is int and 2**64 < value < 2**900 else value


@fault("test_keeps[NaN and the infinities]", SerializerSuite)
class WritesNanAsNull(Spoiling):
    def spoil(self, value):
        return None if value != value else value


@fault("test_keeps[negative zero]", SerializerSuite)
class LosesTheSignOfZero(Spoiling):
    def spoil(self, value):
        return value + 0.0 if type(value) is float else value


@fault("test_keeps[floats that are whole]", SerializerSuite)
class MakesWholeFloatsIntegers(Spoiling):
    def spoil(self, value):
        whole = type(value) is float and value in {1.0, -2.0}
        return int(value) if whole else value


@fault("test_keeps[lone surrogates]", SerializerSuite)
class ReplacesLoneSurrogates(Spoiling):
    def spoil(self, value):
        if isinstance(value, str):
            return value.encode("utf-8", "replace").decode()
        return value


@fault("test_keeps[the order of keys]", SerializerSuite)
class SortsKeys(Sound):
    def loads(self, data):
        item = JSON.loads(data)
        return dict(sorted(item.items())) if isinstance(item, dict) else item


@fault("test_keeps[tuples]", SerializerSuite)
class ReturnsTuples(Sound):
    def loads(self, data):
        item = JSON.loads(data)
        return tuple(item) if isinstance(item, list) else item


@fault("test_keeps_whatever_json_keeps", SerializerSuite)
class LosesTheSign(Spoiling):
    def spoil(self, value):
        return abs(value) if type(value) in (int, float) else value


@fault("test_keeps_500_levels_of_nesting[list]", SerializerSuite)
class IsShallow(Sound):
    def dumps(self, item):
        data = JSON.dumps(item)
        if data.count(b"[") > 400 and len(data) < 2000:
            raise EncodeError("too deep", path="$")
        return data


@fault("test_refuses_what_json_refuses_and_names_the_path[UUID]", SerializerSuite)
class StoresEverythingAsText(Sound):
    def dumps(self, item):
        return json.dumps(item, default=str).encode()


@fault("test_refuses_what_json_refuses_and_names_the_path[set]", SerializerSuite)
class QuotesWhatItRefuses(Sound):
    def dumps(self, item):
        try:
            return JSON.dumps(item)
        except EncodeError as error:
            raise EncodeError(f"cannot store {item}", path=error.path) from None


@fault("test_refuses_what_json_refuses_and_names_the_path[object]", SerializerSuite)
class NamesNoPath(Sound):
    def dumps(self, item):
        try:
            return JSON.dumps(item)
        except EncodeError:
            raise EncodeError("cannot store it") from None


@fault("test_refuses_keys_that_json_refuses[key]", SerializerSuite)
class TakesBytesAsKeys(Sound):
    def dumps(self, item):
        return msgpack.packb(item, strict_types=False)

    def loads(self, data):
        return msgpack.unpackb(data, strict_map_key=False)


@fault("test_bytes_and_aware_datetimes_are_refused_or_come_back[bytes]", SerializerSuite)
class TurnsBytesIntoText(Sound):
    def dumps(self, item):
        return MsgpackSerializer().dumps(item)

    def loads(self, data):
        item = MsgpackSerializer().loads(data)
        if isinstance(item, list) and item and isinstance(item[0], bytes):
            return [part.decode("latin-1") for part in item]
        return item


@fault("test_refuses_what_is_followed_by_other_data[x]", SerializerSuite)
class IgnoresWhatFollows(Sound):
    def loads(self, data):
        try:
            return json.JSONDecoder().raw_decode(data.decode())[0]
        except ValueError:
            raise PayloadError("not JSON") from None


@fault("test_any_bytes_are_refused_or_an_item_that_can_be_stored", SerializerSuite)
class LetsItsLibrarysErrorsOut(Sound):
    def loads(self, data):
        return json.loads(data)


@fault("test_refuses_what_is_truncated", SerializerSuite)
class GuessesWhatIsMissing(Sound):
    def loads(self, data):
        try:
            return JSON.loads(data)
        except PayloadError:
            return None


@fault("test_leaves_the_item_as_it_was", SerializerSuite)
class ChangesTheItem(Sound):
    def dumps(self, item):
        data = JSON.dumps(item)
        if isinstance(item, dict):
            item.pop("b", None)
        return data


@fault("test_writes_bytes", SerializerSuite)
class WritesText(Sound):
    def dumps(self, item):
        return JSON.dumps(item).decode()


@fault("test_threads_may_share_it", SerializerSuite)
class KeepsItsInputOnItself(Sound):
    def loads(self, data):
        self.data = data
        time.sleep(0.001)
        return JSON.loads(self.data)


@fault("test_has_a_name_that_rows_can_carry", SerializerSuite)
class HasAnUnusableName(Sound):
    name = "My Codec"


@fault("test_has_a_name_that_rows_can_carry", SerializerSuite)
class BearsABuiltInName(Sound):
    name = "msgpack"


@fault("test_is_a_value", SerializerSuite)
class EqualsNothing(Sound):
    __eq__ = object.__eq__
    __hash__ = object.__hash__


@fault("test_meets_the_protocol", SerializerSuite)
class CannotLoad:
    name = "half"

    def dumps(self, item):
        return b""


class TestSound(SerializerSuite):
    make = Sound
