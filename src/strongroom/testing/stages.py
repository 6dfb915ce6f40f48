"""What must hold for a stage of any kind."""

from __future__ import annotations

from typing import Any, ClassVar

from strongroom.codec import registry
from strongroom.format.envelope import BUILT_IN, check_name


class StageSuite:
    """The tests that stages of every kind have in common."""

    protocol: ClassVar[type[Any]]

    def _stage(self) -> Any:
        return self.make()  # type: ignore[attr-defined]  # each suite declares its own

    def test_meets_the_protocol(self) -> None:
        stage = self._stage()
        assert isinstance(stage, self.protocol)
        assert type(stage.name) is str

    def test_has_a_name_that_rows_can_carry(self) -> None:
        stage = self._stage()
        kind: Any = self.protocol.__name__.lower()
        assert check_name(stage.name)
        assert stage.name not in BUILT_IN or registry.is_built_in(kind, stage)

    def test_is_a_value(self) -> None:
        assert self._stage() == self._stage()
        assert hash(self._stage()) == hash(self._stage())
