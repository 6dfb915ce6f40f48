"""The search for what hangs on an error finds it, wherever it hangs."""

import functools
import json

import msgpack
import pytest

from remains import assert_holds_none, find, spelled, spelled_keys
from secrets_in_rows import KEY, NUMBER, SUBKEYS, TEXT, secret_items
from strongroom import PayloadError

ITEM = secret_items(0)[0]

LEAKS = {
    "a local": "def leak(item):\n    error()",
    "a list": "def leak(item):\n    items = [1, [item]]\n    error()",
    "JSON": "def leak(item):\n    data = dumps(item).encode()\n    del item\n    error()",
    "msgpack": "def leak(item):\n    data = pack(item)\n    del item\n    error()",
    "a number": "def leak(item):\n    number = item['number']\n    del item\n    error()",
    "a number in msgpack": (
        "def leak(item):\n    data = bytearray(pack(item['number']))\n    del item\n    error()"
    ),
    "an attribute": "def leak(item):\n    ours = Ours(item)\n    del item\n    error()",
    "a closure": (
        "def leak(item):\n    function = closing(item)\n    del item\n    error()\n"
        "def closing(item):\n    return lambda: item"
    ),
    "a partial": "def leak(item):\n    call = partial(len, item)\n    del item\n    error()",
    "a generator": (
        "def leak(item):\n    source = each(item)\n    del item\n    next(source)\n    error()\n"
        "def each(item):\n    yield 1\n    yield item"
    ),
    "a message": "def leak(item):\n    raise PayloadError(item['content'])",
    "a note": (
        "def leak(item):\n    fault = PayloadError('no')\n    fault.add_note(item['content'])\n"
        "    del item\n    raise fault"
    ),
    "a cause": (
        "def leak(item):\n    cause = KeyError(item['content'])\n    del item\n"
        "    raise PayloadError('no') from cause"
    ),
    "a suppressed context": (
        "def leak(item):\n    try:\n        {}[item['content']]\n    except KeyError:\n"
        "        del item\n        raise PayloadError('no') from None"
    ),
    "a group": (
        "def leak(item):\n    fault = KeyError(item['content'])\n    del item\n"
        "    raise ExceptionGroup('no', [fault])"
    ),
}


class Ours:
    __slots__ = ("item",)
    __module__ = "strongroom.planted"

    def __init__(self, item):
        self.item = item


def error():
    raise PayloadError("no")


def caught_from(source, item):
    """Run code that is not in a file of the tests, and return what it raises."""
    names = {
        "PayloadError": PayloadError,
        "Ours": Ours,
        "partial": functools.partial,
        "dumps": json.dumps,
        "pack": msgpack.packb,
        "error": error,
    }
    exec(compile(source, "planted.py", "exec"), names)
    with pytest.raises(Exception, match=r"no|marked") as caught:
        names["leak"](item)
    return caught.value


@pytest.mark.parametrize("source", LEAKS.values(), ids=LEAKS)
def test_a_planted_secret_is_found(source):
    assert find(caught_from(source, ITEM), spelled([TEXT], [NUMBER]))
    assert not find(caught_from(source, {"content": "no", "number": 5}), spelled([TEXT], [NUMBER]))


@pytest.mark.parametrize("number", range(len(SUBKEYS)))
def test_a_planted_key_is_found(number):
    def spellings(key):
        return [key, [key.hex()], {"key": next(iter(spelled_keys([key])))}]

    for spelling in spellings(SUBKEYS[number]):
        with pytest.raises(AssertionError, match=r"holds a secret: .*planted"):
            assert_holds_none(caught_from("def leak(key):\n    error()", spelling), keys=SUBKEYS)


def test_a_key_inside_an_object_is_no_leak_and_its_text_is():
    assert not find(
        caught_from("def leak(key):\n    error()", KEY), spelled_keys(SUBKEYS), deep=False
    )
    source = "def leak(key):\n    text = key.to_base64()\n    error()"
    assert find(caught_from(source, KEY), spelled_keys(SUBKEYS), deep=False)


def test_frames_of_the_tests_do_not_count():
    def holds(item):
        error()

    with pytest.raises(PayloadError) as caught:
        holds(ITEM)
    assert_holds_none(caught.value, [TEXT], [NUMBER], SUBKEYS)
