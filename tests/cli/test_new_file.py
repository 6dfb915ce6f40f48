"""A file of `export -o` or `keygen` is new, complete and for its owner only, or not there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from commandline import SEALED


def a_file(part: Path, other: Path) -> None:
    part.write_text("other")


def a_symbolic_link(part: Path, other: Path) -> None:
    part.symlink_to(other)


def a_link_to_nothing(part: Path, other: Path) -> None:
    other.unlink()
    part.symlink_to(other)


def a_hard_link(part: Path, other: Path) -> None:
    os.link(other, part)


def a_named_pipe(part: Path, other: Path) -> None:
    os.mkfifo(part)


@pytest.mark.parametrize(
    "put", [a_file, a_symbolic_link, a_link_to_nothing, a_hard_link, a_named_pipe]
)
def test_a_leftover_is_neither_followed_nor_changed(filled, put):
    part, other = filled.folder / "all.jsonl.part", filled.folder / "other"
    other.write_text("other")
    put(part, other)
    before = part.lstat()
    refused = filled("export", *SEALED, "-o", "all.jsonl", code=1)
    assert "all.jsonl.part exists already" in refused.stderr
    assert "Remove it" in refused.stderr
    assert part.lstat() == before
    assert not other.exists() or other.read_text() == "other"
    assert not (filled.folder / "all.jsonl").exists()
    part.unlink()
    filled("export", *SEALED, "-o", "all.jsonl")
    assert not part.exists()


def test_the_file_is_for_its_owner_only_from_the_start(filled, monkeypatch):
    opened = []
    real = os.open

    def noting(path, flags, mode=0o777, **options):
        descriptor = real(path, flags, mode, **options)
        if str(path).endswith(".part"):
            opened.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    monkeypatch.setattr(os, "open", noting)
    before = os.umask(0)
    try:
        filled("export", *SEALED, "-o", "all.jsonl")
    finally:
        os.umask(before)
    assert opened == [0o600]
    assert stat.S_IMODE((filled.folder / "all.jsonl").stat().st_mode) == 0o600


def test_an_export_that_fails_leaves_nothing_behind(filled):
    filled.add("plain", [{"n": 1}], codec="json", keys=None)
    filled("export", *SEALED, "-o", "all.jsonl", code=1)
    assert {path.name for path in filled.folder.glob("all*")} == set()


@pytest.mark.parametrize("links", [True, False], ids=["", "no hard links"])
def test_a_file_that_came_meanwhile_is_not_replaced(filled, monkeypatch, links):
    path, real = filled.folder / "all.jsonl", os.fsync

    def fsync(descriptor):
        path.write_text("other")
        return real(descriptor)

    def link(*arguments, **options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fsync", fsync)
    if not links:
        monkeypatch.setattr(os, "link", link)
    assert "exists already" in filled("export", *SEALED, "-o", "all.jsonl", code=1).stderr
    assert path.read_text() == "other"
    assert not (filled.folder / "all.jsonl.part").exists()


def test_a_file_is_written_where_there_are_no_hard_links(filled, monkeypatch):
    def link(*arguments, **options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    filled("export", *SEALED, "-o", "all.jsonl")
    assert len((filled.folder / "all.jsonl").read_text().splitlines()) == 6
    assert not (filled.folder / "all.jsonl.part").exists()


def test_a_link_to_nothing_is_not_written_through(filled):
    (filled.folder / "all.jsonl").symlink_to("elsewhere")
    assert "exists already" in filled("export", *SEALED, "-o", "all.jsonl", code=1).stderr
    assert not (filled.folder / "elsewhere").exists()
    assert (filled.folder / "all.jsonl").is_symlink()


def test_a_key_file_is_whole_or_not_there(filled, monkeypatch):
    def fsync(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        assert "no room left" in filled("keygen", "new", code=4).stderr
    assert list(filled.folder.glob("new*")) == []
    filled("keygen", "new")
    assert stat.S_IMODE((filled.folder / "new").stat().st_mode) == 0o600
