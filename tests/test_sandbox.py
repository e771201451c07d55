"""The sandbox: what student code can reach in each tier, what its limits do, and that no run outlives its end."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gengrade.course import find
from gengrade.facts import Outcome
from gengrade.sandbox import Isolation, Limits, NoSuchTier, Request, Sandbox, Tier, choose
from gengrade.sandbox.guest import disk, family, workplace
from tests.support.sandboxed import MEAN, SandboxHarness, sandboxed

WALLED = (Tier.SANDBOX, Tier.LANDLOCK)

EXIT = 60 if platform.machine() == "x86_64" else 93  # the system call that ends one task

# A child whose first task ends while another goes on: what /proc shows in the child's own folder is a zombie's.
HEADLESS = f"""
import ctypes, threading, time
if os.fork() == 0:
    threading.Thread(target=work).start()
    ctypes.CDLL(None).syscall({EXIT}, 0)
time.sleep(60)
"""


@pytest.fixture(scope="module", params=list(Tier))
def harness(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxHarness]:
    tier: Tier = request.param
    with sandboxed(tier, tmp_path_factory.mktemp("trees")) as harness:
        yield harness


def test_evidence_comes_back_unchanged(harness: SandboxHarness) -> None:
    run = harness.run("return {'x': mean * 2, 'n': None, 'deep': [1, 2.5, 'text', True, {'empty': mean[:0]}]}")
    assert run.outcome is Outcome.PASSED
    np.testing.assert_array_equal(run.evidence["x"], MEAN * 2)
    assert run.evidence["n"] is None
    assert run.evidence["deep"][:4] == [1, 2.5, "text", True]
    assert run.evidence["deep"][4]["empty"].shape == (0, 3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int32", "uint8", "bool"])
def test_tensors_of_every_plain_dtype_cross(harness: SandboxHarness, dtype: str) -> None:
    run = harness.run(f"return (mean > 2).to(torch.{dtype})")
    assert run.outcome is Outcome.PASSED
    np.testing.assert_array_equal(np.asarray(run.evidence, dtype=float), (MEAN > 2).astype(float))


def test_every_run_is_a_fresh_process(harness: SandboxHarness) -> None:
    source = "import torch\nseen = 0\ndef KLD(mean, log_std):\n    global seen\n    seen += 1\n    return seen\n"
    tree = harness.tree(source)
    assert [harness.call(tree).evidence for _ in range(3)] == [1, 1, 1]


def test_random_state_follows_the_seed(harness: SandboxHarness) -> None:
    body = "import random, numpy\nreturn [float(torch.rand(())), random.random(), float(numpy.random.rand())]"
    first, again, other = (harness.run(body, seed=seed).evidence for seed in (5, 5, 6))
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_modules_of_the_hand_out_are_there_once_a_submission_mentions_them(harness: SandboxHarness) -> None:
    body = "return torch.tensor(float('pytorch_' + 'lightning' in sys.modules))"
    assert harness.run(body).evidence == 0
    assert harness.run(body, before="# import pytorch_lightning as pl").evidence == 1


def test_training_works_in_a_run(harness: SandboxHarness) -> None:
    run = harness.run(
        "layer = torch.nn.Linear(3, 1)\n"
        "optimizer = torch.optim.Adam(layer.parameters())\n"
        "layer(mean).sum().backward()\n"
        "optimizer.step()\n"
        "return layer.weight"
    )
    assert run.outcome is Outcome.PASSED, run.message


def test_a_loader_with_worker_processes_works(harness: SandboxHarness) -> None:
    run = harness.run(
        "data = torch.utils.data.TensorDataset(mean)\n"
        "loader = torch.utils.data.DataLoader(data, batch_size=1, num_workers=2)\n"
        "return torch.cat([batch[0] for batch in loader])",
        Limits(seconds=20),
    )
    assert run.outcome is Outcome.PASSED, run.message + run.output
    np.testing.assert_array_equal(run.evidence, MEAN)


# What students do wrong -----------------------------------------------------------------------------------------------


def test_an_exception_shows_the_students_own_frames_only(harness: SandboxHarness) -> None:
    run = harness.run("return helper(mean)", before="def helper(x):\n    raise ValueError('too small')\n")
    assert (run.outcome, run.message) == (Outcome.ERROR, "ValueError: too small")
    assert [(frame.file, frame.function) for frame in run.frames] == [
        ("vae/utils.py", "KLD"),
        ("vae/utils.py", "helper"),
    ]
    assert run.frames[1].source == "raise ValueError('too small')"


def test_a_file_that_does_not_parse_names_its_line(harness: SandboxHarness) -> None:
    run = harness.call(harness.tree("import torch\ndef KLD(mean, log_std:\n    return 1\n"))
    assert run.outcome is Outcome.ERROR
    assert run.message.startswith("SyntaxError: ")
    assert (run.frames[-1].file, run.frames[-1].line) == ("vae/utils.py", 2)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def KLD(mean, log_std):\n    raise NotImplementedError\n", "not implemented"),
        ("x = 1\n", "part1/utils.py has no KLD"),
    ],
)
def test_what_was_not_handed_in_is_missing(harness: SandboxHarness, source: str, message: str) -> None:
    run = harness.call(harness.tree(source))
    assert (run.outcome, run.message) == (Outcome.MISSING, message)


@pytest.mark.parametrize(
    "body",
    [
        "return mean.as_subclass(type('T', (torch.Tensor,), {}))",
        "return type('F', (float,), {})(1.0)",
        "return object()",
        "return {1: mean}",
        "return mean.to_sparse()",
        "return torch.complex(mean, mean)",
        "value = []\nfor _ in range(50): value = [value]\nreturn value",
        "return 2 ** 100",
        "return {'x': mean, 'y': {mean}}",
    ],
)
def test_only_plain_evidence_is_taken(harness: SandboxHarness, body: str) -> None:
    run = harness.run(body)
    assert run.outcome is Outcome.ERROR
    assert run.evidence is None


# Limits ---------------------------------------------------------------------------------------------------------------


def test_time_is_the_hosts(harness: SandboxHarness) -> None:
    body = "import signal\nfor number in (14, 15): signal.signal(number, signal.SIG_IGN)\nwhile True: pass"
    began = time.monotonic()
    run = harness.run(body, Limits(seconds=1))
    assert (run.outcome, run.message) == (Outcome.TIMEOUT, "stopped after 1 s: the limit of this check")
    assert time.monotonic() - began < 60


def test_time_stops_code_that_swallows_every_exception(harness: SandboxHarness) -> None:
    run = harness.run(
        "import time\nwhile True:\n    try: time.sleep(60)\n    except BaseException: pass", Limits(seconds=1)
    )
    assert run.outcome is Outcome.TIMEOUT


@pytest.mark.parametrize(
    "body", ["hog = []\nwhile True: hog.append(torch.ones(4_000_000))", "return torch.ones(10**10)"]
)
def test_memory(harness: SandboxHarness, body: str) -> None:
    run = harness.run(body, Limits(seconds=20, memory_mb=300))
    assert run.outcome is Outcome.MEMORY, run.message
    assert run.peak_mb < 1500


def test_memory_of_many_small_programs(harness: SandboxHarness) -> None:
    """Each takes less than what a fork inherits from the zygote, and only the pages that they share tell them apart."""
    code = "import time; hoard = bytearray(60 << 20); hoard[::4096] = bytes(15360); time.sleep(60)"
    body = (
        "import subprocess, time\n"
        f"programs = [subprocess.Popen([sys.executable, '-IS', '-c', {code!r}]) for _ in range(8)]\n"
        "time.sleep(30)"
    )
    run = harness.run(body, Limits(seconds=20, memory_mb=300))
    assert run.outcome is Outcome.MEMORY, run.message


def test_processes(harness: SandboxHarness) -> None:
    body = "import time\nwhile True:\n    if os.fork() == 0: time.sleep(100)"
    run = harness.run(body, Limits(seconds=10, processes=8))
    assert run.outcome is Outcome.ERROR
    assert "8 processes and threads" in run.message


def test_a_flood_of_output_is_stopped_and_its_ends_are_kept(harness: SandboxHarness) -> None:
    run = harness.run("os.write(1, b'begin')\nwhile True: os.write(1, b'x' * 4096)", Limits(seconds=10, output_kb=1024))
    assert (run.outcome, run.message) == (Outcome.ERROR, "stopped after printing 1 MB: the limit of this check")
    assert run.output.startswith("begin")
    assert "bytes left out" in run.output
    assert len(run.output) < 20_000


def test_output_is_kept_and_means_nothing(harness: SandboxHarness) -> None:
    run = harness.run("print('all tests passed'); print('E' * 9, file=sys.stderr)\nreturn mean")
    assert run.outcome is Outcome.PASSED
    assert "all tests passed" in run.output
    assert "EEEEEEEEE" in run.output


@pytest.mark.parametrize("body", ["return torch.zeros(10**6)", "return torch.zeros(1).expand(10**10)"])
def test_evidence_has_a_cap(harness: SandboxHarness, body: str) -> None:
    run = harness.run(body, Limits(seconds=10, evidence_mb=1))
    assert (run.outcome, run.message) == (Outcome.ERROR, "more than 1 MB were returned: the limit of this check")


def test_disk(harness: SandboxHarness) -> None:
    body = "with open('big', 'wb') as file:\n    while True: file.write(bytes(1 << 20))"
    run = harness.run(body, Limits(seconds=20, disk_mb=8))
    assert run.outcome is Outcome.ERROR
    assert "files may take 8 MB in this check" in run.message


# A task that has ended shows no memory and no descriptors, whatever the others of its process have.
@pytest.mark.parametrize(
    ("work", "limits", "outcome", "words"),
    [
        (
            "hoard.append(bytearray(b'x') * (450 << 20)); time.sleep(60)",
            Limits(seconds=20, memory_mb=300),
            Outcome.MEMORY,
            "300 MB of memory",
        ),
        (
            "for _ in range(100): hoard.extend(socket.socketpair())\n    time.sleep(60)",
            Limits(seconds=20, memory_mb=30),
            Outcome.MEMORY,
            "30 MB of memory",
        ),
        (
            "for _ in range(3):\n"
            "        hoard.append(open('big', 'wb')); os.unlink('big'); hoard[-1].write(bytes(5 << 20))\n"
            "    time.sleep(60)",
            Limits(seconds=20, disk_mb=8),
            Outcome.ERROR,
            "files may take 8 MB",
        ),
    ],
    ids=["memory", "sockets", "files"],
)
def test_what_a_process_has_counts_though_its_first_task_has_ended(
    harness: SandboxHarness, work: str, limits: Limits, outcome: Outcome, words: str
) -> None:
    if "open(" in work and harness.tier is Tier.SANDBOX:
        pytest.skip("its files lie in memory, whose size the kernel limits")
    run = harness.run(f"import socket\nhoard = []\ndef work():\n    time.sleep(0.5)\n    {work}\n{HEADLESS}", limits)
    assert (run.outcome, words in run.message) == (outcome, True), run.message


@pytest.mark.skipif(sys.platform != "linux", reason="needs tables of descriptors of threads' own")
def test_each_table_of_descriptors_of_a_process_counts() -> None:
    """A thread may have its own table where no filter prevents it; a shared table counts once."""
    source = (
        "import ctypes, socket, sys, threading, time\n"
        "hoard, libc = [socket.socketpair()], ctypes.CDLL(None)\n"
        "def work(own):\n"
        "    own and libc.syscall(436, 1000, 1001, 2)\n"
        "    hoard.extend(socket.socketpair() for _ in range(3))\n"
        "    own and done.wait()\n"
        "    time.sleep(60)\n"
        "done = threading.Barrier(2)\n"
        "threading.Thread(target=work, args=[False], daemon=True).start()\n"
        "while len(hoard) < 4: time.sleep(0.01)\n"
        "threading.Thread(target=work, args=[True], daemon=True).start()\n"
        "done.wait()\n"
        "print(flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            # Four pairs, which the two have together; the third has the same, and three pairs more.
            assert family._buffers(process.pid).sockets == 8 + 14
        finally:
            process.kill()


# Endings --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("os._exit(0)", "the process ended itself before it answered (exit status 0)"),
        ("import ctypes; ctypes.string_at(0)", "the process was ended by SIGSEGV before it answered"),
        ("os.abort()", "the process was ended by SIGABRT before it answered"),
    ],
)
def test_a_death_without_an_answer_is_a_crash(harness: SandboxHarness, body: str, message: str) -> None:
    run = harness.run(body)
    assert (run.outcome, run.message) == (Outcome.CRASHED, message)


@pytest.mark.parametrize("body", ["sys.exit(0)", "raise KeyboardInterrupt", "raise GeneratorExit"])
def test_control_flow_does_not_leave_the_run(harness: SandboxHarness, body: str) -> None:
    assert harness.run(body).outcome is Outcome.ERROR


def test_a_forged_frame_is_no_better_than_a_returned_one(harness: SandboxHarness) -> None:
    """The code writes a frame of another kind to all open descriptors; it is refused, and the evidence is lost."""
    body = (
        "import struct\n"
        "for descriptor in range(3, 256):\n"
        "    try: os.write(descriptor, struct.pack('>cQ', b'Z', 3) + b'yes')\n"
        "    except OSError: pass\n"
        "return mean"
    )
    run = harness.run(body)
    assert run.outcome is Outcome.ERROR
    assert run.evidence is None


def test_what_a_run_leaves_behind_dies_with_it(harness: SandboxHarness, tmp_path: Path) -> None:
    """A daemon that left its session and its parents would write its mark a second later."""
    mark = tmp_path / "mark"
    body = (
        "import time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        f"        time.sleep(1); open({str(mark)!r}, 'w').close()\n"
        "    os._exit(0)\n"
        "return mean"
    )
    assert harness.run(body).outcome is Outcome.PASSED
    time.sleep(1.5)
    assert not mark.exists()
    assert harness.run("return mean").outcome is Outcome.PASSED


@pytest.mark.sampled(2)
@pytest.mark.parametrize("headless", [False, True], ids=["whole", "without-its-first-task"])
def test_what_a_run_started_ends_when_its_host_is_interrupted(harness: SandboxHarness, headless: bool) -> None:
    """Processes that a run forked have no parent any more when its zygote has ended."""
    walled(harness)
    name = f"left-{headless:d}-{harness.tier.value}"[:15]
    tree = harness.tree(
        "import ctypes, os, threading, time\n"
        "def KLD(mean, log_std):\n"
        "    for _ in range(3):\n"
        "        if os.fork() == 0:\n"
        f"            ctypes.CDLL(None).prctl(15, {name.encode()!r}, 0, 0, 0)\n"
        f"            if {headless}:\n"
        "                threading.Thread(target=time.sleep, args=[300]).start()\n"
        f"                ctypes.CDLL(None).syscall({EXIT}, 0)\n"
        "            time.sleep(300)\n"
        "    time.sleep(300)\n"
    )
    script = (
        "import signal\n"
        "from pathlib import Path\n"
        "from gengrade.course import find\n"
        "from gengrade.sandbox import Limits, Request, Sandbox, Tier\n"
        "from tests.test_sandbox import MEAN\n"
        # A shell's background job ignores the signal, and so does all that it starts.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"with Sandbox(Tier({harness.tier.value!r}), find('uva2020'), Path({str(harness.trees)!r})) as sandbox:\n"
        f"    tree, inputs = Path({str(tree)!r}), {{'mean': MEAN, 'log_std': MEAN}}\n"
        "    sandbox.run(Request('vae:kld', tree, inputs, 1, Limits(seconds=200)))\n"
    )
    host = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[1], stderr=subprocess.DEVNULL)
    while len(named(name)) < 3:
        assert host.poll() is None
        time.sleep(0.05)
    time.sleep(0.2)  # the last one's first task ends, too
    host.send_signal(signal.SIGINT)
    host.wait(60)
    for _ in range(100):  # the kernel ends them when it next gives them a processor
        if not named(name):
            return
        time.sleep(0.1)
    pytest.fail(f"still running: {named(name)}")


def named(name: str) -> list[str]:
    """Return the living tasks of that name."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        # One pattern for processes and tasks would raise an error when a process ends while its tasks are listed.
        tasks: list[Path] = []
        with contextlib.suppress(OSError):
            tasks = list((process / "task").iterdir())
        for task in tasks:
            with contextlib.suppress(OSError):
                text = (task / "status").read_text()
                if text.startswith(f"Name:\t{name}\n") and "\nVmRSS:" in text:
                    found.append(task.name)
    return found


