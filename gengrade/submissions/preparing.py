"""Make the clean, read-only trees of a submission's files: one from which its code runs, and one for people to read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath

from gengrade.archives import MIB, ArchiveError, Caps, extract, is_archive, is_unsupported, stem
from gengrade.parts import NOTEBOOK, Part
from gengrade.paths import Refused, SafePaths, printable
from gengrade.sandbox.guest.settings import ENTRY
from gengrade.sandbox.guest.workplace import MOST_FILES, MOST_FOLDERS
from gengrade.submissions.locating import locate
from gengrade.submissions.model import LaidOut, Prepared, Submission, SubmissionError
from gengrade.submissions.names import identify
from gengrade.submissions.selection import CHECKPOINTS, PDF, PROGRAMS, enters, keeps
from gengrade.texts import few, listed
from gengrade.walking import CHANGED, Plain, reason, walk

_FILE_BYTES = 16 * MIB
_NOTEBOOK_BYTES = 128 * MIB  # a larger one than other files are loses its outputs
_CHECKPOINT_BYTES = 64 * MIB
_DOCUMENT_BYTES = 64 * MIB  # of a PDF or a notebook, where people read it
_TREE_BYTES = 256 * MIB
# Students put archives into archives: inner archives are unpacked until a program is found, at most to this depth and
# at most so many at each.
_NESTING = 2
_MOST_NESTED = 8
_MOST_NOTES = 20
_LONGEST_NOTE = 500
_MOST_NAMED = 3  # files for which there is no room that a note names
_MOST_WEIGHTS = 3  # files of weights that a note names
_MOST_LISTED = 41  # files that reports name, or one less and the number of the others
DEEPEST = 64  # levels of folders that are entered
DOCUMENTS = "documents"  # the folder of a tree for people to read


def prepare(
    submission: Submission, into: Path, parts: Mapping[str, Part], entry: Mapping[str, str], scratch: Path
) -> Prepared:
    """Make the submission's clean tree: <part key>/<files of that part>.

    into: the tree's folder, which must not exist. The caller removes it if this function raises.
    parts: the parts of the assignment, by key; a part that was not handed in is no error.
    entry: names that the rubric sets, by role; they are written beside the parts, for the course's adapters.
    scratch: a folder to unpack archives in, which the caller removes.

    Only regular files are copied, without following links. The hash depends on paths and contents alone.

    Raises SubmissionError or ArchiveError when the submission cannot be read as a whole, and OSError for faults of the
    machine, such as a full disk.
    """
    gathering = _Gathering(submission, scratch)
    found = gathering.gather()
    located = locate(list(found), parts)
    copies = {
        PurePosixPath(key, target): found[source]
        for key, place in located.places.items()
        if place
        for target, source in place.files.items()
    }
    notes = [*gathering.notes, *located.notes]
    kept = _affordable(copies, notes)
    digest = _copy(kept, into, entry)
    shown = {key: place.shown if place else None for key, place in located.places.items()}
    size = sum(file.size for file in kept.values())
    return Prepared(into, shown, digest, _shortened(notes), len(kept), size, _listed(found))


def lay_out_documents(submission: Submission, into: Path, scratch: Path) -> LaidOut:
    """Make a tree of all files of a submission that people may want to read: documents/<relative path>.

    into: the tree's folder, which must not exist. The caller removes it if this function raises.
    scratch: a folder to unpack archives in, which the caller removes.

    It differs from the tree of `prepare`: inner archives are always unpacked, notebooks keep their outputs, and weights
    are left out, since nobody reads them.

    Raises SubmissionError, ArchiveError and OSError as `prepare` does.
    """
    gathering = _Gathering(submission, scratch, to_read=True)
    found = gathering.gather()
    notes = gathering.notes
    weights = [path for path in found if path.suffix.lower() in CHECKPOINTS]
    if weights:
        names = listed([printable(path.as_posix()) for path in weights], _MOST_WEIGHTS)
        notes.append(f"{names} {'is' if len(weights) == 1 else 'are'} left out: weights, which are not for reading")
    copies = {PurePosixPath(DOCUMENTS, path): file for path, file in found.items() if path not in weights}
    digest = _copy(_affordable(copies, notes), into, {})
    return LaidOut(digest, _shortened(notes))


def discard(tree: Path) -> None:
    """Remove a read-only tree that this module made, if it exists. Links are not followed."""
    if tree.is_symlink() or tree.is_file():
        tree.unlink()
    if not tree.exists():
        return
    for _, _, _, handle in os.fwalk(tree):
        os.fchmod(handle, 0o700)
    shutil.rmtree(tree)


@dataclass(frozen=True, slots=True)
class _File:
    plain: Plain
    size: int
    whole: bool = False  # whether a notebook keeps its outputs, whatever its size


class _Gathering:
    """Collects the files of a submission that matter, and unpacks inner archives where no program lies outside them.

    to_read: whether every file matters, since people read them; then all inner archives are unpacked.
    """

    def __init__(self, submission: Submission, scratch: Path, *, to_read: bool = False) -> None:
        self._submission = submission
        self._scratch = scratch
        self._to_read = to_read
        self._caps = Caps()
        self._paths = SafePaths(self._caps.depth, self._caps.name_bytes)
        self._unpacked = 0
        self.notes: list[str] = []

    def gather(self) -> dict[PurePosixPath, _File]:
        """Return the files by their relative path in the submission.

        Raises ArchiveError for an archive that cannot be unpacked only if no program is found without it (if people
        read the files, no file at all).
        """
        sources = (self._submission.source, *self._submission.attachments)
        found: dict[PurePosixPath, _File] = {}
        errors: list[ArchiveError] = []
        for source in sources:
            own = identify(source.name).file or source.name
            # A single source is the whole submission; several ones become folders in it.
            prefix: tuple[str, ...] = () if len(sources) == 1 else (stem(own),)
            self._try(errors, found, partial(self._opened, source, own, prefix))
        for _ in range(_NESTING):
            inner = sorted(path for path in found if is_archive(Path(path)))
            if not inner or (_has_programs(found) and not self._to_read):
                break
            for path in inner[:_MOST_NESTED]:
                prefix = (*path.parent.parts, stem(path.name))
                self._try(errors, found, partial(self._unpack, found.pop(path).plain, prefix))
                self.notes.append(f"{printable(path.as_posix())} is an archive inside the submission; it was unpacked")
        if errors and not self._suffices(found):
            raise errors[0]
        if self._to_read or not _has_programs(found):
            for path in sorted(path for path in found if is_archive(Path(path))):
                self.notes.append(
                    f"{printable(path.as_posix())} was not unpacked; hand in one archive that holds no other archives"
                )
        self.notes.extend(str(error) for error in errors)
        return {path: file for path, file in found.items() if not is_archive(Path(path))}

    def _suffices(self, found: Mapping[PurePosixPath, _File]) -> bool:
        """Return whether so much is found that an archive that cannot be unpacked is only worth a note."""
        return any(not is_archive(Path(path)) for path in found) if self._to_read else _has_programs(found)

    @staticmethod
    def _try(
        errors: list[ArchiveError],
        found: dict[PurePosixPath, _File],
        read: Callable[[], dict[PurePosixPath, _File]],
    ) -> None:
        try:
            found.update(read())
        except ArchiveError as error:
            errors.append(error)

    def _opened(self, source: Path, own: str, prefix: tuple[str, ...]) -> dict[PurePosixPath, _File]:
        try:
            state = source.lstat()
        except OSError as error:
            raise SubmissionError(source, f"it cannot be read ({error.strerror}); check its permissions") from error
        if stat.S_ISDIR(state.st_mode):
            return self._walk(source, prefix)
        if not stat.S_ISREG(state.st_mode):
            raise SubmissionError(source, "it is neither a folder nor a regular file; put the real one in its place")
        if is_archive(source) or is_unsupported(source):
            return self._unpack(Plain(source), prefix)
        return self._one(_File(Plain(source), state.st_size), (own,))

    def _unpack(self, archive: Plain, prefix: tuple[str, ...]) -> dict[PurePosixPath, _File]:
        self._unpacked += 1
        into = self._scratch / str(self._unpacked)
        try:
            result = extract(archive, into, self._caps, skip=lambda path: not keeps(path))
        except ArchiveError as error:
            # The path of an inner archive is one in our scratch folder; its name is the one that the student gave it.
            raise ArchiveError(archive.name, error.reason) from error
        self._caps = replace(
            self._caps,
            files=self._caps.files - result.files,
            folders=self._caps.folders - result.folders,
            total_bytes=self._caps.total_bytes - result.bytes,
        )
        self.notes.extend(result.left_out)
        return self._walk(into, prefix)

    def _walk(self, root: Path, prefix: tuple[str, ...]) -> dict[PurePosixPath, _File]:
        found: dict[PurePosixPath, _File] = {}
        for seen in walk(root, DEEPEST, self._caps.entries, enters):
            plain = Plain(root, seen.components)
            if seen.fault is not None:
                raise _blamed(plain, seen.fault)
            if seen.state is None or seen.is_folder or not keeps(PurePosixPath(*seen.components)):
                continue
            if seen.is_file:
                found.update(self._one(_File(plain, seen.state.st_size), (*prefix, *seen.components)))
            else:
                shown = printable("/".join(seen.components))
                self.notes.append(f"{shown} is left out, since it is a link or a device")
        return found

    def _one(self, file: _File, components: tuple[str, ...]) -> dict[PurePosixPath, _File]:
        path = file.plain.path
        limit = _limit(path, to_read=self._to_read)
        # An inner archive is unpacked or left out, but never copied.
        limit = self._caps.file_bytes if is_archive(path) else limit
        try:
            if file.size > limit:
                raise Refused(f"is larger than {limit // MIB} MiB")
            return {self._paths.place(components): replace(file, whole=self._to_read)}
        except Refused as refused:
            self.notes.append(f"{printable('/'.join(components))} is left out, since it {refused.reason}")
            return {}


def _limit(path: Path, *, to_read: bool) -> int:
    if to_read and path.suffix.lower() in (PDF, NOTEBOOK):
        return _DOCUMENT_BYTES
    if path.suffix.lower() in CHECKPOINTS:
        return _CHECKPOINT_BYTES
    return _NOTEBOOK_BYTES if path.suffix.lower() == NOTEBOOK else _FILE_BYTES


def _has_programs(files: Iterable[PurePosixPath]) -> bool:
    return any(path.suffix.lower() in PROGRAMS for path in files)


def _blamed(file: Plain, error: OSError) -> Exception:
    """Return a SubmissionError if the submission's author caused the error, otherwise an OSError for the machine's."""
    said = reason(error)
    return OSError(error.errno, error.strerror, str(file.path)) if said is None else SubmissionError(file.path, said)


def _affordable(copies: Mapping[PurePosixPath, _File], notes: list[str]) -> dict[PurePosixPath, _File]:
    """Return as many of the files as fit into the tree: programs first, those in upper folders before others.

    Of other files, the smaller ones come first.
    """

    def worth(item: tuple[PurePosixPath, _File]) -> tuple[bool, int, int, str]:
        target, file = item
        other = target.suffix.lower() not in PROGRAMS
        return other, 0 if other else len(target.parts), file.size, target.as_posix()

    kept: dict[PurePosixPath, _File] = {}
    folders: set[PurePosixPath] = set()
    beyond: list[PurePosixPath] = []
    total = 0
    for target, file in sorted(copies.items(), key=worth):
        above = [folder for folder in target.parents if folder not in folders]
        if len(kept) >= MOST_FILES or len(folders) + len(above) > MOST_FOLDERS:
            beyond.append(target)
            continue
        total += file.size
        if total > _TREE_BYTES:
            notes.append(f"{target} is left out, since all files together exceed {_TREE_BYTES // MIB} MiB")
        else:
            kept[target] = file
            folders.update(above)
    if beyond:
        notes.append(_too_many(beyond, {folder for target in beyond for folder in target.parents} - folders))
    return dict(sorted(kept.items(), key=lambda item: item[0].as_posix()))


def _too_many(files: Sequence[PurePosixPath], folders: Collection[PurePosixPath]) -> str:
    """Return the note about files, and the folders that only they are in, for which a tree has no room."""
    names = listed([printable(file.as_posix()) for file in sorted(files)], _MOST_NAMED)
    counts = [(len(folders), "folder"), (len(files), "file")]
    what = " with ".join(f"{count:,} {word}{'s' if count > 1 else ''}" for count, word in counts if count)
    verb = "is" if len(folders) + len(files) == 1 else "are"
    most = f"{MOST_FILES:,} files in {MOST_FOLDERS:,} folders"
    return f"{what} {verb} left out ({names}), since a submission may hold at most {most}"


def _copy(files: Mapping[PurePosixPath, _File], tree: Path, entry: Mapping[str, str]) -> str:
    """Write the files, make them read-only with the time 0, and return the hash of paths and contents."""
    digest = hashlib.sha256()
    tree.mkdir()
    contents = ((target, _content(file)) for target, file in files.items())
    written = [(PurePosixPath(ENTRY), json.dumps(dict(sorted(entry.items()))).encode())] if entry else []
    for target, content in chain(contents, written):
        name = target.as_posix().encode()
        digest.update(b"%d %d\n" % (len(name), len(content)) + name + content)
        copy = tree / target
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
        copy.chmod(0o444)
        os.utime(copy, (0, 0))
    for folder, _, _ in os.walk(tree, topdown=False):
        os.chmod(folder, 0o555)
        os.utime(folder, (0, 0))
    return f"sha256:{digest.hexdigest()}"


def _content(file: _File) -> bytes:
    """Return a file's content. Raises SubmissionError if its size changed since it was first seen."""
    try:
        with file.plain.open() as opened:
            content = opened.read(file.size + 1)
    except OSError as error:
        raise _blamed(file.plain, error) from error
    if len(content) != file.size:
        raise SubmissionError(file.plain.path, CHANGED)
    if file.size > _FILE_BYTES and not file.whole and file.plain.path.suffix.lower() == NOTEBOOK:
        return _without_outputs(content)
    return content


