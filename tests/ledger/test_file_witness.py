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


async def test_an_empty_folder_is_no_new_witness(tmp_path):
    """An unmounted volume looks like this."""
    witness = FileWitness(tmp_path / "w", create=True)
    await witness.advance(KEY, 1, TAG)
    (tmp_path / "w").rename(tmp_path / "elsewhere")
    (tmp_path / "w").mkdir(mode=0o700)
    with pytest.raises(ConfigurationError, match="holds no witness"):
        FileWitness(tmp_path / "w")
    with pytest.raises(WitnessError, match="has no marker"):
        await witness.seen(KEY)
    with pytest.raises(WitnessError, match="has no marker"):
        await witness.advance(KEY, 2, TAG)
    with pytest.raises(WitnessError, match="has no marker"):
        await witness.keys()
    assert list((tmp_path / "w").iterdir()) == []


async def test_another_witness_in_its_place_is_refused(tmp_path):
    witness = FileWitness(tmp_path / "w", create=True)
    await witness.advance(KEY, 1, TAG)
    (tmp_path / "w").rename(tmp_path / "elsewhere")
    other = FileWitness(tmp_path / "w", create=True)
    assert other.id != witness.id
    with pytest.raises(WitnessError, match=f"is now the witness {other.id}"):
        await witness.seen(KEY)
    with pytest.raises(ConfigurationError, match="is expected"):
        FileWitness(tmp_path / "w", id=witness.id)
    assert FileWitness(tmp_path / "elsewhere", id=witness.id).id == witness.id


def test_a_witness_is_created_once(tmp_path):
    witness = FileWitness(tmp_path / "w", create=True)
    with pytest.raises(ConfigurationError, match="already"):
        FileWitness(tmp_path / "w", create=True)
    assert FileWitness(tmp_path / "w").id == witness.id
    with pytest.raises(ConfigurationError, match="not both"):
        FileWitness(tmp_path / "new", create=True, id=witness.id)
    assert not (tmp_path / "new").exists()


async def test_a_folder_of_0_1_is_adopted_once(tmp_path):
    folder = tmp_path / "w"
    folder.mkdir(mode=0o700)
    record = folder / KEY.hex()
    record.write_bytes(b"SRW1" + (7).to_bytes(8, "big") + TAG)
    record.chmod(0o664)
    with pytest.raises(ConfigurationError, match=r"adopt it"):
        FileWitness(folder)
    adopted = FileWitness(folder, create=True)
    assert await adopted.seen(KEY) == (7, TAG)
    assert record.stat().st_mode & 0o077 == 0
    assert await FileWitness(folder, id=adopted.id).seen(KEY) == (7, TAG)


async def test_it_lists_the_histories_that_it_has_seen(tmp_path):
    witness = FileWitness(tmp_path / "w", create=True)
    assert await witness.keys() == []
    others = [bytes([number]) * 32 for number in range(3)]
    for key in others:
        await witness.advance(key, 1, TAG)
    (tmp_path / "w" / f"{others[0].hex()}.new").write_bytes(b"of a crash")
    assert sorted(await FileWitness(tmp_path / "w").keys()) == others


@pytest.mark.parametrize("name", [KEY.hex(), "marker"])
async def test_a_link_is_not_followed_on_reading(tmp_path, name):
    witness = FileWitness(tmp_path / "w", create=True)
    await witness.advance(KEY, 1, TAG)
    (tmp_path / "w" / name).rename(tmp_path / "elsewhere")
    (tmp_path / "w" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WitnessError, match="is a link"):
        await witness.seen(KEY)
    with pytest.raises(WitnessError, match="is a link"):
        await witness.advance(KEY, 2, TAG)


async def test_a_link_is_not_followed_on_writing(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    witness = FileWitness(tmp_path / "w", create=True)
    (tmp_path / "w" / f"{KEY.hex()}.new").symlink_to(victim)
    await witness.advance(KEY, 1, TAG)
    assert victim.read_bytes() == b"precious"
    assert await witness.seen(KEY) == (1, TAG)
    assert not (tmp_path / "w" / KEY.hex()).is_symlink()


def test_a_link_to_the_folder_is_not_followed(tmp_path):
    FileWitness(tmp_path / "w", create=True)
    (tmp_path / "link").symlink_to(tmp_path / "w")
    for create in (False, True):
        with pytest.raises(ConfigurationError, match="name the folder itself"):
            FileWitness(tmp_path / "link", create=create)


async def test_a_pipe_in_place_of_a_record_does_not_make_it_wait(tmp_path):
    witness = FileWitness(tmp_path / "w", create=True)
    os.mkfifo(tmp_path / "w" / KEY.hex(), 0o600)
    async with asyncio.timeout(30):
        with pytest.raises(WitnessError, match="is no file"):
            await witness.seen(KEY)


@pytest.mark.parametrize("mode", [0o770, 0o703, 0o720])
async def test_a_folder_that_others_can_write_is_refused(tmp_path, mode):
    witness = FileWitness(tmp_path / "w", create=True)
    (tmp_path / "w").chmod(mode)
    with pytest.raises(ConfigurationError, match="can be written by its group or by others"):
        FileWitness(tmp_path / "w")
    with pytest.raises(WitnessError, match="chmod 700"):
        await witness.seen(KEY)


@pytest.mark.parametrize("name", [KEY.hex(), "marker"])
async def test_a_file_that_others_can_write_is_refused(tmp_path, name):
    witness = FileWitness(tmp_path / "w", create=True)
    await witness.advance(KEY, 1, TAG)
    (tmp_path / "w" / name).chmod(0o660)
    with pytest.raises(WitnessError, match="chmod 600"):
        await witness.seen(KEY)


@pytest.mark.parametrize("owned", ["folder", "marker", "record"])
async def test_what_belongs_to_another_user_is_refused(tmp_path, owned, monkeypatch):
    witness = FileWitness(tmp_path / "w", create=True)
    await witness.advance(KEY, 1, TAG)
    folder = tmp_path / "w"
    path = {"folder": folder, "marker": folder / "marker", "record": folder / KEY.hex()}[owned]
    inode, fstat = path.stat().st_ino, os.fstat

    def of_another(descriptor):
        status = fstat(descriptor)
        return (
            os.stat_result([*status[:4], 4321, *status[5:]]) if status.st_ino == inode else status
        )

    monkeypatch.setattr(os, "fstat", of_another)
    with pytest.raises(WitnessError, match="belongs to user 4321"):
        await witness.seen(KEY)


@pytest.mark.parametrize("data", [b"", b"strongroom witness 1 \n", b"witness" + b"0" * 33])
def test_a_damaged_marker_is_an_error(tmp_path, data):
    FileWitness(tmp_path / "w", create=True)
    (tmp_path / "w" / "marker").write_bytes(data)
    with pytest.raises(ConfigurationError, match="marker is damaged"):
        FileWitness(tmp_path / "w")
    with pytest.raises(ConfigurationError, match="already"):
        FileWitness(tmp_path / "w", create=True)


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
    file = tmp_path / "w" / KEY.hex()
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
        calls.append(("replace", str(tmp_path / "w" / source)))
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
    file = tmp_path / "w" / KEY.hex()
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
