"""Programs in Slurm's place: `sbatch` runs the tasks of a script as processes, and `squeue` knows which go on."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

# Task n of an array runs on "node-n". $FAKE_SLURM_LOST names tasks that end before they begin, as on a lost node.
_SBATCH: Final = """
import os, re, shlex, subprocess, sys, time
from pathlib import Path

jobs = Path(__file__).parent / "jobs"
jobs.mkdir(exist_ok=True)
number = str(len(list(jobs.iterdir())) + 1)
(jobs / number).write_text("running")
script = sys.stdin.read()
options = [word for line in script.splitlines() if line.startswith("#SBATCH ") for word in shlex.split(line[8:])]
named = dict(option[2:].partition("=")[::2] for option in [*options, *sys.argv[1:]])
print(number, flush=True)
if os.fork():
    os._exit(0)
os.setsid()
null = os.open(os.devnull, os.O_RDWR)
for stream in (0, 1, 2):
    os.dup2(null, stream)
while before := named.get("dependency", "").partition(":")[2]:
    if (jobs / before).read_text() == "ended":
        break
    time.sleep(0.1)
first, last = map(int, named.get("array", "0-0").split("-"))
running = []
for task in range(first, last + 1):
    if str(task) in os.environ.get("FAKE_SLURM_LOST", "").split():
        continue
    log = named["output"].replace("%a", str(task)).replace("%%", "%")
    place = {"SLURM_ARRAY_TASK_ID": str(task), "SLURMD_NODENAME": f"node-{task}", "SLURM_CPUS_ON_NODE": "1"}
    with open(log, "a") as file:
        given = {"stdin": subprocess.PIPE, "stdout": file, "stderr": file, "env": {**os.environ, **place}}
        began = subprocess.Popen(["bash", "-s"], **given)
    began.stdin.write(script.encode())
    began.stdin.close()
    running.append(began)
for each in running:
    each.wait()
(jobs / number).write_text("ended")
"""
_SQUEUE: Final = """
import sys
from pathlib import Path

(asked,) = [word.partition("=")[2].split(",") for word in sys.argv if word.startswith("--jobs=")]
jobs = Path(__file__).parent / "jobs"
print("\\n".join(job for job in asked if (jobs / job).read_text() != "ended"))
"""
_SINFO: Final = "print('node-2\\nnode-1')"
_SRUN: Final = """
import os, subprocess, sys

(node,) = [word.partition("=")[2] for word in sys.argv if word.startswith("--nodelist=")]
command = sys.argv[next(i for i, word in enumerate(sys.argv) if i and not word.startswith("--")):]
sys.exit(subprocess.call(command, env={**os.environ, "SLURMD_NODENAME": node}))
"""


def install(folder: Path) -> str:
    """Write the programs into a folder, and return a PATH on which they come first."""
    folder.mkdir()
    for name, program in (("sbatch", _SBATCH), ("squeue", _SQUEUE), ("sinfo", _SINFO), ("srun", _SRUN)):
        file = folder / name
        file.write_text(f"#!{sys.executable} -I\n{program}")
        file.chmod(0o755)
    return os.pathsep.join([str(folder), os.environ["PATH"]])


def submitted(folder: Path) -> int:
    """Return how many jobs were submitted to the programs in a folder."""
    jobs = folder / "jobs"
    return len(list(jobs.iterdir())) if jobs.exists() else 0
