"""Find the submissions at a path, which is a class's folder or a single submission, without unpacking anything."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path, PurePosixPath

from gengrade.archives import is_archive, is_unsupported, members, refusal, sizes, stem
from gengrade.confined import Bounds, Disturbed, Unreadable, confined
from gengrade.parts import Part
from gengrade.paths import fold, printable
from gengrade.submissions.authors import authors, named
from gengrade.submissions.locating import SECOND_RATE, locate
from gengrade.submissions.model import Discovery, Submission, SubmissionError
from gengrade.submissions.names import AUTHOR, Identity, by_author, identify
from gengrade.submissions.ownership import identities
from gengrade.submissions.selection import PROGRAMS, enters, is_hidden, keeps
from gengrade.texts import listed
from gengrade.walking import walk

# Files that commonly lie beside submissions and are not submissions.
_FAMILIAR_SUFFIXES = (".md", ".rst", ".txt", ".csv", ".tsv", ".xlsx", ".ods", ".json", ".yaml", ".yml", ".html", ".xml")
_FAMILIAR_NAMES = {"readme", "license", "makefile", "thumbs.db", "desktop.ini"}
_OUR_FOLDERS = {"results", "marks"}
_OUR_FILES = ("gradebook.csv", "index.html", ".gengrade")  # of a class's results
# Names of folders that belong to a submission beside its code, and are not other students' submissions.
_SUPPORT = {"report", "latex", "tex", "doc", "docs", "figures", "images", "plots", "results", "theory", "data"}
# How authors number the folders of their parts: "part1", "q2", "3".
_NUMBERED = re.compile(r"(part|question|exercise|problem|task|q|ex|p)?[ ._-]*\d{1,2}[a-d]?")
_SAY_NOTHING = {"ipynb", "solution", "template", "homework", "assignment"}  # words of hand-outs' files
# Words of names that people give to their work as a whole, beside which its parts may lie once more.
_WORKS = {
    *("code", "codes", "src", "source", "sources", "submission", "submissions", "submit", "final", "solution", "work"),
    *("solutions", "assignment", "homework", "hw", "project", "practical", "lab", "implementation", "notebook", "my"),
    *("notebooks", "scripts", "script", "lib", "utils", "all", "new", "the", "our", "of", "and", "version", "v", "zip"),
}
_IDS = re.compile(r"(?<!\d)(?!(19|20)\d\d(?!\d))\d{3,}")  # numbers of students and submissions, which are no years
_MOST_OTHERS = 2  # submissions beside parts that make a class
_NAMED = 8  # folders in a note
_LOOK_DEEP = 5  # levels of folders
_LOOK_FILES = 5_000
_LOOK_NAMES = 200_000  # files and folders of any kind, so that no submission takes much time from the class
# Each archive is listed in a confined process of its own, so that a broken one does not affect the rest of the class.
_LOOK = Bounds(cpu_seconds=5, wall_seconds=60.0)


def discover(path: Path, parts: Mapping[str, Part]) -> Discovery:
    """Return the submissions in the folder `path`, or the single submission that `path` is.

    path: a class's folder, or one submission (a folder, an archive or a program).
    parts: the parts of the assignment, by key.

    A folder is one submission when parts of the assignment lie directly in it, or in its only folder of code, unless
    there are submissions of several students beside them: then a note names the parts, which belong to nobody. A
    submission that cannot be read gets an `error`. All paths in the result are absolute.

    Raises SubmissionError when there is nothing to grade at all.
    """
    path = path.absolute()
    if path.is_file():
        if not (is_archive(path) or is_unsupported(path) or path.suffix.lower() in PROGRAMS):
            raise SubmissionError(path, "it is not a folder, a .zip, a .tar.gz or a program; give one of these")
        return Discovery((_single(path),), single=True)
    if not path.is_dir():
        raise SubmissionError(path, "there is no such file or folder; check the path")
    children = _with_authors(_children(path), parts)
    of_parts = _of_parts(children, parts)
    others = _others(children, of_parts, parts) if of_parts else []
    if (of_parts and len(others) < _MOST_OTHERS) or (not of_parts and _is_one(path, children, parts)):
        doubts = (*_doubt_of_one(of_parts, others), *_doubt_of_author(children, parts))
        doubts += () if of_parts else tuple(_doubt_of_labs(children, parts))
        return Discovery((_single(path),), single=True, notes=doubts)
    found = _class(path, children, of_parts)
    return replace(found, notes=(*found.notes, *_doubt([child for child in children if child.is_folder], parts)))


@dataclass(frozen=True)
class _Child:
    """A visible entry of the given folder."""

    path: Path
    mode: int  # of lstat
    identity: Identity

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_packed(self) -> bool:
        return stat.S_ISREG(self.mode) and (is_archive(self.path) or is_unsupported(self.path))

    @property
    def is_submission(self) -> bool:
        return (self.is_folder and not self._is_ours) or self.is_packed or (self._is_file and self.identity.from_system)

    @property
    def is_familiar(self) -> bool:
        """Whether this is a file that is no submission, or a folder of ours, and needs no note."""
        name = self.path.name.casefold()
        ours = self._is_ours and name in _OUR_FOLDERS
        return ours or name in _FAMILIAR_NAMES or (self._is_file and name.endswith(_FAMILIAR_SUFFIXES))

    @cached_property
    def _is_ours(self) -> bool:
        """Whether this is a folder of results or marks, and not of a student of that name, who hands in programs."""
        if self.is_folder and all((self.path / name).exists() for name in _OUR_FILES):
            return True  # what an earlier run wrote, under any name
        if not self.is_folder or self.path.name.casefold() not in _OUR_FOLDERS:
            return False
        inside = _some_below(self.path)
        return not any(file.suffix.lower() in PROGRAMS or is_archive(Path(file)) for file in inside)

    @property
    def _is_file(self) -> bool:
        return stat.S_ISREG(self.mode)


def _children(path: Path) -> list[_Child]:
    try:
        names = sorted(os.listdir(path))
    except OSError as error:
        raise SubmissionError(path, f"it cannot be read ({error.strerror}); check its permissions") from error
    found: list[_Child] = []
    for name in names:
        if enters(name):
            with suppress(OSError):  # it was removed meanwhile, or its path is too long for the system
                found.append(_Child(path / name, (path / name).lstat().st_mode, identify(name)))
    return found


def _with_authors(children: Sequence[_Child], parts: Mapping[str, Part]) -> list[_Child]:
    """Return the entries, of which programs with the names of several authors belong to these."""
    plain = [child.path.name for child in children if stat.S_ISREG(child.mode) and not child.identity.from_system]
    found = authors(plain, parts)
    owners = {name: by_author(name, author) for name, author in found.items()}
    return [replace(child, identity=owners.get(child.path.name, child.identity)) for child in children]


def _of_parts(children: Sequence[_Child], parts: Mapping[str, Part]) -> list[str]:
    """Return the names of the entries that are parts of one submission: folders named like parts, and their files."""
    names = {_plain_name(part.folder) for part in parts.values() if part.folder}
    folders = [c.path.name for c in children if c.is_folder and _plain_name(c.path.name) in names]
    here = _plain_files(children)
    places = locate(here, parts).places
    held = [part for key, part in parts.items() if places[key]]
    files = {name for part in held for file in part.files for name in part.called(file, {each.name for each in here})}
    return [*folders, *sorted(files)]


def _plain_files(children: Sequence[_Child]) -> list[PurePosixPath]:
    # Files named by a learning management system belong to several students, whatever they hold.
    return [PurePosixPath(c.path.name) for c in children if not c.is_folder and not c.identity.from_system]


def _others(children: Sequence[_Child], of_parts: Collection[str], parts: Mapping[str, Part]) -> list[str]:
    """Return the names of entries beside parts that may be students' submissions, at most `_MOST_OTHERS` of them.

    These are folders and archives that hold parts of the assignment. Those with the same programs whose names have the
    same letters count once, and what is named like a copy of somebody's own work does not count. What a learning
    management system named counts by owner.
    """
    owned = {child.identity.key: child.path.name for child in children if child.identity.from_system}
    if len(owned) >= _MOST_OTHERS:
        return [*owned.values()][:_MOST_OTHERS]
    found: dict[tuple[str, frozenset[tuple[str, int]]], str] = {}
    for child in children:
        name = child.path.name
        if name in of_parts or not (child.is_folder or child.is_packed) or child.is_familiar:
            continue
        try:
            inside = _files_in(child)
        except (Unreadable, Disturbed):
            continue
        places = locate([PurePosixPath(file) for file, _ in inside], parts).places
        held = [key for key, place in places.items() if place]
        if held and not _is_ones_own(stem(name), held, parts):
            programs = frozenset(_programs((PurePosixPath(file), size) for file, size in inside))
            letters = "".join(re.findall(r"[^\W\d_]", fold(stem(name))))
            whose = stem(name) if _IDS.search(stem(name)) or not letters else letters
            found.setdefault((whose, programs), name)
            if len(found) == _MOST_OTHERS:
                break
    return [*found.values()]


def _is_ones_own(name: str, keys: Iterable[str], parts: Mapping[str, Part]) -> bool:
    """Return whether a folder or archive is named after a part, a copy or the whole work, and not after a person."""
    words = set(re.findall(r"[^\W\d_]+", fold(name)))
    of_work = bool(words) and words <= _WORKS | _SUPPORT and not _IDS.search(name)
    return of_work or bool(SECOND_RATE.search(name)) or _is_named_for(name, keys, parts)


def _doubt_of_one(of_parts: Sequence[str], others: Sequence[str]) -> Iterator[str]:
    """Yield a note where what is graded as one submission may be a class."""
    for name in others:
        yield (
            f"everything is graded as one submission, since {listed([printable(one) for one in of_parts], _NAMED)} "
            f"{'lies' if len(of_parts) == 1 else 'lie'} beside {printable(name)}; if {printable(name)} is a student's "
            "submission, put each submission into a folder of its own"
        )


def _doubt_of_labs(children: Sequence[_Child], parts: Mapping[str, Part]) -> Iterator[str]:
    """Yield a note where folders that may be several students' are graded as the labs of one."""
    if not any(part.whole for part in parts.values()):
        return
    names = [child.path.name for child in children if child.is_folder and any(_holding(child.path, parts))]
    if len(names) > 1:
        yield (
            f"{listed([printable(name) for name in names], _NAMED)} are graded as one submission, since these are "
            "names of labs; if they are several students', give the folders the students' names"
        )


