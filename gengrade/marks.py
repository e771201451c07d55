"""Marks: the points that a person gave, read from `marks/<student>.yaml`.

```yaml
1.1-1: 3                                     # points alone, or
1.9-7: {points: 1.5, comment: Curves without axes.}
```

The keys are the rubric's item ids. A mark on an automatic item replaces what the machine gave.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from gengrade.documents import Document, DocumentError, suggestion
from gengrade.rubric import Entry, Points, Rubric


class MarksError(DocumentError):
    """A file of marks cannot be used as it stands."""


class Mark(BaseModel):
    """Points for one item, and what the student should read about them."""

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
        """Marks for this rubric from a file's bytes; raises MarksError with the line of the first mistake.

        `path` is for messages only: whose file it may be, is for the caller to know.
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
        reason = f'{mark.points:g} points for "{name}" are more than its {most:g}: give at most those'
        raise document.problem((name, "points"), reason)
