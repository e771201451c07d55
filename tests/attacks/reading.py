"""Rows 50 and 61: attacks that read our files, the operator's, and other students'."""

from __future__ import annotations

from tests.attacks.attack import Attack
from tests.attacks.looking import READ, piece, unless_changed, unless_said

ATTACKS = [
    Attack(
        50,
        "the reference and the secret on disk",
        hostile=piece(
            READ,
            """
            project, out, home = "@PROJECT@", "@OUT@", "@HOME@"
            targets = [
                f"{project}/reference/uva2020/answers.py", f"{project}/graders/theory/checks.py",
                f"{project}/rubric.yaml",
                f"{out}/.gengrade/secret", f"{out}/../operator/key",
                f"{out}/.gengrade/trees/.reference/theory/answers.py",
                "/trees/.reference/theory/answers.py", f"{home}/canary.txt", "/etc/shadow", "/etc/passwd",
            ]
            for around in ("", "/proc/self/root", "/proc/1/root", "/proc/1/cwd/../..", "/proc/thread-self/root",
                           f"/proc/{os.getppid()}/root", "/usr/..", "/dev/fd/../..", "/tmp/..", f"{own}/../../.."):
                for target in targets:
                    show(around + target)
            scratch = os.environ["TMPDIR"]
            for number, target in enumerate(targets):
                for way in (os.symlink, os.link, os.rename):
                    try:
                        way(target, f"{scratch}/{way.__name__}{number}")
                        show(f"{scratch}/{way.__name__}{number}")
                    except OSError:
                        pass
            # By folders that are open, or that a working folder leads to.
            for start in (*glob.glob("/proc/self/fd/*"), "/", "/proc/self/cwd"):
                try:
                    folder = os.open(start, os.O_RDONLY | os.O_DIRECTORY)
                    for target in targets:
                        show(f"/proc/self/fd/{folder}/" + "../" * 9 + target)
                except OSError:
                    pass
            for folder in (project, out, f"{out}/.gengrade/trees/.reference/theory", home):
                try:
                    os.chdir(folder)
                    for name in ("reference/uva2020/answers.py", "answers.py", "canary.txt", ".gengrade/secret"):
                        show(name)
                    print("LIST", os.listdir("."))
                except OSError:
                    pass
            # What lies beneath a mount, in the kernel's own words.
            import ctypes
            libc = ctypes.CDLL(None)
            for over in ("/trees", "/tmp", "/dev/shm", "/proc"):
                libc.umount2(over.encode(), 2)
            try:
                mounts = open("/proc/self/mountinfo").readlines()
            except OSError:
                mounts = []
            for line in mounts:
                root = line.split()[3]
                for name in (".reference/theory/answers.py", "../secret", "../../.gengrade/secret"):
                    show(f"{root}/{name}")
            """,
        ),
        control="""
            import os
            open(os.path.join(os.path.dirname(__file__), "answers.py")).read()
        """,
    ),
    Attack(
        50,
        "all of the disk",
        hostile=piece(
            READ,
            """
            import time
            end, own_names = time.monotonic() + 5, {"@PROJECT@", "@OUT@", "@CLASS@"}
            skip = ("/proc", "/sys", "/usr/share", "/usr/lib/x86_64", "/usr/include")
            for top in ("/trees", "/library", "/opt", "/root", "/home", "/mnt", "/srv", "/var", "/tmp",
                        "/run", *own_names, "/etc", "/usr/src", "/usr/local", sys.prefix, "/"):
                for folder, below, names in os.walk(top):
                    if time.monotonic() > end:
                        break
                    below[:] = [name for name in below if not os.path.join(folder, name).startswith(skip)
                                and name not in ("site-packages", "dist-packages")]
                    for name in names:
                        if name in ("theory.py", "answers.py", "rubric.yaml", "secret", "canary.txt"):
                            show(os.path.join(folder, name))
            """,
        ),
        control="""
            import os
            list(os.walk("."))
        """,
    ),
    Attack(
        50,
        "names and sizes outside",
        hostile="""
            import os
            for path in ("@PROJECT@/reference/uva2020/answers.py", "@CLASS@/zz-last/answers.py"):
                try:
                    print("size" + "-of-" + "another", os.stat(path).st_size)
                except OSError:
                    pass
        """,
        control="""
            import os
            os.stat(__file__)
        """,
        look=unless_said("size-of-another"),
        open_in={"landlock": "Landlock keeps what is in a file, not that it is there, nor its size and times"},
    ),
    Attack(
        50,
        "where all of it lies",
        hostile="""
            import os
            for process in ("self", "thread-self", "1", str(os.getpid()), str(os.getppid())):
                for name in ("cgroup", "cpuset", "environ", "cmdline", "maps", "net/unix", "mountinfo"):
                    try:
                        text = open(f"/proc/{process}/{name}", errors="replace").read()
                        if any(place in text for place in ("@OUT@", "@CLASS@", "@PROJECT@/graders")):
                            print("a place" + " is told by", name)
                    except OSError:
                        pass
        """,
        control="""
            import os
            open("/proc/self/cmdline").read()
        """,
        look=unless_said("a place is told"),
        open_in={"landlock": "a run's own files lie in the folder of results, and Landlock changes no path"},
    ),
    Attack(
        50,
        "lists of mounts",
        hostile="""
            import ctypes, os, threading
            def look(process):
                for name in ("mountinfo", "mounts", "mountstats"):
                    try:
                        print("mounts" + " are listed", open(f"{process}/{name}").read())
                    except OSError:
                        pass
            def look_everywhere():
                me, parent = os.getpid(), os.getppid()
                for process in ("/proc", "/proc/self", "/proc/thread-self", f"/proc/{me}", f"/proc/{parent}", "/proc/1",
                                f"/proc/self/task/{me}", f"/proc/{me}/task/{threading.get_native_id()}"):
                    look(process)
            look_everywhere()
            thread = threading.Thread(target=look_everywhere)
            thread.start()
            thread.join()
            child = os.fork()
            if child == 0:
                look_everywhere()
                os._exit(0)
            look(f"/proc/{child}")
            os.waitpid(child, 0)
            libc = ctypes.CDLL(None, use_errno=True)
            asked, found = (ctypes.c_uint64 * 3)(24, 2**64 - 1, 0), (ctypes.c_uint64 * 512)()
            for mount in found[: max(0, libc.syscall(458, asked, found, 512, 0))]:
                buffer = ctypes.create_string_buffer(1 << 16)
                if libc.syscall(457, (ctypes.c_uint64 * 3)(24, mount, 0x3F), buffer, 1 << 16, 0) == 0:
                    print("mounts" + " are listed", buffer.raw[:4000].replace(bytes(1), b""))
        """,
        control="""
            import os, sys
            from torch.utils.data import DataLoader, TensorDataset
            for name in ("status", "statm", "stat", "maps", "limits"):
                assert open(f"/proc/self/{name}").read()
            for name in ("cpuinfo", "meminfo", "stat", "loadavg"):
                assert open(f"/proc/{name}").read()
            loader = DataLoader(TensorDataset(torch.arange(6.0)), batch_size=2, num_workers=1)
            assert sum(float(batch.sum()) for (batch,) in loader) == 15
        """,
        look=unless_said("mounts are listed"),
    ),
    Attack(
        61,
        "the folder of another student",
        hostile=piece(
            READ,
            """
            for folder in ("@CLASS@", "@OUT@", "@OUT@/.gengrade", "@OUT@/.gengrade/trees", "/trees", f"{own}/../..",
                           f"{own}/../../.."):
                try:
                    for name in os.listdir(folder):
                        print("NAME", name[::-1])
                        for file in glob.glob(f"{folder}/{name}/answers.py"):
                            show(file)
                except OSError:
                    pass
            last = "".join(reversed("tsal-zz"))
            for file in ("answers.py", "theory/answers.py", "facts.json", "report.html"):
                for folder in ("@CLASS@", "@OUT@", "@OUT@/.gengrade/trees", "/trees", f"{own}/../.."):
                    show(f"{folder}/{last}/{file}")
            """,
        ),
        control="""
            import os
            os.listdir(os.path.dirname(__file__))
        """,
        look=unless_said("tsal-zz"),
    ),
    Attack(
        61,
        "who else is graded now",
        hostile="""
            import ctypes, os, time
            libc = ctypes.CDLL(None)
            watch = libc.inotify_init1(0o4000)
            for folder in ("@CLASS@", "@OUT@", "@OUT@/.gengrade", "@OUT@/.gengrade/trees", "/trees", "/tmp"):
                libc.inotify_add_watch(watch, folder.encode(), 0xFFF)
            end = time.monotonic() + 5
            while time.monotonic() < end:
                try:
                    events = os.read(watch, 1 << 16)
                    names = {name.decode() for name in events.split(b"\\0") if name.isascii() and len(name) > 4}
                    print("seen" + "-from-inside", *names)
                except OSError:
                    pass
                for path in ("/proc/self/mountinfo", "/proc/self/mounts"):
                    try:
                        for line in open(path):
                            if "tsal-zz"[::-1] in line or "-control" in line:
                                print("seen" + "-from-inside", line)
                    except OSError:
                        pass
                time.sleep(0.05)
        """,
        control="""
            import time
            time.sleep(0.1)
        """,
        look=unless_said("seen-from-inside"),
    ),
    Attack(
        61,
        "files of another student are locked away",
        hostile="""
            import ctypes, os
            libc = ctypes.CDLL(None)
            for folder in ("@CLASS@/zz-last", "/trees/zz-last", "@OUT@/.gengrade/trees/zz-last"):
                for name in ("answers.py", "part1/utils.py", "part1", ""):
                    path = f"{folder}/{name}"
                    for change in (lambda: os.chmod(path, 0), lambda: os.utime(path, (0, 0)),
                                   lambda: os.chown(path, 1, 1), lambda: os.truncate(path, 0),
                                   lambda: os.setxattr(path, "user.note", b"x"),
                                   lambda: libc.syscall(452, -100, path.encode(), 0, 0)):
                        try:
                            change()
                        except OSError:
                            pass
        """,
        control="""
            import os, tempfile
            with tempfile.NamedTemporaryFile() as file:
                os.chmod(file.name, 0o600)
        """,
        look=unless_changed("answers.py", "part1/utils.py", "part1"),
    ),
]
