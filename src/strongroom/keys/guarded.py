"""The base of values that hold keys: they are never changed, pickled or copied."""

from __future__ import annotations

from typing import NoReturn, Self


class Guarded:
    """A value that is never changed, pickled or copied into a second one."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        del value  # It may be a key.
        raise AttributeError(f"A {type(self).__name__} cannot be changed.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"A {type(self).__name__} cannot be changed.")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError("Keys are not pickled: let each process load its own keyring.")

    def __reduce__(self) -> NoReturn:
        self.__getstate__()
