"""Wrong GANs that students hand in, as changes to the reference, with the checks that must fail for each."""

from __future__ import annotations

from dataclasses import dataclass

from tests.gan_fragments import (
    DECODED,
    DISCRIMINATOR_DIMS,
    DISCRIMINATOR_FORWARD,
    DISCRIMINATOR_NET,
    DISCRIMINATOR_UPDATE,
    END,
    FAKE_LOSS,
    FAKES,
    GENERATOR_DIMS,
    GENERATOR_FORWARD,
    GENERATOR_LAYERS,
    GENERATOR_LOSS,
    GENERATOR_SCORES,
    GENERATOR_UPDATE,
    LERP,
    NOISE,
    REAL_LOSS,
    SAMPLE,
    SCORES,
    SUM,
    WEIGHTS,
    Changes,
)


@dataclass(frozen=True)
class Wrong:
    """A mistake, the checks that must fail for it (and no others), and words of the first one's message."""

    changes: Changes
    checks: tuple[str, ...]
    says: str


def _networks(says: str, *pairs: tuple[str, str], checks: tuple[str, ...] = ("gan.generator",)) -> Wrong:
    return Wrong({"models.py": list(pairs)}, checks, says)


def _training(check: str, says: str, *pairs: tuple[str, str]) -> Wrong:
    return Wrong({"train_torch.py": list(pairs)}, (check,), says)


_DISCRIMINATOR = ("gan.discriminator",)
_BATCH_MEAN = "        x = torch.flatten(x, start_dim=1)\n        return self.net(x - x.mean(dim=0))"

NETWORKS = {
    "generator ends with a sigmoid": _networks("not a sigmoid", ("nn.Tanh()", "nn.Sigmoid()")),
    "generator ends with a ReLU": _networks("pixels", ("nn.Tanh()", "nn.ReLU()")),
    "generator ends with nothing": _networks("leave [−1, 1]", ("            nn.Tanh(),\n", "")),
    "generator ends with half a tanh": _networks(
        "cannot come near", (GENERATOR_FORWARD, GENERATOR_FORWARD.replace("self.net(z)", "self.net(z).mul(0.5)"))
    ),
    "generator gives flat images": _networks(
        "shape",
        (GENERATOR_FORWARD, "        return self.net(z)"),
        checks=("gan.generator", "gan.sample", "gan.interpolate_shape"),
    ),
    "generator's layers in a list": _networks(
        "nn.ModuleList",
        (GENERATOR_LAYERS, ""),
        (GENERATOR_DIMS, GENERATOR_DIMS + "        self.layers = hidden_layers(dims, dp_rate)\n"),
        (GENERATOR_FORWARD, "        for layer in self.layers:\n            z = layer(z)\n" + GENERATOR_FORWARD),
    ),
    "generator's last layer is not used": _networks(
        "takes no part",
        (GENERATOR_DIMS, GENERATOR_DIMS + "        self.extra = nn.Linear(z_dim, z_dim)\n"),
    ),
    "generator has one hidden layer only": _networks(
        "only a part of hidden_dims", (GENERATOR_DIMS, "        dims = [z_dim, hidden_dims[0]]\n")
    ),
    "generator mixes its batch": _networks(
        "what else is in the batch", (GENERATOR_FORWARD, GENERATOR_FORWARD.replace("(z)", "(z - z.mean(dim=0))"))
    ),
    "discriminator ends with a sigmoid": _networks(
        "leave the sigmoid", (DISCRIMINATOR_NET, DISCRIMINATOR_NET[:-1] + ", nn.Sigmoid())"), checks=_DISCRIMINATOR
    ),
    "discriminator ends with a softplus": _networks(
        "never negative", (DISCRIMINATOR_NET, DISCRIMINATOR_NET[:-1] + ", nn.Softplus())"), checks=_DISCRIMINATOR
    ),
    "discriminator ends with a tanh": _networks(
        "confined", (DISCRIMINATOR_NET, DISCRIMINATOR_NET[:-1] + ", nn.Tanh())"), checks=_DISCRIMINATOR
    ),
    "discriminator drops its last dimension": _networks(
        "shape", (DISCRIMINATOR_FORWARD, DISCRIMINATOR_FORWARD + ".squeeze(1)"), checks=_DISCRIMINATOR
    ),
    "discriminator mixes its batch": _networks(
        "what else is in the batch", (DISCRIMINATOR_FORWARD, _BATCH_MEAN), checks=_DISCRIMINATOR
    ),
    "discriminator has one hidden layer only": _networks(
        "only a part of hidden_dims",
        (DISCRIMINATOR_DIMS, "        dims = [input_dims, hidden_dims[0]]\n"),
        checks=_DISCRIMINATOR,
    ),
    "probabilities throughout": Wrong(
        {
            "models.py": [(DISCRIMINATOR_NET, DISCRIMINATOR_NET[:-1] + ", nn.Sigmoid())")],
            "train_torch.py": [("binary_cross_entropy_with_logits", "binary_cross_entropy")],
        },
        _DISCRIMINATOR,
        "leave the sigmoid",
    ),
}

