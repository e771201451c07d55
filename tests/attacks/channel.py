"""Rows 14 to 23: attacks on the channel over which a run answers, and on the files of grades."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from tests.attacks.attack import Attack, Build

_VERDICT: Final = json.dumps(
    {"check": "theory.cubic_density", "outcome": "passed", "points": 100, "total": 100, "possible": 100}
)

# Finds what leads to the grader (walking frames for the run's socket, and /proc for any other), and what was asked.
FIND: Final = """
import json, os, stat, struct, sys

def frames():
    frame = sys._getframe()
    while frame:
        yield frame
        frame = frame.f_back

def asked(name):
    return next((frame.f_locals[name] for frame in frames() if name in frame.f_locals), None)

def probe():
    found = asked("own").probe  # the function of ours that the run calls
    where = found.__module__.removeprefix("graders.").removesuffix(".probes").replace("_probes", "")
    return f"{where}:{found.__name__}"

def sockets():
    for name in os.listdir("/proc/self/fd"):
        try:
            mode = os.fstat(int(name)).st_mode
            if int(name) > 2 and (stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)):
                yield int(name)
        except OSError:
            pass

def frame_of(payload, tag=b"E"):
    return struct.pack(">cQ", tag, len(payload)) + payload

def payload_of(document, blob=struct.pack("<Q", 2) + b"{}"):
    document = document if isinstance(document, bytes) else json.dumps(document).encode()
    return struct.pack(">I", len(document)) + document + blob

def send(data):
    for descriptor in sockets():
        try:
            os.write(descriptor, data)
        except OSError:
            pass
"""

# As good a density as can be had without answering: uniform over what was asked about.
_GUESS: Final = """
from gengrade.sandbox import wire
x = (asked("arguments") or {}).get("x")
guess = {"density": (x * 0 + 1 / (x.max() - x.min())).numpy(), "complex": False} if x is not None else {}
guess |= {"outcome": "passed", "points": 3, "score": 1.0, "verdict": True}
"""

_HONEST_ENDS: Final = """
import os
os.listdir("/proc/self/fd")
"""

# What a right loop looks like to the probe that watches it.
_SEEN_TRAINING: Final = """
from gengrade.sandbox import wire
import torch
def seen(train):
    step = {"own": 1.0, "before": 0.0, "all": 0.0, "parts": None}
    return {"losses": torch.ones(4, 3).numpy(), "sizes": [128, 128, 128, 64], "ink": [0.1] * 4, "different": 448,
            "modal": False, "left_in_training": train, "training": [train] * 4, "tracking": [train] * 4,
            "steps": [step] * 4, "arrived": True,
            "gradients_left": train, "moved": 0, "trained": 4, "unmoved": "", "averages": [1.0] * 3,
            "images": asked("arguments")["images"].reshape(-1, 784).numpy()}
send(frame_of(wire.encode(seen("optimizer" in dir()))))
os._exit(0)
"""
_SEEN_ALTERNATION: Final = """
from gengrade.sandbox import wire
def seen(owner):
    return {"holds": [owner], "losses": 1, "agreement": 1.0, "shares": [1.0], "unexplained": 0.0, "of_no_loss": 0.0,
            "moved": {"generator": 0.1, "discriminator": 0.1}}
names = ["generator", "discriminator"]
images = asked("arguments")["images"]
evidence = {"steps": [seen(name) for name in 2 * names], "losses": names, "trained": {name: True for name in names},
            "rows": images.reshape(-1, 784), "read": len(images)}
send(frame_of(wire.encode(evidence, lambda leaf: leaf.numpy())))
os._exit(0)
"""
_SEEN_STEP: Final = """
from gengrade.sandbox import wire
import math
import torch
if (asked("own") and probe() == "gan:step" and asked("arguments")["which"] == "generator"):
    n, fake = len(x_real), torch.rand(len(x_real), 784) * 2 - 1
    evidence = {"loss": torch.tensor([math.log(2)]), "bounded": False,
                "reached": {"generator": True, "discriminator": True}, "rows": fake, "scores": torch.zeros(n),
                "gradients": torch.full((n,), -0.5 / n),
                "latents": torch.randn(n, asked("arguments")["z_dim"]), "decoded": fake}
    send(frame_of(wire.encode(evidence, lambda leaf: leaf.numpy())))
    os._exit(0)
"""
_SEEN_PASS: Final = """
from gengrade.sandbox import wire
import math
import torch
if asked("own") and probe() == "vae:loss":
    zero = torch.zeros(asked("arguments")["code"].shape[1:])
    evidence = {"encoder_seen": True, "decoder_seen": True, "shown": imgs.reshape(-1, 784), "mean": zero,
                "log_std": zero,
                "z": torch.randn(1, *zero.shape), "logits": torch.zeros(1, *imgs.shape),
                "rec": 784 * math.log(2), "reg": 0.0, "bpd": 1.0,
                "mean_gradient": zero, "log_std_gradient": zero, "z_gradient": zero[None], "z_attached": True}
    send(frame_of(wire.encode(evidence, lambda leaf: leaf.numpy())))
    os._exit(0)