def _doubt_of_author(children: Sequence[_Child], parts: Mapping[str, Part]) -> Iterator[str]:
    """Yield a note where programs with the names of several authors are graded as one submission."""
    found, others = named([file.name for file in _plain_files(children)], parts)
    if others and len({author.casefold() for author in found.values()}) > 1:
        yield (
            f"{listed([printable(name) for name in found], _NAMED)} are graded as one submission, since the names of "
            "other programs beside them hold no author; if they are several students', put each into its own folder"
        )


def _files_in(child: _Child) -> list[tuple[str, int]]:
    """Return paths and sizes of some files in a folder or an archive. Raises Unreadable and Disturbed."""
    if child.is_folder:
        return [(file.as_posix(), size) for file, size in _below(child.path)]
    return confined(partial(_listed, child.path), list[tuple[str, int]], _LOOK)


def _listed(archive: Path) -> list[tuple[str, int]]:
    return [(file.as_posix(), size) for file, size in sizes(archive, _LOOK_FILES) if keeps(file)]


def _is_one(path: Path, children: Sequence[_Child], parts: Mapping[str, Part]) -> bool:
    """Return whether the folder `path`, in which no part lies directly, is one submission and not a class of them."""
    here = _plain_files(children)
    folders = [child for child in children if child.is_folder]
    if any(child.identity.from_system for child in children):
        return False
    if any(child.is_packed for child in children):
        return identify(path.resolve().name).from_system
    return _is_container(folders, here, parts)