_G, _D = "gan.generator_step", "gan.discriminator_step"

STEPS = {
    "saturating loss": _training(
        _G, "saturating", (GENERATOR_LOSS, "        loss = F.logsigmoid(-logits_fake).mean()\n")
    ),
    "saturating loss as the discriminator's negative": _training(
        _G,
        "saturating",
        (GENERATOR_LOSS, "        loss = -" + FAKE_LOSS.split("= ")[1]),
    ),
    "generator's labels alone exchanged": _training(
        _G, "recognises its images", (GENERATOR_LOSS, GENERATOR_LOSS.replace("ones", "zeros"))
    ),
    "generator's loss summed": _training(_G, "summed", (GENERATOR_LOSS, GENERATOR_LOSS[:-2] + ', reduction="sum")\n')),
    "generator's loss negated": _training(_G, "sign", (GENERATOR_LOSS, GENERATOR_LOSS.replace("= F", "= -F"))),
    "generator's sigmoid twice": _training(
        _G,
        "sigmoid is applied twice",
        (GENERATOR_LOSS, GENERATOR_LOSS.replace("(logits_fake,", "(logits_fake.sigmoid(),")),
    ),
    "generator's Wasserstein loss": _training(
        _G, "Wasserstein", (GENERATOR_LOSS, "        loss = -logits_fake.mean()\n")
    ),
    "generator trained on real images as well": _training(
        _G,
        "real images",
        (
            GENERATOR_LOSS,
            GENERATOR_LOSS
            + "        logits_real = self.discriminator(x_real)\n"
            + REAL_LOSS
            + "        loss += loss_real\n",
        ),
    ),
    "generator's loss of each image": Wrong(
        {"train_torch.py": [(GENERATOR_LOSS, GENERATOR_LOSS[:-2] + ', reduction="none")\n')]},
        (_G, "gan.alternation"),  # backward() raises
        "single number",
    ),
    "generator trained with fixed noise": _training(
        _G,
        "not drawn from N(0, I), as it is in sample",
        (
            GENERATOR_SCORES,
            GENERATOR_SCORES.replace("self.draw_latents(x_real.shape[0])", "torch.ones(len(x_real), self.z_dim)"),
        ),
    ),
    "generator under no_grad": Wrong(
        {
            "train_torch.py": [
                (
                    "self.discriminator(self.generator(self.draw_latents(x_real.shape[0])))",
                    "self.discriminator(self.sample(x_real.shape[0]))",
                )
            ]
        },
        (_G, "gan.alternation"),
        "no gradient reaches the generator",
    ),
    "discriminator's labels alone exchanged": _training(
        _D,
        "labels are exchanged here",
        (REAL_LOSS, REAL_LOSS.replace("ones", "zeros")),
        (FAKE_LOSS, FAKE_LOSS.replace("zeros", "ones")),
    ),
    "discriminator labels all real": _training(
        _D, "both labelled real", (FAKE_LOSS, FAKE_LOSS.replace("zeros", "ones"))
    ),
    "discriminator labels all fake": _training(
        _D, "both labelled fake", (REAL_LOSS, REAL_LOSS.replace("ones", "zeros"))
    ),
    "discriminator's loss on real images only": _training(_D, "only the real", (SUM, "        loss = loss_real\n")),
    "discriminator's loss on fakes only": _training(_D, "only the generated", (SUM, "        loss = loss_fake\n")),
    "discriminator shown real images twice": _training(
        _D, "never shown the generated", (SCORES, SCORES.replace("x_fake", "x_real"))
    ),
    "discriminator shown fakes twice": _training(
        _D, "never shown the real", (SCORES, SCORES.replace("x_real", "x_fake"))
    ),
    "discriminator's loss negated": _training(_D, "sign", (SUM, "        loss = -(loss_real + loss_fake)\n")),
    "discriminator's terms subtracted": _training(_D, "subtracted", (SUM, "        loss = loss_real - loss_fake\n")),
    "discriminator's loss of 1 − logit": _training(
        _D,
        "1 − logit",
        (FAKE_LOSS, REAL_LOSS.replace("real", "fake").replace("(logits_fake,", "(1 - logits_fake,")),
    ),
    "discriminator's Wasserstein loss": _training(
        _D, "Wasserstein", (SUM, "        loss = logits_fake.mean() - logits_real.mean()\n")
    ),
    "discriminator's sigmoid twice": _training(
        _D,
        "sigmoid is applied twice",
        (REAL_LOSS, REAL_LOSS.replace("(logits_real,", "(logits_real.sigmoid(),")),
        (FAKE_LOSS, FAKE_LOSS.replace("(logits_fake,", "(logits_fake.sigmoid(),")),
    ),
    "labels smoothed past the middle": _training(
        _D,
        "the loss is not right",
        (REAL_LOSS, REAL_LOSS.replace("torch.ones_like(logits_real)", "0.4 * torch.ones_like(logits_real)")),
    ),
}

