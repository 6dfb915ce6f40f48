"""Prose in five languages that compresses as real prose does; generated, the same every time.

Words come from lists in the order of their frequency (``words/``), drawn by the law of Zipf and
Mandelbrot. Real prose also stays with its subject: ``REPEATS`` is how often a generated text takes
up a phrase of its own. It is set for each language so that zlib at level 6 makes of generated text
what it makes of real text, in pieces of the lengths that items have. How that was checked:
``python benchmarks/prose.py`` compares with real prose on this machine, and so does the benchmark
report. Compressed by plain size, in UTF-8, as measured on Debian 12 with Python 3.11:

    language  real text                 300 characters  1,500 characters  12,000 characters
                                         (each: real, generated)
    english   Python's documentation           0.65  0.65         0.46  0.49         0.36  0.40
    english   the GPL                          0.65  0.65         0.48  0.49         0.37  0.40
    english   Vim's tutor                      0.63  0.65         0.46  0.49         0.33  0.40
    german    Vim's tutor                      0.69  0.70         0.49  0.49         0.35  0.38
    german    messages                         0.65  0.70         0.46  0.49         0.35  0.38
    chinese   Vim's tutor                      0.67  0.63         0.47  0.49         0.34  0.39
    chinese   messages                         0.66  0.63         0.49  0.49         0.38  0.39
    japanese  Vim's tutor                      0.57  0.55         0.39  0.40         0.27  0.31
    japanese  messages                         0.54  0.55         0.39  0.40         0.28  0.31
    arabic    messages                         0.50  0.49         0.36  0.36         0.29  0.27
"""

from __future__ import annotations

import bisect
import gettext
import itertools
import pydoc_data.topics
import random
import re
import statistics
import zlib
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
LENGTHS = (300, 1500, 12_000)
REPEATS = {"english": 0.11, "german": 0.07, "chinese": 0.02, "japanese": 0.05, "arabic": 0.0}
EMOJI = ["😀", "👍", "🎉", "🙏", "🚀", "✅", "❤️", "👨\u200d👩\u200d👧", "🇩🇪", "🤔"]
_SPACE = {"chinese": "", "japanese": ""}
_ENDS = {"chinese": "。。。\uff1f\uff01", "japanese": "。。。\uff1f\uff01", "arabic": "...\u061f!"}
_COMMAS = {"chinese": "\uff0c", "japanese": "、", "arabic": "\u060c"}


@cache
def _vocabulary(language: str) -> tuple[list[str], list[float]]:
    """Return words and their cumulative weights."""
    words = (FOLDER / "words" / f"{language}.txt").read_text(encoding="utf-8").split()
    weights = list(itertools.accumulate((rank + 2.7) ** -1.07 for rank in range(len(words))))
    return words, weights


def text(random_: random.Random, length: int, language: str = "english") -> str:
    """Return prose of about this many characters, in paragraphs."""
    parts: list[str] = []
    said: list[str] = []
    size = 0
    while size < length:
        part = _sentence(random_, language, said)
        part += random_.choices(("\n\n", _SPACE.get(language, " ")), (1, 6))[0]
        if random_.random() < 0.01:
            part = f"{random_.choice(EMOJI)} {part}"
        parts.append(part)
        size += len(part)
    return "".join(parts)[:length].strip()


def _sentence(random_: random.Random, language: str, said: list[str]) -> str:
    """Return a sentence of 4 to 22 words, some of them phrases that were said before."""
    words, weights = _vocabulary(language)
    space, comma = _SPACE.get(language, " "), _COMMAS.get(language, ",")
    chosen: list[str] = []
    count = random_.randint(4, 22)
    while len(chosen) < count:
        chance = random_.random()
        if said and chance < REPEATS[language]:
            start = random_.randrange(len(said))
            chosen += said[start : start + random_.randint(1, 4)]
        elif chance > 0.985:
            chosen.append(str(random_.choice((random_.randint(1, 31), random_.randint(100, 9999)))))
        else:
            at = bisect.bisect(weights, random_.random() * weights[-1])
            chosen.append(words[at] + (comma if chance > 0.94 else ""))
    said += chosen
    sentence = space.join(chosen).removesuffix(comma)
    return sentence[0].upper() + sentence[1:] + random_.choice(_ENDS.get(language, "....?"))


# How it was checked -------------------------------------------------------------------------------


def _vim(language: str | None) -> str | None:
    name = f"tutor.{language}.utf-8" if language else "tutor.utf-8"
    found = sorted(Path("/usr/share/vim").glob(f"vim*/tutor/{name}"))
    return found[0].read_text(encoding="utf-8") if found else None


def _messages(language: str) -> str | None:
    parts: list[str] = []
    for path in sorted(Path(f"/usr/share/locale/{language}/LC_MESSAGES").glob("*.mo")):
        if not path.name.startswith("iso"):
            try:
                with path.open("rb") as file:
                    catalog = gettext.GNUTranslations(file)._catalog.values()
            except ValueError:
                continue  # not in UTF-8
            parts += [value for value in catalog if isinstance(value, str)][1:]
    return "\n".join(parts) or None


def _file(path: str) -> str | None:
    return Path(path).read_text(encoding="utf-8") if Path(path).is_file() else None


REAL = {
    "english": {
        "Python's documentation": lambda: "\n".join(pydoc_data.topics.topics.values()),
        "the GPL": lambda: _file("/usr/share/common-licenses/GPL-3"),
        "Vim's tutor": lambda: _vim(None),
    },
    "german": {"Vim's tutor": lambda: _vim("de"), "messages": lambda: _messages("de")},
    "chinese": {"Vim's tutor": lambda: _vim("zh_cn"), "messages": lambda: _messages("zh_CN")},
    "japanese": {"Vim's tutor": lambda: _vim("ja"), "messages": lambda: _messages("ja")},
    "arabic": {"messages": lambda: _messages("ar")},
}


def ratio(source: str, length: int) -> float | None:
    """Return the median of compressed by plain size over pieces of this many characters."""
    source = re.sub(r"[ \t]+", " ", source)
    starts = range(0, len(source) - length + 1, max(length, len(source) // 200))
    pieces = [source[start : start + length].encode() for start in starts]
    if not pieces:
        return None
    return statistics.median(len(zlib.compress(piece, 6)) / len(piece) for piece in pieces)


def comparison() -> list[tuple[str, str, list[tuple[float | None, float | None]]]]:
    """Return language, name of a real text, and real and generated ratios for each length."""
    table = []
    for language, texts in REAL.items():
        random_ = random.Random("comparison")
        generated = {
            length: "\n\n".join(text(random_, length, language) for _ in range(40))
            for length in LENGTHS
        }
        for name, load in texts.items():
            real = load()
            if real is not None:
                pairs = [
                    (ratio(real, length), ratio(generated[length], length)) for length in LENGTHS
                ]
                table.append((language, name, pairs))
    return table


if __name__ == "__main__":
    for language, name, pairs in comparison():
        figures = "".join(f"{real or 0:13.2f} {made or 0:5.2f}" for real, made in pairs)
        print(f"    {language:10}{name:24}{figures}")
