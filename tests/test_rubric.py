"""A wrong rubric or file of marks is refused with the line and the reason; a right one is read correctly."""

from __future__ import annotations

from pathlib import Path

import pytest

from gengrade.marks import Marks, MarksError
from gengrade.rubric import Rubric, RubricError, Thresholds
from tests.support import report_examples as examples

RUBRIC = """\
assignment: An assignment
course: uva2020
late: {penalty: 0.1}
limits:
  train: {seconds: 60}
  vae.kld: {memory_mb: 512}
parts:
  - name: First
    questions:
      - id: "1.9"
        title: Build
        points: 7
        items:
          - {check: vae.kld, points: 2}
          - {measure: vae.bpd, points: 3, full: {mnist: 0.16, digits: 0.2}, none: 0.3, needs: [vae.loss]}
          - {manual: "The curves are described", points: 2}
          - {check: vae.extra, points: 1, bonus: true}
"""
KNOWN = ("vae.kld", "vae.bpd", "vae.loss", "vae.extra")


def _parse(text: str) -> Rubric:
    return Rubric.parse(text, Path("rubric.yaml"))


def test_a_rubric_names_its_checks_in_order() -> None:
    rubric = _parse(RUBRIC)
    rubric.verify(KNOWN)
    assert rubric.checks() == ("vae.kld", "vae.bpd", "vae.loss", "vae.extra")
    assert [entry.id for entry in rubric.entries()] == ["1.9-1", "1.9-2", "1.9-3", "1.9-4"]
    assert [entry.bonus for entry in rubric.entries()] == [False, False, False, True]
    assert rubric.limits["train"].seconds == 60
    assert rubric.sha256.startswith("sha256:")
    assert rubric.sha256 != _parse(f"{RUBRIC}\n").sha256


def test_thresholds_follow_the_data_set() -> None:
    rubric = _parse(RUBRIC)
    assert rubric.thresholds("mnist") == {"vae.bpd": Thresholds(0.16, 0.3)}
    assert rubric.thresholds("digits") == {"vae.bpd": Thresholds(0.2, 0.3)}
    assert rubric.thresholds("faces") == {}
    rubric = _parse(RUBRIC.replace("mnist: 0.16", "default: 0.1"))
    assert rubric.thresholds("faces") == {"vae.bpd": Thresholds(0.1, 0.3)}


@pytest.mark.parametrize(
    ("value", "share"), [(0.1, 1), (0.16, 1), (0.23, 0.5), (0.3, 0), (9.0, 0), (1e308, 0), (-1e308, 1)]
)
def test_thresholds_interpolate(value: float, share: float) -> None:
    assert Thresholds(full=0.16, none=0.3).share(value) == pytest.approx(share)
    assert Thresholds(full=-0.16, none=-0.3).share(-value) == pytest.approx(share)


WRONG = {
    "sum": ("points: 7", "points: 8", 12, "question 1.9 has 8 points but its items add up to 7"),
    "key": ("title: Build", "titel: Build", 11, 'the key "titel" is unknown (did you mean "title"?)'),
    "missing key": ("        title: Build\n", "", 10, 'the key "title" is missing here'),
    "duplicate key": ("course: uva2020", "course: a\ncourse: b", 3, 'the key "course" is repeated'),
    "kind of item": ("check: vae.kld", "chek: vae.kld", 14, 'not "chek" (did you mean "check"?)'),
    "two kinds": ("check: vae.kld", "check: vae.kld, manual: x", 14, "exactly one of the keys"),
    "equal thresholds": ("mnist: 0.16", "mnist: 0.3", 15, 'has 0.3 both as "full" and as "none"'),
    "mixed thresholds": ("mnist: 0.16", "mnist: 0.5", 15, "in the same order for all"),
    "half thresholds": ("none: 0.3", "none: {mnist: 0.3}", 15, 'only one of "full" and "none" for digits'),
    "infinite threshold": ("none: 0.3", "none: .inf", 15, '"none" must be a finite number'),
    "needs itself": ("[vae.loss]", "[vae.bpd]", 15, '"vae.bpd" needs itself'),
    "needs no list": ("[vae.loss]", "vae.loss", 15, '"needs" must be a list'),
    "twice": ("check: vae.extra", "check: vae.kld", 17, 'question 1.9 uses "vae.kld" twice'),
    "number as id": ('"1.9"', "1.9", 10, '"id" must be text, not 1.9: put it in quotes'),
    "space in id": ('"1.9"', '"1 9"', 10, '"id" is not usable'),
    "text as points": ("points: 7", "points: seven", 12, '"points" must be a number'),
    "negative points": ("points: 2}", "points: -2}", 14, '"points" is not usable'),
    "tiny points": ("points: 2}", "points: 2.001}", 14, "finer than a hundredth"),
    "no items": ("items:", "items: []\n        questions:", 13, '"items" is empty'),
    "penalty": ("penalty: 0.1", "penalty: 10", 3, '"penalty" is not usable'),
    "limit": ("seconds: 60", "seconds: 0", 5, '"seconds" is not usable'),
    "unknown limit": ("seconds: 60", "minutes: 1", 5, 'the key "minutes" is unknown'),
    "syntax": ("points: 2}", "points: 2", 15, "not valid YAML"),
    "tag": ("uva2020", "!!python/name:os.system ''", 2, "is not allowed"),
    "cycle": ("uva2020", "&a [*a]", 2, "contains itself"),
    "control character": ("Build", "Bu\x07ild", 11, "control character (U+0007)"),
    "item id twice": ('{manual: "', '{id: 1.9-1, manual: "', 16, 'two items have the id "1.9-1"'),
    "list": (RUBRIC, "- 1\n", 1, "must be a mapping"),
    "empty": (RUBRIC, "", 1, "must be a mapping"),
}