# Walls ----------------------------------------------------------------------------------------------------------------


def walled(harness: SandboxHarness) -> None:
    if harness.tier not in WALLED:
        pytest.skip("the tier 'process' does not isolate, which every report says")


@pytest.mark.parametrize("path", ["/etc/shadow", "/etc/hostname", "/root", "/home", str(Path(__file__))])
def test_files_outside_cannot_be_read(harness: SandboxHarness, path: str) -> None:
    walled(harness)
    run = harness.run(f"return os.listdir({path!r}) if os.path.isdir({path!r}) else len(open({path!r}).read())")
    # A folder that leads to the interpreter may be there, with nothing in it but the way.
    allowed = run.outcome is Outcome.PASSED and run.evidence in ([], [".pyenv"])
    assert run.outcome is Outcome.ERROR or allowed, run.evidence


def test_other_submissions_are_out_of_sight(harness: SandboxHarness) -> None:
    walled(harness)
    other = harness.tree("SECRET = 1\n")
    places = [str(other / "vae" / "utils.py"), f"/trees/{other.name}/vae/utils.py"]
    run = harness.run(
        f"found = []\n"
        f"for path in {places!r}:\n"
        f"    try: found.append(open(path).read())\n"
        f"    except OSError: pass\n"
        f"return found"
    )
    assert run.evidence == []


