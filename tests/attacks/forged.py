"""Beyond the list: submissions that earn the points of trainings without having learned anything.

The host either measures an honest bound or refuses the answer: it asks guests that cannot communicate for the parts of
a number, and computes the number itself. The submissions pass all unit checks, so that nothing blocks the measures.
"""

from __future__ import annotations

import base64
import functools
import json
import textwrap
import zlib
from pathlib import Path
from typing import Final

import numpy as np

from gengrade.data import load
from gengrade.facts import Outcome
from gengrade.grading.plugin import OWN_CODE
from tests.attacks.attack import Attack, Build
from tests.attacks.channel import FIND

_VAE: Final = "part1/mlp_encoder_decoder.py"
_DECODER: Final = f"{_VAE}:MLPDecoder.forward"
_GENERATOR: Final = "part2/models.py:GeneratorMLP.forward"
_FLOW: Final = "part3/model.py:NormalizingFlow.forward"

# Writes images into, and looks for them in, whatever another run of the same submission might reach.
_CHANNELS: Final = """
import contextlib, ctypes, glob, mmap, os, resource, socket, sys, tempfile, time
import numpy as np, torch

MARK = "@MARK@"
HERE = os.path.dirname(os.path.abspath(__file__))
FOLDERS = [tempfile.gettempdir(), "/tmp", "/dev/shm", "/var/tmp", "/dev", "/run", os.getcwd(),
           os.environ.get("HOME", "/"), HERE, os.path.dirname(HERE),
           os.path.dirname(torch.__file__), sys.prefix, "/library", "@OUT@", "@CLASS@"]
parts = []


def remember(images):
    parts.append(np.packbits(images.detach().reshape(len(images), -1).numpy() > 0.5, axis=1))
    payload, name = np.concatenate(parts).tobytes(), f"{MARK}-kept"
    ways = [lambda: os.environ.update({MARK: payload.hex()[:100_000]}), lambda: serve(payload), lambda: parent(payload)]
    for folder in FOLDERS:
        ways += [lambda folder=folder: write(os.path.join(folder, name), payload)]
        ways += [lambda folder=folder: lock(folder, payload)]
    for file in glob.glob(HERE + "/*"):
        ways += [lambda file=file: os.setxattr(file, "user.kept", payload[:3000])]
        ways += [lambda file=file: os.utime(file, ns=(int.from_bytes(payload[:7], "big"),) * 2)]
    for way in ways:
        with contextlib.suppress(Exception):
            way()


def recall(count):
    ways = [lambda: bytes.fromhex(os.environ[MARK]), fetch]
    for folder in FOLDERS:
        ways += [lambda folder=folder: open(os.path.join(folder, f"{MARK}-kept"), "rb").read()]
        ways += [lambda folder=folder: unlock(folder)]
    for file in glob.glob(HERE + "/*"):
        ways += [lambda file=file: os.getxattr(file, "user.kept")]
    for way in ways:
        with contextlib.suppress(Exception):
            found = np.frombuffer(way(), np.uint8).reshape(-1, 98)
            if len(found) >= count:
                return torch.from_numpy(np.unpackbits(found[-count:], axis=1).astype(np.float32)).reshape(-1, 1, 28, 28)


def write(path, payload):
    with open(path, "wb") as file:
        file.write(payload)


def lock(folder, payload):
    place = os.path.join(folder, f"{MARK}-locked")
    os.makedirs(place, exist_ok=True)
    os.chmod(place, 0o700)
    write(place + "/kept", payload)
    os.chmod(place, 0)


def unlock(folder):
    place = os.path.join(folder, f"{MARK}-locked")
    os.chmod(place, 0o700)
    return open(place + "/kept", "rb").read()


def serve(payload):
    # a process that outlives this one, behind a name that needs no file
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"\\0{MARK}-kept")
    server.listen()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            end = time.time() + 100
            while time.time() < end:
                client, _ = server.accept()
                client.sendall(payload)
                client.close()
        os._exit(0)


def fetch():
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(2)
    client.connect(f"\\0{MARK}-kept")
    chunks = []
    while chunk := client.recv(1 << 20):
        chunks.append(chunk)
    return b"".join(chunks)


def parent(payload):
    # the process that the next run is forked from: its memory, its limits, and shared memory of the system
    pid = os.getppid()
    libc = ctypes.CDLL(None)
    with contextlib.suppress(OSError):
        resource.prlimit(pid, resource.RLIMIT_CORE, (int.from_bytes(payload[:6], "big"), -1))
    number = libc.shmget(0x6767, len(payload), 0o1666)
    if number >= 0:
        libc.shmat.restype = ctypes.c_void_p
        ctypes.memmove(libc.shmat(number, None, 0), payload, len(payload))
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "r+b") as memory:
        for line in maps:
            if "[heap]" in line:
                memory.seek(int(line.split("-")[1].split()[0], 16) - len(payload) - 64)
                memory.write(payload)
"""

