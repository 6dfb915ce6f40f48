"""FileWitness: durable, shared by processes, and never mistaken for a new one."""

import asyncio
import multiprocessing
import os
from pathlib import Path

import pytest

from strongroom import ConfigurationError, FileWitness, WitnessError
from strongroom.protocols import Witness

KEY = bytes(32)
TAG = bytes(16)


def tag(number):
    return number.to_bytes(16, "big")


async def test_it_remembers_the_newest_head_only(tmp_path):
    witness = FileWitness(tmp_path / "w", create=True)
    assert isinstance(witness, Witness)
    assert await witness.seen(KEY) is None
    await witness.advance(KEY, 2, tag(2))
    await witness.advance(KEY, 1, tag(1))
    assert await witness.seen(KEY) == (2, tag(2))
    await witness.advance(KEY, 2, tag(2))
    await witness.advance(KEY, 5, tag(5))
    assert await FileWitness(tmp_path / "w").seen(KEY) == (5, tag(5))
    assert await witness.seen(bytes([1]) * 32) is None


async def test_it_refuses_two_heads_of_one_version(tmp_path):
    witness = FileWitness(tmp_path / "w", create=True)
    await witness.advance(KEY, 2, tag(2))
    with pytest.raises(WitnessError, match="another head of this version"):
        await witness.advance(KEY, 2, tag(3))
    assert await witness.seen(KEY) == (2, tag(2))


def test_a_folder_that_is_missing_is_no_new_witness(tmp_path):
    with pytest.raises(ConfigurationError, match="no witness folder"):
        FileWitness(tmp_path / "w")
    FileWitness(tmp_path / "w", create=True)
    assert (tmp_path / "w").stat().st_mode & 0o077 == 0
    FileWitness(tmp_path / "w")


async def test_a_folder_that_vanishes_is_an_error(tmp_path):
    witness = FileWitness(tmp_path / "w", create=True)
    await witness.advance(KEY, 1, TAG)
    (tmp_path / "w").rename(tmp_path / "elsewhere")
    with pytest.raises(WitnessError, match="gone"):
        await witness.seen(KEY)
    with pytest.raises(WitnessError):
        await witness.advance(KEY, 2, TAG)


@pytest.mark.parametrize("data", [b"", b"SRW1", b"SRW1" + bytes(25), b"XXXX" + bytes(24)])
async def test_a_damaged_file_is_an_error_and_stays(tmp_path, data):
    witness = FileWitness(tmp_path / "w", create=True)
    await witness.advance(KEY, 1, TAG)
    (file,) = [path for path in (tmp_path / "w").rglob("*") if path.is_file()]
    file.write_bytes(data)
    with pytest.raises(WitnessError, match="damaged"):
        await witness.seen(KEY)
    with pytest.raises(WitnessError, match="damaged"):
        await witness.advance(KEY, 2, TAG)
    assert file.read_bytes() == data


async def test_the_record_is_on_the_disk_before_its_name_and_its_name_before_the_return(
    tmp_path, monkeypatch
):
    witness = FileWitness(tmp_path / "w", create=True)
    calls = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor):
        calls.append(("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        fsync(descriptor)

    def replaced(source, target, **kwargs):
        calls.append(("replace", str(source)))
        replace(source, target, **kwargs)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    await witness.advance(KEY, 1, TAG)
    (written, renamed, named) = calls[-3:]
    assert [call[0] for call in calls[-3:]] == ["fsync", "replace", "fsync"]
    assert written[1] == renamed[1]
    assert named[1] == str(Path(renamed[1]).parent)


async def test_a_half_written_record_of_a_crash_counts_for_nothing(tmp_path):
    witness = FileWitness(tmp_path / "w", create=True)
    await witness.advance(KEY, 1, tag(1))
    (file,) = [path for path in (tmp_path / "w").rglob("*") if path.is_file()]
    file.with_suffix(".new").write_bytes(b"SRW1\0")
    assert await witness.seen(KEY) == (1, tag(1))
    await witness.advance(KEY, 2, tag(2))
    assert await witness.seen(KEY) == (2, tag(2))


def advance_many(path, start):
    async def work():
        witness = FileWitness(path)
        for version in range(start, 60, 3):
            await witness.advance(KEY, version, tag(version))
            seen = await witness.seen(KEY)
            assert seen[0] >= version
            assert seen[1] == tag(seen[0])

    asyncio.run(work())


def test_processes_share_a_folder(tmp_path):
    FileWitness(tmp_path / "w", create=True)
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=advance_many, args=(tmp_path / "w", start)) for start in (1, 2, 3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert asyncio.run(FileWitness(tmp_path / "w").seen(KEY)) == (59, tag(59))


async def test_tasks_of_one_process_do_not_lose_a_version(tmp_path):
    witness = FileWitness(tmp_path / "w", create=True)
    await asyncio.gather(*(witness.advance(KEY, k, tag(k)) for k in range(1, 40)))
    assert await witness.seen(KEY) == (39, tag(39))
