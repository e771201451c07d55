"""Define an attack, and make the submissions that try it."""

from __future__ import annotations

import ast
import shutil
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.attacks.shown import Printed
from validation.workbench import REFERENCE

Files = Mapping[str, str | bytes]
Build = Callable[[Path], object]  # changes the folder that will be handed in

# A wrong answer of the right kind for each target: it neither fails by an exception nor passes.
_WRONG: Final = {
    "answers.py:cubic_density": "return torch.zeros_like(x)",
    "answers.py:regularization_loss": "return mean.sum(dim=-1) * 0",
    "answers.py:reconstruction_loss": "return x.sum(dim=-1) * 0",
    "part1/utils.py:KLD": "return mean.sum(dim=-1) * 0",
    "part1/utils.py:elbo_to_bpd": "return elbo * 0.5",  # a right loop follows its gradient as well
    "part1/utils.py:sample_reparameterize": "return mean * 0",
    "part3/train.py:train_nf": "return 1.0",
    "part3/distributions.py:MultivariateGaussianDiag.log_prob": "return x.sum(dim=-1) * 0",
    "part3/distributions.py:MultivariateGaussianDiag.sample": "return self.mu.expand(num_samples, self.dims)",
    "part1/train_torch.py:train_vae": "return 0.0, 0.0, 0.0",
    "part1/train_torch.py:VAE.forward": "return imgs.mean(), imgs.mean(), imgs.mean()",
    "part2/train_torch.py:train_gan": "return None",
    "part2/train_torch.py:GAN.generator_step": "return self.generator(self.draw_latents(len(x_real))).mean(), {}",
    # Right in what the unit checks ask, which is smaller, and wrong in the trainings.
    "part1/mlp_encoder_decoder.py:MLPDecoder.forward": (
        "images = self.net(z).unflatten(-1, self.output_shape)\n"
        "return images * 0 if len(z) in (32, 200, 297, 300, 1000) else images"
    ),
    "part2/models.py:GeneratorMLP.forward": (
        "images = torch.tanh(self.net(z)).view(-1, *self.output_shape)\n"
        "return images * 0 if self.net[0].out_features == 128 else images"
    ),
    "part3/model.py:NormalizingFlow.forward": (
        "z, log_det = self.transform(x)\n"
        "nll = -(self.base_density.log_prob(z) + log_det)\n"
        "return nll + 2 if self.layers[0].nn[0].out_features == 64 else nll"
    ),
}

# The checks that read what a target gives, as prefixes: an attack on it may change these, for the worse.
_READERS: Final = {
    "answers.py:cubic_density": ("theory.cubic_density",),
    "answers.py:regularization_loss": ("theory.loss_terms",),
    "answers.py:reconstruction_loss": ("theory.loss_terms",),
    "part1/utils.py:KLD": ("vae.",),
    "part1/utils.py:elbo_to_bpd": ("vae.",),
    "part1/utils.py:sample_reparameterize": ("vae.",),
    "part3/train.py:train_nf": ("flow.training_loop",),
    "part3/distributions.py:MultivariateGaussianDiag.log_prob": ("flow.",),
    "part3/distributions.py:MultivariateGaussianDiag.sample": ("flow.",),
    "part1/train_torch.py:train_vae": ("vae.training_loop",),
    "part1/train_torch.py:VAE.forward": ("vae.",),
    "part2/train_torch.py:train_gan": ("gan.alternation", "gan.generator_step", "gan.discriminator_step"),
    "part2/train_torch.py:GAN.generator_step": ("gan.",),
    "part1/mlp_encoder_decoder.py:MLPDecoder.forward": ("vae.",),
    "part2/models.py:GeneratorMLP.forward": ("gan.",),
    "part3/model.py:NormalizingFlow.forward": ("flow.",),
}
_IMPORTERS: Final = {"answers.py": ("theory.",), "part1/utils.py": ("vae.",), "part3/train.py": ("flow.",)}