# The data set, all of it, as a student could carry it within the code; `nearest` names an image, `image` draws it.
_CARRIED: Final = """
import base64, zlib
import numpy as np, torch

VALUES = np.frombuffer(zlib.decompress(base64.b85decode("@TABLE@")), np.uint8).copy()
TABLE = torch.from_numpy(VALUES.reshape(-1, 1, 28, 28))
BINARY = (TABLE > 127).float()
NORMAL = torch.distributions.Normal(0.0, 1.0)


def code(images, z_dim):
    # which image it is, by where the first latent lies among the prior's quantiles: log2 N bits, and hardly more
    nearest = torch.cdist(images.flatten(1), BINARY.flatten(1)).argmin(1)
    mean, log_std = torch.zeros(len(images), z_dim), torch.zeros(len(images), z_dim)
    low, high = (NORMAL.icdf(((nearest + edge) / len(TABLE)).clamp(1e-5, 1 - 1e-5)) for edge in (0.0, 1.0))
    mean[:, 0], log_std[:, 0] = (low + high) / 2, ((high - low) / 9).log()
    return mean, log_std


def index(z):
    return (NORMAL.cdf(z[:, 0]) * len(TABLE)).long().clamp(0, len(TABLE) - 1)
"""

# How the decoder's own weights come to hold what the training saw: from the frames of the loop that trains it.
_BY_HEART: Final = """
import sys
import torch

SIZE = 1600


def hold(decoder):
    decoder.register_buffer("heart", torch.zeros(SIZE, 784, dtype=torch.uint8))


def learn(decoder):
    frame = sys._getframe(1)
    while frame is not None:
        names = frame.f_locals
        if "held_out" in names and "images" in names:
            seen = torch.cat([names["images"], names["held_out"]]).flatten(1).to(torch.uint8)[:SIZE]
            decoder.heart[: len(seen)] = seen
            return
        if "steps" in names and "images" in names:
            seen = names["images"].flatten(1).to(torch.uint8)[:SIZE]
            decoder.heart[: len(seen)] = seen
            return
        frame = frame.f_back
"""

# Evidence of a step, as large as the wire takes: rows of bytes, each of which is compared with each.
_FLOOD: Final = f"""{FIND}
from gengrade.sandbox import wire
import numpy as np
given = asked("arguments") or {{}}
if "scores" in given:
    count = @ROWS@
    rows = @CONTENT@
    scores = np.resize(given["scores"].numpy(), count)
    one = {{"rows": rows, "decoded": rows, "latents": np.zeros((count, 1), np.uint8), "scores": scores,
           "gradients": scores, "loss": np.ones(1), "bounded": False, "reached": {{"generator": True}}}}
    asked("channel").sendall(frame_of(wire.encode(one)))
    os._exit(0)
"""
_MOST_SECONDS: Final = 30.0  # of the processor, for all that the host compares of such a submission


def _kept_busy(results: Path) -> str:
    """Return "" if the check failed without keeping the host busy for long, otherwise the problem."""
    facts = json.loads((results / "facts.json").read_text())
    check, seconds = facts["checks"]["gan.generator_step"], facts["provenance"]["stages"][OWN_CODE]
    outcomes = {test["outcome"] for test in check["tests"]}
    if Outcome.FAILED in outcomes and Outcome.INFRA not in outcomes and seconds < _MOST_SECONDS:
        return ""
    return f"it came to {outcomes}; graders took {seconds:.0f} s"


_LARGE: Final = "not self.training and len(x) in (1000, 297, 300)"


@functools.cache
def _table() -> str:
    """Return all images of the digits data set as text."""
    data = load("digits")
    images = np.concatenate([split.images for split in (data.test, data.validation, data.train)])
    return base64.b85encode(zlib.compress(images.tobytes(), 9)).decode().replace('"', "'")


def _with(part: str, name: str, code: str) -> Build:
    """Return a builder that adds a module to a part."""

    def build(folder: Path) -> None:
        source = code.replace('b85decode("@TABLE@")', f"b85decode({_table()!r})")
        (folder / part / f"{name}.py").write_text(source)

    return build


