"""Rows 51 and 53 to 55: attacks that contact others, or learn about the host and the questions."""

from __future__ import annotations

from tests.attacks.attack import Attack
from tests.attacks.looking import READ, piece, unless_said

ATTACKS = [
    Attack(
        51,
        "every way out",
        hostile="""
            import array, ctypes, os, socket, struct, subprocess, sys
            targets = [
                (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", int("@PORT@"))),
                (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", int("@UDP@"))),
                (socket.AF_INET6, socket.SOCK_STREAM, ("::ffff:127.0.0.1", int("@PORT@"))),
                (socket.AF_UNIX, socket.SOCK_STREAM, "@SOCKET@"),
                (socket.AF_UNIX, socket.SOCK_STREAM, "\\0@MARK@"),
                (socket.AF_UNIX, socket.SOCK_STREAM, "/proc/self/root@SOCKET@"),
                (socket.AF_VSOCK, socket.SOCK_STREAM, (2, int("@PORT@"))),
            ]
            for family, kind, address in targets:
                try:
                    talk = socket.socket(family, kind)
                    talk.settimeout(1)
                    talk.connect(address)
                    talk.send(b"x")
                except OSError:
                    pass
            # An unconnected pair can send to a name, and so can the run's own channel.
            for number in range(3, 20):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    try:
                        mine, _ = socket.socketpair(socket.AF_UNIX, kind)
                        for talk in (mine, socket.socket(fileno=os.dup(number))):
                            for address in ("@SOCKET@", "\\0@MARK@"):
                                try:
                                    talk.connect(address)
                                except OSError:
                                    pass
                    except OSError:
                        pass
            # The calls themselves, past Python; io_uring has sockets of its own; and the 32-bit entry.
            libc = ctypes.CDLL(None)
            address = struct.pack("=HH4s8x", 2, socket.htons(int("@PORT@")), bytes([127, 0, 0, 1]))
            talk = libc.syscall(41, 2, 1, 0)
            libc.syscall(42, talk, address, 16)
            libc.syscall(425, 8, ctypes.create_string_buffer(120))
            script = "import socket; socket.create_connection(('127.0.0.1', int('@PORT@')), 1)"
            subprocess.run([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
            subprocess.run(["/bin/bash", "-c", "echo x > /dev/tcp/127.0.0.1/@PORT@"], stderr=subprocess.DEVNULL)
        """,
        control="""
            import socket
            one, other = socket.socketpair()
            one.send(b"x")
            assert other.recv(1) == b"x"
        """,
    ),
    Attack(
        51,
        "sockets of the host are taken over",
        hostile="""
            import ctypes, os, socket, struct
            libc = ctypes.CDLL(None)
            pids = {1, os.getppid()}
            handles = []
            for number in range(3, 20):
                try:
                    channel = socket.socket(fileno=os.dup(number))
                    pids.add(struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])
                    handles.append(channel.getsockopt(socket.SOL_SOCKET, 77))  # SO_PEERPIDFD
                except OSError:
                    pass
            for pid in pids - {0}:
                try:
                    handles.append(os.pidfd_open(pid))
                except OSError:
                    pass
            for handle in handles:
                for number in range(64):
                    taken = libc.syscall(438, handle, number, 0)  # pidfd_getfd
                    if taken >= 0:
                        print("got" + "-hold")
                libc.syscall(308, handle, 0x40000000)  # setns
                libc.syscall(424, handle, 9, None, 0)  # pidfd_send_signal
        """,
        control="""
            import os
            os.pidfd_open(os.getpid())
        """,
        look=unless_said("got-hold"),
    ),
    Attack(
        54,
        "environments and command lines",
        hostile=piece(
            READ,
            """
            import socket, struct
            print("OWN", dict(os.environ))
            pids = {1, 2, os.getpid(), os.getppid(), os.getpgid(0), os.getsid(0)}
            for number in range(3, 20):
                try:
                    channel = socket.socket(fileno=os.dup(number))
                    pids.add(struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])
                except OSError:
                    pass
            near = [pid + step for pid in list(pids) for step in range(-30, 30)]
            for pid in sorted({*pids, *near} - {0, -1}):
                for name in ("environ", "cmdline", "cwd", "exe", "stat", "maps", "auxv", "task/%d/environ" % pid):
                    if pid == os.getpid() and name in ("maps", "stat"):
                        continue
                    try:
                        path = f"/proc/{pid}/{name}"
                        held = os.readlink(path) if name in ("cwd", "exe") else open(path, "rb").read(20_000)
                        if b"canary" in bytes(str(held), "utf-8"):
                            print("PROC", path, held)
                    except OSError:
                        pass
            """,
        ),
        control="""
            import os
            assert "HOME" in os.environ
        """,
    ),
    Attack(
        54,
        "who speaks on the host",
        hostile="""
            for name in ("unix", "tcp", "udp", "netlink", "arp", "route"):
                for path in (f"/proc/self/net/{name}", f"/proc/net/{name}", f"/proc/thread-self/net/{name}"):
                    try:
                        for line in open(path):
                            if "traps/" in line:
                                print("host" + "-socket", line)
                    except OSError:
                        pass
        """,
        control="""
            open("/proc/self/status").read()
        """,
        look=unless_said("host-socket"),
    ),
    Attack(
        55,
        "a seed that can be guessed",
        hostile="""
            import hashlib, hmac, os
            seed = torch.initial_seed()
            tests = [f"test_cubic_density[{case}]" for case in ("positive", "negative", "straddling zero")]
            empty = [b"", bytes(32), b"secret", b"gengrade", os.environ.get("GENGRADE_SECRET", "").encode()]
            guesses = [one + str(number).encode() for one in empty for number in range(300)] + empty
            for guess in guesses:
                for test in tests:
                    for count in range(1, 4):
                        message = f"run\\0{test}\\0{count}".encode()
                        drawn = int.from_bytes(hmac.digest(guess, message, hashlib.sha256)[:8], "big") >> 1
                        if drawn == seed:
                            print("guessed" + "-right", guess)
        """,
        control="""
            torch.initial_seed()
        """,
        look=unless_said("guessed-right"),
        why="inputs come from 256 secret bits of the run's own by HMAC; what a guest is told does not lead back",
    ),
    Attack(
        0,
        "limits for processes of the host",
        hostile="""
            import ctypes, os, resource, socket, struct
            pids = {os.getppid()}
            for number in range(3, 20):
                try:
                    channel = socket.socket(fileno=os.dup(number))
                    pids.add(struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])
                except OSError:
                    pass
            for pid in pids - {0, 1}:  # the zygote, and the worker that grades the others too
                for what in (resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
                    try:
                        resource.prlimit(pid, what, (0, 0))
                    except OSError:
                        pass
                for change, read, slow in (  # what only seems to work does no harm
                    (lambda: os.setpriority(os.PRIO_PROCESS, pid, 19),
                     lambda: os.getpriority(os.PRIO_PROCESS, pid), 19),
                    (lambda: os.sched_setaffinity(pid, {0}), lambda: os.sched_getaffinity(pid), {0}),
                    (lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)),
                     lambda: os.sched_getscheduler(pid), os.SCHED_IDLE),
                ):
                    try:
                        before = read()  # a worker may have no other processor anyway
                        change()
                        if read() == slow != before:
                            print("slowed" + "-down", pid)
                    except OSError:
                        pass
        """,
        control="""
            import resource
            resource.getrlimit(resource.RLIMIT_NOFILE)
        """,
        look=unless_said("slowed-down"),
    ),
    Attack(
        53,
        "many answers in one run",
        hostile=piece(
            """
            import json, os, sys, numpy as np
            from safetensors.numpy import save
            frame = sys._getframe()
            while "channel" not in frame.f_locals:
                frame = frame.f_back
            channel = frame.f_locals["channel"]
            points = x.double().numpy()
            inside = (a <= points**3) & (points**3 <= b)
            for factor in (0.0, 1.0, 2.0, 3.0):
                document = b'{"d":{"density":{"t":"t0"},"complex":{"v":false}}}'
                body = len(document).to_bytes(4, "big") + document + save({"t0": inside * factor * points**2 / (b - a)})
                channel.sendall(b"E" + len(body).to_bytes(8, "big") + body)
            os._exit(0)
            """
        ),
        control="""
            import os
            os.getpid()
        """,
        why="a run's first answer is its only one; how often somebody may hand in is for whoever takes it in to say",
    ),
]
