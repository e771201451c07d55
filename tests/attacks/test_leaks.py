"""Rows 38 and 61: modules in the working folder are not imported, and concurrent guests cannot communicate."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from gengrade.course import find
from gengrade.facts import Outcome
from gengrade.sandbox import Isolation, Limits, Request, Run, Sandbox, Tier, choose, examine
from tests.attacks.shadows import STANDARD

_ROOT: Final = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("stand", ["submission", pytest.param("class", marks=pytest.mark.slow)])
def test_modules_of_where_the_teacher_stands_are_not_imported(tmp_path: Path, stand: str) -> None:
    """`cd submission; python …/run_grading.py .`: Python looks for modules where it is started."""
    if choose(Isolation.AUTO, single=True) is Tier.PROCESS:
        pytest.skip("this machine offers no isolation")
    mark = tmp_path / "ran"
    student = tmp_path / "class" / "student"
    student.mkdir(parents=True)
    (student / "answers.py").write_text("gan_value = -1.386\n")
    here = student if stand == "submission" else student.parent
    body = f"open({str(mark)!r}, 'a').write(__name__ + ' ')\nraise ImportError('a student wrote this')\n"
    for name in (*STANDARD, "selectors", "fcntl", "hashlib", "numpy", "torch", "pydantic", "conftest", "sitecustomize"):
        (here / f"{name}.py").write_text(body)
    for name in ("gengrade", "graders"):
        (here / name).mkdir()
        for file in ("__init__.py", "worker.py", "download.py"):
            (here / name / file).write_text(body)
    command = [sys.executable, str(_ROOT / "run_grading.py"), ".", "--out", str(tmp_path / "out"), "--only", "student*"]
    command += ["--profile", "unit", "--part", "theory", "--data", "digits"]
    run = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False, timeout=300)
    assert not mark.exists(), f"a student's code ran outside of every wall: {mark.read_text()}"
    assert run.returncode == 0, run.stderr


# Two guests that run at the same time -----------------------------------------------------------------------------

_ANSWER: Final = 271828
_TELL: Final = f"""
import fcntl, struct, time, os, sys
for path in (torch.__file__, os.__file__):
    file = os.open(path, os.O_RDONLY)
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, {_ANSWER}, 1, 0))
    except OSError:
        pass
    try:
        fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, {_ANSWER})
    except OSError:
        pass
time.sleep(4)
"""
_HEAR: Final = """
import fcntl, struct, time, os
heard = []
end = time.monotonic() + 6
while time.monotonic() < end and not heard:
    for path in (torch.__file__, os.__file__):
        file = os.open(path, os.O_RDONLY)
        try:
            asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 1, 1 << 40, 0)
            kind, _, start, _, _ = struct.unpack("hhqqi4x", fcntl.fcntl(file, fcntl.F_OFD_GETLK, asked))
            heard += [start] if kind != fcntl.F_UNLCK else []
        except OSError:
            pass
        os.close(file)
    try:
        heard += [int(line.split()[-2]) for line in open("/proc/locks") if "OFD" in line]
    except OSError:
        pass
    time.sleep(0.1)
return torch.tensor(heard or [0])
"""


@pytest.mark.slow
@pytest.mark.parametrize("tier", [Tier.SANDBOX, Tier.LANDLOCK])
def test_a_friend_who_is_graded_at_the_same_time_cannot_prompt(tmp_path: Path, tier: Tier) -> None:
    """File locks are the kernel's and would be visible across namespaces."""
    if not next(finding for finding in examine() if finding.tier is tier).available:
        pytest.skip(f"this machine does not give the tier {tier}")
    runs: dict[str, Run] = {}
    trees = tmp_path / "trees"

    def guest(name: str, body: str) -> None:
        tree = trees / name / "tree"
        (tree / "vae").mkdir(parents=True)
        source = f"import torch\ndef KLD(mean, log_std):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"
        (tree / "vae" / "utils.py").write_text(source)
        inputs = {"mean": np.zeros((2, 3), np.float32), "log_std": np.zeros((2, 3), np.float32)}
        with Sandbox(tier, find("uva2020"), trees / name) as sandbox:
            sandbox.warm()
            together.wait(120)
            runs[name] = sandbox.run(Request("vae:kld", tree, inputs, 1, Limits(seconds=15)))

    together = threading.Barrier(2)
    pair = [threading.Thread(target=guest, args=each) for each in (("tells", _TELL), ("hears", _HEAR))]
    for each in pair:
        each.start()
    for each in pair:
        each.join()
    assert runs["hears"].outcome is Outcome.PASSED, runs["hears"].message + runs["hears"].output
    assert _ANSWER not in runs["hears"].evidence.tolist()
