"""JSON by the standard library: the reference that the other serializers are held against."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from strongroom.codec.serializers import _deep_json
from strongroom.codec.serializers._json_count import count_values
from strongroom.codec.serializers._plain import refusal
from strongroom.errors import EncodeError, NotJSONError, PayloadError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.protocols import Item

# json.dumps would build these anew on every call. An encoder holds no state between calls.
_ASCII = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))
_UNICODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True)
class JsonSerializer:
    """Compact JSON, byte for byte what ``json.dumps(item, separators=(",", ":"))`` writes.

    Without ``ensure_ascii`` the text is UTF-8; an item that holds a lone surrogate cannot be, and
    is written in ASCII.
    """

    name: ClassVar[str] = "json"
    ensure_ascii: bool = True

    def dumps(self, item: Item, /) -> bytes:
        """Serialize; raises EncodeError with the path of what json refuses."""
        encoders = (_ASCII,) if self.ensure_ascii else (_UNICODE, _ASCII)
        for encoder in encoders:
            try:
                text = encoder.encode(item)
                deep = _deep_json.is_too_deep(text)
                if not deep:
                    return text.encode()
                break
            except UnicodeEncodeError:  # it holds the text, so nothing may be raised in here
                continue
            except RecursionError:
                deep = True
                break
            except (TypeError, ValueError):
                deep = False
                break
        if not deep:
            raise refusal(item)
        return _dumps_deep(item)

    def loads(self, data: bytes | str, /) -> Item:
        """Parse one JSON text; raises NotJSONError, or PayloadError for depth and digits."""
        for parse in (json.loads, _deep_json.loads):
            try:
                text = data if isinstance(data, str) else str(data, "utf-8")
                if not _deep_json.is_too_deep(text):
                    return parse(text)
                fault = PayloadError("the JSON text is nested too deeply")
                break
            except RecursionError:
                fault = PayloadError("the JSON text is nested too deeply")
                continue
            except json.JSONDecodeError as error:
                fault = NotJSONError(f"not JSON text (character {error.pos})")
            except UnicodeDecodeError as error:
                fault = NotJSONError(f"not JSON text: not UTF-8 (byte {error.start})")
            except ValueError:
                fault = PayloadError("an integer in the JSON text has too many digits")
            break
        raise fault  # out here, so that it has no context: those errors hold the document

    def count_values(self, data: bytes | str, most: int, /) -> int:
        """Return the number of values in a JSON text; it may stop counting above ``most``."""
        return count_values(data, most)

    def loads_many(self, rows: Sequence[str] | Sequence[bytes], /) -> list[Item]:
        """Parse many JSON texts; raises as ``loads`` does."""
        return list(map(self.loads, rows))


def _dumps_deep(item: Item) -> bytes:
    """Write an item that is nested too deeply for json; raises EncodeError."""
    try:
        return _deep_json.dumps(item, _ASCII).encode()
    except EncodeError as error:
        fault = error.with_traceback(None)
    except (TypeError, ValueError):  # a subclass whose items() are no pairs, for one
        fault = refusal(item)
    raise fault
