"""The files of marks that a run reads, in the results or beside them, and those that belong to no submission."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gengrade.marks import Marks, MarksError
from gengrade.paths import from_here, printable
from gengrade.places import Output, Owners, read_trusted
from gengrade.rubric import Rubric
from gengrade.texts import listed

_MOST_NAMED: Final = 5


def marks_of(places: Output, ids: Sequence[str], rubric: Rubric) -> dict[str, Marks]:
    """Return what people gave, by the submission's id. Raises MarksError and PlaceError."""
    owners = Owners.of(places.folder)
    found: dict[str, Marks] = {}
    for id_ in ids:
        for folder in places.marks:
            file = folder / f"{id_}.yaml"
            try:
                content = read_trusted(file, owners)
            except OSError as error:
                reason = f"it cannot be read ({error.strerror}): check its permissions"
                raise MarksError(file, 1, reason) from None
            if content is not None:
                found.setdefault(id_, Marks.parse(content, file, rubric))
    return found


def unused_marks(places: Output, ids: Sequence[str]) -> list[str]:
    """Return a sentence about files of marks that belong to no submission: no typed mark is passed over in silence."""
    files = sorted({file for folder in places.marks for file in folder.glob("*.yaml") if file.stem not in ids})
    if not files:
        return []
    named = listed([printable(str(from_here(file))) for file in files], _MOST_NAMED)
    return [f"{named}: no submission has this id, so these marks count for nobody; name the file by an id"]
