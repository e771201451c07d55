"""A seccomp filter: the system calls that no honest submission needs, refused with EPERM.

The filter is a classic BPF program, assembled here (seccomp(2); linux/filter.h; linux/seccomp.h). It is a deny-list in
front of the namespaces and Landlock, not instead of them: it closes kernel interfaces that widen the attack surface
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
from typing import Final

from gengrade.sandbox.guest.errors import WallError
from gengrade.sandbox.guest.syscalls import check, libc

# name: (x86-64, aarch64); None where the architecture has no such call
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
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
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
    "iopl": (172, None),
    "ioperm": (173, None),
    "memfd_create": (319, 279),  # memory that no rlimit and no resident set counts
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18),
    "personality": (135, 92),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
}
_SOCKET: Final = (41, 198)
_SOCKETPAIR: Final = (53, 199)
_CLONE: Final = (56, 220)
_CLONE3: Final = (435, 435)
_IOCTL: Final = (16, 29)
_KILLS: Final[dict[str, tuple[int, int]]] = {
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
}

_AUDIT_ARCH: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_X32_BIT: Final = 0x40000000
_NAMESPACE_FLAGS: Final = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
_TIOCSTI: Final = 0x5412
_TIOCLINUX: Final = 0x541C

_LOAD, _EQUAL, _AT_LEAST, _BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | errno.EPERM
_ABSENT: Final = 0x00050000 | errno.ENOSYS
_KILL: Final = 0x80000000
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_ARGUMENT = 0, 4, 16

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2


class _Program:
    """A BPF program under construction. Each rule ends in a return or falls through to the next."""

    def __init__(self) -> None:
        self.code: list[bytes] = []

    def op(self, code: int, k: int, jump_true: int = 0, jump_false: int = 0) -> None:
        self.code.append(struct.pack("<HBBI", code, jump_true, jump_false, k & 0xFFFFFFFF))

    def number(self) -> None:
        self.op(_LOAD, _OFFSET_NUMBER)

    def refuse(self, number: int, action: int = _REFUSE) -> None:
        """Expects the call's number in the accumulator, and leaves it there."""
        self.op(_EQUAL, number, 0, 1)
        self.op(_RETURN, action)

    def argument(self, number: int, index: int, test: int, k: int, *, refuse_when: bool) -> None:
        """Refuses the call when `test` of its argument's low word against k is (or is not) true."""
        self.op(_EQUAL, number, 0, 4)
        self.op(_LOAD, _OFFSET_ARGUMENT + 8 * index)
        self.op(test, k, 0 if refuse_when else 1, 1 if refuse_when else 0)
        self.op(_RETURN, _REFUSE)
        self.number()


def filter_program(*, own_signals_only: bool) -> bytes:
    """The filter for this machine. `own_signals_only`: signals may go to this process alone (no pid namespace)."""
    machine = platform.machine()
    if machine not in _AUDIT_ARCH:
        raise WallError(f"no seccomp filter is written for {machine}")
    column, arch = _AUDIT_ARCH[machine]
    program = _Program()
    program.op(_LOAD, _OFFSET_ARCH)
    program.op(_EQUAL, arch, 1, 0)
    program.op(_RETURN, _KILL)
    program.number()
    if machine == "x86_64":
        program.op(_AT_LEAST, _X32_BIT, 0, 1)
        program.op(_RETURN, _KILL)
    for numbers in _NUMBERS.values():
        number = numbers[column]
        if number is not None:
            program.refuse(number)
    # Its flags lie in memory, out of a filter's reach; without it libc falls back to clone.
    program.refuse(_CLONE3[column], _ABSENT)
    program.argument(_CLONE[column], 0, _BITS, _NAMESPACE_FLAGS, refuse_when=True)
    for call in (_SOCKET, _SOCKETPAIR):
        program.argument(call[column], 0, _EQUAL, socket.AF_UNIX, refuse_when=False)
    for request in (_TIOCSTI, _TIOCLINUX):
        program.argument(_IOCTL[column], 1, _EQUAL, request, refuse_when=True)
    if own_signals_only:
        for name, numbers in _KILLS.items():
            if name == "pidfd_send_signal":
                program.refuse(numbers[column])
            else:
                program.argument(numbers[column], 0, _EQUAL, os.getpid(), refuse_when=False)
    program.op(_RETURN, _ALLOW)
    return b"".join(program.code)


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def confine(*, own_signals_only: bool) -> None:
    """Installs the filter for this process and all that it starts. Needs no_new_privs. Raises WallError."""
    code = filter_program(own_signals_only=own_signals_only)
    program = _Filter(len(code) // 8, code)
    check(libc().prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0), "seccomp filter")
