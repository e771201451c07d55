"""A hand-made assignment with students of every kind, for the tests of rubric, grade and reports."""

from __future__ import annotations

import hashlib
import struct
import zlib
from functools import cache
from pathlib import Path

from gengrade.choices import Tier
from gengrade.facts import CheckFact, Facts, Figure, Named, Outcome, Provenance, TestFact
from gengrade.grade import Grade, score
from gengrade.lateness import determined
from gengrade.people import Standing
from gengrade.rubric import Rubric

RUBRIC = """\
assignment: Practical 3, Deep Generative Models
course: uva2020
data: digits
late: {penalty: 0.1}
limits:
  train: {seconds: 120}
parts:
  - name: Variational auto-encoders
    questions:
      - id: "1.1"
        title: Sampling from a latent variable model
        points: 3
        items:
          - {id: 1.1-sampling, manual: "Both steps of ancestral sampling, in the right order", points: 3}
      - id: "1.3"
        title: Two examples of the KL divergence
        points: 2
        items:
          - {check: theory.kl_examples, points: 2, optional: "one pair nearly equal, one pair far apart"}
      - id: "1.9"
        title: Build a VAE
        points: 12
        items:
          - {check: vae.kld, points: 2}
          - {check: vae.loss, points: 4}
          - {measure: vae.train_bpd, points: 3, full: {mnist: 0.16, digits: 0.2}, none: 0.4, needs: [vae.loss]}
          - {check: vae.secret, points: 1, hidden: true}
          - {id: 1.9-description, manual: "Architecture, hyperparameters and curves in at most 10 lines", points: 2}
      - id: "1.12"
        title: A convolutional VAE
        points: 3
        bonus: true
        items:
          - {check: vae.cnn_encoder, points: 3}
  - name: Generative adversarial networks
    questions:
      - id: "2.3"
        title: Build a GAN
        points: 8
        items:
          - {check: gan.generator, points: 3}
          - {check: gan.alternation, points: 3}
          - {measure: gan.diversity, points: 2, full: 0.8, none: 0.2}
          - {check: gan.interpolate, points: 1, bonus: true}
"""

TITLES = {
    "theory.kl_examples": "Two pairs of Gaussians, one with a small and one with a large KL divergence",
    "vae.kld": "The KL divergence to N(0, I), summed over the last dimension",
    "vae.loss": "The loss of VAE.forward agrees with its own parts",
    "vae.train_bpd": "Bits per dimension on the training set after a short training",
    "vae.secret": "A secret variation of the KL divergence",
    "vae.cnn_encoder": "Shapes and gradients of the convolutional encoder",
    "gan.generator": "Shapes, range and depth of the generator",
    "gan.alternation": "Each optimiser moves its own network only",
    "gan.diversity": "Samples differ from each other and from the training images",
    "gan.interpolate": "End points and straight line of the interpolation",
}


LOG_VARIANCE = Named(
    name="kld.log_std_as_log_variance",
    sentence="You treated log_std as a log variance: the variance is exp(2·log_std), and the divergence holds "
    "log_std once, not half of it.",
)
SECRET = Named(name="kld.secret_name", sentence="You did the secret thing.")


@cache
def rubric() -> Rubric:
    """Return the example's rubric: 25 points and 4 bonus."""
    return Rubric.parse(RUBRIC, Path("rubric.yaml"))


def standing(late: bool | None = False) -> Standing:
    """Return the standing of somebody whose file's name says whether it was late."""
    return Standing(lateness=determined(late, None, None))


def passed(check: str) -> CheckFact:
    """Return a check whose only test passed."""
    return fact(check, Outcome.PASSED)


def fact(check: str, outcome: Outcome, message: str = "", **details: str) -> CheckFact:
    """Return a check with one test; `details` are the texts of a TestFact."""
    name = f"test_{check.replace('.', '_')}"
    test = TestFact(
        name=name, title=TITLES.get(check, check), outcome=outcome, message=message, seconds=0.25, **details
    )
    return CheckFact(check=check, tests=(test,))


def explained(fact: CheckFact, named: Named = LOG_VARIANCE) -> CheckFact:
    """Return the same check with a recognised misconception."""
    return fact.model_copy(update={"misconception": named})