def _is_container(folders: Sequence[_Child], files: Sequence[PurePosixPath], parts: Mapping[str, Part]) -> bool:
    """Return whether these folders, none of which has the name of a part, belong to one author."""
    out = [each for each in folders if any(part.leaves_out(PurePosixPath(each.path.name)) for part in parts.values())]
    folders = [folder for folder in folders if folder not in out]
    holdings = [_holding(folder.path, parts) for folder in folders]
    empty = [folder for folder, held in zip(folders, holdings, strict=True) if not held]
    full = [held for held in holdings if held]
    if len(full) == 1:
        return all(folder.path.name.casefold() in _SUPPORT for folder in empty)
    if not full:
        students = any(file.suffix in PROGRAMS for folder in folders for file in _some_below(folder.path))
        return not students and bool(folders or any(file.suffix in PROGRAMS for file in files))
    if all(parts[key].whole for held in full for key in held):
        return _are_labs([folder.path.name for folder in folders if folder not in empty], parts)
    return _hold_different_parts(full) and all(
        _is_named_for(folder.path.name, held, parts) for folder, held in zip(folders, holdings, strict=True) if held
    )


def _hold_different_parts(holdings: Sequence[Mapping[str, PurePosixPath]]) -> bool:
    """Whether each of these folders is another part of one assignment, with nothing in between."""
    keys = [key for held in holdings for key in held]
    return len(keys) == len(set(keys)) and all(held[key] == PurePosixPath() for held in holdings for key in held)