def test_each_run_has_its_own_copy_of_the_tree(harness: SandboxHarness) -> None:
    tree = harness.tree(
        "import os\n"
        "def KLD(mean, log_std):\n"
        "    before = open(__file__).read(), sorted(os.listdir(os.path.dirname(__file__)))\n"
        "    for name in ('utils.py', 'new'):\n"
        "        open(os.path.join(os.path.dirname(__file__), name), 'w').write('changed')\n"
        "    return str(before)\n"
    )
    first, second = harness.call(tree), harness.call(tree)
    assert first.outcome is Outcome.PASSED, first.message
    assert first.evidence == second.evidence
    assert [path.name for path in (tree / "vae").iterdir()] == ["utils.py"]


def test_the_tree_itself_is_out_of_reach(harness: SandboxHarness) -> None:
    walled(harness)
    tree = harness.tree("")
    body = (
        "import os\n"
        "def KLD(mean, log_std):\n"
        "    reached = []\n"
        f"    for tree in ({str(tree)!r}, '/trees/{tree.name}', '/submission'):\n"
        "        for mode, name in (('r', 'utils.py'), ('w', 'new')):\n"
        "            try: open(f'{tree}/vae/{name}', mode).close(); reached.append(name)\n"
        "            except OSError: pass\n"
        "    return reached\n"
    )
    (tree / "vae" / "utils.py").write_text(body)
    run = harness.call(tree)
    assert run.evidence == [], run.message
    assert not (tree / "vae" / "new").exists()


