"""Texts of limited length: nothing that a submission writes makes a record long."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from gengrade.choices import Tier
from gengrade.facts import CheckFact, Facts, Figure, Outcome, Provenance, TestFact
from gengrade.grading import Evidence, Mismatch, plugin
from gengrade.grading.symptoms import read
from gengrade.sandbox import Frame, Run, wire
from gengrade.submissions.locating import TOP_FOLDER
from gengrade.texts import few, shortened, without_middle

LONG = {"plain": "a" * 3_000_000, "controls": "\x01" * 1_000_000, "wide": "\U0001f600" * 1_000_000}
MOST_FACTS = 2_000_000


def _size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2


@given(st.text(max_size=300), st.integers(60, 400))
def test_a_text_is_short_enough_and_stays_as_it_is(text: str, most: int) -> None:
    for shorten in (shortened, without_middle):
        short = shorten(text, most)
        assert _size(short) <= most
        assert shorten(short, most) == short
        assert short == text or _size(text) > most


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_long_text_says_how_much_is_left_out(text: str) -> None:
    short = shortened(text, 500)
    kept, _, rest = short.partition("…")
    assert text.startswith(kept)
    assert rest == f" ({len(text) - len(kept):,} more characters)"
    assert _size(without_middle(text, 500)) <= 500


def test_few_of_many() -> None:
    assert few(("a", "b"), 2) == ("a", "b")
    assert few(tuple("abcdef"), 3) == ("a", "b", "… and 4 more")


def _facts(text: str, tests: int, checks: int) -> Facts:
    def fact() -> TestFact:
        words: dict[str, Any] = dict.fromkeys(
            ("name", "title", "message", "expected", "got", "traceback", "output"), text
        )
        return TestFact(outcome=Outcome.ERROR, **words)

    symptoms = {f"{number} {text}": (-1.2345678901234567e-300, -1.2345678901234567e-300) for number in range(500)}
    found = {
        f"check{number}": CheckFact(
            check=f"check{number}", tests=tuple(fact() for _ in range(number, tests, checks))
        ).model_copy(update={"symptoms": symptoms})
        for number in range(checks)
    }
    return Facts(
        student="doe",
        checks=found,
        measures={},
        figures=tuple(Figure(check="vae", caption=text, alt=text, file=text, sha256="") for _ in range(500)),
        notes=(text,) * 500,
        code_flags=(text,) * 500,
        provenance=Provenance(
            seed=0,
            data="",
            device="",
            profile="",
            course="",
            isolation=Tier.PROCESS,
            versions={},
            submission="",
            key="",
        ),
    )


@pytest.mark.parametrize("text", [text[:20_000] for text in LONG.values()], ids=LONG)
def test_facts_of_nothing_but_long_texts_stay_small(text: str) -> None:
    """There are as many tests and checks as in the largest rubric."""
    assert len(_facts(text, tests=94, checks=39).model_dump_json(indent=1).encode()) < MOST_FACTS


def test_usual_texts_are_untouched() -> None:
    usual: dict[str, Any] = {"message": "the value is not right", "got": "1.5", "output": "loss: 0.1234\n" * 100}
    test = TestFact(name="test_kld", title="The divergence", outcome=Outcome.FAILED, **usual)
    assert test.model_dump(include=set(usual)) == usual


def test_a_run_is_short_whoever_makes_it() -> None:
    text = LONG["controls"]
    run = Run(Outcome.ERROR, text, frames=(Frame(text, 1, text, text),) * 100, output=text)
    assert _size(run.message) <= 4_000
    assert len(run.frames) == 12
    assert _size(run.output) <= 64_000
    assert max(map(_size, (run.frames[0].file, run.frames[0].function, run.frames[0].source))) <= 600


def test_what_is_said_of_evidence_is_short() -> None:
    evidence = Evidence({f"{number}" * 100_000: np.zeros(1) for number in range(9)})
    with pytest.raises(Mismatch) as failed:
        evidence.number()
    assert failed.value.got is not None
    assert len(failed.value.got) < 600
    assert "more characters" in failed.value.got
    long = Mismatch(LONG["plain"], expected=LONG["wide"], got=LONG["controls"])
    assert len(long.message) < 1_300
    assert max(map(_size, (long.expected or "", long.got or ""))) <= 600
    assert len(str(long)) < 1_300


def test_symptoms_have_short_names_that_stay_apart() -> None:
    keys = [f"{'k' * 199}{number}" for number in range(9)]
    nested: object = dict.fromkeys(keys, 1.0)
    for _ in range(8):
        nested = {"n" * 200: nested}
    symptoms = read("no:probe", {}, Run(Outcome.PASSED, evidence=nested))
    assert len(symptoms) == 9
    assert max(map(len, symptoms)) < 250


def test_long_keys_do_not_cross_the_wire() -> None:
    assert wire.decode(wire.encode({"k" * 200: 1})) == {"k" * 200: 1}
    with pytest.raises(TypeError, match="a key of more than 200 characters"):
        wire.encode({"k" * 201: 1})
    document = json.dumps({"d": {"k" * 201: {"v": 1}}}).encode()
    payload = wire.DOCUMENT_LENGTH.pack(len(document)) + document + save({})
    with pytest.raises(wire.WireError, match="too long"):
        wire.decode(payload)


def test_a_file_in_the_top_folder_is_named_as_handed_in() -> None:
    """Otherwise GitHub finds no place for the annotation of a line."""
    run = Run(Outcome.ERROR, frames=(Frame("theory/answers.py", 2, "f", ""), Frame("vae/train.py", 3, "", "")))
    text = plugin._traceback(run, {"theory": TOP_FOLDER, "vae": "part1"})
    assert text == 'File "answers.py", line 2, in f\nFile "part1/train.py", line 3'