if asked("own") and probe() == "vae:untrained_loss":
    send(frame_of(wire.encode(784 * math.log(2))))
    os._exit(0)
"""
_WATCHED_IN_THE_GUEST: Final = (
    "what is watched, and not computed from what the host sent, is the guest's word: it can be said without the work"
)
_OPEN: Final = {"sandbox": _WATCHED_IN_THE_GUEST, "landlock": _WATCHED_IN_THE_GUEST}


def _planted(verdict: str) -> Build:
    """Return a builder that writes files like those of graders wherever a grader might read them."""

    def build(folder: Path) -> None:
        names = ("results.json", "grade.json", "facts.json", "reward.txt", "gradebook.csv", "junit.xml", "report.html")
        for place in ("", "results", f"results/{folder.name}", "part1", "part1/results", ".gengrade/evidence", "marks"):
            (folder / place).mkdir(parents=True, exist_ok=True)
            for name in names:
                (folder / place / name).write_text(verdict)
        (folder / "marks" / f"{folder.name}.yaml").write_text(
            '"theory.cubic_density": {points: 3, comment: very good}\n'
        )
        (folder / "rubric.yaml").write_text("assignment: mine\ncourse: uva2020\nparts: []\n")

    return build


def _wrote_nothing(results: Path) -> str:
    """Return the problem if the attack reports that it could write to files."""
    grade = (results / "grade.json").read_text()
    return "it wrote where it must not: see its message" if "could write" in grade else ""


ATTACKS = [
    Attack(
        14,
        "write results",
        hostile=f"""
            import os
            out, own = "@OUT@", "14-write-results"
            folders = [out, f"{{out}}/{{own}}", "/autograder/results", "/grade/results", "/results", "../results", "."]
            for folder in folders:
                for name in ("results.json", "grade.json", "facts.json", "reward.txt", "gradebook.csv", "report.html"):
                    try:
                        os.makedirs(folder, exist_ok=True)
                        open(f"{{folder}}/{{name}}", "w").write({_VERDICT!r})
                    except OSError:
                        pass
        """,
        control="""
            open("results.json", "w").write("{}")
        """,
        why="nothing that a run writes is read: its folder is empty before it, and gone after it",
    ),
    Attack(
        15,
        "replace the grader",
        hostile="""
            import glob, os, sys
            near = ("gengrade", "graders", "torch", "json")
            own = [module.__file__ for name, module in list(sys.modules.items())
                   if name.split(".")[0] in near and getattr(module, "__file__", None)]
            names = ("run_grading.py", "rubric.yaml", "gengrade/grade.py", "graders/theory/checks.py")
            host = [f"@PROJECT@/{name}" for name in names]
            host += ["/autograder/run_autograder", "/grade/run.py", *glob.glob("/proc/*/cwd/run_grading.py")]
            written = []
            for path in host + own[:40]:
                try:
                    open(path, "a").write("\\n")
                    written.append(path)
                except OSError:
                    pass
                try:  # and beside it, in a name that wins
                    open(os.path.join(os.path.dirname(path), "@MARK@.pth"), "w")
                    written.append(path)
                except OSError:
                    pass
            if written:
                raise RuntimeError(f"could write {written}")
        """,
        control="""
            import json, sys
            open(sys.modules["json"].__file__).read()
        """,
        look=_wrote_nothing,
    ),
    Attack(
        16,
        "race for the results",
        hostile=f"""
            import os, time
            if os.fork() == 0:
                os.setsid()
                if os.fork():
                    os._exit(0)
                end = time.time() + 30
                while time.time() < end:
                    for folder in ("@OUT@/16-race-for-the-results", "@OUT@"):
                        for name in ("grade.json", "facts.json", "report.html"):
                            path = f"{{folder}}/{{name}}"
                            try:
                                os.chmod(path, 0o400)
                                os.unlink(path)
                                os.symlink("/etc/passwd", path)
                            except OSError:
                                pass
                            try:
                                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o400)
                                os.write(descriptor, {_VERDICT!r}.encode())
                            except OSError:
                                pass
                    time.sleep(0.001)
                os._exit(0)
            os.wait()
        """,
        control="""
            import os
            if os.fork() == 0:
                os._exit(0)
            os.wait()
        """,
    ),
    Attack(
        17,
        "verdict on stdout",
        hostile=f"""
            import os, struct, sys
            verdict = {_VERDICT!r}
            evidence = b'{{"d":{{"density":{{"v":1.0}},"complex":{{"v":false}}}}}}'
            payload = struct.pack(">I", len(evidence)) + evidence + struct.pack("<Q", 2) + b"{{}}"
            frame = b"S" + bytes(8) + struct.pack(">cQ", b"E", len(payload)) + payload
            lines = [verdict, '{{"error": null}}', '{{"check": "theory.cubic_density"}}', '{{"ready": {{}}}}',
                     '{{"ended": {{"exit": 0, "signal": 0, "reason": "", "cpu": 0, "peak_mb": 0}}}}',
                     "1 passed in 0.01s", "##[endgroup]", "::notice::passed", "theory.cubic_density PASSED"]
            for stream in (1, 2):
                os.write(stream, frame + b"\\n" + "\\n".join(lines).encode() + b"\\n")
            for path in ("/dev/tty", "/dev/stdout", "/proc/self/fd/1", "/proc/1/fd/1", f"/proc/{{os.getppid()}}/fd/1"):
                try:
                    open(path, "w").write("\\n".join(lines) + "\\n")
                except OSError:
                    pass
        """,
        control="""
            print('{"outcome": "passed"}')
        """,
        why="what is printed is kept for the report, and read by nobody else",
    ),
    Attack(
        18,
        "evidence at import",
        hostile=f"""{FIND}{_GUESS}