def _is_named_for(name: str, keys: Iterable[str], parts: Mapping[str, Part]) -> bool:
    """Whether a folder has a name that an author gives to a part: what it holds, or its number.

    Folders with the names of people are those of a class in which each handed in one part.
    """
    folded = fold(name)
    texts = [text for key in keys for text in (key, *parts[key].files)]
    words = {word for text in texts for word in re.findall(r"[a-z]{3,}", text.lower())} - _SAY_NOTHING
    return any(word in folded for word in words) or bool(_NUMBERED.fullmatch(folded))


def _are_labs(names: Sequence[str], parts: Mapping[str, Part]) -> bool:
    """Return whether folders that each hold work of an assignment of several files are one student's labs.

    Each name has words of those files, perhaps words of work as a whole, and no others, which may be a person's
    ("Simone"). Beyond words of work, no two say the same: "my lab" and "new lab" may be two students'. A number is that
    of a file ("lab 2") and no student's ("lab 104").
    """
    files = [{*re.findall(r"[a-z]+", file.lower())} for part in parts.values() for file in part.files]
    of_files = {word.removesuffix("s") for words in files for word in words}
    of_work = {word.removesuffix("s") for word in _WORKS | _SUPPORT}
    said = []
    for name in names:
        words = {word.removesuffix("s") for word in re.findall(r"[^\W\d_]+", fold(name))}
        numbers = {int(number) for number in re.findall(r"\d+", name)}
        if (
            not words & of_files
            or words - of_files - of_work
            or any(not 0 < number <= len(files) for number in numbers)
        ):
            return False
        said.append(frozenset(words - of_work) | numbers)
    return len(set(said)) == len(said)