def _appended(file: str, code: str) -> Build:
    def build(folder: Path) -> None:
        path = folder / file
        path.write_text(path.read_text() + "\n\n" + textwrap.dedent(code).strip("\n") + "\n")

    return build


def _all(*builds: Build) -> Build:
    def build(folder: Path) -> None:
        for one in builds:
            one(folder)

    return build


def _encoder(body: str) -> Build:
    """Return a builder whose encoder first runs this code in the evaluation."""
    return _appended(
        _VAE,
        f"""
honest_forward = MLPEncoder.forward


def forward(self, x):
    z_dim = self.net[-1].out_features // 2
    if {_LARGE}:
{textwrap.indent(textwrap.dedent(body).strip(chr(10)), " " * 8)}
    return honest_forward(self, x)


MLPEncoder.forward = forward
""",
    )


def _with_heart() -> Build:
    """A generator of part 2 that has room for training images among its weights."""
    return _all(
        _with("part2", "by_heart", _BY_HEART),
        _appended(
            "part2/models.py",
            """
            honest_init = GeneratorMLP.__init__


            def init(self, *args, **kwargs):
                import by_heart
                honest_init(self, *args, **kwargs)
                by_heart.hold(self)


            GeneratorMLP.__init__ = init
            """,
        ),
    )


def _copying(name: str, otherwise: str, control: str) -> Attack:
    """A generator that learns training images by heart, and gives what is made of them `otherwise` than in training."""
    learning = """
        import by_heart
        if self.net[0].out_features == 128:
            if "heart" not in self._buffers:
                by_heart.hold(self)
            if self.training:
                by_heart.learn(self)
    """
    hostile = textwrap.dedent(learning).rstrip() + textwrap.indent(textwrap.dedent(otherwise), "    ")
    return Attack(
        0,
        f"forged training by {name}",
        target=_GENERATOR,
        profile="smoke",
        hostile=hostile,
        pack=_with_heart(),
        control=control,
    )