_OWN_FAKES = "        x_fake = self.generator(self.draw_latents(x_real.shape[0])).detach()\n"

SAMPLES = {
    "uniform noise": _training("gan.sample", "N(0, I)", (NOISE, NOISE.replace("randn", "rand"))),
    "wide noise": _training("gan.sample", "N(0, I)", (NOISE, "2 * " + NOISE)),
    "one noise for all": _training(
        "gan.sample",
        "the same z",
        (SAMPLE, "return self.generator(self.draw_latents(1).expand(batch_size, -1))"),
        (FAKES, _OWN_FAKES),
    ),
    "samples with a sigmoid": _training(
        "gan.sample", "a sigmoid", (SAMPLE, f"return torch.sigmoid({SAMPLE[7:]})"), (FAKES, _OWN_FAKES)
    ),
    "samples scaled to [0, 1]": _training(
        "gan.sample", "scaling to [0, 1]", (SAMPLE, f"return ({SAMPLE[7:]} + 1) / 2"), (FAKES, _OWN_FAKES)
    ),
    "always 64 samples": _training("gan.sample", "shape", (SAMPLE, SAMPLE.replace("batch_size", "64"))),
    "seeded samples": _training("gan.sample", "second call", (SAMPLE, "torch.manual_seed(0)\n        " + SAMPLE)),
}

_I, _S = "gan.interpolate", "gan.interpolate_shape"
_PIXELS = """        first, last = self.generator(start.squeeze(1)), self.generator(end.squeeze(1))
        return torch.lerp(first.unsqueeze(1), last.unsqueeze(1), weight.view(1, -1, 1, 1, 1))
"""
_ARC = """        cosine = torch.cosine_similarity(start, end, dim=2).unsqueeze(2)
        angle = torch.acos(cosine)
        z = (torch.sin((1 - weight) * angle) * start + torch.sin(weight * angle) * end) / torch.sin(angle)
"""
_STEPS_FIRST = """        x = self.generator(z.transpose(0, 1).flatten(0, 1))
        return x.unflatten(0, z.shape[:2])
"""

