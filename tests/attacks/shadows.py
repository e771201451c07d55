"""Rows 37 to 39 and 57 to 59: attacks by files that replace other files, and by hostile archives."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Final

from tests.attacks.attack import Attack
from tests.attacks.looking import unless_said
from validation.workbench import REFERENCE

CUBIC = ("theory.cubic_density",)

# Runs wherever it is imported, and then stands aside: outside of a guest, its traces are found.
RUNS: Final = """
import contextlib, os, sys
for place in ("/tmp", "/var/tmp", "/dev/shm", "@HOME@", "@OUT@", "@CLASS@", "@PROJECT@"):
    with contextlib.suppress(OSError):
        open(place + "/@MARK@", "w").close()
print("imported" + "-in-place", __name__)
name = __name__
sys.modules.pop(name, None)
here = ("", os.getcwd(), os.path.dirname(__file__))
saved, sys.path[:] = sys.path[:], [path for path in sys.path if path not in here]
try:
    import importlib
    sys.modules[name] = importlib.import_module(name)
finally:
    sys.path[:] = saved
"""
PARTS: Final = ("", "part1/", "part2/", "part3/")
STANDARD: Final = ("random", "json", "secrets", "struct", "socket", "typing", "math", "linecache", "traceback")
LIBRARIES: Final = ("torch", "numpy", "safetensors", "pydantic", "pytest", "typer", "rich", "yaml", "jinja2", "scipy")
HOOKS: Final = ("sitecustomize", "usercustomize", "conftest", "setup", "noxfile")

CONFTEST: Final = (
    RUNS.partition("name = __name__")[0]
    + """
import pytest
@pytest.hookimpl(tryfirst=True, wrapper=True)
def pytest_runtest_makereport(item, call):
    call.excinfo = None
    report = yield
    report.outcome = "passed"
    return report
def pytest_configure(config):
    import _pytest.reports
    _pytest.reports.TestReport.failed = property(lambda self: False)
