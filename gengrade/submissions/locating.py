"""Locate the parts of an assignment among a submission's files, whatever its author called the folders.

The result depends on paths alone. A folder is a candidate for a part when it holds files that only that part asks for,
or has the part's name. The candidate with the most files is chosen, a name like the part's counting as well, and of
equal ones the one at the highest level.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePosixPath

from gengrade.parts import Part, copies, uncopied
from gengrade.paths import printable
from gengrade.submissions.selection import PROGRAMS
from gengrade.texts import listed

TOP_FOLDER = "the top folder"  # of a submission, in messages
_HERE = PurePosixPath()
# Names of copies that students keep beside their work, which are graded only when there is nothing else.
SECOND_RATE = re.compile(
    r"old|backup|template|handout|original|copy|kopie|archive|deprecated|tmp|unused|draft|wip|(?<![a-z])(?:test|try)s?$",
    re.I,
)
_NAMED, _HINTED, _UNNAMED = 2, 1, 0
_MOST_LEFT_OUT = 3  # files that a note names


@dataclass(frozen=True, slots=True)
class Place:
    """A part's files, by path relative to the part in the clean tree, and the place's name for messages."""

    files: dict[PurePosixPath, PurePosixPath]
    shown: str


@dataclass(frozen=True, slots=True)
class Located:
    """The place of each part (None: not handed in), and notes on ambiguous choices."""

    places: dict[str, Place | None]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    part: str
    folder: PurePosixPath
    score: int

    @property
    def rank(self) -> tuple[int, int, str]:
        """A key for sorting; the smallest is the best candidate."""
        return (-self.score, len(self.folder.parts), self.folder.as_posix())


def locate(files: Sequence[PurePosixPath], parts: Mapping[str, Part]) -> Located:
    """Return the place of every part among the files; the order of files and parts does not matter.

    files: paths relative to the submission.
    parts: the parts of the assignment, by key.
    """
    tree = _Tree(files)
    candidates = sorted(_candidates(tree, parts), key=lambda candidate: (candidate.rank, candidate.part))
    folders: dict[str, PurePosixPath] = {}
    for candidate in candidates:
        if candidate.part not in folders and candidate.folder not in folders.values():
            folders[candidate.part] = candidate.folder
    places: dict[str, Place | None] = {}
    notes: list[str] = []
    for key, part in parts.items():
        if part.folder is None:
            places[key] = _loose(key, part, tree, set(folders.values()), notes)
        elif key in folders:
            taken = {folder for other, folder in folders.items() if other != key}
            inside = _whole(part, folders[key], taken, tree)
            places[key] = Place(inside, _shown(folders[key]))
            _note_raised(key, folders[key], inside, notes)
            rivals = [c.folder for c in candidates if c.part == key and c.folder not in folders.values()]
            _note_rivals(f"part {key}", folders[key], rivals, notes)
        else:
            places[key] = None
    notes.extend(_about_copies(tree))
    return Located(places, tuple(notes))


class _Tree:
    """The files of a submission, grouped by folder."""

    def __init__(self, files: Sequence[PurePosixPath]) -> None:
        self.files = sorted(files, key=lambda path: (len(path.parts), path.as_posix()))
        self.names: dict[PurePosixPath, set[str]] = {}
        self.with_programs: set[PurePosixPath] = set()
        for path in self.files:
            for folder in path.parents:
                self.names.setdefault(folder, set())
            self.names[path.parent].add(path.name)
            if path.suffix.lower() in PROGRAMS:
                self.with_programs.update(path.parents)


def _candidates(tree: _Tree, parts: Mapping[str, Part]) -> Iterator[_Candidate]:
    folders = {key: part.folder for key, part in parts.items() if part.folder is not None}
    for key, name in folders.items():
        part = parts[key]
        others = {_bare(other) for other in folders.values()} - {_bare(name)}
        own = set(part.files).difference(*(parts[other].files for other in parts if other != key))
        for folder, names in tree.names.items():
            found = {file for file in part.files if part.called(file, names)}
            hits = len(found)
            naming = _naming(folder, key, name)
            if _belongs_to_another(folder, _bare(name), others):
                continue
            named = naming == _NAMED and folder in tree.with_programs
            if named or found & own or (naming == _HINTED and hits):
                yield _Candidate(key, folder, hits + naming - _is_second_rate(folder))


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def _naming(folder: PurePosixPath, key: str, name: str) -> int:
    """Return how well a folder's name fits the part whose folder is called `name` and whose key is `key`."""
    bare = _bare(folder.name)
    if bare == _bare(name):
        return _NAMED
    if any(_bare(parent.name) == _bare(name) for parent in folder.parents):
        return _HINTED
    hint = re.search(rf"{re.escape(_bare(name))}(?!\d)|{re.escape(_bare(key))}", bare)
    return _HINTED if hint else _UNNAMED