def _doubt(folders: Sequence[_Child], parts: Mapping[str, Part]) -> Iterator[str]:
    """Return a note where folders that are graded as several students' may be one student's."""
    holdings: list[Mapping[str, PurePosixPath]] = []
    for folder in folders:  # a class has a second student with the same part soon, so that few folders are looked into
        holdings.append(_holding(folder.path, parts))
        if not holdings[-1] or not _hold_different_parts(holdings):
            return
    if len(holdings) > 1:
        names = listed([printable(folder.path.name) for folder in folders], _NAMED)
        yield (
            f"{names} hold a different part each, and are graded as different students; if they are one student's, "
            f"give the folders the names of their parts ({', '.join(parts)})"
        )


def _holding(folder: Path, parts: Mapping[str, Part]) -> dict[str, PurePosixPath]:
    """Return the parts that lie in a folder, each with its subfolder."""
    places = locate(list(_some_below(folder)), parts).places
    return {
        key: min((source.parent for source in place.files.values()), key=lambda parent: len(parent.parts))
        for key, place in places.items()
        if place
    }


def names_in(submission: Submission) -> list[str]:
    """Return the names of a submission's files, as far as they are known without unpacking it."""
    found: list[str] = []
    files: Iterable[PurePosixPath]
    for source in (submission.source, *submission.attachments):
        if stat.S_ISDIR(_mode(source)):
            files = _some_below(source)
        elif is_archive(source):
            files = (path for path in members(source, _LOOK_FILES) if keeps(path))
        else:
            files = [PurePosixPath(identify(source.name).file or source.name)]
        found += [file.name for file in files]
    return found


def _mode(path: Path) -> int:
    """Return the mode of a path without following links, or 0 if it does not exist."""
    try:
        return path.lstat().st_mode
    except OSError:
        return 0


def _some_below(folder: Path) -> Iterator[PurePosixPath]:
    return (file for file, _ in _below(folder))


def _below(folder: Path) -> Iterator[tuple[PurePosixPath, int]]:
    """Yield relative paths and sizes of some regular files below `folder`, ignoring what cannot be read."""
    seen = walk(folder, _LOOK_DEEP, _LOOK_NAMES, enters)
    files = ((PurePosixPath(*one.components), one.state.st_size) for one in seen if one.state and one.is_file)
    return islice(((file, size) for file, size in files if keeps(file)), _LOOK_FILES)


def _plain_name(name: str) -> str:
    return fold(name).replace(" ", "").replace("_", "").replace("-", "")


def _single(path: Path) -> Submission:
    name = path.resolve().name or "submission"
    name = name if path.is_dir() or path.suffix.lower() not in PROGRAMS else PurePosixPath(name).stem
    identity = identify(name)
    error = refusal(path) if path.is_file() and path.suffix.lower() not in PROGRAMS else None
    if path.is_symlink():  # `prepare` follows no links
        error = "it is a symbolic link; give the real path instead"
    return Submission(
        identity.id,
        identity.name,
        identity.late,
        path,
        error=_sentence(path, error),
        origin=identity.key,
        handed_in=identity.handed_in.isoformat() if identity.handed_in else None,
    )