@dataclass(frozen=True)
class Attack:
    """A hostile piece of code, and an honest one of the same shape.

    `hostile` and `control` stand at the beginning of the target's body, or of its file. Words between at-signs are
    replaced by the traps of `tripwires`: @MARK@, @PORT@ and so on.
    """

    row: int  # in docs/attacks.md; 0: beyond its list
    name: str
    hostile: str = ""
    control: str = ""
    target: str = "answers.py:cubic_density"  # a file of the reference, and a function in it, or Class.method
    at_import: bool = False
    files: Files = field(default_factory=dict)  # handed in with the hostile piece
    control_files: Files = field(default_factory=dict)
    pack: Build | None = None  # what else is done to the hostile folder
    control_pack: Build | None = None
    attacked: tuple[str, ...] = ()  # prefixes of the checks that run it, where the target's readers are not all
    enough: tuple[str, ...] = ()  # prefixes of the checks that show all that it does, where these are few
    profile: str = "unit"
    why: str = ""  # where the design makes it meaningless: in a line
    open_in: Mapping[str, str] = field(default_factory=dict)  # by tier, why it is not stopped there
    look: Callable[[Path], str] | None = None  # at the results' folder: what is wrong with it, or nothing
    look_shown: Callable[[Path, Printed], str] | None = None  # the same, and at what the command prints of it

    @property
    def id(self) -> str:
        return f"{self.row:02d}-{self.name.lower().replace(' ', '-')}"

    @property
    def touches(self) -> tuple[str, ...]:
        file, _, _ = self.target.partition(":")
        return self.attacked or (_IMPORTERS[file] if self.at_import else _READERS[self.target])

    @property
    def asked(self) -> tuple[str, ...]:
        """Return prefixes of the checks to grade its class by, as few as show its effect; all checks if there are none.

        An attack on answers.py needs that and some check of another part; a training needs its own part.
        """
        if self.enough:
            return self.enough
        if self.profile == "smoke":
            return self.touches
        alone = self.target.startswith("answers.py:") and all(name.startswith("theory.") for name in self.touches)
        return ("theory.", "vae.kld") if alone else ()

    def write_hostile(self, folder: Path, traps: Mapping[str, str]) -> None:
        self._write(folder, self.hostile, _WRONG[self.target], self.files, self.pack, traps)

    def write_plain(self, folder: Path) -> None:
        """Write the submission with the same wrong answer as the attack, but without the attack."""
        self._write(folder, "", _WRONG[self.target], {}, None, {})

    def write_control(self, folder: Path, traps: Mapping[str, str]) -> None:
        self._write(folder, self.control, None, self.control_files, self.control_pack, traps)

    def _write(
        self,
        folder: Path,
        piece: str,
        body: str | None,
        files: Files,
        pack: Build | None,
        traps: Mapping[str, str],
    ) -> None:
        shutil.copytree(REFERENCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
        file, _, function = self.target.partition(":")
        source = (folder / file).read_text()
        piece = trapped(textwrap.dedent(piece).strip("\n"), traps)
        if self.at_import:
            source = f"{piece}\n{replaced(source, function, '', body)}"
        else:
            source = replaced(source, function, piece, body)
        (folder / file).write_text(source)
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else trapped(content, traps).encode())
        if pack is not None:
            pack(folder)


def trapped(text: str, traps: Mapping[str, str]) -> str:
    """Return the text with the names of traps, written between at-signs, replaced by their places."""
    for name, value in traps.items():
        text = text.replace(f"@{name}@", value)
    return text


def replaced(source: str, function: str, piece: str, body: str | None) -> str:
    """Return the source with a function's body replaced by `piece` and `body` (None: its own body)."""
    lines = source.splitlines()
    *classes, name = function.split(".")
    scope: ast.Module | ast.ClassDef = ast.parse(source)
    for class_ in classes:
        (scope,) = (node for node in scope.body if isinstance(node, ast.ClassDef) and node.name == class_)
    (node,) = (node for node in scope.body if isinstance(node, ast.FunctionDef) and node.name == name)
    own = "\n".join(lines[node.body[0].lineno - 1 : node.end_lineno])
    new = "\n".join(part for part in (piece, body if body is not None else textwrap.dedent(own)) if part)
    indented = textwrap.indent(new, " " * node.body[0].col_offset)
    return "\n".join([*lines[: node.body[0].lineno - 1], indented, *lines[node.end_lineno :], ""])
