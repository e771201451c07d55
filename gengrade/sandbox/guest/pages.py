"""Huge pages for what every run inherits: a fork copies one entry for each 2 MB then, instead of 512.

The imported libraries are some 300 MB of small objects. Copying and dropping their page tables, for the two or three
processes that each run is made of, costs more than most checks do; benchmarks/probes.py measures it.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gengrade.sandbox.guest.syscalls import libc

_HUGE: Final = 2 << 20
_COLLAPSE: Final = 25  # MADV_COLLAPSE, Linux 6.1; an older kernel refuses it, and then all is as it was


def collapse() -> None:
    """Gathers this process's private memory in huge pages, where the kernel can. Nothing depends on it."""
    if sys.platform != "linux":
        return
    for start, end in _private():
        for address in range(-(-start // _HUGE) * _HUGE, end - _HUGE + 1, _HUGE):
            libc().madvise(ctypes.c_void_p(address), ctypes.c_size_t(_HUGE), _COLLAPSE)


def _private() -> Iterator[tuple[int, int]]:
    """Start and end of each writable mapping that belongs to no file."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, rights, _, _, inode, *name = line.split(maxsplit=5)
        if rights == "rw-p" and inode == "0" and name in ([], ["[heap]"]):
            start, _, end = addresses.partition("-")
            yield int(start, 16), int(end, 16)
