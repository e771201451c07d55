"""Row 72: attacks that take or lock what others need."""

from __future__ import annotations

from tests.attacks.attack import Attack
from tests.attacks.looking import unless_said

ATTACKS = [
    Attack(
        72,
        "memory hog",
        hostile="""
            hoard = []
            while True:
                hoard.append(bytearray(64 << 20))
                for start in range(0, 64 << 20, 4096):
                    hoard[-1][start] = 1
        """,
        control="""
            hoard = bytearray(64 << 20)
            del hoard
        """,
    ),
    Attack(
        72,
        "memory hog of many processes",
        # Each takes little, and shares what it takes: anonymous maps, and files in memory.
        hostile="""
            import mmap, os, time
            for index in range(40):
                if os.fork() == 0:
                    keep = []
                    end = time.time() + 60
                    while time.time() < end:
                        try:
                            area = mmap.mmap(-1, 32 << 20)
                            for start in range(0, 32 << 20, 4096):
                                area[start] = 1
                            keep.append(area)
                        except (OSError, ValueError, MemoryError):
                            time.sleep(0.1)
                    os._exit(0)
            for folder in ("/dev/shm", "/tmp"):
                try:
                    with open(folder + "/@MARK@", "wb") as file:
                        for _ in range(1 << 12):
                            file.write(bytes(1 << 20))
                except OSError:
                    pass
            time.sleep(60)
        """,
        control="""
            import mmap
            area = mmap.mmap(-1, 16 << 20)
            area[0] = 1
            area.close()
        """,
    ),
    Attack(
        72,
        "disk fill",
        hostile="""
            import os, tempfile
            here = tempfile.gettempdir()
            os.chdir(here)
            for _ in range(2000):
                try:
                    os.mkdir("@MARK@")
                    os.chdir("@MARK@")
                except OSError:
                    break
            os.chdir(here)
            folders = (here, "/dev/shm", "/var/tmp", "/dev", "@OUT@", "@HOME@", os.environ["HOME"], "/tmp")
            for folder in folders:
                for number in range(6):
                    try:
                        with open(f"{folder}/@MARK@-{number}", "wb") as file:
                            for _ in range(300):
                                file.write(bytes(1 << 20))
                    except OSError:
                        continue
            for number in range(100_000):
                try:
                    open(f"{here}/@MARK@-{number}", "w").close()
                except OSError:
                    break
        """,
        control="""
            import tempfile
            with tempfile.TemporaryFile() as file:
                file.write(bytes(8 << 20))
        """,
    ),
    Attack(
        72,
        "folder that cannot be removed",
        # A class is graded by the same process after this: what is left of it must disturb nobody.
        hostile="""
            import os, tempfile
            for name in ("@MARK@", "-rf", "a\\nb"):
                path = os.path.join(tempfile.gettempdir(), name)
                try:
                    os.makedirs(path + "/below", exist_ok=True)
                    open(path + "/below/kept", "w").close()
                    os.chmod(path + "/below", 0)
                    os.chmod(path, 0)
                    os.mkdir(path + "-dark", 0o300)
                    open(path + "-dark/kept", "w").close()
                except OSError:
                    pass
            try:
                os.chmod(tempfile.gettempdir(), 0)
            except OSError:
                pass
        """,
        control="""
            import os, tempfile
            path = os.path.join(tempfile.gettempdir(), "mine")
            os.makedirs(path, exist_ok=True)
            os.chmod(path, 0o755)
        """,
    ),
    Attack(
        72,
        "limits and pace of the parents",
        # Not signals: what else a process may do to others of its user. The process above ours, and those above it.
        hostile="""
            import ctypes, os, resource
            libc = ctypes.CDLL(None)
            pids, pid = [], os.getppid()
            while pid > 1 and len(pids) < 3:
                pids.append(pid)
                try:
                    pid = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
                except OSError:
                    break
            for pid in pids[:2]:
                acts = [
                    lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 3)),
                    lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0)),
                    lambda: os.setpriority(os.PRIO_PROCESS, pid, 19),
                    lambda: os.sched_setaffinity(pid, {0}),
                    lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)),
                    lambda: libc.syscall(251, 1, pid, 3 << 13),
                ]
                for act in acts:
                    try:
                        act()
                    except OSError:
                        continue
        """,
        control="""
            import os, resource
            resource.getrlimit(resource.RLIMIT_NOFILE)
            os.sched_getaffinity(0)
            os.getpriority(os.PRIO_PROCESS, 0)
        """,
    ),
    Attack(
        72,
        "modes of files of others",
        # chmod needs no right to open anything. Bounded to the folders of this run of the command.
        hostile="""
            import glob, os
            paths = ["@OUT@", "@CLASS@", "@HOME@", *glob.glob("@CLASS@/*"), *glob.glob("@OUT@/*")]
            paths += ["@CLASS@/zz-last", "@CLASS@/zz-last/answers.py", "@OUT@/.gengrade", "@OUT@/.gengrade/secret"]
            here = os.path.dirname(os.path.abspath(__file__))
            paths += [here, os.path.dirname(here), os.path.dirname(os.path.dirname(here))]
            for path in paths:
                for act in (lambda: os.chmod(path, 0), lambda: os.setxattr(path, "user.@MARK@", b"1")):
                    try:
                        act()
                    except OSError:
                        continue
        """,
        control="""
            import os, tempfile
            with tempfile.NamedTemporaryFile() as file:
                os.chmod(file.name, 0o600)
        """,
    ),
    Attack(
        72,
        "attributes of files of others",
        # They need no right to open a file for writing, and stay.
        hostile="""
            import ctypes, fcntl, glob, os, struct
            libc = ctypes.CDLL(None, use_errno=True)
            paths = ["@OUT@", "@CLASS@", *glob.glob("@CLASS@/*"), *glob.glob("@OUT@/*"), "@OUT@/.gengrade/secret"]
            here = os.path.dirname(os.path.abspath(__file__))
            paths += [here, *glob.glob(os.path.join(here, "*")), "@CLASS@/zz-last/answers.py"]
            for path in paths:
                room = ctypes.create_string_buffer(struct.pack("<QIIII", 0x40 | 0x80, 0, 0, 0, 0), 24)
                if libc.syscall(469, -100, path.encode(), room, 24, 0) == 0:
                    print("attributes" + "-changed")
                try:
                    held = os.open(path, os.O_RDONLY)
                except OSError:
                    continue
                for request in (0x40086602, 0x401C5820, 0x40087602):
                    if libc.ioctl(held, request, room) == 0:
                        print("attributes" + "-changed")
                os.close(held)
        """,
        control="""
            import os, tempfile
            with tempfile.TemporaryFile() as file:
                file.write(b"1")
                os.isatty(file.fileno())
        """,
        look=unless_said("attributes-changed"),
    ),
    Attack(
        72,
        "descriptors and locks",
        hostile="""
            import fcntl, os, socket, sys
            held = []
            for folder in {sys.prefix, os.path.dirname(os.path.abspath(__file__)), "@OUT@", "@CLASS@"}:
                for parent, _, files in os.walk(folder):
                    for name in files[:20]:
                        try:
                            held.append(os.open(os.path.join(parent, name), os.O_RDONLY))
                            fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
                        except OSError:
                            pass
                    if len(held) > 900:
                        break
            while True:
                try:
                    held += socket.socketpair()
                except OSError:
                    break
        """,
        control="""
            with open(__file__) as file:
                file.read()
        """,
    ),
]
