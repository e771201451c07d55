"""A wrong rubric is refused with the line and the reason; a right one is read correctly."""

from __future__ import annotations

from pathlib import Path

import pytest

from gengrade.authoring import add_ids
from gengrade.rubric import ManualItem, Rubric, RubricError, Thresholds

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
          - {id: curves, manual: "The curves are described", points: 2}
          - {check: vae.extra, points: 1, bonus: true}
"""
KNOWN = ("vae.kld", "vae.bpd", "vae.loss", "vae.extra")


def _parse(text: str) -> Rubric:
    return Rubric.parse(text, Path("rubric.yaml"))


def test_a_rubric_names_its_checks_in_order() -> None:
    rubric = _parse(RUBRIC)
    rubric.verify(KNOWN)
    assert rubric.checks() == ("vae.kld", "vae.bpd", "vae.loss", "vae.extra")
    assert [entry.id for entry in rubric.entries()] == ["vae.kld", "vae.bpd", "curves", "vae.extra"]
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
    "penalty": ("penalty: 0.1", "penalty: 10", 3, '"penalty" is 10: write a share of the points from 0 to 1'),
    "no penalty": ("{penalty: 0.1}", "{per: day}", 3, 'the key "penalty" is missing'),
    "penalty as text": ("penalty: 0.1", "penalty: 10 %", 3, '"penalty" must be a number'),
    "infinite penalty": ("penalty: 0.1", "penalty: .nan", 3, '"penalty" must be a finite number'),
    "lateness": ("{penalty: 0.1}", "0.1", 3, '"late" must be a mapping'),
    "unit of lateness": ("0.1}", "0.1, per: week}", 3, "\"per\" must be day or hour, not 'week'"),
    "no unit of lateness": ("0.1}", "0.1, per: null}", 3, '"per" must be day or hour'),
    "most without per": ("0.1}", "0.1, most: 0.5}", 3, 'add "per: day" or "per: hour"'),
    "most below one": ("0.1}", "0.1, per: day, most: 0.05}", 3, '"most" is 0.05, less than one "penalty" of 0.1'),
    "most": ("0.1}", "0.1, per: day, most: 50}", 3, '"most" is 50: write a share'),
    "grace": ("0.1}", "0.1, grace_minutes: -5}", 3, '"grace_minutes" is -5: write 0 or more'),
    "grace as text": ("0.1}", "0.1, grace_minutes: 5 min}", 3, '"grace_minutes" must be a number'),
    "free days": ("0.1}", "0.1, free_days: 1.5}", 3, '"free_days" must be a whole number'),
    "negative free days": ("0.1}", "0.1, free_days: -1}", 3, '"free_days" is -1: write 0 or more'),
    "refused": ("0.1}", "0.1, refused_after_days: -1}", 3, '"refused_after_days" is -1: write 0 or more'),
    "rule of lateness": ("0.1}", "0.1, free_day: 1}", 3, 'did you mean "free_days"?'),
    "limit": ("seconds: 60", "seconds: 0", 5, '"seconds" is not usable'),
    "unknown limit": ("seconds: 60", "minutes: 1", 5, 'the key "minutes" is unknown'),
    "syntax": ("points: 2}", "points: 2", 15, "not valid YAML"),
    "tag": ("uva2020", "!!python/name:os.system ''", 2, "is not allowed"),
    "cycle": ("uva2020", "&a [*a]", 2, "contains itself"),
    "control character": ("Build", "Bu\x07ild", 11, "control character (U+0007)"),
    "item id twice": ("id: curves", "id: vae.kld", 16, 'two items have the id "vae.kld"'),
    "no id": (
        "id: curves, ",
        "",
        16,
        "this manual item has no id, so that marks could not be kept for it: add one, or run",
    ),
    "criteria": ('described", ', 'described", criteria: [{id: a, text: axes, points: 1}], ', 16, "add up to 1"),
    "criterion twice": (
        'described", ',
        'described", criteria: [{id: a, text: axes, points: 1}, {id: a, text: names, points: 1}], ',
        16,
        'two criteria of "curves" have the id "a"',
    ),
    "criterion for nothing": (
        'described", ',
        'described", criteria: [{id: a, text: x, points: 0}], ',
        16,
        "worth 0 points",
    ),
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


CRITERIA = """{id: curves, manual: x, points: 2, criteria: [
            {id: axes, text: Names on the axes, points: 1}, {id: both, text: Both curves, points: 1.5},
            {id: late, text: Only the last epochs, points: -0.5}]}"""
ITEM = '{id: curves, manual: "The curves are described", points: 2}'


@pytest.mark.parametrize(
    ("met", "points"),
    [((), 0), (("axes",), 1), (("axes", "both"), 2), (("axes", "late"), 0.5), (("late",), 0)],
)
def test_criteria_add_up_within_the_items_points(met: tuple[str, ...], points: float) -> None:
    item = next(entry.item for entry in _parse(RUBRIC.replace(ITEM, CRITERIA)).entries() if entry.id == "curves")
    assert isinstance(item, ManualItem)
    assert item.sum(met) == points


def test_criteria_that_all_deduct_start_with_all_points() -> None:
    deducting = "{id: curves, manual: x, points: 2, criteria: [{id: axes, text: No names, points: -0.5}]}"
    item = next(entry.item for entry in _parse(RUBRIC.replace(ITEM, deducting)).entries() if entry.id == "curves")
    assert isinstance(item, ManualItem)
    assert (item.sum(()), item.sum(("axes",))) == (2, 1.5)


def test_a_fingerprint_follows_the_wording_and_the_points_alone() -> None:
    def fingerprint(text: str) -> str:
        return next(entry.wording.fingerprint for entry in _parse(text).entries() if entry.id == "curves")

    same = RUBRIC.replace(ITEM, '{id: curves, title: Curves, manual: "The  curves are described", points: 2}')
    assert fingerprint(same) == fingerprint(RUBRIC)
    changed = [
        ITEM.replace("described", "drawn"),
        CRITERIA,
        CRITERIA.replace("-0.5", "-1"),
        CRITERIA.replace("Both", "All"),
    ]
    assert len({fingerprint(RUBRIC), *(fingerprint(RUBRIC.replace(ITEM, item)) for item in changed)}) == 5


UNNAMED = """\
# The scheme.
assignment: An assignment
parts:
  - name: First
    questions:
      - id: "1"  # the first
        title: Written
        points: 8
        items:
          - manual: >-
              The derivation of
              the bound.
            points: 2
          - {manual: "a) The derivation of the bound, again", points: 2}   # flow
          - points: 1
            manual: ÀÉ ≤ 3
          - {id: kept, manual: Kept, points: 1}
          - {check: vae.kld, points: 2}
