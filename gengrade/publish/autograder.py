"""Grade one submission in Gradescope's container, and write results.json as Gradescope reads it.

`run_autograder` calls it as `python -m gengrade.publish.autograder /autograder`. Four properties are deliberate:

1. There is a results.json at any time: one that says that the grading did not end is replaced in one step.
2. Student code runs in a sandbox or under Landlock, or not at all, unless the lecturer chose otherwise: in the same
   container it could write the file of its own grade.
3. A hidden item is a hidden test, and its text does not say more than a report does.
4. Lateness costs nothing here: Gradescope knows when something was handed in, and has rules of its own.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Final

from gengrade.atomic import write_whole
from gengrade.engine import Options, Result, run
from gengrade.grade import DECIDES, Grade, ItemGrade
from gengrade.paths import InputError
from gengrade.publish.gradescope import SETTINGS, Settings
from gengrade.report.text import one_line, plain, public, told, word
from gengrade.sandbox import NoSuchTier, Tier, choose

RESULTS: Final = "results/results.json"
_NOT_ENDED: Final = "The grading was not completed. This is no judgement about your work: please tell your teacher."
_OUR_FAULT: Final = "Something went wrong on our side. This is no judgement about your work: please tell your teacher."
_NO_TIER: Final = (
    "Nothing was graded, since this container offers no isolation for the code that you handed in. This is no "
    "judgement about your work: please tell your teacher."
)
_SEVERAL: Final = (
    "What you handed in looks like several submissions: hand in the files of one, in the folders of the hand-out."
)
_LONGEST: Final = 2_000  # characters of one output
_Document = dict[str, Any]


def main(root: Path) -> None:
    """Grade what lies in `submission/` below the root, and write the results. Nothing is raised."""
    write(root, _said(_NOT_ENDED))
    began = time.monotonic()
    try:
        write(root, graded(root, began))
    except InputError as error:
        write(root, _said(f"What you handed in cannot be graded. {plain(str(error))}"))
    except BaseException as error:
        traceback.print_exc()  # Gradescope shows it to teachers alone
        write(root, _said(_NO_TIER if isinstance(error, NoSuchTier) else _OUR_FAULT))


def graded(root: Path, began: float) -> _Document:
    """Grade the submission and return the results. Raises what a run raises."""
    source = root / "source"
    settings = Settings.model_validate_json((source / SETTINGS).read_bytes())
    course = str(source / settings.course) if (source / settings.course).is_dir() else settings.course
    choose(settings.isolation, single=False)  # no weaker tier is chosen by itself, as if a class were graded
    options = Options(
        path=root / "submission",
        out=root / "grading",
        rubric=source / "rubric.yaml",
        course=course,
        part=settings.part,
        profile=settings.profile,
        jobs=1,
        data=settings.data,
        isolation=settings.isolation,
        public=settings.public,
    )
    result = run(options)
    if len(result.graded) != 1:
        return _said(_SEVERAL)
    return results_of(result, time.monotonic() - began)


def results_of(result: Result, seconds: float) -> _Document:
    """Return the content of results.json for a run over one submission."""
    (one,) = result.graded
    notes = [one_line(note) for note in (*result.notes, *one.grade.notes)]
    if result.tier is Tier.PROCESS:
        notes.insert(0, "Reduced isolation: the code ran without a sandbox.")
    return {**document_of(one.grade), "output": "\n".join(dict.fromkeys(notes)), "execution_time": round(seconds, 1)}


def document_of(grade: Grade) -> _Document:
    """Return a grade as tests: one for each item of the rubric, in their order.

    What is pending has no score: a teacher gives its points in Gradescope. The points of a bonus item have no maximum.
    """
    tests = [
        _test(item, question.title, f"{question.id}.{place}")
        for question in grade.questions
        for place, item in enumerate(question.items, 1)
    ]
    formats = dict.fromkeys(("output_format", "test_output_format", "test_name_format"), "text")
    document: _Document = {**formats, "visibility": "visible", "stdout_visibility": "hidden", "tests": tests}
    return document if any("score" in test for test in tests) else {**document, "score": 0}


def _test(item: ItemGrade, question: str, number: str) -> _Document:
    shown = public(item)
    test: _Document = {
        "name": ("Bonus: " if item.bonus else "") + one_line(f"{question}: {shown.title}", 200),
        "number": number,
        "output": _output(shown),
        "visibility": "hidden" if item.hidden else "visible",
    }
    if not item.settled:
        return test
    test |= {"score": item.points, "status": "passed" if item.points >= item.possible else "failed"}
    return test if item.bonus else {**test, "max_score": item.possible}


def _output(shown: ItemGrade) -> str:
    if not shown.settled and shown.outcome is None:
        return DECIDES
    lines = [f"{word(shown).word}. {told(shown)}".rstrip()]
    if shown.expected is not None:
        lines.append(f"Expected: {one_line(shown.expected)}")
    if shown.got is not None:
        lines.append(f"Got: {one_line(shown.got)}")
    return "\n".join(lines)[:_LONGEST]


def _said(text: str) -> _Document:
    return {"score": 0, "output": text[:_LONGEST], "output_format": "text", "stdout_visibility": "hidden"}


def write(root: Path, document: _Document) -> None:
    """Replace results.json in one step."""
    write_whole(root / RESULTS, json.dumps(document, allow_nan=False, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "/autograder").resolve())