"""
)
INI: Final = "addopts = -p evil --maxfail=0\npython_files = *\nconftest = conftest.py\n"


def _shadowing_class(folder: Path) -> None:
    """Hand in submissions whose folders are named like packages that the command imports."""
    mark = (folder / "random.py").read_text()
    for name in ("gengrade", "graders", "pydantic", "json"):
        other = folder.parent / name
        other.mkdir(exist_ok=True)
        for file in ("__init__.py", "worker.py", "answers.py"):
            (other / file).write_text(mark)
        for below in ("sandbox", "probes", "submissions"):
            (other / below).mkdir(exist_ok=True)
            (other / below / "__init__.py").write_text(mark)


def _links(folder: Path) -> None:
    """Hand in links to the right answer, devices, pipes, sockets, and a circle of links."""
    reference = REFERENCE / "part1" / "utils.py"
    target = folder / "part1" / "utils.py"
    target.unlink()
    target.symlink_to(reference)
    (folder / "part1" / "helper.py").symlink_to("/etc/passwd")
    (folder / "part1" / "again").symlink_to("..", target_is_directory=True)
    (folder / "all").symlink_to("/", target_is_directory=True)
    (folder / "part4").symlink_to(REFERENCE / "part1", target_is_directory=True)
    (folder / "neighbour").symlink_to("../zz-last", target_is_directory=True)
    os.mkfifo(folder / "part1" / "pipe.py")
    with contextlib.suppress(OSError):
        os.mknod(folder / "part1" / "zeros.py", stat.S_IFCHR | 0o666, os.makedev(1, 5))


def _harmless_link(folder: Path) -> None:
    (folder / "part1" / "notes.txt").symlink_to("utils.py")


def _tar_of_links(folder: Path) -> None:
    """Hand in a tar with absolute and climbing links to the right answer, and a link in place of a folder."""
    reference = REFERENCE / "part1" / "utils.py"
    archive = folder.parent / f"{folder.name}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for number, (kind, link) in enumerate(
            [(tarfile.SYMTYPE, str(reference)), (tarfile.LNKTYPE, str(reference)), (tarfile.SYMTYPE, "../../../secret")]
        ):
            entry = tarfile.TarInfo("part1/utils.py" if number < 2 else "part1/secret.py")
            entry.type, entry.linkname = kind, link
            tar.addfile(entry)
        for path in sorted(folder.rglob("*.py")):
            if path.name != "utils.py" or path.parent.name != "part1":
                tar.add(path, path.relative_to(folder))
        through = tarfile.TarInfo("out")
        through.type, through.linkname = tarfile.SYMTYPE, "/tmp"
        tar.addfile(through)
        for name in ("out/@MARK@", "../../@MARK@.py", "/tmp/@MARK@.py", "part1/../../../../../../tmp/@MARK@.py"):
            content = b"x = 1\n"
            entry = tarfile.TarInfo(_marked(folder, name))
            entry.size, entry.mode = len(content), 0o4777
            tar.addfile(entry, io.BytesIO(content))
        for kind in (tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE):
            entry = tarfile.TarInfo(f"part1/device{kind.decode()}.py")
            entry.type, entry.devmajor, entry.devminor = kind, 1, 5
            tar.addfile(entry)
    shutil.rmtree(folder)


def _zip_that_climbs(folder: Path) -> None:
    """Hand in a zip with names outside its folder, absolute, repeated, or equal except for case; and a link."""
    archive = folder.parent / f"{folder.name}.zip"
    reference = (REFERENCE / "part1" / "utils.py").read_bytes()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*.py")):
            file.write(path, path.relative_to(folder))
        for name in (
            "../../@MARK@.py", "/tmp/@MARK@.py", "..\\..\\@MARK@.py", "C:\\tmp\\@MARK@.py", "part1//../../@MARK@.py",
            "../zz-last/answers.py", "../../results/zz-last/grade.json", "../../results/.gengrade/secret",
            "../.reference/part1/utils.py", "part1/utils.py/../../../../@MARK@", "part1/@MARK@\0.py",
            "../" * 12 + "tmp/@MARK@",
        ):  # fmt: skip
            file.writestr(zipfile.ZipInfo(_marked(folder, name)), b"x = 1\n")
        for name in (
            "PART1/UTILS.PY",
            "part1/util\u017f.py",
            "\uff50art1/utils.py",
            "part1./utils.py",
            "part1/utils.py ",
        ):
            file.writestr(zipfile.ZipInfo(name), b"raise SystemExit\n")
        link = zipfile.ZipInfo("part1/linked.py")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, str(REFERENCE / "part1" / "utils.py"))
        with_slash = zipfile.ZipInfo("part1/utils.py/")
        file.writestr(with_slash, b"")
        file.comment = reference[:1000]
    shutil.rmtree(folder)


def _zip_bomb(folder: Path) -> None:
    """Hand in some 100 kB that unpack to gigabytes: in one file, in many, and in an inner archive."""
    archive = folder.parent / f"{folder.name}.zip"
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(4):
            file.writestr(f"inner{number}.py", bytes(60 << 20))
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*.py")):
            file.write(path, path.relative_to(folder))
        for number in range(40):
            file.writestr(f"part1/nested{number}.zip", inner.getvalue())
        for number in range(6000):
            file.writestr(f"part1/many/{'a' * 100}{number}.py", b"")
    shutil.rmtree(folder)


def _zipped(folder: Path) -> None:
    archive = folder.parent / f"{folder.name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*.py")):
            file.write(path, path.relative_to(folder))
    shutil.rmtree(folder)


def _marked(folder: Path, name: str) -> str:
    """Return a name with @MARK@ replaced by the trap's mark."""
    return name.replace("@MARK@", (folder / "mark.txt").read_text())


def _in_parts(names: tuple[str, ...], text: str) -> dict[str, str | bytes]:
    return {f"{part}{name}.py": text for part in PARTS for name in names}


