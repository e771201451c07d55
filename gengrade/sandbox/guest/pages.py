"""Gather the memory that every run inherits in huge pages, so that a fork copies one entry per 2 MB instead of 512.

The imported libraries take some 300 MB in small objects. Copying and freeing their page tables, for the two or three
processes of each run, takes longer than most checks; benchmarks/probes.py measures it.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gengrade.sandbox.guest.syscalls import libc

_HUGE: Final = 2 << 20
_COLLAPSE: Final = 25  # MADV_COLLAPSE, since Linux 6.1; an older kernel refuses it, which changes nothing


def collapse() -> None:
    """Move this process's private memory to huge pages, if the kernel can. Only speed depends on it."""
    if sys.platform != "linux":
        return
    for start, end in _private():
        for address in range(-(-start // _HUGE) * _HUGE, end - _HUGE + 1, _HUGE):
            libc().madvise(ctypes.c_void_p(address), ctypes.c_size_t(_HUGE), _COLLAPSE)


def _private() -> Iterator[tuple[int, int]]:
    """Yield start and end of each private, writable mapping without a file."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, rights, _, _, inode, *name = line.split(maxsplit=5)
        if rights == "rw-p" and inode == "0" and name in ([], ["[heap]"]):
            start, _, end = addresses.partition("-")
            yield int(start, 16), int(end, 16)
