"""The fuzzer itself: it repeats what a seed says, it finds what is planted, and it runs a while."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fuzzing import cases, leaks, loop
from fuzzing.__main__ import main
from fuzzing.findings import BULK, FOREIGN, KEY, MEMORY, PLAINTEXT, WRONG, Finding
from fuzzing.forms import FORMS
from fuzzing.trial import check

from strongroom import Codec, EnvelopeError, PayloadError
from tiers import by_tier

SEED = "0"
SECONDS = by_tier(full=10.0, long=600.0)
"""For each form: a minute for all of them in the full tier."""
KNOWN_SEEDS = by_tier(full=True, long=False)
"""A change is not refused for a fault that was there before it: new seeds are for the long tier."""


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
def test_some_seconds_of_fuzzing_find_nothing_new(name):
    with closing(FORMS[name]()) as form:
        seed = SEED if KNOWN_SEEDS else Random().randbytes(4).hex()
        report = loop.run(form, seed, SECONDS)
    print(report.summary())
    assert not report.found, f"make fuzz FORM={name} SEED={report.seed}\n{report.summary()}"
    assert report.cases


@pytest.mark.parametrize("name", FORMS)
def test_a_seed_and_a_number_make_the_same_case_each_time(name):
    with closing(FORMS[name]()) as one, closing(FORMS[name]()) as other:
        for number in range(30):
            case = loop.case_of(one, SEED, number)
            assert cases.dumps(case) == cases.dumps(loop.case_of(other, SEED, number))


@pytest.mark.parametrize("name", FORMS)
def test_a_case_survives_json(name):
    with closing(FORMS[name]()) as form:
        for number in range(30):
            text = cases.dumps(loop.case_of(form, SEED, number))
            assert cases.dumps(cases.loads(text)) == text


def run(form, seed="0", number=0):
    return check(form, loop.case_of(form, seed, number))


class Planted:
    """A form whose only case does what a test says."""

    name = "planted"

    def __init__(self, work):
        self._work = work

    def generate(self, rng):
        return {"text": "0123456789" * 3}

    def run(self, case):
        self._work(case)
        return "done"

    def max_size(self, case):
        return 1

    def close(self):
        pass


def test_an_error_that_is_not_ours_is_a_finding():
    def fail(case):
        raise KeyError("x")

    assert run(Planted(fail)).kind == FOREIGN


def test_memory_beyond_the_bound_is_a_finding():
    assert run(Planted(lambda case: bytearray(b"x") * (160 << 20))).kind == MEMORY


def test_a_finding_is_told_with_its_smallest_case_and_how_to_repeat_it():
    def fail(case):
        if "7" in case["text"]:
            raise Finding(WRONG, "a seven")

    form = Planted(fail)
    finding = run(form)
    text = loop.told(form, "abc", 5, form.generate(Random()), finding)
    assert "make fuzz FORM=planted SEED=abc CASE=5" in text
    assert cases.loads(text.splitlines()[-1])["case"] == {"text": "7"}


def careless(secret, raised):
    kept = [secret]
    raise raised from (ValueError(kept[0]) if raised.args == ("cause",) else None)


@pytest.mark.parametrize("text", ["a local", "cause"])
def test_a_secret_in_an_error_is_a_finding(monkeypatch, text):
    monkeypatch.setattr(leaks, "_OURS", "nowhere")
    with pytest.raises(EnvelopeError) as caught:
        careless("8-12-40", EnvelopeError(text))
    with pytest.raises(Finding) as found:
        leaks.check(caught.value, ["8-12-40"], [], "a test")
    assert found.value.kind == PLAINTEXT
    with pytest.raises(Finding) as found:
        leaks.check(caught.value, [], ["8-12-40"], "a test")
    assert found.value.kind == KEY
    leaks.check(caught.value, ["8-12-41"], ["8-12-42"], "a test")


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (lambda self, stored: {"role": "user"}, WRONG),
        (lambda self, stored: {}["x"], FOREIGN),
        (lambda self, stored: careless("", PayloadError("no")), BULK),
    ],
    ids=["a wrong item", "a KeyError", "a refusal"],
)
def test_a_broken_codec_is_found(monkeypatch, broken, kind):
    bound = type(Codec.parse("json").bind("s"))
    monkeypatch.setattr(bound, "decode", broken)
    if kind == WRONG:
        monkeypatch.setattr(bound, "decode_many", lambda self, rows: [broken(self, 0)] * len(rows))
    elif kind == BULK:
        monkeypatch.setattr(bound, "decode_many", lambda self, rows: [None for _ in rows])
    with closing(FORMS["rows"]()) as form:
        outcomes = [run(form, number=number) for number in range(60)]
    assert kind in {outcome.kind for outcome in outcomes if isinstance(outcome, Finding)}


def test_the_command_line_counts_by_form(capsys):
    assert main(["--seconds", "0.2", "--seed", SEED, "--form", "rows"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("SEED=0")
    assert "rows: " in said
    assert "0 new findings" in said


def test_one_case_is_tried_again_by_its_number_or_from_a_file(capsys, tmp_path):
    assert main(["--form", "rows", "--seed", SEED, "--case", "3"]) == 0
    case = capsys.readouterr().out.splitlines()[0]
    path = tmp_path / "case.json"
    path.write_text(f'{{"form": "rows", "case": {case}}}')
    assert main(["--replay", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == case
    with pytest.raises(SystemExit):
        main(["--case", "3"])
