"""What a course hands out to its students: it judges and names as the grader does, and holds no solution."""

from __future__ import annotations

import ast
import builtins
import dis
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner, Result

from gengrade.authoring import create
from gengrade.cli import app
from gengrade.course import Course, courses
from gengrade.engine import UsageError
from gengrade.facts import Outcome
from gengrade.grading.checks import with_needs
from gengrade.grading.diagnosis import Call
from gengrade.grading.recorded import (
    MANIFEST,
    NOBODY,
    SYMPTOMS,
    KeptMistake,
    Manifest,
    PublicSeed,
    Recorded,
    RecordedRunner,
    compacted,
    document,
)
from gengrade.grading.subject import NotRecorded, request_hash
from gengrade.grading.symptoms import Symptoms, agree
from gengrade.home import HOME
from gengrade.kit.packing import packed, requirements
from gengrade.kit.pruning import pruned
from gengrade.kit.stripping import BY_A_TEACHER, graders_of, public_checks, public_rubric
from gengrade.kit.trying import require_usable
from gengrade.rubric import ManualItem, Rubric
from gengrade.sandbox import Limits, Request, Run
from validation.variants import COURSES

FOR_TEACHERS = "hidden threshold 0.3"  # in a comment


class Kit:
    """A kit of the smallest course, unpacked into an empty folder."""

    def __init__(self, course: Course, folder: Path, home: Path) -> None:
        self.course, self.folder, self.home = course, folder, home

    def check(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the kit's command as a student does, with none of our folders on the path."""
        return subprocess.run(self._command(*words), **self._surroundings(), capture_output=True, check=False)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start the same command, and leave it running."""
        return subprocess.Popen(
            self._command(*words),
            **self._surroundings(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-P", "-u", str(self.home / "check.py"), *words]

    def _surroundings(self) -> dict[str, Any]:
        theirs = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "GENGRADE_SECRET")}
        return {"cwd": self.folder, "env": {**theirs, "COLUMNS": "200"}, "text": True}


def made(*words: str) -> Result:
    return CliRunner().invoke(app, ["kit", *words, "--seeds", "2"], catch_exceptions=False)


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    folder = tmp_path_factory.mktemp("kit")
    course = create(folder / "smallest")
    for file in (course.folder / "course.yaml", course.folder / "adapters" / "vae.py"):
        file.write_text(f"# {FOR_TEACHERS}\n{file.read_text()}  # {FOR_TEACHERS}\n")
    adapter = course.folder / "adapters" / "vae.py"
    adapter.write_text(adapter.read_text().replace('"""', f'"""{FOR_TEACHERS} ', 1))
    result = made("--course", str(course.folder), "--out", str(folder / "out"))
    assert result.exit_code == 0, result.output
    assert "Recording: 1 of " in result.stdout
    assert "Recorded 1 misconception for 2 seeds" in result.stdout
    (archive,) = (folder / "out").glob("*.zip")
    unpacked = folder / "student"
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(unpacked)
    return Kit(course, unpacked, unpacked / archive.stem)


def test_a_student_gets_the_same_verdicts_and_names(kit: Kit) -> None:
    wrong = kit.check(str(kit.course.examples / "wrong"), "--out", "of-wrong")
    assert wrong.returncode == 1, wrong.stderr
    assert "vae.kld: Not right yet, 3 points" in wrong.stdout
    assert "You treated log_std as the logarithm of a variance" in wrong.stdout
    assert "0 of the 3 points that were checked here; 2 wait for a teacher." in wrong.stdout
    right = kit.check(str(kit.course.examples / "right"), "--out", "of-right")
    assert right.returncode == 0, right.stderr
    assert "Passed: vae.kld" in right.stdout
    words = ["--course", str(kit.course.folder), "--profile", "unit", "--out", str(kit.folder / "ours")]
    graded = CliRunner().invoke(app, ["grade", str(kit.course.examples / "wrong"), *words], catch_exceptions=False)
    assert "You treated log_std as the logarithm of a variance" in graded.output
    (item,) = [item for item in _items(kit.folder / "of-wrong" / "wrong") if item["check"] == "vae.kld"]
    (ours,) = [item for item in _items(kit.folder / "ours" / "wrong") if item["check"] == "vae.kld"]
    same = ("outcome", "points", "misconception", "message")
    assert {name: item[name] for name in same} == {name: ours[name] for name in same}


def _items(folder: Path) -> list[dict[str, object]]:
    grade = json.loads((folder / "grade.json").read_text())
    return [item for question in grade["questions"] for item in question["items"]]


def test_a_check_is_explained_and_an_unknown_one_is_not(kit: Kit) -> None:
    said = kit.check("--explain", "vae.kld")
    assert said.returncode == 0
    assert "vae.kld: 3 points" in said.stdout
    assert "KLD gives the KL divergence" in said.stdout
    assert "Your course may use other names than KLD.\n" in said.stdout
    assert re.search(r"  - kld with mean: \d+ × \d+, log_std: \d+ × \d+\n", said.stdout), "without the reference"
    assert "Try it in the folder part1 of your solution:\n    # Start python there.\n    import torch\n" in said.stdout
    assert "there is no such check (did you mean" in kit.check("--explain", "vae.kdl").stderr
    assert "name the folder of your solution" in kit.check().stderr


def test_a_terminal_that_knows_few_characters_gets_the_others_as_numbers(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    said = kit.check(str(kit.course.examples / "wrong"), "--out", "of-ascii")
    assert said.returncode == 1, said.stderr
    assert "\\xb7" in said.stdout
    assert "Traceback" not in said.stderr


def test_what_is_no_solution_is_refused_before_anything_is_checked(kit: Kit) -> None:
    class_ = kit.folder / "class"
    for name in ("ada", "bob"):
        shutil.copytree(kit.course.examples / "right", class_ / name)
    (kit.folder / "empty").mkdir()
    for path, words in {
        class_: "there are several submissions in it (ada, bob); name the folder of yours",
        kit.folder / "empty": "the folder is empty",
        kit.home: "this is the self-check itself",
        kit.folder / "nowhere": "nowhere",
    }.items():
        done = kit.check(str(path), "--out", "of-nothing")
        assert done.returncode == 2, done.stdout
        assert words in done.stderr
    assert not (kit.folder / "of-nothing").exists()


def test_where_an_error_is_and_what_came_back_is_said(kit: Kit) -> None:
    solution = kit.folder / "broken" / "part1" / "solution.py"
    solution.parent.mkdir(parents=True)
    solution.write_text("import torch\n\ndef kl_divergence(mean, log_std)\n    return mean\n")
    broken = kit.check(str(kit.folder / "broken"), "--github")
    assert "    in part1/solution.py, line 3" in broken.stdout
    assert "::error file=part1/solution.py,line=3,title=" in broken.stdout
    assert "::notice title=Self-check::0 of the 3 points that were checked here" in broken.stdout
    assert (kit.folder / "selfcheck-results" / "broken" / "report.html").is_file()
    solution.write_text("def kl_divergence(mean, log_std):\n    pass\n")
    assert "got None" in kit.check(str(kit.folder / "broken")).stdout


def test_a_saved_file_is_checked_again_by_the_worker_that_waited(kit: Kit) -> None:
    folder = kit.folder / "watched"
    shutil.copytree(kit.course.examples / "right", folder)
    solution = next(folder.rglob("solution.py"))
    text = solution.read_text()
    with kit.begin(str(folder), "--watch") as process:
        assert process.stdout is not None

        def printed() -> str:
            """Return what is printed until the command waits for a file."""
            assert process.stdout is not None
            lines: list[str] = []
            while process.poll() is None and not (lines and lines[-1].startswith("Waiting for a file to be saved")):
                lines.append(process.stdout.readline())
            return "".join(lines)

        try:
            assert "Passed: vae.kld" in printed()
            workers = _workers(process.pid)
            solution.write_text(text.replace("return ", "return 2 * "))
            wrong = printed()
            assert "Saved: part1/solution.py" in wrong
            assert wrong.index("vae.kld: failed") < wrong.index("vae.kld: Not right yet"), "it is said at once"
            solution.write_text(text)
            right = printed()
            assert "vae.kld: passes now" in right
            assert "Passed: vae.kld" in right
            assert workers == _workers(process.pid)
            (folder / "part1" / "notes.txt").write_text("")
            assert "Saved: part1/notes.txt" in printed()
            (folder / "part1" / "notes.txt").unlink()
            assert "Removed: part1/notes.txt" in printed()
        finally:
            process.kill()  # workers end with it
    assert kit.check(str(folder), "--watch", "--train").returncode == 2


def _workers(pid: int) -> list[int]:
    return sorted(each.pid for each in psutil.Process(pid).children(recursive=False))


def test_it_holds_no_line_of_a_solution(kit: Kit) -> None:
    everything = b"\0".join(_bytes(kit.home))
    assert [line for line in _secrets(kit.course) if line.encode() in everything] == []
    assert BY_A_TEACHER.encode() in everything
    assert FOR_TEACHERS.encode() not in everything


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", COURSES)
def test_no_kit_of_ours_holds_a_line_of_a_solution(name: str) -> None:
    """Recordings are left out here: `test_it_holds_no_line_of_a_solution` looks into some."""
    course = courses()[name]
    kit = packed(course, Rubric.load(course.rubric), b"", "2026-11-30")
    for content in (kit.archive, kit.wheel):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            everything = b"\0".join(archive.read(member) for member in archive.namelist())
        secrets = list(_secrets(course))
        assert len(secrets) > 100
        assert [line for line in secrets if line.encode() in everything] == []


def _secrets(course: Course) -> Iterator[str]:
    """Yield every line of the reference and of the misconceptions that says something, and every criterion."""
    for folder in (course.reference, course.misconceptions):
        for file in sorted(folder.rglob("*")):
            if file.suffix == ".py":
                yield from _lines(file.read_text())
            elif file.suffix == ".ipynb":
                for cell in json.loads(file.read_text())["cells"]:
                    yield from _lines("".join(cell["source"])) if cell["cell_type"] == "code" else ()
    for entry in Rubric.load(course.rubric).entries():
        if isinstance(entry.item, ManualItem):
            yield entry.item.manual
            yield from (criterion.text for criterion in entry.item.criteria if len(criterion.text) >= 12)


# Lines that stand in every program, or in the code that a hand-out gives, and that no assignment asks for.
IDIOMS = re.compile(
    r"(with torch\.(no_grad|enable_grad)\(\):|torch\.manual_seed\(\w+\)|if __name__ == .*|os\.makedirs\(.*\)"
    r"|\w+\.(zero_grad|step|train|eval)\(\)|device = .*|super\(\).__init__\(.*\)|self\.\w+ = \w+|for .* in .*:"
    r"|raise \w+Error.*|return \w+|return nn\.Sequential\(|return self\.p_data\.sample\(num_samples\))"
)


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a program that say how something is done."""
    for line in map(str.strip, text.splitlines()):
        told = line.startswith(("#", '"""', "import ", "from ", "def ", "class ", "@"))
        plain = line[:1].isupper() or IDIOMS.fullmatch(line)  # prose of a docstring, or nobody's secret
        if len(line) >= 20 and not told and not plain and any(sign in line for sign in "=("):
            yield line


def _bytes(folder: Path) -> Iterator[bytes]:
    """Yield the content of all files, and of the files in archives."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.read_bytes()
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                yield from (archive.read(name) for name in archive.namelist())


def test_its_wheel_checks_as_well(kit: Kit, tmp_path: Path) -> None:
    (wheel,) = (kit.folder.parent / "out").glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*install, str(tmp_path / "site"), str(wheel)], check=True)
    code = "from gengrade.self_check_cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(kit.course.examples / "wrong"), "--out", str(tmp_path / "out")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "You treated log_std as the logarithm of a variance" in done.stdout


def test_the_wheels_of_two_courses_do_not_share_an_environment(kit: Kit, tmp_path: Path) -> None:
    (wheel,) = (kit.folder.parent / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    home = tmp_path / "site" / "gengrade" / "home"
    shutil.copytree(home / "courses" / "smallest", home / "courses" / "second")
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from gengrade.self_check_cli import main; main()"
    command = [sys.executable, "-P", "-c", code, str(tmp_path / "site"), "."]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "holds the self-checks of several courses (second, smallest), which overwrite each other" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_no_kit_can_be_made_of_is_one_sentence(kit: Kit, tmp_path: Path) -> None:
    again = made("--course", str(kit.home / "courses" / "smallest"), "--out", str(tmp_path))
    assert again.exit_code == 2
    assert "this is a kit already" in again.stderr or "another course is called" in again.stderr
    course = create(tmp_path / "broken")
    solution = course.reference / "part1" / "solution.py"
    solution.write_text(solution.read_text().replace("return 0.5", "raise ValueError('broken')\n    return 0.5"))
    broken = made("--course", str(course.folder), "--out", str(tmp_path / "out"), "--profile", "unit")
    assert broken.exit_code == 2
    assert "its reference and misconceptions cannot be graded" in broken.stderr
    assert "ValueError" in broken.stderr
    harmless = create(tmp_path / "harmless")
    mistake = harmless.misconceptions / "divergence.py"
    right = "((2 * log_std).exp() + mean**2 - 1 - 2 * log_std)"
    mistake.write_text(mistake.read_text().replace("(log_std.exp() + mean**2 - 1 - log_std)", right))
    done = made("--course", str(harmless.folder), "--out", str(tmp_path / "out"), "--profile", "unit")
    assert done.exit_code == 2
    assert "vae.kld passes, although it says that it fails" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", COURSES)
def test_the_rubric_of_a_kit_has_the_same_points_and_no_criterion(name: str) -> None:
    rubric = Rubric.load(courses()[name].rubric)
    public = Rubric.parse(public_rubric(rubric), Path("rubric.yaml"))
    for ours, theirs in zip(rubric.questions(), public.questions(), strict=True):
        assert (ours.id, ours.title, ours.points, ours.bonus) == (theirs.id, theirs.title, theirs.points, theirs.bonus)
    text = public_rubric(rubric)
    for entry in rubric.entries():
        if isinstance(entry.item, ManualItem):
            assert entry.item.manual not in text
            assert all(criterion.text not in text for criterion in entry.item.criteria)
    assert public.checks() == rubric.checks()
    assert public.limits == rubric.limits


def test_hidden_checks_become_a_teachers_and_leave_the_graders() -> None:
    text = courses()["uva2020"].rubric.read_text()
    assert text.count("check: vae.kld,") == 1
    rubric = Rubric.parse(text.replace("check: vae.kld,", "check: vae.kld, hidden: true,"), Path("rubric.yaml"))
    public = Rubric.parse(public_rubric(rubric), Path("rubric.yaml"))
    assert "vae.kld" in rubric.checks()
    assert "vae.kld" not in public_checks(rubric)
    points = [sum(question.points for question in each.questions()) for each in (rubric, public)]
    assert points[0] == points[1]
    sources = dict(graders_of(public_checks(rubric)))
    assert '@check("vae.kld"' in (HOME / "graders" / "vae" / "checks.py").read_text()
    assert "@check('vae.kld')" not in sources["graders/vae/checks.py"]
    assert "@check('vae.bpd')" in sources["graders/vae/checks.py"]
    assert "def test_kld_closed_form" not in sources["graders/vae/checks.py"]
    assert "graders/cgan/checks.py" not in sources
    assert "graders/vae/records.py" not in sources
    assert "graders/vae/interface.py" not in sources
    for name, source in sources.items():
        compile(source, name, "exec")


def _with_a_hidden_check(course: Course) -> Rubric:
    """Return the rubric of 2020 in which a hidden check stands beside public items: in their needs and in limits."""
    text = course.rubric.read_text()
    text = text.replace("check: vae.kld,", "check: vae.kld, hidden: true,")
    text = text.replace("check: vae.bpd,", "check: vae.bpd, needs: [vae.kld, vae.reparameterize],")
    limits = "limits: {unit: {seconds: 15}, vae.kld: {seconds: 9}, vae.bpd: {seconds: 8}}"
    return Rubric.parse(re.sub("^limits:.*$", limits, text, flags=re.MULTILINE), Path("rubric.yaml"))


def test_a_hidden_check_beside_public_items_leaves_the_rubric() -> None:
    rubric = _with_a_hidden_check(courses()["uva2020"])
    text = public_rubric(rubric)
    public = Rubric.parse(text, Path("rubric.yaml"))
    public.verify(public_checks(rubric))
    assert re.search(r"vae\.kld\b(?!_)", text) is None
    assert public.limits.keys() == {"unit", "vae.bpd"}
    (bpd,) = [entry.item for entry in public.entries() if entry.checks[:1] == ("vae.bpd",)]
    assert not isinstance(bpd, ManualItem)
    assert bpd.needs == ("vae.reparameterize",)


def test_a_kit_is_loaded_before_it_is_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    course = courses()["uva2020"]
    rubric = _with_a_hidden_check(course)
    content = io.BytesIO()
    seeds = (PublicSeed(seed=0, secret="s"),)
    manifest = Manifest(course=course.name, version="1", made="2026-11-30", data="digits", seeds=seeds, mistakes=())
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(MANIFEST, manifest.model_dump_json())
        archive.writestr(SYMPTOMS, json.dumps(document({})))
    require_usable(packed(course, rubric, content.getvalue(), "2026-11-30"))
    broken = "assignment: A\nparts: []\n"
    monkeypatch.setattr("gengrade.kit.packing.public_rubric", lambda rubric: broken)
    with pytest.raises(UsageError, match=r"the kit that was made cannot be used \(.*rubric\.yaml.*nothing was written"):
        require_usable(packed(course, rubric, content.getvalue(), "2026-11-30"))


def test_a_test_of_several_checks_keeps_those_that_are_public() -> None:
    source = "@check('a.b', 'a.c', needs=('a.d', 'a.b'))\n@other\ndef test_it():\n    pass\n\ndef rest():\n    pass"
    assert pruned({"m": source}, {"a.b", "a.c", "a.d"})["m"] == source
    assert pruned({"m": source}, {"a.c"})["m"].startswith("@check('a.c', needs=())\n@other\ndef test_it():")
    assert pruned({"m": source}, {"e.f"})["m"] == "def rest():\n    pass"


CHECKS = '''
"""Checks of a and of b."""
from graders.common.tools import for_both, for_hidden as aid
from gengrade.grading import probes
import numpy

SHARED = 3  # of both
DRAWS = declare("x.hidden", "draws", Fit(SHARED))

def _judge_hidden(value):
    return aid(value) and _again(value)

def _again(value):
    return _judge_hidden(value - 1)

@check("x.hidden")
def test_hidden(student):
    """The hidden one."""
    return _judge_hidden(DRAWS), probes.x.sub.asked, numpy.pi, for_both

@check("x.open")
def test_open(student):
    """The open one.

    Beside the hidden one.
    """
    return SHARED, probes.x.told, for_both
'''
TOOLS = "def for_both(): pass\ndef for_hidden(value): return LIMIT\nLIMIT = 0.7\ndef for_nobody(): pass\n"
OF_PROBES = """
@symptoms_of("x.sub:asked")
def of_hidden(inputs, got): return _part(got)
@symptoms_of("x.sub:asked", "x:told")
def of_both(inputs, got): return got
def _part(got): return got
"""


def test_what_only_other_checks_use_leaves_the_graders() -> None:
    sources = {
        "graders.x.checks": CHECKS,
        "graders.x.symptoms": OF_PROBES,
        "graders.x.probes": "def told(package): return package.x",
        "graders.x.sub_probes": "def asked(package): return inner(package)\ndef inner(package): return package.x",
        "graders.common.tools": TOOLS,
    }
    kept = pruned(sources, {"x.open"})
    assert kept["graders.x.checks"] == (
        "from graders.common.tools import for_both\nfrom gengrade.grading import probes\nSHARED = 3\n\n"
        "@check('x.open')\ndef test_open(student):\n"
        '    """The open one."""\n    return (SHARED, probes.x.told, for_both)'
    )
    assert kept["graders.x.symptoms"] == "@symptoms_of('x:told')\ndef of_both(inputs, got):\n    return got"
    assert kept["graders.x.sub_probes"] == ""
    assert kept["graders.common.tools"].split() == ["def", "for_both():", "pass", "def", "for_nobody():", "pass"]
    everything = pruned(sources, {"x.open", "x.hidden"})
    assert all(name in everything["graders.x.checks"] for name in ("_judge_hidden", "_again", "DRAWS", "aid", "numpy"))
    assert "LIMIT" in everything["graders.common.tools"]


def test_nothing_that_stays_lacks_what_it_uses() -> None:
    everything = sorted(set().union(*(public_checks(Rubric.load(courses()[name].rubric)) for name in COURSES)))
    for some in (everything, everything[::2], everything[:1]):
        sources = dict(graders_of(with_needs(set(some))))
        for path, source in sources.items():
            code = compile(source, path, "exec", dont_inherit=True)
            assert set(_loaded(code)) - _names_of(code) - vars(builtins).keys() <= {"__annotations__", "__name__"}, path
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("graders."):
                    place = str(node.module).replace(".", "/")
                    file = next((each for each in (f"{place}.py", f"{place}/__init__.py") if each in sources), None)
                    assert file is not None, f"{path}: {node.module}"
                    within = _names_of(compile(sources[file], file, "exec", dont_inherit=True))
                    assert all(alias.name in within or f"{place}/{alias.name}.py" in sources for alias in node.names), (
                        f"{path}: {ast.unparse(node)}"
                    )


def _loaded(code: CodeType) -> Iterator[str]:
    """Yield the global names that a program reads."""
    for each in dis.get_instructions(code):
        if each.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield str(each.argval)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            # What the body of a class reads may be its own.
            own = {str(each.argval) for each in dis.get_instructions(inner) if each.opname == "STORE_NAME"}
            yield from (name for name in _loaded(inner) if name not in own)


def _names_of(code: CodeType) -> set[str]:
    """Return the names that a module defines at its top level."""
    return {str(each.argval) for each in dis.get_instructions(code) if each.opname == "STORE_NAME"}


def test_requirements_are_what_is_imported() -> None:
    found = requirements({"a.py": b"import numpy.linalg\nfrom yaml import safe_load\nimport json\n"}, ["einops>=0.8"])
    assert [each.partition(">")[0] for each in found] == ["einops", "numpy", "pyyaml"]


# Recordings


def _request(x: object, probe: str = "f:f", seed: int = 3) -> Request:
    return Request(probe, Path("somewhere"), {"x": x}, seed, Limits())


def test_a_request_is_known_by_probe_seed_and_inputs() -> None:
    same = Request("f:f", Path("elsewhere"), {"x": np.arange(3)}, 3, Limits(seconds=1.0), "cuda", 4)
    assert request_hash(same) == request_hash(_request(np.arange(3)))
    others = (_request(np.arange(4)), _request(np.arange(3), "f:g"), _request(np.arange(3), seed=4))
    assert len({request_hash(each) for each in (same, *others)}) == 4


def test_large_symptoms_are_compared_at_some_places() -> None:
    values = np.random.default_rng(0).normal(size=(50, 40))
    whole: Symptoms = {"x": (values, 1e-3), "n": (2.0, 0.0)}
    kept = compacted(whole)
    assert sum(np.asarray(some).size for some, _ in kept.values()) == 33
    assert agree(kept, compacted({"x": (values + 1e-4, 1e-3), "n": (2.0, 0.0)}))
    assert not agree(kept, compacted({"x": (values + 1, 1e-3), "n": (2.0, 0.0)}))
    assert not agree(kept, compacted({"x": (values.T, 1e-3), "n": (2.0, 0.0)})), "another shape"
    assert not agree(kept, compacted({"x": (values, 1e-3)})), "another name"


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """Recordings of one mistake and of the reference for one request."""
    request = request_hash(_request(1.0))
    symptoms = {"negated": compacted({"x": (-1.0, 0.0)}), NOBODY: compacted({"x": (np.inf, 0.0)})}
    mistake = KeptMistake(name="negated", sentence="You negated it.", fails=("f",), raises=False)
    seeds = tuple(PublicSeed(seed=number, secret=f"s {number}") for number in range(3))
    manifest = Manifest(course="c", version="1", made="2026-11-30", data="digits", seeds=seeds, mistakes=(mistake,))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(MANIFEST, manifest.model_dump_json())
        archive.writestr(SYMPTOMS, json.dumps(document({request: symptoms})))
    (tmp_path / "recorded.zip").write_bytes(content.getvalue())
    return Recorded(tmp_path / "recorded.zip")


def test_recorded_symptoms_name_a_mistake(recorded: Recorded) -> None:
    mistake = recorded.mistakes["negated"]
    assert recorded.same(mistake, Call(_request(1.0), {"x": (-1.0, 0.0)}))
    assert not recorded.same(mistake, Call(_request(1.0), {"x": (1.0, 0.0)}))
    assert recorded.same(None, Call(_request(1.0), {"x": (np.inf, 0.0)}))
    assert not recorded.same(mistake, Call(_request(2.0), {"x": (-1.0, 0.0)})), "nothing is known of other inputs"


def test_the_seed_depends_on_what_is_handed_in_alone(recorded: Recorded) -> None:
    assert recorded.seed_for("sha256:a") == recorded.seed_for("sha256:a")
    assert len({recorded.seed_for(f"sha256:{number}").seed for number in range(40)}) == 3


def test_what_was_not_recorded_is_not_guessed(recorded: Recorded, tmp_path: Path) -> None:
    asked: list[Request] = []

    class Sandbox:
        starting = 0.0

        def run(self, request: Request) -> Run:
            asked.append(request)
            return Run(Outcome.PASSED, evidence=1.0)

    runner = RecordedRunner(recorded, Sandbox(), tmp_path / "empty")
    with pytest.raises(NotRecorded):
        runner.run(_request(1.0))
    assert runner.run(_request(1.0, "common.classifier:train")).evidence == 1.0
    assert [each.tree for each in asked] == [tmp_path / "empty"], "our own code runs, beside no package"


def test_windows_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    command = _command()
    monkeypatch.setattr(command.os, "name", "nt")
    with pytest.raises(SystemExit, match="Windows Subsystem for Linux"):
        command.main()
    monkeypatch.undo()
    monkeypatch.setattr(command.sys, "version_info", (3, 9, 1))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer"):
        command.main()


def _command() -> ModuleType:
    path = Path(__file__).parents[1] / "gengrade" / "kit" / "files" / "check.py"
    specification = importlib.util.spec_from_file_location("kit_command", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
