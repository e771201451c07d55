"""Row 50: secrets stay hidden where they lie below folders that student code has to read.

Everything that must be kept holds a note with a secret word, and what the attacker's grading left must not hold it.
"""

from __future__ import annotations

import gzip
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from gengrade.sandbox import Tier, examine
from tests.attacks.attack import replaced
from tests.support.handed_in import SMALL_RUBRIC

pytestmark = pytest.mark.slow  # a class, and sometimes an environment, for each test

_ROOT: Final = Path(__file__).resolve().parents[2]
_BESIDE: Final = ("graders", "courses", "reference", "rubric.yaml", "run_grading.py")  # the package, in a checkout
_PYTHON: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
_NOTE: Final = "note.txt"
_LIMITS: Final = "limits: {unit: {seconds: 300}}\n"
_FULL: Final = 3

# Reads the notes where they lie, and wherever a folder can be listed; looks for what names any of these places.
_HOSTILE: Final = """
import glob, os, sys, time
from pathlib import Path
def show(path):
    try:
        with open(path, "rb") as file:
            for line in file.read(1 << 20).split(b"\\n"):
                if b"canary" in line or b"@TOKEN@"[::-1] in line:
                    print("READ", path, line[-200:])
    except (OSError, ValueError):
        pass
places = @PLACES@
around = ("", "/proc/self/root", "/proc/1/root", f"/proc/{os.getppid()}/cwd/../../../..", "/dev/fd/../root",
          "/proc/thread-self/root", f"{os.path.dirname(__file__)}/../../../../../../../..")
for place in places:
    for way in around:
        show(f"{way}{place}/note.txt")
        for list_ in (os.listdir, lambda each: list(Path(each).rglob("*")), lambda each: glob.glob(each + "/**")):
            try:
                print("LIST", list_(way + place))
            except OSError:
                pass
    if os.path.exists(f"{place}/note.txt"):
        print("it-is" + "-there")
end = time.monotonic() + 4
for top in dict.fromkeys((*(os.path.dirname(place) for place in places), sys.prefix, sys.base_prefix, "/trees", "/tmp",
                          "/dev/shm", "/usr/src", "/usr/local", "/opt", *sys.path, "/var", "/root", "/")):
    for folder, below, names in os.walk(top):
        below[:] = [name for name in below if name not in ("proc", "sys", "torch", "sklearn", "scipy")]
        for name in names:
            if name in ("note.txt", "secret", "facts.json"):
                show(os.path.join(folder, name))
        if time.monotonic() > end:
            break
for process in ("self", "thread-self", "1", str(os.getpid()), str(os.getppid()), f"self/task/{os.getpid()}"):
    for name in ("mountinfo", "mounts", "mountstats", "cgroup", "cpuset", "environ", "cmdline", "maps", "fdinfo/0",
                 "fdinfo/1", "net/unix", "stack", "smaps"):
        show(f"/proc/{process}/{name}")
        if name.startswith("mount"):
            try:
                print("mounts" + "-were-read", open(f"/proc/{process}/{name}").read()[:200])
            except OSError:
                pass
for name in ("mounts", "swaps", "cmdline", "locks", "net/unix", "keys"):
    show(f"/proc/{name}")
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
asked, buffer = (ctypes.c_uint64 * 4)(32, 0, 0xFFFFFFFFFFFFFFFF, 0), ctypes.create_string_buffer(1 << 16)
asked[0], asked[1] = 24, 0xFFFFFFFFFFFFFFFF  # LSMT_ROOT
identities = (ctypes.c_uint64 * 512)()
for each in identities[: max(0, libc.syscall(458, asked, identities, 512, 0))]:
    asked[1], asked[2] = each, 0x3F
    if libc.syscall(457, asked, buffer, 1 << 16, 0) == 0:
        print("mounts" + "-were-read", buffer.raw[:4000].replace(b"\\0", b""))
print("@ALIVE@"[::-1])
"""

# What honest programs do with their interpreter, its libraries and /proc.
_HONEST: Final = """
import importlib, importlib.metadata, multiprocessing, os, subprocess, sys, tempfile, threading
importlib.invalidate_caches()
import wave, xmlrpc.client, torch.nn.utils.prune, scipy.integrate, sklearn.datasets
assert importlib.metadata.version("torch") == importlib.metadata.version("torch")
assert sklearn.datasets.load_digits().data.shape == (1797, 64)
words = "import torch, scipy, sys; print(int(torch.ones(2).sum()), sys.prefix)"
run = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, close_fds=True)
assert run.stdout.split() == ["2", sys.prefix], run.stdout + run.stderr
with tempfile.NamedTemporaryFile("w+") as file:
    file.write("x")
thread = threading.Thread(target=lambda: torch.ones(3).sum())
thread.start()
thread.join()
for name in ("status", "statm", "stat", "maps", "limits", "io"):
    assert open(f"/proc/self/{name}").read()
for name in ("cpuinfo", "meminfo", "stat", "loadavg"):
    assert open(f"/proc/{name}").read()
import matplotlib.pyplot as plt
figure = plt.figure()
plt.plot([1, 2])
plt.title("Grüße")
figure.savefig("figure.png")
from torch.utils.tensorboard import SummaryWriter
with SummaryWriter("runs") as writer:
    writer.add_scalar("loss", 1.0, 1)
import tqdm
data = torch.utils.data.TensorDataset(torch.arange(6.0))
for context in ("fork", "spawn"):
    loader = torch.utils.data.DataLoader(data, batch_size=2, num_workers=2, multiprocessing_context=context)
    assert sum(float(batch.sum()) for (batch,) in tqdm.tqdm(loader)) == 15
"""


