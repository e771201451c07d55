"""The proof with Slurm, on the four nodes that `tools/slurm-cluster` starts."""

from __future__ import annotations

import os
import subprocess
import time
from functools import partial
from pathlib import Path

from gengrade.authenticity import authority
from gengrade.engine.cluster.files import NodeState, read_state
from tests.cluster.klass import Klass, kill, processes, untouched, wait_until
from tests.support.alike import require_alike

_ARRAY = ("--slurm", "--array", "4", "--jobs", "1", "--time", "30")


def prove(klass: Klass, alone: Path) -> None:
    """Grade on four nodes: undisturbed, disturbed, and with a node that is refused. Raises AssertionError."""
    _undisturbed(klass, alone)
    _disturbed(klass, alone)
    _another_version(klass, alone)
    _less_isolation(klass, alone)


def _undisturbed(klass: Klass, alone: Path) -> None:
    out = klass.folder / "slurm"
    said = klass.grade(out, *_ARRAY)
    assert {f"on node{number}" in said for number in range(1, 5)} == {True}, said
    require_alike(out, alone)
    print("slurm: four nodes find out what one machine finds out")


def _disturbed(klass: Klass, alone: Path) -> None:
    """In the middle of their slices, the processes of one job are killed, and everything on the node of another."""
    out = klass.folder / "slurm-disturbed"
    graded: list[str] = []
    lost: list[str] = []

    def disturb() -> None:
        for number in (2, 3):
            wait_until(partial(_is_in_the_middle, klass, out, number), f"slice {number} is in the middle")
        job, node = (_state(klass, out, number) for number in (2, 3))
        assert job is not None
        assert node is not None
        graded.extend((*job.graded, *node.graded))
        lost.extend([node.machine, str(time.time())])
        kill(processes("SLURM_ARRAY_TASK_ID", "2"))
        kill(processes("SLURM_CLUSTER_NODE", node.machine))
        kill(processes("SLURMD_NODENAME", node.machine))

    said = klass.grade(out, *_ARRAY, during=disturb)
    assert untouched(out, tuple(graded), float(lost[1])), "what was finished was graded again"
    require_alike(out, alone)
    assert "slice 2 was not finished" in said, said
    print(f"slurm: a killed job and a lost node cost only what was unfinished\n{_notes(said)}")
    _restart(lost[0])


def _another_version(klass: Klass, alone: Path) -> None:
    """node4 sees another numpy, in a folder of its own."""
    seen, other = klass.folder / "seen", klass.folder / "other"
    seen.mkdir()
    (other / "numpy-0.9.dist-info").mkdir(parents=True)
    (other / "numpy-0.9.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 0.9\n")
    _restart("node4", other, seen)
    out = klass.folder / "slurm-version"
    path = os.pathsep.join([str(seen), os.environ.get("PYTHONPATH", "")])
    said = klass.grade(out, *_ARRAY, environment={"PYTHONPATH": path})
    assert "node4: numpy is 0.9 there and" in said, said
    assert "graded on node4" not in said
    require_alike(out, alone)
    print(f"slurm: a node of another version is refused by name\n{_notes(said)}")


def _less_isolation(klass: Klass, alone: Path) -> None:
    """node4 has no bubblewrap."""
    _restart("node4", Path("/dev/null"), Path("/usr/bin/bwrap"))
    out = klass.folder / "slurm-isolation"
    said = klass.grade(out, *_ARRAY)
    assert "node4: it does not give the isolation 'sandbox'" in said, said
    require_alike(out, alone)
    print(f"slurm: a node of less isolation is refused by name\n{_notes(said)}")


def _notes(said: str) -> str:
    return "\n".join(f"    {line}" for line in said.splitlines() if line.startswith("note:"))


def _state(klass: Klass, out: Path, number: int) -> NodeState | None:
    seal = authority([], {"GENGRADE_KEY_FILE": str(klass.folder / "key")}).seal
    return read_state(out, number, seal)


def _is_in_the_middle(klass: Klass, out: Path, number: int) -> bool:
    state = _state(klass, out, number)
    return state is not None and bool(state.graded) and bool(state.at)


def _restart(node: str, source: Path | None = None, target: Path | None = None) -> None:
    """Start a node again, which sees `source` at the path `target`."""
    kill(processes("SLURM_CLUSTER_NODE", node))
    mount = f"mount --bind '{source}' '{target}' && " if source else ""
    start = f"{mount}exec slurmd -f {os.environ['SLURM_CONF']} -N {node}"
    environment = {**os.environ, "SLURM_CLUSTER_NODE": node}
    subprocess.run(["unshare", "--mount", "sh", "-c", start], check=True, env=environment)
    subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], check=False, capture_output=True)
    wait_until(lambda: node in _idle(), f"{node} is up", 60)


def _idle() -> list[str]:
    asked = ["sinfo", "--noheader", "--Node", "--states=idle", "--format=%N"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