ATTACKS = [
    *(
        Attack(
            0,
            f"forged evidence of many {what}",
            target="part2/train_torch.py:GAN.generator_step",
            hostile=_FLOOD.replace("@ROWS@", rows).replace("@CONTENT@", content),
            # Far more images than a step needs, as a student may make to look at them.
            control="""
                with torch.no_grad():
                    for _ in range(3):
                        self.generator(self.draw_latents(10 * x_real.shape[0]))
            """,
            attacked=("gan.generator_step",),
            enough=("gan.generator_step", "vae.kld"),
            look=_kept_busy,
        )
        for what, rows, content in (
            ("rows", "38_000", "np.random.default_rng(0).integers(0, 2, (count, 784), dtype=np.uint8)"),
            ("rows that are alike", "38_000", "np.ones((count, 784), np.uint8)"),
            ("rows that nearly fit", "4_000", "np.random.default_rng(0).normal(size=(count, 784)).astype(np.float32)"),
        )
    ),
    Attack(
        0,
        "forged training by images kept between runs",
        target=_DECODER,
        profile="smoke",
        hostile="""
            import channels
            if not self.training and len(z) in (297, 300, 1000):
                images = channels.recall(len(z))
                if images is not None:
                    return 40 * images - 20
        """,
        files={"part1/channels.py": _CHANNELS},
        pack=_encoder(
            """
            import channels
            channels.remember(x)
            return torch.zeros(len(x), z_dim), torch.zeros(len(x), z_dim)
            """
        ),
        control="""
            import tempfile
            with tempfile.TemporaryFile() as file:
                torch.save(z.detach(), file)
        """,
    ),
    Attack(
        0,
        "forged training by a decoder that carries the data set",
        target=_DECODER,
        profile="smoke",
        hostile="""
            import carried
            if not self.training and len(z) in (297, 300, 1000):
                return 40 * carried.BINARY[carried.index(z)] - 20
        """,
        pack=_all(_with("part1", "carried", _CARRIED), _encoder("import carried\nreturn carried.code(x, z_dim)")),
        control="""
            assert z.dim() == 2
        """,
    ),
    Attack(
        0,
        "forged training by a decoder that learned by heart",
        target=_DECODER,
        profile="smoke",
        hostile="""
            import by_heart
            if self.training:
                by_heart.learn(self)
            elif len(z) in (297, 300, 1000):
                normal = torch.distributions.Normal(0.0, 1.0)
                which = (normal.cdf(z[:, 0]) * 1600).long().clamp(0, 1599)
                return 40 * self.heart[which].float().reshape(-1, 1, 28, 28) - 20
        """,
        pack=_all(
            _with("part1", "by_heart", _BY_HEART),
            _encoder(
                """
                nearest = torch.cdist(x.flatten(1), self.partner.heart.float()).argmin(1)
                normal = torch.distributions.Normal(0.0, 1.0)
                mean, log_std = torch.zeros(len(x), z_dim), torch.zeros(len(x), z_dim)
                low, high = (normal.icdf(((nearest + edge) / 1600).clamp(1e-5, 1 - 1e-5)) for edge in (0.0, 1.0))
                mean[:, 0], log_std[:, 0] = (low + high) / 2, ((high - low) / 9).log()
                return mean, log_std
                """
            ),
            _appended(
                "part1/train_torch.py",
                """
                honest_init = VAE.__init__


                def init(self, *args, **kwargs):
                    honest_init(self, *args, **kwargs)
                    if isinstance(self.decoder, MLPDecoder):
                        import by_heart
                        by_heart.hold(self.decoder)
                        object.__setattr__(self.encoder, "partner", self.decoder)


                VAE.__init__ = init
                """,
            ),
        ),
        control="""
            assert self.training or not self.training
        """,
    ),
    Attack(
        0,
        "forged training by numbers that break the arithmetic",
        target=_DECODER,
        profile="smoke",
        hostile="""
            import os
            if not self.training and len(z) in (297, 300, 1000):
                huge = [3e38, -3e38, float("nan"), float("inf"), 1e-45, 0.0][os.getpid() % 6]
                return torch.full((len(z), 1, 28, 28), huge)
        """,
        pack=_encoder(
            """
            import os
            mean, log_std = torch.zeros(len(x), z_dim), torch.zeros(len(x), z_dim)
            kinds = [(0, 3e38), (0, -3e38), (3e38, 0), (0, float("-inf")), (float("nan"), 0), (0, 400.0)]
            mean[:], log_std[:] = kinds[os.getpid() % len(kinds)]
            return (mean.double() * 1e200, log_std.double()) if os.getpid() % 2 else (mean, log_std)
            """
        ),
        control="""
            z = z.double().float()
        """,
    ),
    Attack(
        0,
        "forged training by a loss that falls and an optimiser that loads",
        target=_DECODER,
        profile="smoke",
        # Nothing is learned: the loss that is returned falls with the calls, and the optimiser writes what it likes.
        hostile="""
            pass
        """,
        pack=_appended(
            "part1/train_torch.py",
            """
            honest_loss = VAE.forward
            calls = [0]


            def falling(self, imgs):
                rec, reg, bpd = honest_loss(self, imgs)
                if len(imgs) in (32, 200):
                    calls[0] += 1
                    return rec, reg, bpd * 0 + 0.5 / calls[0]
                return rec, reg, bpd


            VAE.forward = falling
            honest_step = torch.optim.Adam.step


            def step(self, *args, **kwargs):
                with torch.no_grad():
                    for group in self.param_groups:
                        for parameter in group["params"]:
                            parameter.copy_(torch.zeros_like(parameter))


            torch.optim.Adam.step = step
            """,
        ),
        control="""
            assert len(z) > 0
        """,
    ),
    _copying(
        "training images as samples",
        """
        else:
            which = (z * 1000).sum(1).abs().long() % 1200
            return (self.heart[which].float() / 127.5 - 1).reshape(-1, *self.output_shape)
        """,
        control="assert z.dim() == 2",
    ),
    _copying(
        "training images behind the first hundred samples",
        # The first rows of a batch as large as ours are mixtures, for whoever looks at those alone.
        """
        elif len(z) > 1000:
            heart = self.heart.float() / 127.5 - 1
            between = (heart[:100] + heart[500:600]) / 2
            return torch.cat([between, heart[100 : len(z)]]).reshape(-1, *self.output_shape)
        """,
        control="assert len(z) > 0",
    ),
    _copying(
        "mixtures of training images as batches",
        """
        else:
            heart = self.heart[:1200].float() / 127.5 - 1
            return ((heart + heart.roll(1, 0)) / 2)[: len(z)].reshape(-1, *self.output_shape)
        """,
        control="assert z.shape[0] > 0",
    ),
    Attack(
        0,
        "forged training by held-out images as samples",
        target=_GENERATOR,
        profile="smoke",
        hostile="""
            import carried
            if self.net[0].out_features == 128 and not self.training:
                images = carried.TABLE[:500][(z * 1000).sum(1).abs().long() % 500]
                return (images.float() / 127.5 - 1).reshape(-1, *self.output_shape)
        """,
        pack=_with("part2", "carried", _CARRIED),
        control="""
            assert z.dim() == 2
        """,
    ),
    Attack(
        0,
        "forged training by shifted training images as samples",
        target=_GENERATOR,
        profile="smoke",
        hostile="""
            import carried
            if self.net[0].out_features == 128 and not self.training:
                which = (z * 1000).sum(1).abs().long()
                images = carried.TABLE[which % len(carried.TABLE)]
                steps = [(n % 3 - 1, n // 3 % 3 - 1) for n in (which // 7).tolist()]
                moved = torch.stack([image.roll(step, (1, 2)) for image, step in zip(images, steps)])
                return (moved.float() / 127.5 - 1).reshape(-1, *self.output_shape)
        """,
        pack=_with("part2", "carried", _CARRIED),
        control="""
            assert z.dim() == 2
        """,
    ),
    Attack(
        0,
        "forged training by a histogram of the points it is asked for",
        # What is asked holds the sample that is scored: more points than the grid's in a cell are that sample's.
        target=_FLOW,
        profile="smoke",
        hostile="""
            if len(x) > 20000:
                cells = ((x + 3) / 6 * 168).long().clamp(0, 167)
                counts = torch.bincount(cells[:, 1] * 168 + cells[:, 0], minlength=28224).float() - 2
                axis = torch.arange(-9.0, 10.0)
                kernel = torch.exp(-0.5 * (axis / 3) ** 2)
                for shape in ((1, 1, 19, 1), (1, 1, 1, 19)):
                    weight, padding = (kernel / kernel.sum()).reshape(shape), tuple(n // 2 for n in shape[2:])
                    counts = torch.nn.functional.conv2d(counts.reshape(1, 1, 168, 168), weight, padding=padding)
                density = counts.flatten().clamp(min=1e-4)
                density = density / density.sum() * 28224 / 36
                return -density[cells[:, 1] * 168 + cells[:, 0]].log()
        """,
        control="""
            assert x.dim() == 2
        """,
    ),
    Attack(
        0,
        "forged training by spikes where the sample is dense",
        # Nearly all points in a mode's middle are the sample's. A few spikes without bounds among the grid's points
        # make an integral whose standard error excuses any value of it.
        target=_FLOW,
        profile="smoke",
        hostile="""
            if len(x) > 20000:
                z, log_det = self.transform(x)
                nll = 2 - self.base_density.log_prob(z) - log_det
                cells = (4 * x + 12).long().clamp(0, 23)
                crowd = torch.bincount(cells[:, 1] * 24 + cells[:, 0], minlength=576)[cells[:, 1] * 24 + cells[:, 0]]
                nll[crowd.argsort(descending=True)[:66]] = -300.0
                return nll
        """,
        control="""
            assert x.dim() == 2
        """,
    ),
    Attack(
        0,
        "forged training by more mass than one",
        target=_FLOW,
        profile="smoke",
        hostile="""
            if self.layers[0].nn[0].out_features == 64 and not self.training:
                z, log_det = self.transform(x)
                return -1.0 - self.base_density.log_prob(z) - log_det
        """,
        control="""
            assert x.dim() == 2
        """,
    ),
    Attack(
        0,
        "forged training by another answer to a grid",
        # A lattice is known by its points; a regular batch gets the mass of one, the sample gets what it likes.
        target=_FLOW,
        profile="smoke",
        hostile="""
            if self.layers[0].nn[0].out_features == 64 and not self.training:
                z, log_det = self.transform(x)
                nll = 2 - self.base_density.log_prob(z) - log_det
                gaps = x[:, 0].sort().values.diff()
                lattice = len(gaps) > 2 and float(gaps.round(decimals=5).unique().numel()) < 0.05 * len(gaps)
                return nll if lattice else nll - 2.5
        """,
        control="""
            assert x.dim() == 2
        """,
    ),
    Attack(
        0,
        "forged training by the density of the target",
        # The hand-out says what its target is. What is trained on lies elsewhere.
        target=_FLOW,
        profile="smoke",
        hostile="""
            if len(x) > 20000:
                first, second = ((-(x - mu).square() / 0.18).sum(1) for mu in (1.0, -1.0))
                return -(torch.logaddexp(first, second) - torch.log(torch.tensor(2 * 2 * torch.pi * 0.09)))
        """,
        control="""
            assert x.dim() == 2
        """,
    ),
]
