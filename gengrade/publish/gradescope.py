"""Make the archive that Gradescope builds an autograder from: gengrade itself, a rubric, and the two scripts.

Gradescope unpacks it into /autograder/source and runs `setup.sh` once. For each submission it then starts
`run_autograder` in a fresh container, which writes /autograder/results/results.json (`gengrade.publish.autograder`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from gengrade.choices import Isolation, Profile
from gengrade.course import Course
from gengrade.engine import UsageError
from gengrade.facts import Frozen
from gengrade.home import HOME, PACKAGE
from gengrade.publish.packing import zipped
from gengrade.rubric import CheckItem, MeasureItem, Rubric

SETTINGS: Final = "autograder.json"
PROGRAMS: Final = ("setup.sh", "run_autograder")
_RUBRIC: Final = "rubric.yaml"
_COURSE: Final = "course"
_BESIDE: Final = ("graders", "courses", "reference")
_LEFT_OUT: Final = {"__pycache__", "home", "examples", "variants"}
_EXTRA: Final = re.compile(r"\bextra\b")

_SETUP: Final = """\
#!/usr/bin/env bash
# Gradescope runs this once, when it builds the image in which submissions are graded.
#
# Without a GPU, PyTorch's CPU builds save gigabytes: export PIP_EXTRA_INDEX_URL here, as gengrade's README says.
set -euo pipefail
cd "$(dirname "$0")"
apt-get update
apt-get install -y bubblewrap || echo "no bubblewrap: submissions are graded under Landlock, if the system has it"
usable() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
for python in python3 python3.13 python3.12 python3.11; do
  usable "$python" && break
  apt-get install -y "$python" "$python-venv" && usable "$python" && break
done
usable "$python" || { echo "Python 3.11 or newer is needed: choose a newer base image"; exit 1; }
"$python" -m venv /autograder/environment
/autograder/environment/bin/python -m pip install --no-cache-dir -r requirements.txt
"""
_RUN: Final = """\
#!/usr/bin/env bash
# Gradescope runs this for each submission. It has to leave results/results.json, whatever happens.
root="${AUTOGRADER_ROOT:-/autograder}"
python="${AUTOGRADER_PYTHON:-$root/environment/bin/python}"
mkdir -p "$root/results"
cat > "$root/results/.early" <<'END'
{"score": 0, "stdout_visibility": "hidden", "output": "The grading was not completed. This is no judgement about \
your work: please tell your teacher."}
END
mv -f "$root/results/.early" "$root/results/results.json"
cd "$root/source" || exit 0
PYTHONPATH="$root/source" "$python" -m gengrade.publish.autograder "$root"
exit 0
"""


class Settings(Frozen):
    """What the autograder is to do: the content of `autograder.json`."""

    course: str  # a name that comes with gengrade, or a folder beside this file
    part: str | None = None
    profile: Profile = Profile.SMOKE
    data: str | None = None
    isolation: Isolation = Isolation.AUTO
    public: bool = False


def image(course: Course, rubric: Rubric, settings: Settings) -> bytes:
    """Return the archive to upload.

    course, rubric: of the assignment; both are put into the archive.
    settings: what the autograder is to do, with any course.

    Raises UsageError if the package cannot be found that this command runs from.
    """
    members = {
        "setup.sh": _SETUP.encode(),
        "run_autograder": _RUN.encode(),
        "requirements.txt": "".join(f"{each}\n" for each in _requirements(course)).encode(),
        _RUBRIC: rubric.path.read_bytes(),
    }
    if course.folder.is_relative_to(HOME):
        name = course.name
    else:
        name = f"{_COURSE}/{course.name}"
        members.update(_files(course.folder, name))
        if not course.reference.resolve().is_relative_to(course.folder.resolve()):
            reason = "its reference lies outside of its folder, and only the folder is put into the archive"
            raise UsageError(f"{course.folder}: {reason}; move it inside")
    settings = settings.model_copy(update={"course": name})
    members[SETTINGS] = (settings.model_dump_json(indent=1) + "\n").encode()
    members.update(_files(PACKAGE, PACKAGE.name))
    for beside in _BESIDE:
        members.update(_files(HOME / beside, f"{PACKAGE.name}/home/{beside}"))
    members[f"{PACKAGE.name}/home/{_RUBRIC}"] = (HOME / _RUBRIC).read_bytes()
    return zipped(members, PROGRAMS)


def automatic_points(rubric: Rubric) -> float:
    """Return the points, without bonus, that checks and measures give."""
    return sum(
        entry.item.points
        for entry in rubric.entries()
        if isinstance(entry.item, CheckItem | MeasureItem) and not entry.question.bonus
    )


def _requirements(course: Course) -> list[str]:
    """Return what has to be installed, as `pip install` takes it."""
    try:
        own = metadata.requires("gengrade") or []
    except metadata.PackageNotFoundError:
        raise UsageError("gengrade is not installed, so that its requirements are not known: run make setup") from None
    return [*(each for each in own if not _EXTRA.search(each.partition(";")[2])), *course.packages]


def _files(folder: Path, name: str) -> dict[str, bytes]:
    """Return the files of a folder, without what only the project's own tests read."""
    return {f"{name}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in _below(folder)}


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in _LEFT_OUT or path.is_symlink():
            continue
        if path.is_dir():
            yield from _below(path)
        elif path.is_file():
            yield path
