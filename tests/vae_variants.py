"""Answers to the VAE questions, wrong and right, each the reference with a few words changed."""

from __future__ import annotations

from dataclasses import dataclass

UTILS, MLP, CNN = "part1/utils.py", "part1/mlp_encoder_decoder.py", "part1/cnn_encoder_decoder.py"
TORCH, LIGHTNING = "part1/train_torch.py", "part1/train_pl.py"

# The checks that a file has a part in; of the utilities, each function on its own.
TOUCHED = {
    MLP: ("mlp_encoder", "mlp_decoder", "loss", "sample", "training_loop"),
    CNN: ("cnn_encoder", "cnn_decoder"),
    TORCH: ("loss", "sample", "training_loop"),
}

DRAW = "mean + std * torch.randn_like(mean)"
KL = "(0.5 * ((2 * log_std).exp() + mean.square() - 1) - log_std).sum(dim=-1)"
RATIO = "elbo * math.log2(math.e) / math.prod(img_shape[1:])"
QUANTILES = "norm.ppf(percentiles)"
PAIRS = "torch.cartesian_prod(axis, axis)"
GRID = "return make_grid(means, nrow=grid_size + 1)"
ENCODER = "self.net = mlp([input_dim, *hidden_dims, 2 * z_dim])"
CHUNKS = "mean, log_std = self.net(x.flatten(start_dim=1)).chunk(2, dim=-1)"
LOGITS = "self.net(z).unflatten(-1, self.output_shape)"
CODE = "logits = self.decoder(sample_reparameterize(mean, log_std.exp()))"
BCE = 'F.binary_cross_entropy_with_logits(logits, imgs, reduction="none").sum(dim=(1, 2, 3))'
LOSSES = "return rec.mean(), reg.mean(), elbo_to_bpd(rec + reg, imgs.shape).mean()"
PRIOR = "torch.randn(batch_size, self.z_dim, device=self.device)"
MEANS = "x_mean = torch.sigmoid(self.decoder(z))"
SAMPLES = "return torch.bernoulli(x_mean), x_mean"
STEP = "        optimizer.zero_grad()\n        losses[-1].backward()\n        optimizer.step()\n"
SUM = "sums = [total + loss.item() * len(imgs) for total, loss in zip(sums, losses, strict=True)]"


UTILITIES = {DRAW: ("reparameterize", "loss"), KL: ("kld", "loss"), RATIO: ("bpd", "bpd_per_image", "loss")}


@dataclass(frozen=True)
class Variant:
    """A change of the reference: what is replaced in a file, which checks then fail, and with which words."""

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    fails: frozenset[str] = frozenset()
    words: str = ""

    @property
    def touches(self) -> tuple[str, ...]:
        """The checks that may notice the change."""
        return tuple(
            f"vae.{check}" for check in TOUCHED.get(self.file) or UTILITIES.get(self.changes[0][0], ("manifold",))
        )


def wrong(name: str, file: str, old: str, new: str, fails: str, words: str = "") -> Variant:
    return Variant(name, file, ((old, new),), frozenset(f"vae.{check}" for check in fails.split()), words)


def right(name: str, file: str, *changes: tuple[str, str]) -> Variant:
    return Variant(name, file, changes)


