"""Counts the values of a MessagePack document without building them, in constant memory.

The formats and their sizes are those of https://github.com/msgpack/msgpack/blob/master/spec.md.
"""

from __future__ import annotations

# By first byte: how many bytes a value takes, 0 where that is not known from the first byte alone.
_SIZES = bytes(
    [
        *[1] * 0x80,  # positive fixint
        *(1, *[0] * 0x0F),  # fixmap, the empty one being a value like any other
        *(1, *[0] * 0x0F),  # fixarray
        *range(1, 0x21),  # fixstr
        *(1, 0, 1, 1),  # nil, never used, false, true
        *(0, 0, 0, 0, 0, 0),  # bin 8 to 32, ext 8 to 32
        *(5, 9, 2, 3, 5, 9, 2, 3, 5, 9),  # float, uint, int
        *(3, 4, 6, 10, 18),  # fixext
        *(0, 0, 0),  # str 8 to 32
        *(0, 0, 0, 0),  # array 16 and 32, map 16 and 32
        *[1] * 0x20,  # negative fixint
    ]
)
# By first byte: how many bytes give the length of the content, and how many stand between.
_TEXTS = {
    0xC4: (1, 0),
    0xC5: (2, 0),
    0xC6: (4, 0),
    0xC7: (1, 1),
    0xC8: (2, 1),
    0xC9: (4, 1),
    0xD9: (1, 0),
    0xDA: (2, 0),
    0xDB: (4, 0),
}
# By first byte: how many bytes give the number of elements, and how many values an element has.
_CONTAINERS = {
    **{0x80 + number: (0, 2) for number in range(1, 16)},
    **{0x90 + number: (0, 1) for number in range(1, 16)},
    0xDC: (2, 1),
    0xDD: (4, 1),
    0xDE: (2, 2),
    0xDF: (4, 2),
}


def count_values(data: bytes, most: int) -> int | None:
    """Return the number of values in a document; it may stop counting above ``most``.

    Lists, maps and what they hold are values, keys are not. None for a document that is truncated
    or claims more values than it has bytes for, which a parser would make room for first.
    """
    sizes, size = _SIZES, len(data)
    count, pending, position = 1, 1, 0
    try:
        while pending:  # The loop that takes the time: a value of a known size is one round.
            pending -= 1
            code = data[position]
            if sizes[code]:
                position += sizes[code]
                continue
            position += 1
            if code in _CONTAINERS:
                width, values = _CONTAINERS[code]
                elements = _number(data, position, width) if width else code & 0x0F
                position += width
                pending += elements * values
                count += elements
                if pending > size - position:
                    return None
                if count > most:
                    return count
            else:
                width, more = _TEXTS[code]
                position += width + more + _number(data, position, width)
    except (IndexError, KeyError):  # It is truncated, or begins with c1.
        return None
    return count if position <= size else None


def _number(data: bytes, position: int, width: int) -> int:
    return int.from_bytes(data[position : position + width], "big")