def test_a_file_too_large_to_copy_can_be_read_and_not_changed(harness: SandboxHarness) -> None:
    walled(harness)
    tree = harness.tree(
        "import os\n"
        "def KLD(mean, log_std):\n"
        "    weights = os.path.join(os.path.dirname(__file__), 'weights.pt')\n"
        "    with open(weights, 'rb') as file: start = file.read(5)\n"
        "    try: open(weights, 'r+b')\n"
        "    except OSError: return f'{start} {os.path.getsize(weights)}'\n"
    )
    large = 40 << 20
    with (tree / "vae" / "weights.pt").open("wb") as file:
        file.write(b"torch")
        file.truncate(large)
    run = harness.call(tree)
    assert run.evidence == f"b'torch' {large}", run.message


def test_a_tree_too_large_for_a_run_is_its_own_fault(harness: SandboxHarness) -> None:
    tree = harness.tree("import time\ndef KLD(mean, log_std):\n    time.sleep(2)\n    return mean\n")
    for number in range(80):
        (tree / "vae" / f"{number}.txt").write_bytes(b"x" * 30_000)
    run = harness.call(tree, Limits(seconds=3, disk_mb=1))
    assert run.outcome is Outcome.ERROR
    assert run.message.startswith("stopped: files may take 1 MB in this check")
    assert harness.call(tree).outcome is Outcome.PASSED  # its honest shape, with the usual limit