WRONG = [
    wrong("std for variance", UTILS, DRAW, "mean + std.sqrt() * torch.randn_like(mean)", "reparameterize loss"),
    wrong("noise shared by the batch", UTILS, DRAW, "mean + std * torch.randn_like(mean[:1])", "reparameterize loss"),
    wrong(
        "noise shared by latents", UTILS, DRAW, "mean + std * torch.randn_like(mean[..., :1])", "reparameterize loss"
    ),
    wrong("uniform noise", UTILS, DRAW, "mean + std * (torch.rand_like(mean) - 0.5) * 12**0.5", "reparameterize"),
    wrong("positive noise", UTILS, DRAW, "mean + std * torch.rand_like(mean)", "reparameterize loss", "mean is"),
    wrong("detached mean", UTILS, DRAW, "mean.detach() + std * torch.randn_like(mean)", "reparameterize loss"),
    wrong("no gradient", UTILS, DRAW, "torch.normal(mean, std).detach()", "reparameterize loss", "no gradient"),
    wrong(
        "the same noise each call",
        UTILS,
        DRAW,
        "(torch.manual_seed(0), mean + std * torch.randn_like(mean))[1]",
        "reparameterize",
        "two calls",
    ),
    wrong("no std", UTILS, DRAW, "mean + 0 * std + torch.randn_like(mean)", "reparameterize loss"),
    wrong(
        "log-variance in the KL",
        UTILS,
        KL,
        "(0.5 * (log_std.exp() + mean.square() - 1 - log_std)).sum(dim=-1)",
        "kld loss",
        "variance",
    ),
    wrong("mean over latents", UTILS, KL, KL.replace("sum", "mean"), "kld loss"),
    wrong("sum over the batch", UTILS, KL, KL.replace("dim=-1", ""), "kld loss", "shape"),
    wrong("not summed", UTILS, KL, KL.replace(".sum(dim=-1)", ""), "kld loss", "not summed"),
    wrong("sign of the KL", UTILS, KL, f"-({KL})", "kld loss"),
    wrong("half forgotten", UTILS, KL, KL.replace("0.5 * ", ""), "kld loss"),
    wrong("base of the logarithm", UTILS, RATIO, "elbo / math.prod(img_shape[1:])", "bpd loss", "log₂"),
    wrong("divided by the batch", UTILS, RATIO, RATIO.replace("[1:]", ""), "bpd loss"),
    wrong("size of MNIST", UTILS, RATIO, RATIO.replace("math.prod(img_shape[1:])", "784"), "bpd"),
    wrong("batch mean", UTILS, RATIO, f"({RATIO}).mean()", "bpd_per_image", "one value per image"),
    wrong("even z", UTILS, QUANTILES, "np.linspace(-2, 2, grid_size + 1)", "manifold", "evenly spaced itself"),
    wrong("logits shown", UTILS, "means = torch.sigmoid(decoder(", "means = (decoder(", "manifold", "sigmoid"),
    wrong("samples shown", UTILS, GRID, GRID.replace("means", "torch.bernoulli(means)"), "manifold"),
    wrong("the diagonal only", UTILS, PAIRS, "torch.stack([axis, axis], dim=1)", "manifold"),
    wrong("eight a row", UTILS, GRID, "return make_grid(means)", "manifold", "nrow"),
    wrong("a grid of its own size", UTILS, "percentiles = (", "grid_size = 10\n    percentiles = (", "manifold"),
    wrong("shuffled pairs", UTILS, PAIRS, f"{PAIRS}[torch.randperm((grid_size + 1) ** 2)]", "manifold", "order"),
    wrong("no pictures", UTILS, GRID, "return None", "manifold"),
    Variant(
        "unregistered layers",
        MLP,
        ((ENCODER, ENCODER.replace("mlp(", "[mlp(") + "]"), (CHUNKS, CHUNKS.replace("net", "net[0]"))),
        frozenset({"vae.mlp_encoder"}),
        "not registered",
    ),
    wrong(
        "first hidden size only",
        MLP,
        ENCODER,
        "self.net = mlp([input_dim, hidden_dims[0], 2 * z_dim])",
        "mlp_encoder",
        "hidden_dims=[16, 16]",
    ),
    wrong("ReLU on outputs", MLP, "(*layers[:-1])", "(*layers)", "mlp_encoder mlp_decoder", "activation"),
    wrong(
        "tanh on outputs",
        MLP,
        CHUNKS,
        CHUNKS.replace("self.net(", "torch.tanh(self.net(").replace("1))", "1)))"),
        "mlp_encoder",
        "activation",
    ),
    wrong("sigmoid in the decoder", MLP, LOGITS, f"torch.sigmoid({LOGITS})", "mlp_decoder", "logits"),
    wrong("one head for both", MLP, "return mean, log_std", "return mean, mean", "mlp_encoder"),
    wrong(
        "positive log_std",
        MLP,
        "return mean, log_std",
        "return mean, nn.functional.softplus(log_std)",
        "mlp_encoder",
        "log_std cannot",
    ),
    wrong("fixed output shape", MLP, "tuple(output_shape)", "(1, 28, 28)", "mlp_decoder"),
    wrong(
        "columns for rows",
        MLP,
        CHUNKS,
        CHUNKS.replace("x.flatten", "(x - x.mean(dim=0)).flatten"),
        "mlp_encoder",
        "depend on the other rows",
    ),
    wrong(
        "a layer too many",
        MLP,
        ENCODER,
        f"{ENCODER}\n        self.spare = nn.Linear(4, 4)",
        "mlp_encoder",
        "takes no part",
    ),
    wrong("sigmoid in the CNN", CNN, "return self.net(z)", "return torch.sigmoid(self.net(z))", "cnn_decoder"),
    wrong("small images", CNN, "stride=2, output_padding=1),  # →", "stride=1),  # →", "cnn_decoder", "shape"),
    wrong("log_std of a constant", CNN, "return mean, log_std", "return mean, 0 * log_std", "cnn_encoder"),
    wrong("mean over pixels", TORCH, BCE, BCE.replace("sum", "mean"), "loss", "mean over all"),
    wrong("sum over images", TORCH, LOSSES, LOSSES.replace("rec.mean()", "rec.sum()"), "loss", "sum over the batch"),
    wrong(
        "a loss for each image", TORCH, LOSSES, LOSSES.replace("rec.mean()", "rec"), "loss training_loop", "one number"
    ),
    wrong("log_std for std", TORCH, CODE, CODE.replace(".exp()", ""), "loss", "no draw"),
    wrong("log_std for a log-variance", TORCH, CODE, CODE.replace("log_std", "(0.5 * log_std)"), "loss", "no draw"),
    wrong("z is the mean", TORCH, CODE, "logits = self.decoder(mean)", "loss", "no draw"),
    wrong("z cut off", TORCH, CODE, CODE.replace("exp())", "exp()).detach()"), "loss", "cut off"),
    wrong("squared error", TORCH, BCE, "(torch.sigmoid(logits) - imgs).square().sum(dim=(1, 2, 3))", "loss"),
    wrong("two sigmoids", TORCH, BCE, BCE.replace("(logits", "(torch.sigmoid(logits)"), "loss"),
    wrong("no KL in bpd", TORCH, LOSSES, LOSSES.replace("rec + reg", "rec"), "loss", "bpd"),
    wrong("weighted KL", TORCH, LOSSES, LOSSES.replace("rec + reg", "rec + 0.1 * reg"), "loss", "bpd"),
    wrong("bound for its negative", TORCH, LOSSES, LOSSES.replace("rec.mean()", "-rec.mean()"), "loss", "wrong sign"),
    wrong("threshold", TORCH, SAMPLES, "return (x_mean > 0.5).float(), x_mean", "sample", "threshold"),
    wrong("rounding", TORCH, SAMPLES, "return x_mean.round(), x_mean", "sample", "rounded"),
    wrong("means for samples", TORCH, SAMPLES, "return x_mean, x_mean", "sample", "means themselves"),
    wrong("exchanged", TORCH, SAMPLES, "return x_mean, torch.bernoulli(x_mean)", "sample", "exchanged"),
    wrong("uniform prior", TORCH, PRIOR, PRIOR.replace("randn", "rand"), "sample", "prior"),
    wrong(
        "one coin a pixel",
        TORCH,
        SAMPLES,
        "return (torch.rand_like(x_mean[:1]) < x_mean).float(), x_mean",
        "sample",
        "independent",
    ),
    wrong(
        "one coin an image",
        TORCH,
        SAMPLES,
        "return (torch.rand_like(x_mean[..., :1, :1]) < x_mean).float(), x_mean",
        "sample",
        "independent",
    ),
    wrong("logits for means", TORCH, MEANS, "x_mean = self.decoder(z)", "sample"),
    wrong("gradients add up", TORCH, "        optimizer.zero_grad()\n", "", "training_loop", "zero_grad"),
    wrong("no step", TORCH, "        optimizer.step()\n", "", "training_loop"),
    wrong("no eval mode", TORCH, "    model.eval()\n", "", "training_loop", "model.eval()"),
    wrong("no training mode", TORCH, "    model.train()\n", "", "training_loop", "model.train()"),
    wrong("graphs in test", TORCH, "@torch.no_grad()\ndef test_vae", "def test_vae", "training_loop", "no_grad"),
    wrong("sums for averages", TORCH, "total / count for", "total for", "training_loop"),
    wrong("the last batch", TORCH, SUM, SUM.replace("total + ", "0 * total + "), "training_loop"),
    wrong("reconstruction trained only", TORCH, "losses[-1].backward()", "losses[0].backward()", "training_loop"),
    wrong(
        "half the loader",
        TORCH,
        "for imgs, _ in data_loader:",
        "for imgs, _ in list(data_loader)[:2]:",
        "training_loop",
        "not every batch",
    ),
]

