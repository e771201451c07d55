"""Read a course's tryouts: for each check, a few lines that a student can run to see what it asks of their code.

    note: Put the lines into a new cell at the end of your notebook.     # optional, in one line
    checks:
      vae.kld: |
        import torch
        …

They are run by `python` in the folder of the check's part, or in a new cell at the end of the notebook that was handed
in. Each prints something; its comments say what a right answer prints, and never how.
"""

from __future__ import annotations

import ast
import json
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gengrade.course import Course
from gengrade.documents import Document, DocumentError, suggestion
from gengrade.grading.checks import known

_CHECKS: Final = "checks"


class TryoutsError(DocumentError):
    """A course's tryouts have a mistake."""


class Tryouts(BaseModel):
    """The tryouts of a course.

    note: what a student has to know before running any of them.
    checks: the lines, by check.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    note: Annotated[str, Field(min_length=1, pattern=r"^[^\n]+$")] | None = None
    checks: dict[str, Annotated[str, Field(min_length=1)]] = {}


def read(course: Course) -> Tryouts:
    """Return a course's tryouts, which it need not have. Raises TryoutsError."""
    if not course.tryouts.is_file():
        return Tryouts()
    document = Document.load(course.tryouts, TryoutsError)
    try:
        tryouts = Tryouts.model_validate_json(json.dumps(document.data))
    except ValidationError as invalid:
        raise document.invalid(invalid, set(Tryouts.model_fields)) from None
    for check, lines in tryouts.checks.items():
        where = (_CHECKS, check)
        if check not in known():
            hint = suggestion(check, known())
            raise document.problem(where, f'no grader has a check "{check}"{hint}: correct or remove it')
        try:
            ast.parse(lines)
        except SyntaxError as error:
            reason = f"the lines are no Python ({error.msg}, in line {error.lineno} of them): correct them"
            raise document.problem(where, reason) from None
    return tryouts