def unexplained(fact: CheckFact, tolerance: float = 0.01, **symptoms: float) -> CheckFact:
    """Return the same check with unexplained symptoms."""
    return fact.model_copy(update={"symptoms": {name: (value, tolerance) for name, value in symptoms.items()}})


def facts(
    *changed: CheckFact,
    student: str = "doejane",
    measures: dict[str, float] | None = None,
    figures: tuple[Figure, ...] = (),
    notes: tuple[str, ...] = (),
    isolation: Tier = Tier.SANDBOX,
    profile: str = "smoke",
) -> Facts:
    """Return a complete submission's facts, with some checks changed."""
    checks = {check: passed(check) for check in TITLES}
    checks.update({check.check: check for check in changed})
    return Facts(
        student=student,
        checks=checks,
        measures={"vae.train_bpd": 0.19, "gan.diversity": 0.9} if measures is None else measures,
        figures=figures,
        notes=notes,
        provenance=Provenance(
            seed=1234567890,
            data="digits",
            device="cpu",
            profile=profile,
            course="uva2020",
            isolation=isolation,
            versions={"gengrade": "0.1.0", "torch": "2.13.0", "python": "3.11.9"},
            submission=f"sha256:{'ab' * 32}",
            key=f"sha256:{'cd' * 32}",
            seconds=41.2,
            stages={"prepare": 0.4, "vae.train_bpd": 29.5, "gan.diversity": 9.8, "vae.secret": 1.5},
        ),
    )


def struggling() -> Facts:
    """Return the facts of a student with one of each kind of problem."""
    traceback = (
        'Traceback (most recent call last):\n  File "part1/cnn_encoder_decoder.py", line 41, in forward\n'
        "    x = self.net(x)\nRuntimeError: mat1 and mat2 shapes cannot be multiplied (8x2048 and 512x20)"
    )
    kld = CheckFact(
        check="vae.kld",
        misconception=LOG_VARIANCE,
        tests=(
            TestFact(name="test_kld_shape", title="The KL divergence has one value per row", outcome=Outcome.PASSED),
            TestFact(
                name="test_kld_closed_form",
                title=TITLES["vae.kld"],
                outcome=Outcome.FAILED,
                message="The KL divergence differs from the closed form. log_std is a log standard deviation, "
                "not a log variance: its square is exp(2 * log_std).",
                expected="[3.214, 5.101, 4.437, …]",
                got="[2.180, 4.004, 3.912, …]",
            ),
        ),
    )
    digest = hashlib.sha256(png()).hexdigest()
    return facts(
        kld,
        fact("theory.kl_examples", Outcome.MISSING, "There is no answers.py."),
        explained(fact("vae.loss", Outcome.FAILED, "The loss differs from its parts.", expected="540.2", got="531.9")),
        explained(fact("vae.secret", Outcome.FAILED, "the secret message", expected="the secret expectation"), SECRET),
        fact(
            "vae.cnn_encoder",
            Outcome.ERROR,
            "RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x2048 and 512x20)",
            traceback=traceback,
            output="building encoder…\n" * 3,
        ),
        fact("gan.alternation", Outcome.TIMEOUT, "Stopped after 20 s: the limit of this check."),
        fact("gan.interpolate", Outcome.INFRA, "the sandbox did not start"),
        student="roejohn",
        measures={"vae.train_bpd": 0.25, "gan.diversity": 0.55},
        figures=(
            Figure(
                check="gan.diversity",
                caption="Samples after the short training",
                alt="A grid of 16 generated digits; most are strokes that resemble a 1 or a 7.",
                file="figures/gan.diversity-0.png",
                sha256=digest,
            ),
            Figure(
                check="vae.secret",
                caption="the secret figure",
                alt="secret",
                file="figures/gan.diversity-0.png",
                sha256=digest,
            ),
            Figure(check="vae.kld", caption="A picture that is gone", alt="Nothing.", file="none.png", sha256=digest),
        ),
        notes=("skipped part1/data (43 MiB)",),
        isolation=Tier.PROCESS,
    )


def png(width: int = 64, height: int = 16) -> bytes:
    """Return a grey picture as PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + bytes((x * y) % 256 for x in range(width)) for y in range(height))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def graded(facts: Facts, *, late: bool | None = None) -> Grade:
    """Return the grade; the struggling student is late, unless a test says something else."""
    late = facts.student == "roejohn" if late is None else late
    return score(facts, rubric(), standing=standing(late))