@pytest.mark.parametrize(("old", "new", "line", "reason"), WRONG.values(), ids=WRONG)
def test_a_wrong_rubric_is_refused_where_it_is_wrong(old: str, new: str, line: int, reason: str) -> None:
    with pytest.raises(RubricError) as refused:
        _parse(RUBRIC.replace(old, new, 1))
    assert refused.value.line == line
    assert reason in refused.value.reason
    assert str(refused.value) == f"rubric.yaml, line {line}: {refused.value.reason}"
    assert "\n" not in str(refused.value)


def test_a_second_question_of_the_same_id_is_refused() -> None:
    question = RUBRIC[RUBRIC.index("      - id:") :]
    with pytest.raises(RubricError, match=r'line 18: two questions have the id "1\.9"'):
        _parse(RUBRIC + question)


@pytest.mark.parametrize(
    ("known", "line", "reason"),
    [
        (("vae.kl", "vae.bpd", "vae.loss", "vae.extra"), 14, 'check "vae.kld" (did you mean "vae.kl"?)'),
        (("vae.kld", "vae.bpd", "vae.extra"), 15, 'check "vae.loss"'),
    ],
)
def test_ids_that_no_grader_has_are_refused(known: tuple[str, ...], line: int, reason: str) -> None:
    with pytest.raises(RubricError) as refused:
        _parse(RUBRIC).verify(known)
    assert refused.value.line == line
    assert reason in refused.value.reason


def test_limits_for_an_unknown_check_are_refused() -> None:
    with pytest.raises(RubricError, match=r'line 5: .*not for "trian" \(did you mean "train"\?\)'):
        _parse(RUBRIC.replace("train:", "trian:")).verify(KNOWN)


@pytest.mark.parametrize("content", [b"assignment: \xff\n", None])
def test_an_unreadable_rubric_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "rubric.yaml"
    if content:
        path.write_bytes(content)
    with pytest.raises(RubricError) as refused:
        Rubric.load(path)
    assert refused.value.path == path
    assert refused.value.line == 1


def _marks(text: str, folder: Path) -> Marks:
    return Marks.parse(text.encode(), folder / "doejane.yaml", examples.rubric())


def test_marks_are_points_with_or_without_a_comment(tmp_path: Path) -> None:
    marks = _marks("1.1-1: 2.5\n1.9-5: {points: 0, comment: Nothing here.}\n", tmp_path).marks
    assert {name: (mark.points, mark.comment) for name, mark in marks.items()} == {
        "1.1-1": (2.5, ""),
        "1.9-5": (0, "Nothing here."),
    }
    assert _marks("", tmp_path).marks == {}


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("1.1-1: 3\n1.12-2: 1\n", 2, 'the rubric has no item "1.12-2" (did you mean "1.12-1"?)'),
        ("\n1.1-1: {points: 3.5}\n", 2, '3.5 points for "1.1-1" exceed its maximum of 3'),
        ("1.1-1: -1\n", 1, '"1.1-1" is not usable'),
        ("1.1-1: {points: .nan}\n", 1, '"points" must be a finite number'),
        ("1.1-1: {comment: good}\n", 1, 'the key "points" is missing here'),
        ("1.1-1: {points: 1, coment: good}\n", 1, 'the key "coment" is unknown (did you mean "comment"?)'),
        ("1.1-1: 1\n1.1-1: 2\n", 2, 'the key "1.1-1" is repeated'),
        ("1.1-1: true\n", 1, "must be a mapping"),
        ("[1, 2]\n", 1, "must be a mapping"),
    ],
)
def test_wrong_marks_are_refused_where_they_are_wrong(text: str, line: int, reason: str, tmp_path: Path) -> None:
    with pytest.raises(MarksError) as refused:
        _marks(text, tmp_path)
    assert refused.value.line == line
    assert reason in str(refused.value)
