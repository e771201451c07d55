"""Prove that several machines grade as one does: `python -m tests.cluster slurm` or `dask`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from gengrade.sandbox import remove
from tests.cluster import on_dask, on_slurm
from tests.cluster.klass import Klass

_PROOFS = {"slurm": on_slurm.prove, "dask": on_dask.prove}


def main() -> None:
    """Grade a class on this machine and by a cluster, and print what agrees and how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("how", choices=list(_PROOFS))
    parser.add_argument("--students", type=int, default=12)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gengrade-cluster-"))
    try:
        klass = Klass(folder, given.students)
        alone = folder / "alone"
        klass.grade(alone, "--jobs", "1")
        _PROOFS[given.how](klass, alone)
        for name, seconds in klass.seconds.items():
            print(f"{seconds:6.0f} s  {name}")
    finally:
        remove(folder)


if __name__ == "__main__":
    main()