"""


def test_missing_ids_are_added_and_nothing_else_changes(tmp_path: Path) -> None:
    path = tmp_path / "rubric.yaml"
    path.write_text(UNNAMED, encoding="utf-8")
    ids = ("1-derivation-bound", "1-derivation-bound-again", "1-ae")
    assert add_ids(path) == ids
    text = path.read_text(encoding="utf-8")
    assert [entry.id for entry in Rubric.load(path).entries()] == [*ids, "kept", "vae.kld"]
    for id_ in ids:
        text = text.replace(f"id: {id_}, ", "").replace(f"id: {id_}\n            ", "")
    assert text == UNNAMED
    assert add_ids(path) == ()


def test_ids_are_added_between_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "rubric.yaml"
    path.write_bytes(UNNAMED.replace("\n", "\r\n").encode())
    assert len(add_ids(path)) == 3
    assert b"\n" not in path.read_bytes().replace(b"\r\n", b"")
    assert [entry.id for entry in Rubric.load(path).entries()][-2:] == ["kept", "vae.kld"]


def test_ids_are_added_to_no_rubric_that_is_wrong_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "rubric.yaml"
    path.write_text(UNNAMED.replace("points: 8", "points: 9"))
    before = path.read_bytes()
    with pytest.raises(RubricError, match="add up to 8"):
        add_ids(path)
    assert path.read_bytes() == before
