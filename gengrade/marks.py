"""Read marks, the points that a person gave, from `marks/<student>.yaml`.

```yaml
1.1-1: 3                                     # points only
1.9-7: {points: 1.5, comment: Curves without axes.}
```

The keys are the ids of the rubric's items. A mark on an automatic item replaces the automatic points.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from gengrade.documents import Document, DocumentError, suggestion
from gengrade.rubric import Entry, Points, Rubric


class MarksError(DocumentError):
    """A file of marks has a mistake."""


class Mark(BaseModel):
    """The points for one item, and a comment for the student."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    points: Points
    comment: str = ""


def _spelled_out(mark: object) -> object:
    return {"points": mark} if isinstance(mark, int | float) and not isinstance(mark, bool) else mark


_ADAPTER: TypeAdapter[dict[str, Mark]] = TypeAdapter(dict[str, Annotated[Mark, BeforeValidator(_spelled_out)]])


class Marks(BaseModel):
    """One student's marks, by item id."""

    model_config = ConfigDict(frozen=True)

    marks: dict[str, Mark]
    sha256: str = Field(description="of the file that they come from")

    @classmethod
    def parse(cls, content: bytes, path: Path, rubric: Rubric) -> Marks:
        """Return the marks in a file's content. Raises MarksError with the line of the first mistake.

        content: the bytes of the file.
        path: its path, used in messages only; the caller checks that the file may be trusted.
        rubric: the rubric whose items the marks are for.
        """
        document = Document.parse(content, path, MarksError)
        try:
            marks = _ADAPTER.validate_json(json.dumps({} if document.data is None else document.data))
        except ValidationError as invalid:
            raise document.invalid(invalid, Mark.model_fields) from None
        entries = {entry.id: entry for entry in rubric.entries()}
        for name, mark in marks.items():
            _check(document, name, mark, entries)
        return cls(marks=marks, sha256=document.sha256)


def _check(document: Document, name: str, mark: Mark, entries: dict[str, Entry]) -> None:
    if name not in entries:
        hint = suggestion(name, entries)
        raise document.problem((name,), f'the rubric has no item "{name}"{hint}: correct or remove it')
    most = entries[name].item.points
    if mark.points > most:
        reason = f'{mark.points:g} points for "{name}" exceed its maximum of {most:g}: give at most that many'
        raise document.problem((name, "points"), reason)