@dataclass
class World:
    """The places of the project, the class, the results and the data, and the interpreter."""

    project: Path
    classroom: Path
    out: Path
    data: Path
    python: Path = Path(sys.executable)
    command: Path | None = None  # the script, where it is called by another path
    asked: tuple[Path, Path] | None = None  # the class and the results, where they are named by other paths
    kept: list[Path] = field(default_factory=list)  # what else must not be read, and what is not asked for by name


def _environment(folder: Path) -> Path:
    """Make a virtual environment that imports this one's packages, and return its folder."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = [path for path in sys.path if Path(path).name == "site-packages"]
    (folder / "lib" / _PYTHON / "site-packages" / "shared.pth").write_text("\n".join(packages))
    return folder


def _copy(project: Path, names: Sequence[str] = ("gengrade", *_BESIDE)) -> Path:
    project.mkdir(parents=True, exist_ok=True)
    for name in names:
        source, target = _ROOT / name, project / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    return project


def _around(folder: Path, stack: ExitStack) -> World:
    """Make an environment that contains everything, as `python -m venv .` does."""
    venv = _environment(folder / "venv")
    project = _copy(venv / "src" / "project")
    return World(project, venv / "class", venv / "results", venv / "data", venv / "bin" / "python")


def _inside(folder: Path, stack: ExitStack) -> World:
    """Put everything into folders that the interpreter needs."""
    venv = _environment(folder / "venv")
    project, lib = _copy(venv / "lib" / "project"), venv / "lib" / _PYTHON
    return World(project, lib / "class", venv / "share" / "results", venv / "bin" / "data", venv / "bin" / "python")


def _environment_inside(folder: Path, stack: ExitStack) -> World:
    """Put a checkout into an environment, and another environment with the results into the checkout."""
    outer = _environment(folder / "venv")
    project = _copy(outer / "lib" / "project")
    inner = _environment(project / ".venv")
    # This interpreter needs the inner one only. The outer one is the system's, so to speak.
    python = inner / "bin" / "python"
    return World(project, project / "class", inner / "lib" / "results", inner / "share" / "data", python)


def _installed(folder: Path, stack: ExitStack) -> World:
    """Install the package beside others, as an installer does."""
    venv = _environment(folder / "venv")
    packages = _copy(venv / "lib" / _PYTHON / "site-packages", ["gengrade"])
    project = _copy(packages / "gengrade" / "home", _BESIDE)
    (packages / "gengrade-0.1.0.dist-info").mkdir()
    (packages / "gengrade-0.1.0.dist-info" / _NOTE).touch()
    world = World(project, venv / "share" / "class", venv / "results", venv / "data", venv / "bin" / "python")
    world.kept += [packages / name for name in ("gengrade", "gengrade/home/courses", "gengrade-0.1.0.dist-info")]
    return world


def _linked(folder: Path, stack: ExitStack) -> World:
    """Put links into the paths of the environment, the project, the class and the results."""
    world = _inside(folder, stack)
    for name, path in (("env", folder / "venv"), ("p", world.project), ("c", world.classroom), ("r", world.out)):
        path.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(path)
    world.python, world.command = folder / "env" / "bin" / "python", folder / "p" / "run_grading.py"
    world.asked = folder / "c", folder / "r"
    return world


def _of_the_system(folder: Path, stack: ExitStack) -> World:
    """Install into the folders that containers and installers use."""
    _only_root()
    places = []
    for above in ("/usr/src", "/usr/local/lib", "/usr/local/share", "/usr/share"):
        places.append(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="app-", dir=above))))
        places[-1].chmod(0o755)
    return World(_copy(places[1] / "app"), places[0] / "class", places[2] / "results", places[3] / "data")


def _mounted(folder: Path, stack: ExitStack) -> World:
    """Mount a project and a class a second time where the interpreter reads."""
    _only_root()
    venv = _environment(folder / "venv")
    project, classroom = _copy(folder / "disk" / "project"), folder / "disk" / "class"
    classroom.mkdir()
    for source, name in ((project, "lib/project"), (folder / "disk", "share/disk"), (project / "reference", "bin/r")):
        point = venv / name
        point.mkdir(parents=True)
        if subprocess.run(["mount", "--bind", str(source), str(point)], check=False).returncode:
            pytest.skip("nothing can be mounted here")
        stack.callback(subprocess.run, ["umount", str(point)], check=True)
    world = World(project, classroom, folder / "disk" / "results", venv / "lib" / "data", venv / "bin" / "python")
    world.kept += [venv / "lib/project", venv / "share/disk/project", venv / "share/disk/results", venv / "bin/r"]
    return world


def _only_root() -> None:
    if os.getuid() != 0:
        pytest.skip("only root can write there")


Lay = Callable[[Path, ExitStack], World]
_LAYS: Final[tuple[tuple[Lay, str], ...]] = (
    *((lay, "/var/tmp") for lay in (_around, _inside, _environment_inside, _installed, _linked, _mounted)),
    *((_inside, above) for above in ("/tmp", "/dev/shm")),
    (_of_the_system, "/var/tmp"),
)


@pytest.fixture
def laid(request: pytest.FixtureRequest) -> Iterator[World]:
    lay, above = request.param
    with tempfile.TemporaryDirectory(prefix="places-", dir=above) as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)
        yield lay(Path(folder).resolve(), stack)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("tier", [Tier.SANDBOX, Tier.LANDLOCK])
@pytest.mark.parametrize("laid", _LAYS, indirect=True, ids=[f"{lay.__name__[1:]} in {above}" for lay, above in _LAYS])
def test_what_lies_where_students_read_is_kept(laid: World, tier: Tier) -> None:
    if not next(finding for finding in examine() if finding.tier is tier).available:
        pytest.skip(f"this machine does not give the tier {tier}")
    token = secrets.token_hex(6)
    alive, neighbour = f"alive-{token}", f"neighbour-canary-{token}"
    kept = _plant(laid, token)
    hostile = _HOSTILE.replace("@PLACES@", repr([str(path) for path in kept])).replace("@ALIVE@", alive[::-1])
    hostile = hostile.replace("@TOKEN@", token[::-1])
    _hand_in(laid, {"hostile": (hostile, True), "honest": (_HONEST, False), neighbour: ("", False)}, token)
    printed = _grade(laid, tier, {"GENGRADE_SECRET": f"canary-secret-{token}"})
    left = b"\0".join(path.read_bytes() for path in (laid.out / "hostile").rglob("*") if path.is_file())
    assert alive.encode() in left, "the attack did not come to its end"
    told = {
        "the notes": f"canary-{token}".encode(),
        "the secret": f"canary-secret-{token}".encode(),
        "another student's name": neighbour.encode(),
        "the mounts": b"mounts-were-read",
    }
    if tier is Tier.SANDBOX:  # Landlock does not keep that a path is there
        told["that a path is there"] = b"it-is-there"
    assert not [what for what, words in told.items() if words in left]
    for name in ("honest", neighbour):
        grade = json.loads((laid.out / name / "grade.json").read_text())
        assert grade["points"] == _FULL, json.dumps(grade, indent=1) + printed


def _plant(world: World, token: str) -> list[Path]:
    """Write notes with the secret into every secret folder, and return the folders."""
    _write_data(world.data)
    kept = [world.project / "reference", world.project / "graders", world.classroom, world.out, world.data, *world.kept]
    kept.append(world.project)
    for folder in kept:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _NOTE).write_text(f"canary-{token}\n")
    return kept


def _write_data(folder: Path) -> None:
    """Write a data set in MNIST's format."""
    folder.mkdir(parents=True)
    for name in ("train", "t10k"):
        images = np.zeros((24, 28, 28), np.uint8)
        for kind, values in (("images-idx3", images), ("labels-idx1", np.arange(24, dtype=np.uint8) % 10)):
            head = bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">u4").tobytes()
            (folder / f"{name}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + values.tobytes()))


def _hand_in(world: World, pieces: dict[str, tuple[str, bool]], token: str) -> None:
    source = (_ROOT / "reference" / "uva2020" / "answers.py").read_text()
    for name, (piece, wrong) in pieces.items():
        folder = world.classroom / name
        folder.mkdir(parents=True)
        body = "return torch.zeros_like(x)" if wrong else None
        (folder / "answers.py").write_text(replaced(source, "cubic_density", textwrap.dedent(piece).strip(), body))
        if name not in ("hostile", "honest"):
            (folder / _NOTE).write_text(f"canary-{token}\n")


def _grade(world: World, tier: Tier, environment: dict[str, str]) -> str:
    classroom, out = world.asked or (world.classroom, world.out)
    rubric = world.project / "rubric.yaml"
    rubric.write_text(SMALL_RUBRIC + _LIMITS)
    command = [str(world.python), str(world.command or world.project / "run_grading.py"), str(classroom)]
    command += ["--out", str(out), "--rubric", str(rubric), "--data", str(world.data), "--profile", "unit"]
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # it may lead to this checkout
    run = subprocess.run(
        [*command, "--isolation", tier.value, "--seed", "5"],
        capture_output=True,
        text=True,
        check=False,
        env={**own, **environment},
        cwd="/",
        timeout=500,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr
