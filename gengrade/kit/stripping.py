"""Remove from a course and from our code what students must not have.

A kit keeps the checks that everybody may know, with what they need and with their tryouts, and the points of all items.
It holds no criterion of a manual item, no hidden check with its thresholds and what only it uses, no reference, no
misconception and no variant.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from textwrap import indent
from typing import Any, Final

import yaml

from gengrade.grading.checks import IN_THE_GUEST, INTERFACE, RECORDS, known, with_needs
from gengrade.home import HOME
from gengrade.kit.pruning import pruned
from gengrade.rubric import ManualItem, Rubric
from gengrade.tryouts import Tryouts

_GRADERS: Final = "graders"
_ALWAYS: Final = ("common", "documents", *IN_THE_GUEST)  # what all families, and adapters, may use
BY_A_TEACHER: Final = "A teacher marks this."
HIDDEN: Final = "A check that only your teachers run"
ANSWERED: Final = "If no program answers this, a teacher reads your answer."


def public_rubric(rubric: Rubric) -> str:
    """Return the text of the rubric that a kit holds: the same points, of which hidden ones are a teacher's."""
    kept = public_checks(rubric)
    scheme = rubric.model_dump(mode="json", exclude_none=True, exclude_defaults=True, exclude={"course", "parts"})
    if "limits" in scheme:
        scheme["limits"] = {name: each for name, each in scheme["limits"].items() if "." not in name or name in kept}
    scheme["parts"] = [
        {
            "name": part.name,
            "questions": [
                {
                    **question.model_dump(mode="json", exclude_defaults=True, exclude={"items"}),
                    "items": [
                        _item(item, f"{question.id}-{place}", kept) for place, item in enumerate(question.items, 1)
                    ],
                }
                for question in part.questions
            ],
        }
        for part in rubric.parts
    ]
    return yaml.safe_dump(scheme, allow_unicode=True, sort_keys=False, width=120)


def _item(item: Any, id_: str, checks: Collection[str]) -> dict[str, Any]:
    """Return an item of a rubric as a kit holds it, which knows these checks and no others."""
    if isinstance(item, ManualItem):
        kept = item.model_dump(mode="json", exclude_defaults=True, include={"points", "title", "bonus"})
        return {**kept, "id": item.id or id_, "manual": BY_A_TEACHER}
    if item.hidden:
        kept = item.model_dump(mode="json", exclude_defaults=True, include={"points", "bonus"})
        return {**kept, "id": f"hidden-{id_}", "title": HIDDEN, "manual": BY_A_TEACHER}
    kept = item.model_dump(mode="json", exclude_defaults=True, exclude={"needs"})
    if needs := [need for need in item.needs if need in checks]:
        kept["needs"] = needs
    return {**kept, "optional": ANSWERED} if item.optional else kept


def public_checks(rubric: Rubric) -> set[str]:
    """Return the checks that a kit holds: all but hidden ones, and what these need."""
    hidden = rubric.hidden_checks()
    asked = {
        check
        for entry in rubric.entries()
        if not isinstance(entry.item, ManualItem) and not entry.item.hidden
        for check in entry.checks
    }
    return with_needs(asked - hidden) - hidden


def public_tryouts(tryouts: Tryouts, checks: Collection[str]) -> str:
    """Return the text of the file of tryouts that a kit holds: those of these checks, without comments on the file."""
    note = [] if tryouts.note is None else [f"note: {json.dumps(tryouts.note)}"]
    kept = {check: lines for check, lines in tryouts.checks.items() if check in checks}
    checks_ = [f"  {check}: |\n{indent(lines.rstrip(), '    ')}" for check, lines in kept.items()]
    return "\n".join([*note, "checks:" if kept else "checks: {}", *checks_, ""])


def graders_of(checks: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield path and text of each file of the graders that decide these checks, and of what they use.

    The tests of all other checks are left out, with what only they use (`gengrade.kit.pruning`).
    """
    paths = {
        path.relative_to(HOME).as_posix(): path
        for path in sorted((HOME / _GRADERS).glob("*/**/*.py"))
        if path.stem not in (INTERFACE, RECORDS)
    }
    texts = pruned({_module(name): path.read_text() for name, path in paths.items()}, checks)
    families = _families({known()[check].module.split(".")[1] for check in checks}, texts)
    yield f"{_GRADERS}/__init__.py", ""
    yield from ((name, texts[_module(name)]) for name in paths if name.split("/")[1] in families)


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _families(first: Iterable[str], texts: Mapping[str, str]) -> set[str]:
    """Return these families of graders, and all whose modules theirs import, given the texts of all modules."""
    found: set[str] = set()
    waiting = [*_ALWAYS, *first]
    while waiting:
        family = waiting.pop()
        if family in found or f"{_GRADERS}.{family}" not in texts:
            continue
        found.add(family)
        own = (text for name, text in texts.items() if name.split(".")[1] == family)
        for node in (node for text in own for node in ast.walk(ast.parse(text))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{_GRADERS}."):
                waiting.append((node.module or "").split(".")[1])
    return found


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder of ours, without what Python and others keep beside them."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(
            part == "__pycache__" or part.startswith(".") for part in path.relative_to(folder).parts
        ):
            yield path