def _class(path: Path, children: Sequence[_Child], of_parts: Collection[str] = ()) -> Discovery:
    """Return the submissions of a class. `of_parts`: the names of entries that are parts of nobody's submission."""
    notes: list[str] = []
    for child in children:
        if child.path.name in of_parts:
            graded = "is graded by itself" if child.is_submission else "is ignored"
            notes.append(
                f"{printable(child.path.name)} is a part of a submission that lies beside whole ones, so it belongs to "
                f"nobody and {graded}; put it into its author's folder"
            )
        elif stat.S_ISLNK(child.mode):
            notes.append(
                f"{printable(child.path.name)} is a symbolic link and is ignored; put the real folder in its place"
            )
        elif not child.is_submission and not child.is_familiar:
            notes.append(f"{printable(child.path.name)} is not a submission and is ignored")
    for name in sorted(os.listdir(path)):
        if not is_hidden(name) and not name.startswith("__") and not enters(name):
            notes.append(
                f"{printable(name)} is named like an environment or a cache and is ignored; "
                "if it is a student's submission, rename it"
            )
    handed_in = [child for child in children if child.is_submission]
    if not handed_in:
        raise SubmissionError(path, "it holds no submissions (folders, .zip or .tar.gz); check the path")
    packed = [child.path.name for child in handed_in if child.is_folder or child.is_packed]
    owners, doubts = identities([child.path.name for child in handed_in], packed)
    groups: dict[tuple[str, ...], list[_Child]] = {}
    for child in handed_in:
        identity = child.identity if child.identity.system == AUTHOR else owners[child.path.name]
        groups.setdefault(identity.key, []).append(replace(child, identity=identity))
    found: list[tuple[str, Submission]] = []
    for key, group in groups.items():
        works, unseen = _of_one_work(group)
        for together in works:
            said = [f"{_SEPARATE}, since {doubts[name]}" for name in _names(together) if name in doubts]
            said += [unseen[name] for name in _names(together) if name in unseen]
            if len(works) > 1:
                rivals = ", ".join(printable(other[0].path.name) for other in works if other is not together)
                said.append(f"its programs differ from those of {rivals}, so each is graded as a separate submission")
            exact = "\0".join(key) if len(works) == 1 else f"{together[0].path.name}\0"
            submission = _submission(together)
            found.append((exact, replace(submission, notes=(*said, *submission.notes))))
    unique = _unique(found)
    return Discovery(unique, single=False, notes=(*notes, *_summed_up(unique)))


_SEPARATE = "it is graded as a separate submission"


def _names(children: Iterable[_Child]) -> list[str]:
    return [child.path.name for child in children]


def _summed_up(submissions: Iterable[Submission]) -> Iterator[str]:
    """Yield one sentence for each reason to grade files as separate submissions, with the names of these files."""
    said: dict[str, list[str]] = {}
    for submission in submissions:
        for note in submission.notes:
            if note.startswith(_SEPARATE):
                said.setdefault(note, []).append(printable(submission.source.name))
    for note, names in said.items():
        yield f"{listed(names, 5)}: {note}"


def _of_one_work(group: Sequence[_Child]) -> tuple[list[list[_Child]], dict[str, str]]:
    """Divide entries with one identity into works, each to be graded as one submission.

    Names that a learning management system gave belong together. Entries with names that students chose, such as
    "doe" and "doe.zip", are one work only if they hold the same programs.

    Returns the works, in each of which the entry to be graded comes first, and a note for each entry, by name, that
    could not be opened.
    """
    if len(group) == 1 or group[0].identity.from_system:
        return [list(group)], {}
    works: list[tuple[_Programs, list[_Child]]] = []
    held: dict[Path, _Programs] = {}
    unseen: dict[str, str] = {}
    for child in group:
        try:
            held[child.path] = _programs_in(child)
        except (Unreadable, Disturbed) as error:
            held[child.path] = frozenset()
            unseen[child.path.name] = f"{printable(child.path.name)} could not be opened: {error}"
    # An entry without programs, or one that cannot be opened, never replaces one with programs.
    for child in sorted(group, key=lambda child: (not held[child.path], not child.is_folder, child.path.name)):
        same = [together for other, together in works if not held[child.path] or held[child.path] == other]
        if same:
            same[0].append(child)
        else:
            works.append((held[child.path], [child]))
    return [together for _, together in works], unseen


_Programs = frozenset[tuple[str, int]]


def _programs_in(child: _Child) -> _Programs:
    """Return names and sizes of the programs in a folder or an archive, without unpacking it."""
    if child.is_folder:
        return frozenset(_programs(_below(child.path)))
    return frozenset(confined(partial(_packed, child.path), list[tuple[str, int]], _LOOK))


def _packed(archive: Path) -> list[tuple[str, int]]:
    return _programs((file, size) for file, size in sizes(archive, _LOOK_FILES) if keeps(file))


