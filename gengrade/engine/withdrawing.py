"""Move the results of submissions aside that were taken out of the class, so that no page shows them any more.

Three properties are deliberate:

1. Nothing is deleted: a folder of results is moved, and marks stay where they are.
2. A run over a part of the class, or over one submission, withdraws nobody.
3. If most of the class would disappear, another class was probably given, and the run is refused.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from gengrade.engine.errors import UsageError
from gengrade.engine.options import Options
from gengrade.engine.record import Earlier
from gengrade.paths import from_here, printable
from gengrade.places import WITHDRAWN, Owners, folder_for, require_ours
from gengrade.submissions import Discovery
from gengrade.texts import listed

_FEW: Final = 3  # submissions, of which a few may all be withdrawn
_NAMED: Final = 8  # in a sentence


def absent(
    options: Options, out: Path, earlier: Earlier, discovery: Discovery
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the students of the last run who are not in the class any more, and those who only are not asked for.

    Raises UsageError if the results are those of another class.
    """
    gone = {} if discovery.single else gone_from(out, earlier.names, [s.id for s in discovery.submissions])
    if options.only is not None:
        require_ours(out, gone)
        return {}, gone
    refuse_another_class(options.path, out, earlier, gone)
    return gone, {}


def gone_from(out: Path, earlier: Mapping[str, str], present: Collection[str]) -> dict[str, str]:
    """Return those of the earlier students whose results are there, and who are not in the class any more.

    out: the folder of results.
    earlier: the names of the students of the last run, by their ids.
    present: the ids of the submissions that are in the class now.

    Raises PlaceError if a folder that would have to be moved, or the one that it would be moved to, is a link or
    belongs to a user who is not trusted.
    """
    owners = Owners.of(out)
    gone = {}
    for id_, name in earlier.items():
        if id_ not in present and id_ != WITHDRAWN and _require(out / id_, owners):
            gone[id_] = name
    if gone:
        _require(out / WITHDRAWN, owners)
    return gone


def _require(path: Path, owners: Owners) -> bool:
    """Return whether a file or folder is there. Raises PlaceError if it is not ours."""
    try:
        state = path.lstat()
    except FileNotFoundError:
        return False
    owners.require(path, state)
    return True


def refuse_another_class(given: Path, out: Path, earlier: Earlier, gone: Collection[str]) -> None:
    """Raise UsageError if more than half of the submissions whose results are there would be withdrawn.

    given: what the command was given now.
    """
    there = sum((out / id_).is_dir() for id_ in earlier.names)
    if there < _FEW or 2 * len(gone) <= there:
        return
    made = "" if earlier.graded in (None, given.resolve()) else f", made from {_shown(earlier.graded)}"
    raise UsageError(
        f"{given}: it lacks {len(gone)} of the {there} submissions whose results are in {_shown(out)}{made}. If this "
        f"is another class, give another --out. If they were withdrawn, first move their folders out of {_shown(out)}: "
        f"{listed([printable(id_) for id_ in gone], _NAMED)}"
    )


def move_aside(out: Path, gone: Mapping[str, str], given: Path) -> tuple[str, ...]:
    """Move the results of these students to `withdrawn/<id>`, and return a note that says so.

    A second folder of the same id gets a number. Raises PlaceError if `withdrawn` is a link, and OSError.
    """
    if not gone:
        return ()
    moved = [_moved(out, id_) for id_ in gone]
    one = len(gone) == 1
    names = [printable(id_ if name == id_ else f"{name} ({id_})") for id_, name in gone.items()]
    places = listed([printable(str(from_here(place))) for place in moved], _NAMED)
    return (
        f"{listed(names, _NAMED)} {'is' if one else 'are'} not in {_shown(given)} any more: the results were moved to "
        f"{places}, and no page shows them. To bring {'it' if one else 'them'} back, put {'it' if one else 'them'} "
        f"into {_shown(given)} again and give the same command. Marks are kept",
    )


def _moved(out: Path, id_: str) -> Path:
    """Move one folder of results without following a link, and return where it is now."""
    with folder_for(out / id_) as above, folder_for(out / WITHDRAWN / id_) as aside:
        number, name = 1, id_
        while _exists(name, aside):
            number += 1
            name = f"{id_} ({number})"  # no submission has such an id
        os.rename(id_, name, src_dir_fd=above, dst_dir_fd=aside)
    return out / WITHDRAWN / name


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _shown(path: Path) -> str:
    return printable(str(from_here(path)))