if asked("arguments"):
    send(frame_of(wire.encode(guess)))
os._exit(0)
""",
        control=_HONEST_ENDS,
        at_import=True,
    ),
    Attack(
        18,
        "evidence in a call",
        hostile=f"""{FIND}{_GUESS}
send(frame_of(wire.encode(guess)) * 3)
asked("channel").close()
os._exit(0)
""",
        control=_HONEST_ENDS,
    ),
    Attack(
        18,
        "words of the zygote",
        # To the control socket, were it inherited: that the run ended well, or that another one is to start.
        hostile=f"""{FIND}
import array, socket
ended = {{"ended": {{"exit": 0, "signal": 0, "reason": "", "cpu": 0.0, "peak_mb": 0.0}}}}
for descriptor in sockets():
    for message in (ended, {{"ready": {{}}}}, {{"run": {{}}}}, {{"kill": True}}):
        try:
            end = socket.socket(fileno=os.dup(descriptor))
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1]))]
            end.sendmsg([json.dumps(message).encode()], rights)
        except OSError:
            pass
""",
        control=_HONEST_ENDS,
    ),
    Attack(
        18,
        "a new start of the clock",
        hostile=f"""{FIND}
import time
for _ in range(12):
    send(frame_of(b"", b"S"))
    time.sleep(1)
""",
        control=_HONEST_ENDS,
    ),
    Attack(
        18,
        "an endless frame",
        # Within the limit of its size, and never whole; then one beyond all limits.
        hostile=f"""{FIND}
import time
send(struct.pack(">cQ", b"E", 60 << 20))
for _ in range(60):
    send(b"x")
    time.sleep(1)
send(struct.pack(">cQ", b"E", 2**63))
""",
        control=_HONEST_ENDS,
    ),
    Attack(
        18,
        "evidence of a training loop",
        hostile=FIND + _SEEN_TRAINING,
        control=_HONEST_ENDS,
        target="part1/train_torch.py:train_vae",
    ),
    Attack(
        18,
        "evidence of an alternation",
        hostile=FIND + _SEEN_ALTERNATION,
        control=_HONEST_ENDS,
        target="part2/train_torch.py:train_gan",
        open_in=_OPEN,
    ),
    Attack(
        18,
        "evidence of a step",
        hostile=FIND + _SEEN_STEP,
        control=_HONEST_ENDS,
        target="part2/train_torch.py:GAN.generator_step",
    ),
    Attack(
        18,
        "evidence of a pass",
        hostile=FIND + _SEEN_PASS,
        control=_HONEST_ENDS,
        target="part1/train_torch.py:VAE.forward",
    ),
    Attack(
        19,
        "rewrite what the harness writes",
        hostile=f"""{FIND}{_GUESS}
original = wire.frame
def rewritten(tag, payload=b""):
    return original(b"E", wire.encode(guess)) if tag in (b"E", b"F") else original(tag, payload)
wire.frame = rewritten
for frame in frames():
    if frame.f_code.co_name in ("serve", "answer"):
        frame.f_globals["wire"] = wire
        frame.f_globals["_encode"] = lambda *_: wire.encode(guess)
        frame.f_globals["_fault"] = lambda *_: guess