def test_a_run_has_room_for_every_tree_that_is_made(harness: SandboxHarness) -> None:
    assert 3 * (workplace.MOST_FILES + workplace.MOST_FOLDERS) < disk.MOST_FILES
    tree = harness.tree("def KLD(mean, log_std):\n    return mean\n")
    for folder in range(workplace.MOST_FOLDERS // 10):
        (tree / "vae" / str(folder)).mkdir()
        for file in range(workplace.MOST_FILES // workplace.MOST_FOLDERS):
            (tree / "vae" / str(folder) / str(file)).write_bytes(b"")
    assert harness.call(tree).outcome is Outcome.PASSED


def test_there_is_no_network(harness: SandboxHarness) -> None:
    walled(harness)
    for kind in ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET"):
        run = harness.run(f"import socket\nsocket.socket(socket.{kind}, socket.SOCK_RAW if 'P' in {kind!r} else 1)")
        assert run.outcome is Outcome.ERROR, kind


def test_nobody_else_can_be_signalled(harness: SandboxHarness) -> None:
    walled(harness)
    body = (
        "reached = []\n"
        "for pid in range(2, 400):\n"
        "    try: os.kill(pid, 0); reached.append(pid)\n"
        "    except OSError: pass\n"
        "return [pid for pid in reached if pid != os.getpid()]"
    )
    assert harness.run(body).evidence == []


def test_the_environment_tells_nothing(harness: SandboxHarness) -> None:
    os.environ["GENGRADE_TEST_TOKEN"] = "a secret of the operator's"
    try:
        run = harness.run("return [sorted(os.environ), sys.argv]")
    finally:
        del os.environ["GENGRADE_TEST_TOKEN"]
    assert "GENGRADE_TEST_TOKEN" not in run.evidence[0]
    assert not any("secret" in word for word in run.evidence[1])


def test_graders_and_reference_are_not_there_to_be_imported(harness: SandboxHarness) -> None:
    body = (
        "found = []\n"
        "for name in ('graders.vae.checks', 'graders.flow.checks', 'gengrade.engine', 'reference'):\n"
        "    try: __import__(name); found.append(name)\n"
        "    except ImportError: pass\n"
        "return found"
    )
    if harness.tier is Tier.PROCESS:
        pytest.skip("an editable installation can be imported where nothing is isolated")
    assert harness.run(body).evidence == []


@pytest.mark.parametrize(
    "call",
    [
        "unshare(0x10000000)",
        "mount(b'none', b'/tmp', b'tmpfs', 0, None)",
        "ptrace(16, 1, 0, 0)",
        "memfd_create(b'x', 0)",
    ],
)
def test_system_calls_that_no_one_needs_are_refused(harness: SandboxHarness, call: str) -> None:
    walled(harness)
    body = f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nreturn [libc.{call}, ctypes.get_errno()]"
    assert harness.run(body).evidence == [-1, 1]


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("syscall(468, -100, path, room, 24, 0)", errno.ENOSYS),  # file_getattr
        ("syscall(469, -100, path, room, 24, 0)", errno.ENOSYS),  # file_setattr
        ("syscall(1000)", errno.ENOSYS),
        ("ioctl(file.fileno(), 0x80086601, room)", errno.ENOTTY),  # FS_IOC_GETFLAGS
        ("ioctl(file.fileno(), 0x40086602, room)", errno.ENOTTY),  # FS_IOC_SETFLAGS
        ("ioctl(file.fileno(), 0x401C5820, room)", errno.ENOTTY),  # FS_IOC_FSSETXATTR
        ("ioctl(file.fileno(), 0x40087602, room)", errno.ENOTTY),  # FS_IOC_SETVERSION
        ("ioctl(file.fileno(), 0x40049409, 0)", errno.ENOTTY),  # FICLONE
        ("syscall(443, file.fileno(), 0, 0, room)", errno.EPERM),  # quotactl_fd
    ],
)
def test_attributes_of_files_are_out_of_reach(harness: SandboxHarness, call: str, problem: int) -> None:
    """Attributes outlive a run, and Landlock protects none of them. Other ioctls work as ever."""
    walled(harness)
    body = (
        "import ctypes, fcntl, struct, tempfile\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "room, path = ctypes.create_string_buffer(64), __file__.encode()\n"
        "with tempfile.TemporaryFile() as file:\n"
        f"    found = [libc.{call}, ctypes.get_errno()]\n"
        "    os.isatty(file.fileno())\n"
        "reading, writing = os.pipe()\n"
        "os.write(writing, b'four')\n"
        "return [*found, struct.unpack('i', fcntl.ioctl(reading, 0x541B, bytes(4)))[0]]"
    )
    assert harness.run(body).evidence == [-1, problem, 4]