def _without_outputs(notebook: bytes) -> bytes:
    """Return a notebook without what its cells printed and showed; what is no notebook stays as it is."""
    try:
        content = json.loads(notebook)
        sheets = [content, *content.get("worksheets", [])]  # notebooks of before 2015 hold their cells in sheets
        for cell in (cell for sheet in sheets for cell in sheet.get("cells", [])):
            cell.pop("attachments", None)
            if "outputs" in cell:
                cell["outputs"] = []
    except (ValueError, TypeError, AttributeError, RecursionError):
        return notebook
    return json.dumps(content).encode()


def _listed(files: Iterable[PurePosixPath]) -> tuple[str, ...]:
    """Return the names of the first files, programs first, and how many more there are."""
    ordered = sorted(files, key=lambda path: (path.suffix.lower() not in PROGRAMS, len(path.parts), path.as_posix()))
    return few(tuple(printable(path.as_posix()) for path in ordered), _MOST_LISTED)


def _shortened(notes: list[str]) -> tuple[str, ...]:
    shown = [note if len(note) <= _LONGEST_NOTE else f"{note[: _LONGEST_NOTE - 1]}…" for note in notes[:_MOST_NOTES]]
    if len(notes) > _MOST_NOTES:
        shown.append(f"… and {len(notes) - _MOST_NOTES} more notes of this kind")
    return tuple(shown)