""",
        control=_HONEST_ENDS,
    ),
    Attack(
        19,
        "in place of its socket",
        # What the harness writes goes to a pair of ours, and on from there as we like it.
        hostile=f"""{FIND}{_GUESS}
import socket, threading
ours, theirs = socket.socketpair()
own = asked("channel").fileno()
real = os.dup(own)
os.dup2(theirs.fileno(), own)
def relay():
    data = b""
    while len(data) < 9 or len(data) < 9 + struct.unpack(">Q", data[1:9])[0]:
        data += ours.recv(1 << 16)
    os.write(real, frame_of(wire.encode(guess)))
    os._exit(0)
threading.Thread(target=relay, daemon=True).start()
""",
        control=_HONEST_ENDS,
    ),
    Attack(
        20,
        "duplicate keys",
        hostile=f"""{FIND}
n = len(asked("arguments")["x"])
ones = b'{{"l":[' + b",".join([b'{{"v":1.0}}'] * n) + b"]}}"
one = b'{{"d":{{"complex":{{"v":true}},"complex":{{"v":false}},"density":' + ones + b',"density":' + ones + b"}}}}"
two = b'{{"d":{{"density":' + ones + b',"complex":{{"v":false}}}},"d":{{"outcome":{{"v":"passed"}}}}}}'
three = b'{{"d":{{"density\\\\ud800":' + ones + b',"density\\\\ud801":' + ones + b',"points":{{"w":100}}}}}}'
send(frame_of(payload_of([one, two, three][n % 3])))
os._exit(0)
""",
        control=_HONEST_ENDS,
    ),
    Attack(
        20,
        "two tensors of a name",
        hostile=f"""{FIND}
tensor = b'"t0":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
header = b"{{" + tensor + b"," + tensor + b"}}"
document = {{"d": {{"density": {{"t": "t0"}}, "complex": {{"v": False}}}}}}
send(frame_of(payload_of(document, struct.pack("<Q", len(header)) + header + bytes(4))))
os._exit(0)
""",
        control=_HONEST_ENDS,
    ),
    Attack(
        21,
        "pickles",
        hostile=f"""{FIND}
import io, pickle
import numpy, torch
class Bomb:
    def __reduce__(self):
        return exec, ("import os, subprocess\\nfor f in ('/tmp', '@OUT@', '@HOME@'):\\n open(f + '/@MARK@', 'w')",)
saved, array = io.BytesIO(), io.BytesIO()
torch.save({{"density": Bomb()}}, saved)
numpy.save(array, numpy.array([Bomb()], dtype=object), allow_pickle=True)
bombs = [pickle.dumps({{"density": Bomb()}}), saved.getvalue(), array.getvalue()]
bomb = bombs[len(asked("arguments")["x"]) % 3]
each = [frame_of(bomb), frame_of(payload_of(bomb, bomb)), frame_of(payload_of({{"v": None}}, bomb))]
each.append(frame_of(bomb, b"F"))
send(b"".join(each[asked("run").seed % 4 :]))
os._exit(0)
""",
        control="""
            import pickle
            pickle.loads(pickle.dumps([1, 2]))
        """,
    ),
    Attack(
        21,
        "an object that pickles",
        hostile="""
            class Bomb:
                def __reduce__(self):
                    return exec, ("for f in ('/tmp', '@OUT@', '@HOME@'):\\n open(f + '/@MARK@', 'w')",)
                def __float__(self):
                    return 1.0
            import numpy
            return numpy.array([Bomb()] * len(x), dtype=object)
        """,
        control="""
            import copyreg
            copyreg.dispatch_table
        """,
    ),
    Attack(
        22,
        "numbers beyond numbers",
        hostile=f"""{FIND}
n = len(asked("arguments")["x"])
words = [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1e308", b"9" * 400, b"1E400000000", b"-0.0"]
word = words[int(asked("run").seed) % len(words)]
numbers = b'{{"l":[' + b",".join([b'{{"v":' + word + b"}}"] * n) + b"]}}"
extra = b',"points":{{"v":' + word + b'}},"score":{{"v":1e9}}'
send(frame_of(payload_of(b'{{"d":{{"complex":{{"v":false}},"density":' + numbers + extra + b"}}}}")))
os._exit(0)
""",
        control="""
            float("nan"), float("inf"), 1e308
        """,
    ),
    Attack(
        22,
        "not a number as an answer",
        hostile="""
            if a > 0:
                return torch.full_like(x, float("nan"))
            return torch.full_like(x, float("inf") if b > 0 else 1e308)
        """,
        control="""
            torch.full_like(x, float("nan"))
        """,
    ),
    Attack(
        23,
        "planted results",
        hostile="""
            pass
        """,
        control="""
            pass
        """,
        pack=_planted(_VERDICT),
        control_pack=_planted("a student's own notes"),
    ),
]