def _belongs_to_another(folder: PurePosixPath, own: str, others: Set[str]) -> bool:
    """Return whether the folder, or its nearest ancestor that has a part's name, has the name of another part."""
    for component in reversed(folder.parts):
        if _bare(component) == own:
            return False
        if _bare(component) in others:
            return True
    return False


def _whole(
    part: Part, folder: PurePosixPath, taken: Set[PurePosixPath], tree: _Tree
) -> dict[PurePosixPath, PurePosixPath]:
    """Return the files in `folder` without other parts' folders; requested files move up from its subfolders."""
    inside = [
        path
        for path in tree.files
        if path.is_relative_to(folder)
        and not any(path.is_relative_to(other) for other in taken if other != folder and other.is_relative_to(folder))
    ]
    files = {path.relative_to(folder): path for path in inside}
    folders = {parent for path in files for parent in path.parents}
    for file in part.files:
        if not part.called(file, {path.name for path in files if len(path.parts) == 1}):
            for path in _holders(part, file, inside)[:1]:
                if PurePosixPath(path.name) not in folders:
                    files[PurePosixPath(path.name)] = path
    return files


def _holders(part: Part, file: str, paths: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Return the paths that may be the requested file, the best name first, and of equal names the highest level."""
    names = part.called(file, {path.name for path in paths})
    return [path for name in names for path in paths if path.name == name]


def _note_raised(
    key: str, folder: PurePosixPath, files: Mapping[PurePosixPath, PurePosixPath], notes: list[str]
) -> None:
    for target, source in files.items():
        if source != folder / target:
            notes.append(f"{_shown(source)} is used as {target} of part {key}, which {_shown(folder)} itself lacks")


def _loose(key: str, part: Part, tree: _Tree, taken: Set[PurePosixPath], notes: list[str]) -> Place | None:
    """Return the place of a part without a folder: each file is taken from the highest level that has it."""
    tree = _without_solutions(part, tree, notes)
    if part.whole:
        return _everything(part, tree)
    if part.beside:
        return _with_neighbours(key, part, tree, taken, notes)
    files: dict[PurePosixPath, PurePosixPath] = {}
    for file in part.files:
        found = _holders(part, file, tree.files)
        if found:
            files[PurePosixPath(found[0].name)] = found[0]
            _note_rivals(f"{file} of part {key}", found[0], found[1:], notes)
    return Place(files, ", ".join(_shown(path) for path in files.values())) if files else None


def _without_solutions(part: Part, tree: _Tree, notes: list[str]) -> _Tree:
    """Return the files without those that have names of the course's own solutions.

    A student may have used such a name. If nothing else was handed in, what has it once stays, with a note. Solutions
    of the course have it twice, as a folder and as files.
    """
    out = [path for path in tree.files if part.leaves_out(path)]
    if not out:
        return tree
    others = [path for path in tree.files if path not in out]
    theirs = [path for path in out if sum(part.leaves_out(PurePosixPath(name)) for name in path.parts) == 1]
    if any(_holders(part, file, others) for file in part.files) or not any(
        _holders(part, file, theirs) for file in part.files
    ):
        names = listed([_shown(path) for path in out], _MOST_LEFT_OUT)
        notes.append(f"{names}: left out, since the name is that of the course's own solution")
        return _Tree(others)
    names = listed([_shown(path) for path in theirs], _MOST_LEFT_OUT)
    notes.append(f"{names}: graded, since nothing else was handed in, but the name is that of the course's solution")
    return _Tree([*others, *theirs])


def _with_neighbours(key: str, part: Part, tree: _Tree, taken: Set[PurePosixPath], notes: list[str]) -> Place | None:
    """Return the whole folder that holds the requested files, with those that lie elsewhere added to it.

    Of the folders of other parts (`taken`) it holds the programs only, since it may import them.
    """
    good = [path for file in part.files for path in _best(part, file, tree)]
    programs = [path for path in good if path.suffix.lower() in PROGRAMS]
    if not programs:
        return None
    folder = min((path.parent for path in programs), key=lambda parent: len(parent.parts))
    inside = [path for path in tree.files if path.is_relative_to(folder)]
    files = {
        path.relative_to(folder): path
        for path in inside
        if path.suffix.lower() in PROGRAMS or not any(path.is_relative_to(other) for other in taken)
    }
    for path in good:
        files.setdefault(PurePosixPath(path.name), path)
    _note_raised(key, folder, {target: path for target, path in files.items() if path in good}, notes)
    return Place(files, _shown(folder))


def _everything(part: Part, tree: _Tree) -> Place | None:
    """Return all files below the folder that holds all programs and notebooks, if there are any.

    They keep their whole paths, since each folder's name may say what they are, as in `lab3/src/common.py`.
    """
    if not any(path.suffix.lower() in PROGRAMS for path in tree.files):
        return None
    good = {path for file in part.files for path in _best(part, file, tree)}
    files = [path for path in tree.files if not _is_second_rate(path.parent) or path in good]
    folders = [path.parent.parts for path in files if path.suffix.lower() in PROGRAMS]
    shared = takewhile(lambda level: len(set(level)) == 1, zip(*folders, strict=False))
    top = PurePosixPath(*(level[0] for level in shared))
    return Place({path: path for path in files if path.is_relative_to(top)}, _shown(_HERE))


def _best(part: Part, file: str, tree: _Tree) -> list[PurePosixPath]:
    """Return the paths of a requested file: those with exactly its name, otherwise all with a name that it may have.

    Several files may together be the requested one. Copies that students keep beside their work are left out, unless
    there is nothing else.
    """
    found = _holders(part, file, tree.files)
    found = [path for path in found if not _is_second_rate(path.parent)] or found
    return [path for path in found if path.stem == PurePosixPath(file).stem] or found


def _is_second_rate(folder: PurePosixPath) -> bool:
    return any(SECOND_RATE.search(component) for component in folder.parts)


def _note_rivals(what: str, chosen: PurePosixPath, rivals: Sequence[PurePosixPath], notes: list[str]) -> None:
    if rivals:
        listed = ", ".join(_shown(rival) for rival in rivals[:3]) + (" …" if len(rivals) > 3 else "")
        notes.append(f"{what} is read from {_shown(chosen)}, not from {listed}")


def _about_copies(tree: _Tree) -> Iterator[str]:
    for folder, names in sorted(tree.names.items()):
        for name in sorted(copies(names)):
            if PurePosixPath(name).suffix.lower() in PROGRAMS:
                yield f"{_shown(folder / name)} is a copy beside {printable(uncopied(name))}, which is graded instead"


def path_below(place: str, *rest: str) -> str:
    """Return the path in a submission of what lies at `rest` below a folder that messages call `place`."""
    return "/".join(rest if place == TOP_FOLDER else (place, *rest))


def _shown(path: PurePosixPath) -> str:
    return printable(TOP_FOLDER if path == _HERE else path.as_posix())