@pytest.mark.parametrize(
    "flags",
    [
        0x10000 | 0x800 | 0x200 | 0x100,  # a thread with a table of descriptors of its own
        0x10000 | 0x800 | 0x400 | 0x100,  # a thread with a working folder of its own
        0x100 | 17,  # processes with one memory, neither of which waits
        0x400 | 17,  # processes with one table of descriptors
        0x200 | 17,
        0x8000 | 17,  # a brother
        0x20000000 | 17,  # CLONE_NEWPID
    ],
)
def test_tasks_are_processes_or_threads(harness: SandboxHarness, flags: int) -> None:
    """A task that shares less than a thread, or more than a process, could hide resources of a run."""
    walled(harness)
    body = (
        "import ctypes\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "stack = ctypes.create_string_buffer(1 << 16)\n"
        "top = ctypes.c_void_p((ctypes.addressof(stack) + 60_000) & ~15)\n"
        f"return [libc.clone(ctypes.cast(libc.pause, ctypes.c_void_p), top, {flags}, None), ctypes.get_errno()]"
    )
    assert harness.run(body).evidence == [-1, 1]


def test_no_thread_takes_a_table_of_descriptors_of_its_own(harness: SandboxHarness) -> None:
    """The descriptors are closed all the same, as honest code expects."""
    walled(harness)
    body = (
        "import ctypes, errno, subprocess, threading\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "refused = [libc.syscall(436, 1000, 1001, 2), ctypes.get_errno() == errno.EINVAL]\n"
        "refused += [libc.syscall(436, 1000, 1001, 6), ctypes.get_errno() == errno.EINVAL]\n"
        "descriptor = os.dup(0)\n"
        "os.closerange(descriptor, descriptor + 1)\n"
        "subprocess.run(['/bin/sleep', '0'], check=True, close_fds=True)\n"
        "subprocess.run(['/bin/sleep', '0'], check=True, close_fds=False)\n"
        "os.posix_spawn('/bin/sleep', ['sleep', '0'], {})\n"
        "os.wait()\n"
        "os.system('/bin/sleep 0')\n"
        "threading.Thread(target=print).start()\n"
        "return [*refused, libc.syscall(436, 1000, 1001, 4), libc.syscall(436, 1000, 1001, 0)]"
    )
    assert harness.run(body).evidence == [-1, True, -1, True, 0, 0]