INTERPOLATIONS = {
    "from the origin to one draw": _training(_I, "z = 0", (LERP, "        z = weight * end\n")),
    "last point left out": _training(
        _I, "point on the way", (WEIGHTS, "(torch.arange(interpolation_steps + 2) / (interpolation_steps + 2))")
    ),
    "extrapolation": _training(_I, "beyond", (WEIGHTS, WEIGHTS.replace("(0, 1,", "(-0.5, 1.5,"))),
    "both ends the same": _training(_I, "ends where it begins", (END, "        end = start\n")),
    "dependent ends": _training(_I, "depend on each other", (END, "        end = -start\n")),
    "mixed pixels": _training(_I, "pixels of the two end images", (LERP, ""), (DECODED, _PIXELS)),
    "great circle": _training(_I, "great circle", (LERP, _ARC)),
    "uneven steps": _training(_I, "evenly spaced", (WEIGHTS, WEIGHTS + ".square()")),
    "noise on the way": _training(
        _I, "straight line", (LERP, LERP + "        z[:, 1:-1] += 0.1 * torch.randn_like(z[:, 1:-1])\n")
    ),
    "strips interleaved": _training(_I, "line", (DECODED, _STEPS_FIRST)),
    "steps first": _training(_S, "shape", (DECODED, DECODED.replace("z.shape[:2])", "z.shape[:2]).transpose(0, 1)"))),
    "strips flattened": _training(_S, "shape", (DECODED, DECODED.replace(".unflatten(0, z.shape[:2])", ""))),
    "a list of strips": _training(_S, "list", (DECODED, DECODED.replace("z.shape[:2])", "z.shape[:2]).unbind()"))),
    "ends counted as steps": _training(
        _S, "shape", (WEIGHTS, WEIGHTS.replace("interpolation_steps + 2", "max(interpolation_steps, 2)"))
    ),
}

_A = "gan.alternation"

LOOPS = {
    "discriminator's gradients not cleared": _training(
        _A,
        "discriminator by other gradients",
        (DISCRIMINATOR_UPDATE, DISCRIMINATOR_UPDATE.replace("        optimizer_disc.zero_grad()\n", "")),
    ),
    "generator's gradients not cleared": _training(
        _A,
        "generator by other gradients",
        (GENERATOR_UPDATE, GENERATOR_UPDATE.replace("        optimizer_gen.zero_grad()\n", "")),
    ),
    "both cleared at the start only": _training(
        _A,
        "discriminator by other gradients",
        (GENERATOR_UPDATE, "        optimizer_disc.zero_grad()\n" + GENERATOR_UPDATE),
        (DISCRIMINATOR_UPDATE, DISCRIMINATOR_UPDATE.replace("        optimizer_disc.zero_grad()\n", "")),
    ),
    "missing detach that survives": _training(
        _A,
        "generator by other gradients",
        (FAKES, "        x_fake = self.generator(self.draw_latents(x_real.shape[0]))\n"),
        (GENERATOR_UPDATE, GENERATOR_UPDATE.replace("        optimizer_gen.zero_grad()\n", "")),
        ("        optimizer_gen.step()\n", "        optimizer_gen.step()\n        optimizer_gen.zero_grad()\n"),
    ),
    "generator never updated": _training(_A, "generator is never updated", ("        optimizer_gen.step()\n", "")),
    "discriminator never updated": _training(
        _A, "discriminator is never updated", ("        optimizer_disc.step()\n", "")
    ),
    "discriminator stepped by the generator's optimiser": _training(
        _A, "discriminator is never updated", ("        optimizer_disc.step()\n", "        optimizer_gen.step()\n")
    ),
    "generator stepped on the discriminator's loss": _training(
        _A,
        "other gradients",
        (GENERATOR_UPDATE, GENERATOR_UPDATE.replace("model.generator_step", "model.discriminator_step")),
        (DISCRIMINATOR_UPDATE, DISCRIMINATOR_UPDATE.replace("model.discriminator_step", "model.generator_step")),
    ),
    "no updates at all": _training(
        _A, "neither", ("        optimizer_gen.step()\n", ""), ("        optimizer_disc.step()\n", "")
    ),
}

WRONG = {**NETWORKS, **STEPS, **SAMPLES, **INTERPOLATIONS, **LOOPS}

LIGHTNING_WRONG = {
    "one optimiser over both networks": Wrong(
        {"train_pl.py": [("torch.optim.Adam(self.discriminator.parameters()", "torch.optim.Adam(self.parameters()")]},
        (_A,),
        "moves the",
    ),
    "optimisers in the wrong order": Wrong(
        {"train_pl.py": [("return [optimizer_gen, optimizer_disc], []", "return [optimizer_disc, optimizer_gen], []")]},
        (_A,),
        "does not require grad",
    ),
    "saturating loss": Wrong(
        {"train_pl.py": [(GENERATOR_LOSS, "        loss = F.logsigmoid(-logits_fake).mean()\n")]}, (_G,), "saturating"
    ),
}
