"""Refuse the system calls that no honest submission needs, with a seccomp filter that answers EPERM.

The filter is a classic BPF program, assembled here (seccomp(2); linux/filter.h; linux/seccomp.h). It is a deny-list in
addition to the namespaces and Landlock: it closes kernel interfaces that widen the attack surface
(new namespaces, mounts, keyrings, BPF, io_uring, perf, userfaultfd), debugging of other processes, and every socket
family but AF_UNIX, which DataLoader workers use.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
from collections.abc import Sequence
from typing import Final

from gengrade.sandbox.guest import landlock
from gengrade.sandbox.guest.errors import WallError
from gengrade.sandbox.guest.syscalls import check, libc

# For each call its numbers on x86-64 and aarch64; None if the architecture has no such call.
_NUMBERS: Final[dict[str, tuple[int, int | None]]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "fsconfig": (431, 431),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "statmount": (457, 457),  # it shows the host's paths of mounted files
    "listmount": (458, 458),
    "setns": (308, 268),
    "unshare": (272, 97),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "syslog": (103, 116),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "iopl": (172, None),
    "ioperm": (173, None),
    "memfd_create": (319, 279),  # its memory counts in no rlimit and no resident set
    "memfd_secret": (447, 447),
    "vmsplice": (278, 75),  # pages in a pipe count for no process; the same holds for the next two calls
    "splice": (275, 76),
    "tee": (276, 77),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "mq_open": (240, 180),
    "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18),
    "personality": (135, 92),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    # Each rule and watch of these calls takes kernel memory that counts for no process.
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "inotify_init": (253, None),  # it also shows names of files that others create in unreadable folders
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    # These show which parts of a file are in memory, which tells one run what another has read.
    "fadvise64": (221, 223),
    "mincore": (27, 232),
    "cachestat": (451, 451),
}

# Without namespaces, a run could reach other processes and files of this user in ways that Landlock does not restrict.
_NUMBERS_ALONE: Final[dict[str, tuple[int, int | None]]] = {
    "truncate": (76, 45),  # it works by path, and old versions of Landlock do not restrict it
    "pidfd_send_signal": (424, 424),
}

# With other sessions, affinities or priorities, a run would get more of a busy machine than other runs, and outside of
# its process group it could not be killed at once. These calls seem to succeed, since libraries make them without
# needing their effect.
_PRETENDED: Final[dict[str, tuple[int | None, int | None]]] = {
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "sched_setaffinity": (203, 122),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
}

# No version of Landlock protects a file's mode, owner, times and attributes. Honest code copies files with these
# properties, so the calls seem to succeed.
_PRETENDED_ALONE: Final[dict[str, tuple[int | None, int | None]]] = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
}
# A call that is newer than this list opens nothing: programs know how to do without it, as on an older kernel. Since
# Linux 5.1, all architectures number new calls alike. The first that nobody has looked at here:
_FIRST_UNKNOWN: Final = 468  # file_getattr, of Linux 6.17; it reads, and 469 writes, what no version of Landlock keeps

_SOCKET: Final = (41, 198)
_SOCKETPAIR: Final = (53, 199)
_CLONE: Final = (56, 220)
_CLONE3: Final = (435, 435)
_CLOSE_RANGE: Final = (436, 436)
_PREADV2: Final = (327, 286)
_MADVISE: Final = (28, 233)
_IOCTL: Final = (16, 29)
_FCNTL: Final = (72, 25)
_FLOCK: Final = (73, 32)
_SETSOCKOPT: Final = (54, 208)
_PRCTL: Final = (157, 167)
_MMAP: Final = (9, 222)
_SENDFILE: Final = (40, 71)
_SIGACTION: Final = (13, 134)
_SIGCHLD: Final = 17

# Calls whose first argument is a process. Zero means the caller, except in calls that send a signal.
_SIGNALS: Final[dict[str, tuple[int, int]]] = {
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
}
_ON_PROCESSES: Final[dict[str, tuple[int, int]]] = {
    "prlimit64": (302, 261),
}

# Through locks and leases on a file that two runs may read, and watches on a folder, one run could signal to the other.
# F_GETLK is harmless, since no run gets a lock.
_TELLING: Final = (36, 37, 38, 1024, 1026)  # F_OFD_GETLK, F_OFD_SETLK(W), F_SETLEASE, F_NOTIFY
_LOCKING: Final = (6, 7)  # F_SETLK, F_SETLKW seem to succeed: honest code only locks files that nobody else uses
_F_SETPIPE_SZ: Final = 1031  # it would enlarge a pipe's buffer beyond the size that is counted

# With these requests of fcntl and ioctl, events of a file send a signal to any process.
_OWNERS: Final = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX
_OWNER_REQUESTS: Final = (0x8901, 0x8902)  # FIOSETOWN, SIOCSPGRP

# The second byte of an ioctl's number says whose it is. These are of file systems (ext4 and those that share its
# calls, XFS, versions, btrfs and copies by reference, FAT, identities): attributes, quotas, encryption and freezing. No
# version of Landlock keeps them, and they last longer than a run.
_IOCTL_KIND: Final = 0xFF00
_OF_FILE_SYSTEMS: Final = tuple(kind << 8 for kind in (0x66, 0x58, 0x76, 0x94, 0x72, 0x15))

# The allowed options of sockets; others enlarge buffers or attach filters, which take memory.
_SOCKET_OPTIONS: Final = (2, 16, 20, 21)  # SO_REUSEADDR, SO_PASSCRED, SO_RCVTIMEO, SO_SNDTIMEO

# A process that is not dumpable hides its descriptors; a core-scheduling cookie keeps others off a processor core.
_PRCTL_REFUSED: Final = (4, 62)  # PR_SET_DUMPABLE, PR_SCHED_CORE

# Shared memory without a file stays allocated after its owner unmaps most of it, and then counts for no process.
_MAP_KIND: Final = 0x2F  # the bits of a mapping's flags that say whether it is shared, and whether it has a file
_MAP_SHARED_ANONYMOUS: Final = (0x21, 0x23)

_EVICTING: Final = (20, 21)  # MADV_COLD, MADV_PAGEOUT, which remove files from the page cache that all runs share

_AUDIT_ARCH: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_X32_BIT: Final = 0x40000000
_NAMESPACE_FLAGS: Final = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
# CLONE_VM, _FS, _FILES, _SIGHAND, _PTRACE, _VFORK, _PARENT, _THREAD: what a new task shares, and its parent.
_SHARING_FLAGS: Final = 0x1EF00
# Libraries create three kinds of tasks: a process that shares nothing, one that its parent waits for until it executes
# a program (vfork, posix_spawn), and a thread, which shares everything. Other mixtures could hide a task's resources.
_KINDS_OF_TASKS: Final = (0, 0x4000 | 0x100, 0x10000 | 0x800 | 0x400 | 0x200 | 0x100)
_CLOSE_RANGE_UNSHARE: Final = 2
_TIOCSTI: Final = 0x5412
_TIOCLINUX: Final = 0x541C

_LOAD, _EQUAL, _AT_LEAST, _BITS, _RETURN, _AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x54
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | errno.EPERM
_ABSENT: Final = 0x00050000 | errno.ENOSYS
_UNKNOWN: Final = 0x00050000 | errno.EINVAL  # the answer of a kernel that does not know a flag
_NOT_OF_ITS_KIND: Final = 0x00050000 | errno.ENOTTY  # the answer of a file that does not know an ioctl
_PRETEND: Final = 0x00050000  # the call returns 0 and does nothing
_KILL: Final = 0x80000000
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_ARGUMENT = 0, 4, 16

_SCOPED_SIGNALS: Final = 6  # the first version of Landlock that restricts signals to the run's own processes

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2


class _Program:
    """A BPF program that is being assembled. Each rule either returns or continues with the next one."""

    def __init__(self) -> None:
        self.code: list[bytes] = []

    def op(self, code: int, k: int, jump_true: int = 0, jump_false: int = 0) -> None:
        """Add an instruction with its operand, and the numbers of instructions to skip after a comparison."""
        self.code.append(struct.pack("<HBBI", code, jump_true, jump_false, k & 0xFFFFFFFF))

    def number(self) -> None:
        """Load the number of the system call into the accumulator."""
        self.op(_LOAD, _OFFSET_NUMBER)

    def refuse(self, number: int | None, action: int = _REFUSE) -> None:
        """Refuse a call. The accumulator must hold the number of the current call, and keeps it.

        number: the number of the call to refuse; None: this machine has no such call.
        action: the answer to the call.
        """
        if number is None:
            return
        self.op(_EQUAL, number, 0, 1)
        self.op(_RETURN, action)

    def argument(
        self,
        number: int,
        index: int,
        test: int,
        values: Sequence[int],
        *,
        refuse_when: bool,
        mask: int = 0xFFFFFFFF,
        action: int = _REFUSE,
    ) -> None:
        """Refuse a call depending on one of its arguments, of which the low 32 bits are compared.

        number: the number of the call.
        index: the index of the argument.
        test: the comparison's instruction.
        values: the values to compare with.
        refuse_when: whether to refuse the call if the comparison is true for one of the values, or for none.
        mask: the bits of the argument to compare.
        action: the answer to the call.
        """
        self.op(_EQUAL, number, 0, 4 + len(values))
        self.op(_LOAD, _OFFSET_ARGUMENT + 8 * index)
        self.op(_AND, mask)
        for left, value in zip(range(len(values) - 1, -1, -1), values, strict=True):
            if refuse_when:
                self.op(test, value, left, 0 if left else 1)
            else:
                self.op(test, value, left + 1, 0)
        self.op(_RETURN, action)
        self.number()


def filter_program(*, alone: bool) -> bytes:
    """Return the filter for this machine. Raises WallError if there is none for its processor.

    alone: whether the run is not isolated by namespaces, so that the filter also protects other processes and sockets.
    """
    machine = platform.machine()
    if machine not in _AUDIT_ARCH:
        raise WallError(f"no seccomp filter is written for {machine}")
    column, arch = _AUDIT_ARCH[machine]
    program = _Program()
    _require_architecture(program, machine, arch)
    for numbers in _NUMBERS.values():
        program.refuse(numbers[column])
    for pretended in _PRETENDED.values():
        program.refuse(pretended[column], _PRETEND)
    # If a process ignored SIGCHLD, its children would not be reaped by it, and their CPU time would be lost. A filter
    # cannot read which handler is given, so none is installed: in dash, `wait` waits for that signal in vain.
    program.argument(_SIGACTION[column], 0, _EQUAL, [_SIGCHLD], refuse_when=True, action=_PRETEND)
    program.argument(_SETSOCKOPT[column], 2, _EQUAL, _SOCKET_OPTIONS, refuse_when=False)
    program.argument(_PRCTL[column], 0, _EQUAL, _PRCTL_REFUSED, refuse_when=True)
    program.argument(_MMAP[column], 3, _EQUAL, _MAP_SHARED_ANONYMOUS, refuse_when=True, mask=_MAP_KIND)
    # sendfile to a socket can hold more memory than the socket's buffer; without it, programs read and write.
    program.refuse(_SENDFILE[column], _ABSENT)
    # A filter cannot read the flags of clone3, which lie in memory; without it, libc uses clone.
    program.refuse(_CLONE3[column], _ABSENT)
    # preadv2 can tell which parts of a file are in memory; without it, libc uses preadv.
    program.refuse(_PREADV2[column], _ABSENT)
    program.argument(_MADVISE[column], 2, _EQUAL, _EVICTING, refuse_when=True)
    program.refuse(_FLOCK[column], _PRETEND)  # honest code only locks files that nobody else uses
    program.argument(_FCNTL[column], 1, _EQUAL, [*_TELLING, _F_SETPIPE_SZ], refuse_when=True)
    program.argument(_FCNTL[column], 1, _EQUAL, _LOCKING, refuse_when=True, action=_PRETEND)
    kinds = _NAMESPACE_FLAGS | _SHARING_FLAGS
    program.argument(_CLONE[column], 0, _EQUAL, _KINDS_OF_TASKS, refuse_when=False, mask=kinds)
    # With this flag, close_range gives a thread its own descriptor table.
    program.argument(_CLOSE_RANGE[column], 2, _BITS, [_CLOSE_RANGE_UNSHARE], refuse_when=True, action=_UNKNOWN)
    program.argument(_SOCKETPAIR[column], 0, _EQUAL, [socket.AF_UNIX], refuse_when=False)
    program.argument(_IOCTL[column], 1, _EQUAL, [_TIOCSTI, _TIOCLINUX, *_OWNER_REQUESTS], refuse_when=True)
    program.argument(
        _IOCTL[column],
        1,
        _EQUAL,
        _OF_FILE_SYSTEMS,
        refuse_when=True,
        mask=_IOCTL_KIND,
        action=_NOT_OF_ITS_KIND,
    )
    if alone:
        _confine_to_itself(program, column)
    else:
        program.argument(_SOCKET[column], 0, _EQUAL, [socket.AF_UNIX], refuse_when=False)
    program.op(_RETURN, _ALLOW)
    return b"".join(program.code)


def _require_architecture(program: _Program, machine: str, arch: int) -> None:
    """End the process at a call of another architecture, and refuse calls that are newer than this filter."""
    program.op(_LOAD, _OFFSET_ARCH)
    program.op(_EQUAL, arch, 1, 0)
    program.op(_RETURN, _KILL)
    program.number()
    if machine == "x86_64":
        program.op(_AT_LEAST, _X32_BIT, 0, 1)
        program.op(_RETURN, _KILL)
    program.op(_AT_LEAST, _FIRST_UNKNOWN, 0, 1)
    program.op(_RETURN, _ABSENT)


def _confine_to_itself(program: _Program, column: int) -> None:
    """Refuse calls on other processes, named sockets and files' attributes, which namespaces would isolate."""
    for numbers in _NUMBERS_ALONE.values():
        program.refuse(numbers[column])
    for pretended in _PRETENDED_ALONE.values():
        program.refuse(pretended[column], _PRETEND)
    program.refuse(_SOCKET[column])
    program.argument(_FCNTL[column], 1, _EQUAL, _OWNERS, refuse_when=True)
    if landlock.abi() < _SCOPED_SIGNALS:
        for numbers in _SIGNALS.values():
            program.argument(numbers[column], 0, _EQUAL, [os.getpid()], refuse_when=False)
    for numbers in _ON_PROCESSES.values():
        program.argument(numbers[column], 0, _EQUAL, [0, os.getpid()], refuse_when=False)


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def confine(*, alone: bool) -> None:
    """Install the filter for this process and all its children. Requires no_new_privs. Raises WallError.

    alone: whether the run is not isolated by namespaces.
    """
    code = filter_program(alone=alone)
    program = _Filter(len(code) // 8, code)
    check(libc().prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0), "seccomp filter")