@pytest.mark.parametrize(
    "call",
    [
        "mincore(address, 4096, residency)",
        "posix_fadvise(file.fileno(), 0, 4096, 4)",
        "syscall(451, file.fileno(), residency, residency, 0)",  # cachestat
        "madvise(address, 4096, 21)",  # MADV_PAGEOUT
        "preadv2(file.fileno(), residency, 1, 0, 8)",  # RWF_NOWAIT
    ],
)
def test_no_run_is_told_which_files_others_have_read(harness: SandboxHarness, call: str) -> None:
    walled(harness)
    body = (
        "import ctypes, mmap\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "file = open(__file__, 'rb')\n"
        "held = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)\n"
        "address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(held)))\n"
        "residency = ctypes.create_string_buffer(64)\n"
        f"result = libc.{call}\n"
        "return [result, ctypes.get_errno()]"
    )
    result, problem = harness.run(body).evidence
    refused = {1, 38, 95}  # EPERM, ENOSYS, EOPNOTSUPP
    # posix_fadvise returns its error, and leaves errno alone
    assert (result if "fadvise" in call else problem) in refused, result


def test_capabilities_and_root_are_gone(harness: SandboxHarness) -> None:
    walled(harness)
    run = harness.run("return [line for line in open('/proc/self/status') if line.startswith(('Cap', 'NoNew', 'Uid'))]")
    status = dict(line.split(":") for line in run.evidence)
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"
    if harness.tier is Tier.SANDBOX:
        assert "0" not in status["Uid"].split()