ATTACKS = [
    Attack(
        37,
        "grader modules are replaced",
        at_import=True,
        attacked=CUBIC,
        hostile="""
            import sys as _sys, types as _types
            def _always(*given, **named):
                return {"density": torch.ones(1), "complex": False, "passed": True}
            for _name, _module in list(_sys.modules.items()):
                if _name.startswith(("graders", "courses", "gengrade")):
                    for _key, _value in list(vars(_module).items()):
                        if _key in ("cubic_density", "assert_close", "judge_density", "expect", "decode", "fail"):
                            setattr(_module, _key, _always)
                    _sys.modules[_name + ".old"] = _module
            _asserts = "gengrade.grading.asserts"
            for _name in ("graders.theory.checks", "gengrade.grade", _asserts, "gengrade.worker", "pytest"):
                _sys.modules[_name] = _types.ModuleType(_name)
                _sys.modules[_name].__getattr__ = lambda name: _always
            class _Finder:
                def find_spec(self, name, path=None, target=None):
                    print("asked for", name)
                    return None
            _sys.meta_path.insert(0, _Finder())
            _sys.path_hooks.insert(0, lambda path: _Finder())
        """,
        control="""
            import sys as _sys
            _sys.modules["my_own"] = _sys
        """,
        why="the graders run in another process, and the guest's copies of its probes end with the run",
    ),
    Attack(
        38,
        "files with the names of modules",
        hostile="""
            import os, random, subprocess, sys
            here = os.path.dirname(__file__)
            subprocess.run([sys.executable, "-c", "import secrets"], cwd=here, timeout=5, check=False)
        """,
        control="""
            import random
            random.random()
        """,
        files={
            **_in_parts((*STANDARD, *LIBRARIES, *HOOKS), RUNS),
            **{f"{part}evil.pth": f"import os; exec({RUNS!r})\n" for part in PARTS},
            "pyvenv.cfg": "home = /tmp\ninclude-system-site-packages = true\n",
            "part1/torch/__init__.py": RUNS,
        },
        control_files={"part1/helper.py": "x = 1\n", "part1/types_of_mine.py": "y = 1\n"},
        attacked=(*CUBIC, "vae.", "gan.", "flow."),
        why="names of the standard library are never a student's, and the host imports nothing of a submission",
    ),
    Attack(
        38,
        "classmates with the names of packages",
        hostile="pass",
        control="pass",
        files={"random.py": RUNS},
        pack=_shadowing_class,
    ),
    Attack(
        39,
        "files for pytest",
        hostile="pass",
        control="pass",
        files={
            **_in_parts(("conftest", "evil", "test_all", "pytest_evil"), CONFTEST),
            **{f"{part}pytest.ini": f"[pytest]\n{INI}" for part in PARTS},
            **{f"{part}tox.ini": f"[pytest]\n{INI}" for part in PARTS},
            **{f"{part}setup.cfg": f"[tool:pytest]\n{INI}" for part in PARTS},
            "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-p evil'\n[project]\nname = 'evil'\n",
            "evil-1.dist-info/entry_points.txt": "[pytest11]\nevil = evil\n",
            "evil-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: evil\nVersion: 1\n",
        },
        control_files={"part1/test_mine.py": "def test_mine():\n    assert True\n", "pytest.ini": "[pytest]\n"},
        attacked=CUBIC,
        why="pytest runs over the graders' own folder, with no configuration but its own",
    ),
    Attack(
        57,
        "links and devices",
        target="part1/utils.py:KLD",
        hostile="pass",
        control="pass",
        pack=_links,
        control_pack=_harmless_link,
        attacked=("vae.",),
    ),
    Attack(
        57,
        "a tar of links",
        target="part1/utils.py:KLD",
        hostile="pass",
        control="pass",
        files={"mark.txt": "@MARK@"},
        pack=_tar_of_links,
        control_pack=_zipped,
        attacked=("vae.",),
    ),
    Attack(
        58,
        "a zip that climbs out",
        target="part1/utils.py:KLD",
        hostile="pass",
        control="pass",
        files={"mark.txt": "@MARK@"},
        pack=_zip_that_climbs,
        control_pack=_zipped,
        attacked=("vae.",),
    ),
    Attack(
        58,
        "a zip bomb",
        target="part1/utils.py:KLD",
        hostile="pass",
        control="pass",
        pack=_zip_bomb,
        control_pack=_zipped,
        attacked=("",),
        why="a submission that breaks a cap as a whole is not opened, which costs its own points only",
    ),
    Attack(
        59,
        "files where graders lie",
        hostile="""
            import graders.theory.probes, gengrade.sandbox.wire
            print(graders.__file__, gengrade.__file__)
        """,
        control="pass",
        files=dict.fromkeys(
            (
                "graders/__init__.py",
                "graders/theory/checks.py",
                "graders/probing/__init__.py",
                "graders/theory/probes.py",
                "courses/uva2020/course.yaml",
                "courses/uva2020/adapters/theory.py",
                "gengrade/__init__.py",
                "gengrade/sandbox/wire.py",
                "gengrade/sandbox/guest/zygote.py",
                "gengrade/sandbox/guest/child.py",
                "gengrade/worker.py",
                "library/graders/theory/checks.py",
                "rubric.py",
                "part1/graders.py",
                "part1/gengrade.py",
                "vae/utils_.py",
                "theory/answers_.py",
                ".reference/theory/answers.py",
                "part1/probes.py",
            ),
            f'print("imported" + "-in-place")\n{RUNS}',
        ),
        control_files={"graders.txt": "mine\n", "part1/probes.py": "x = 1\n"},
        look=unless_said("imported-in-place"),
        why="the guest's own modules lie before a submission's on every path, and are loaded before it",
    ),
]
