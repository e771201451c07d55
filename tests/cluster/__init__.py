"""Grading on several machines, proven with the real Slurm and the real Dask: `make cluster`.

    a class and the command on it      `klass`
    Slurm                              `on_slurm`, with four nodes that `tools/slurm-cluster` starts on this machine
    Dask                               `on_dask`, with a scheduler and workers that it starts itself

What is compared are whole folders of results, in which only times may differ.
"""
