"""Put a kit together: a folder's zip that runs as it is unpacked, and a wheel with the same content."""

from __future__ import annotations

import ast
import base64
import hashlib
import importlib.metadata
import io
import re
import sys
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import yaml

from gengrade import __version__, tryouts
from gengrade.course import ADAPTERS, DECLARATION, PACKAGE, RECORDED, TRYOUTS, Course
from gengrade.home import PACKAGE as HARNESS
from gengrade.kit.pruning import bare
from gengrade.kit.stripping import files_below, graders_of, public_checks, public_rubric, public_tryouts
from gengrade.rubric import Rubric

_RUBRIC: Final = "rubric.yaml"
_FILES: Final = HARNESS / "kit" / "files"  # the README and the command of a kit
# Parts of the harness that only teachers need.
_TEACHERS: Final = {"room", "publish", "authoring", "kit", "home"}
_TEACHERS_FILES: Final = {"cli.py", "__main__.py", "marks_cli.py", "publish_cli.py", "release_cli.py", "kit_cli.py"}
_DATE: Final = (1980, 1, 1, 0, 0, 0)  # of all members, so that equal kits are equal files
_INSTALLED_AS: Final = {"pyyaml": "yaml", "scikit-learn": "sklearn", "ipython": "IPython"}  # where the names differ


@dataclass(frozen=True, slots=True)
class Kit:
    """A kit's two forms.

    name: of the zip without its ending, and of the folder in it.
    archive: the zip.
    wheel_name, wheel: the wheel and its file's name.
    """

    name: str
    archive: bytes
    wheel_name: str
    wheel: bytes


def packed(course: Course, rubric: Rubric, recorded: bytes, made: str) -> Kit:
    """Return a course's kit.

    rubric: the course's, as its teachers have it.
    recorded: the content of the file of recordings.
    made: the day, ISO 8601.
    """
    content = _content(course, rubric, recorded)
    needed = requirements({name: text for name, text in content.items() if name.endswith(".py")}, course.packages)
    name = f"selfcheck-{course.name}-{made}"
    words = {"title": course.title, "course": course.name, "version": __version__, "made": made, "name": name}
    about = (_FILES / "README.md").read_text().format(**words)
    folder = {
        "README.md": about.encode(),
        "check.py": (_FILES / "check.py").read_bytes(),
        "requirements.txt": "".join(f"{each}\n" for each in needed).encode(),
        **content,
    }
    archive = zipped({f"{name}/{path}": text for path, text in folder.items()})
    version = f"{__version__}+{made.replace('-', '.')}"
    words_of_wheel = f"Self-check: {course.title}\n\n    selfcheck PATH_OF_YOUR_SOLUTION\n"
    return Kit(name, archive, *_wheel(f"selfcheck_{course.name}", version, words_of_wheel, needed, content))


def _content(course: Course, rubric: Rubric, recorded: bytes) -> dict[str, bytes]:
    """Return the files that check a submission, by their paths."""
    files = {
        path.relative_to(HARNESS.parent).as_posix(): path.read_bytes()
        for path in files_below(HARNESS)
        if (inner := path.relative_to(HARNESS)).parts[0] not in _TEACHERS and inner.name not in _TEACHERS_FILES
    }
    public = public_checks(rubric)
    files |= {name: text.encode() for name, text in graders_of(public)}
    own = f"{PACKAGE}/{course.name}"
    declared = yaml.safe_load((course.folder / DECLARATION).read_text())
    kept = {name: value for name, value in declared.items() if name not in ("rubric", "reference", "examples")}
    files[f"{own}/{DECLARATION}"] = yaml.safe_dump(kept, allow_unicode=True, sort_keys=False).encode()
    files[f"{own}/{_RUBRIC}"] = public_rubric(rubric).encode()
    files[f"{own}/{RECORDED}"] = recorded
    files[f"{own}/{TRYOUTS}"] = public_tryouts(tryouts.read(course), public).encode()
    for path in files_below(course.folder / ADAPTERS):
        name = f"{own}/{path.relative_to(course.folder).as_posix()}"
        # What teachers noted in comments and docstrings is not for students.
        files[name] = ast.unparse(bare(path.read_text())).encode() if path.suffix == ".py" else path.read_bytes()
    for folder in (PACKAGE, own):
        files.setdefault(f"{folder}/__init__.py", b"")
    return files


def requirements(sources: Mapping[str, bytes], further: Iterable[str] = ()) -> list[str]:
    """Return gengrade's requirements that these files import, and those that a course declares."""
    imported = {name for text in sources.values() for name in _imports(text.decode())} - set(sys.stdlib_module_names)
    needed = []
    for requirement in importlib.metadata.requires("gengrade") or ():
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        module = _INSTALLED_AS.get(name.lower(), name.replace("-", "_"))
        if "extra ==" not in requirement and module in imported:
            needed.append(requirement)
    return sorted({*needed, *further})


def _imports(text: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


def _wheel(
    name: str, version: str, about: str, needed: Iterable[str], content: Mapping[str, bytes]
) -> tuple[str, bytes]:
    """Return a wheel's file name and content: the harness, with everything else in its folder `home`.

    The format is that of the specification "Binary distribution format", version 1.0, of the Python Packaging
    Authority.
    """
    inside = f"{name}-{version}.dist-info"
    files = {
        path if path.startswith(f"{HARNESS.name}/") else f"{HARNESS.name}/home/{path}": text
        for path, text in content.items()
    }
    metadata = [
        "Metadata-Version: 2.1",
        f"Name: {name.replace('_', '-')}",
        f"Version: {version}",
        "Requires-Python: >=3.11",
        *(f"Requires-Dist: {each}" for each in needed),
        "Description-Content-Type: text/markdown",
        "",
        about,
    ]
    files[f"{inside}/METADATA"] = "\n".join(metadata).encode()
    files[f"{inside}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: gengrade\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{inside}/entry_points.txt"] = b"[console_scripts]\nselfcheck = gengrade.self_check_cli:main\n"
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
    files[f"{inside}/RECORD"] = f"{record}{inside}/RECORD,,\n".encode()
    return f"{name}-{version}-py3-none-any.whl", zipped(files)


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def zipped(members: Mapping[str, bytes]) -> bytes:
    """Return a zip of these files, whose times and order are always the same."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, text in members.items():
            member = zipfile.ZipInfo(name, _DATE)
            member.external_attr = 0o644 << 16
            archive.writestr(member, text, zipfile.ZIP_DEFLATED)
    return content.getvalue()