def _programs(files: Iterable[tuple[PurePosixPath, int]]) -> list[tuple[str, int]]:
    return [(file.name, size) for file, size in files if file.suffix.lower() in PROGRAMS]


def _submission(group: Sequence[_Child]) -> Submission:
    """Return the submission that one student's files form together."""
    kept, notes = _last_attempts(group)
    first, *others = sorted(kept, key=lambda child: (not (child.is_folder or child.is_packed), child.path.name))
    lates = [child.identity.late for child in kept if child.identity.late is not None]
    times = [child.identity.handed_in for child in kept if child.identity.handed_in is not None]
    submission = Submission(
        id=first.identity.id,
        name=first.identity.name,
        late=any(lates) if lates else None,
        source=first.path,
        attachments=tuple(child.path for child in others),
        notes=tuple(notes),
        origin=first.identity.key,
        handed_in=max(times).isoformat() if times else None,
    )
    return submission if others else replace(submission, error=_unreadable(first))


def _last_attempts(group: Sequence[_Child]) -> tuple[list[_Child], list[str]]:
    """Return the entries that count, without earlier attempts or archives that are also there unpacked, and notes."""
    whole = max((child.identity.attempt for child in group if child.identity.replaces_all), default=())
    best: dict[str, _Child] = {}
    if group[0].identity.from_system:
        for child in sorted(group, key=lambda child: (child.identity.attempt, child.is_folder, child.path.name)):
            best[_work(child)] = child
    else:
        best[""] = group[0]  # the group is a single work, and its first entry counts
    kept = [c for c in best.values() if not c.identity.replaces_all or c.identity.attempt == whole]
    names = {child.path.name for child in kept}
    dropped = sorted(child.path.name for child in group if child.path.name not in names)
    shown = ", ".join(printable(name) for name in sorted(names))
    return kept, [f"{printable(name)} is ignored, since {shown} replaces it" for name in dropped]


def _work(child: _Child) -> str:
    """Return a key that is equal for two attempts at one file, and for an archive and its unpacked folder."""
    return stem(child.identity.file)


def _unreadable(child: _Child) -> str | None:
    if child.is_packed:
        return _sentence(child.path, refusal(child.path))
    if child.is_folder and not os.access(child.path, os.R_OK | os.X_OK):
        return _sentence(child.path, "it may not be read; check its permissions")
    return None


def _sentence(path: Path, reason: str | None) -> str | None:
    return None if reason is None else f"{printable(path.name)}: {reason}"


def _unique(found: Sequence[tuple[str, Submission]]) -> tuple[Submission, ...]:
    """Return the submissions sorted by id, with ids that differ even if case and Unicode form are ignored.

    found: the submissions, each with a text that no other one has.

    If several submissions would have the same id, each of them gets a suffix, the hash of its own text. So an id does
    not change, and nobody gets the results or marks of somebody else, when another submission is added to the class.
    """
    levels = [0] * len(found)
    while True:
        ids = [_id_at(level, exact, one.id) for level, (exact, one) in zip(levels, found, strict=True)]
        counts = Counter(map(fold, ids))
        shared = [place for place, id_ in enumerate(ids) if counts[fold(id_)] > 1]
        if not shared:
            break
        for place in shared:
            levels[place] += 1
    unique = []
    for level, id_, (_, one) in zip(levels, ids, found, strict=True):
        said = (f"its id is {id_}, since another submission has a similar name",) if level else ()
        unique.append(replace(one, id=id_, notes=(*said, *one.notes)))
    return tuple(sorted(unique, key=lambda one: one.id))


def _id_at(level: int, exact: str, id_: str) -> str:
    """Return the id with the first 8·`level` digits of a hash as its suffix."""
    if not level:
        return id_
    return f"{id_}-{hashlib.sha256(exact.encode(errors='surrogateescape')).hexdigest()[: 8 * level]}"
