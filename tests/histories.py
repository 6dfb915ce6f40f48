"""Items that are easy to tell apart, and how a history is checked that many have written to."""

from itertools import groupby

BATCHES, SIZE = 4, 3


def n(*numbers):
    return [{"n": number} for number in numbers]


def check_batches(items, names, batches=BATCHES, size=SIZE):
    """Check that every batch is there once, whole and contiguous, and each writer's in order."""
    runs = [
        (key, [item["n"] for item in run])
        for key, run in groupby(items, lambda item: (item["by"], item["batch"]))
    ]
    assert sorted(key for key, _ in runs) == sorted((b, i) for b in names for i in range(batches))
    assert all(numbers == list(range(size)) for _, numbers in runs)
    for name in names:
        assert [batch for (by, batch), _ in runs if by == name] == list(range(batches))
