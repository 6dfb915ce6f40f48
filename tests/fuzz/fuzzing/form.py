"""The protocol of forms."""

from __future__ import annotations

from random import Random
from typing import Protocol

from fuzzing.cases import Case


class Form(Protocol):
    """One kind of input: makes cases of it, and checks what strongroom does with each."""

    name: str

    def generate(self, rng: Random) -> Case:
        """Return a case that is made of nothing but the numbers of ``rng``."""

    def run(self, case: Case) -> str:
        """Return in a word what a case came to; raises Finding for a broken promise."""

    def max_size(self, case: Case) -> int:
        """Return the bound of the codec in bytes, which memory is compared with."""

    def close(self) -> None:
        """Let go of databases, event loops and files."""