def test_a_lost_zygote_is_replaced(harness: SandboxHarness) -> None:
    assert harness.run("return 1").evidence == 1
    zygote = harness.sandbox._zygote
    assert zygote is not None
    zygote._process.kill()
    zygote._process.wait()
    assert harness.run("return 2").evidence == 2


def test_an_isolation_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NoSuchTier, match=r"bubblewrap is not installed.*apt-get install bubblewrap"):
        choose(Isolation.SANDBOX, single=False)


def test_a_class_is_never_graded_without_a_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("gengrade.sandbox.guest.landlock.abi", lambda: 0)
    with pytest.raises(NoSuchTier):
        choose(Isolation.AUTO, single=False)
    assert choose(Isolation.AUTO, single=True) is Tier.PROCESS
    assert choose(Isolation.PROCESS, single=False) is Tier.PROCESS


@pytest.mark.gpu
def test_cuda_works_inside_the_wall(tmp_path: Path) -> None:
    if not Path("/dev/nvidia0").exists():
        pytest.skip("there is no CUDA device")
    tree = tmp_path / "trees" / "student"
    (tree / "vae").mkdir(parents=True)
    (tree / "vae" / "utils.py").write_text("def KLD(mean, log_std):\n    return [str(mean.device), mean @ mean.T]\n")
    with Sandbox(choose(Isolation.AUTO, single=False), find("uva2020"), tmp_path / "trees", device="cuda") as sandbox:
        inputs = {"mean": MEAN, "log_std": MEAN}
        run = sandbox.run(Request("vae:kld", tree, inputs, 1, Limits(seconds=60), device="cuda"))
    assert run.outcome is Outcome.PASSED, run.message
    assert run.evidence[0] == "cuda:0"
    np.testing.assert_allclose(run.evidence[1], MEAN @ MEAN.T)