RIGHT = [
    right("noise by size, in place", UTILS, (DRAW, "torch.randn(mean.size()).mul_(std).add_(mean)")),
    right("torch.normal", UTILS, (DRAW, "mean + std * torch.normal(0, 1, size=mean.shape, dtype=mean.dtype)")),
    right(
        "KL of variances, in numpy's spelling",
        UTILS,
        (KL, "-0.5 * torch.sum(1 + 2 * log_std - mean**2 - torch.exp(log_std) ** 2, axis=-1)"),
    ),
    right("bits by loops", UTILS, (RATIO, "elbo / (np.log(2.0) * int(np.prod([size for size in img_shape[1:]])))")),
    right(
        "grid_size images, other axis, numpy bytes",
        UTILS,
        ("grid_size + 1) + 0.5) / (grid_size + 1)", "grid_size) + 1.0) / (grid_size + 1)"),
        (PAIRS, f"{PAIRS}.flip(1)"),
        (GRID, "return (255 * make_grid(means, grid_size, padding=0)).byte().permute(1, 2, 0).numpy()"),
    ),
    right(
        "one latent at a time, rescaled",
        UTILS,
        (f"torch.sigmoid(decoder({PAIRS}))", f"torch.cat([torch.sigmoid(decoder(z[None])) for z in {PAIRS}])"),
        (GRID, "return make_grid(means, nrow=grid_size + 1, normalize=True, pad_value=1)"),
    ),
    right(
        "tiles put together by hand",
        UTILS,
        (GRID, "n = grid_size + 1\n    return means.view(n, n, 28, 28).permute(0, 2, 1, 3).reshape(28 * n, 28 * n)"),
    ),
    right(
        "GELU, normalised layers, dropout",
        MLP,
        ("nn.ReLU()]", "nn.BatchNorm1d(n_out), nn.GELU(), nn.Dropout(0.1)]"),
        ("layers[:-1]", "layers[:-3]"),
    ),
    right(
        "weight normalisation",
        MLP,
        ("nn.Linear(n_in, n_out)", "nn.utils.parametrizations.weight_norm(nn.Linear(n_in, n_out))"),
    ),
    right("std by softplus", MLP, ("return mean, log_std", "return mean, nn.functional.softplus(log_std).log()")),
    right(
        "a clamped log_std",
        MLP,
        ("return mean, log_std", "return mean, log_std.clamp(-10, 3)"),
    ),
    right(
        "batch normalisation in the CNN",
        CNN,
        (
            "            nn.GELU(),\n            nn.Conv2d(c, c",
            "            nn.BatchNorm2d(c),\n            nn.GELU(),\n            nn.Conv2d(c, c",
        ),
    ),
    right("renamed arguments", CNN, ("z_dim", "latent_dim"), ("num_filters", "base_channels")),
    right(
        "cross-entropy by hand",
        TORCH,
        (BCE, "-(imgs * F.logsigmoid(logits) + (1 - imgs) * F.logsigmoid(-logits)).flatten(1).sum(1)"),
    ),
    right(
        "sigmoid in place",
        TORCH,
        (BCE, 'F.binary_cross_entropy(logits.sigmoid_(), imgs, reduction="sum")[None] / len(imgs)'),
    ),
    right(
        "past __call__, with an extra value",
        TORCH,
        ("self.encoder(imgs)", "self.encoder.forward(imgs)"),
        ("self.decoder(sample", "self.decoder.forward(sample"),
        (LOSSES, f"{LOSSES}, logits"),
        ("in zip(sums, losses, strict=True)", "in zip(sums, losses)"),
        ("losses[-1]", "losses[2]"),
    ),
    right(
        "four draws",
        TORCH,
        (CODE, "draws = [self.decoder(sample_reparameterize(mean, log_std.exp())) for _ in 'four']"),
        (BCE, f"sum({BCE} for logits in draws) / 4"),
    ),
    right(
        "float64",
        TORCH,
        ("        self.z_dim = z_dim\n", "        self.z_dim = z_dim\n        self.to(torch.float64)\n"),
    ),
    right("a sampler of one's own", TORCH, (SAMPLES, "return torch.rand_like(x_mean).lt(x_mean), x_mean")),
    right("cuda by name", TORCH, ("device=self.device)", 'device="cuda:0")'), ("imgs.to(model.device)", "imgs.cuda()")),
    right(
        "clipped gradients of nats, batch averages",
        TORCH,
        (
            STEP,
            "        optimizer.zero_grad(set_to_none=False)\n        (losses[0] + losses[1]).backward()\n"
            "        nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n        optimizer.step()\n",
        ),
        ("* len(imgs) for", "for"),
        ("count += len(imgs)", "count += 1"),
    ),
    right(
        "extra arguments",
        TORCH,
        (
            "optimizer: torch.optim.Optimizer)",
            "optimizer: torch.optim.Optimizer, device: str, epoch: int, beta: int = 1)",
        ),
        ("z_dim: int, *args: object, **kwargs: object", "z_dim: int, device: str, dropout: float = 0.5"),
    ),
]
