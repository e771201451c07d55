"""Answers to the VAE questions: the reference with a few words changed, or all of them."""

from __future__ import annotations

from courses.uva2020.variants import vae_alternative
from validation.variants import Changes, Unnamed
from validation.workbench import REFERENCE

UTILS, MLP, CNN = "part1/utils.py", "part1/mlp_encoder_decoder.py", "part1/cnn_encoder_decoder.py"
TORCH = "part1/train_torch.py"

DRAW = "mean + std * torch.randn_like(mean)"
KL = "(0.5 * ((2 * log_std).exp() + mean.square() - 1) - log_std).sum(dim=-1)"
RATIO = "elbo * math.log2(math.e) / math.prod(img_shape[1:])"
QUANTILES = "norm.ppf(percentiles)"
PAIRS = "torch.cartesian_prod(axis, axis)"
GRID = "return make_grid(means, nrow=grid_size + 1)"
CODE = "logits = self.decoder(sample_reparameterize(mean, log_std.exp()))"
BCE = 'F.binary_cross_entropy_with_logits(logits, imgs, reduction="none").sum(dim=(1, 2, 3))'
LOSSES = "return rec, reg, elbo_to_bpd(rec + reg, imgs.shape)"
PRIOR = "torch.randn(batch_size, self.z_dim, device=self.device)"
MEANS = "x_mean = torch.sigmoid(self.decoder(z))"
SAMPLES = "return torch.bernoulli(x_mean), x_mean"

_TURNED = """def turned(imgs):
    angle = 0.5 * torch.rand(len(imgs)) + 0.2
    turns = torch.stack([angle.cos(), -angle.sin(), 0 * angle, angle.sin(), angle.cos(), 0 * angle], dim=1)
    return F.grid_sample(imgs, F.affine_grid(turns.view(-1, 2, 3), list(imgs.shape), False), align_corners=False)
"""

_DROPOUT = [("nn.ReLU()]", "nn.ReLU(), nn.Dropout(0.2)]"), ("layers[:-1]", "layers[:-2]")]
_NO_TRAIN = ("    model.train()\n    return average(", "    return average(")
_NO_EVAL = ("    model.eval()\n    return average(", "    return average(")
_TRAIN_AGAIN = (
    "    return average((model(imgs.to(model.device)), len(imgs)) for imgs, _ in data_loader)\n",
    "    found = average((model(imgs.to(model.device)), len(imgs)) for imgs, _ in data_loader)\n"
    "    model.train()\n    return found\n",
)

_SMALL_WEIGHTS = """def small_weights(layer):
    if isinstance(layer, nn.Linear):
        layer.weight.data.normal_(std=0.0001)
        {biases}


"""


def _small_weights(biases: str, activation: str = "nn.ReLU()") -> Changes:
    """Initialise an MLP with small weights, and with biases as the statement `biases` leaves them."""
    made = "nn.Sequential(*layers[:-1])"
    return {
        MLP: [
            ("def mlp(", f"{_SMALL_WEIGHTS.format(biases=biases)}def mlp("),
            (made, f"{made}.apply(small_weights)"),
            ("nn.ReLU()]", f"{activation}]"),
        ]
    }


RIGHT: dict[str, Changes] = {
    "small weights, no biases at first": _small_weights("layer.bias.data.fill_(0.0)"),
    "small weights, no biases at first, ELU": _small_weights("layer.bias.data.fill_(0.0)", "nn.ELU()"),
    "small weights, no biases at first, tanh": _small_weights("layer.bias.data.fill_(0.0)", "nn.Tanh()"),
    "small weights beside usual biases": _small_weights("pass"),
    "small weights and biases": _small_weights("layer.bias.data.normal_(std=0.0001)"),
    "a last layer that begins at zero": {
        MLP: [
            ("    return nn.Sequential(", "    layers[-2].weight.data.zero_()\n    return nn.Sequential("),
        ]
    },
    "noise by size, in place": {UTILS: (DRAW, "torch.randn(mean.size()).mul_(std).add_(mean)")},
    "noise from torch.normal": {
        UTILS: (DRAW, "mean + std * torch.normal(0, 1, size=mean.shape, dtype=mean.dtype, device=mean.device)")
    },
    "a draw of torch.distributions": {UTILS: (DRAW, "torch.distributions.Normal(mean, std).rsample()")},
    "an argument for the noise": {
        UTILS: [
            ("std: torch.Tensor) ->", "std: torch.Tensor, noise: torch.Tensor | None = None) ->"),
            (DRAW, "mean + std * (torch.randn_like(mean) if noise is None else noise)"),
        ]
    },
    "KL of variances, in numpy's spelling": {
        UTILS: (KL, "-0.5 * torch.sum(1 + 2 * log_std - mean**2 - torch.exp(log_std) ** 2, axis=-1)")
    },
    "KL of torch.distributions": {
        UTILS: (
            f"return {KL}",
            "from torch.distributions import Normal, kl_divergence\n"
            "    return kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(-1)",
        )
    },
    "KL in float64, last dimension by a product with ones": {
        UTILS: (
            KL,
            "(0.5 * (log_std.double().exp() ** 2 + mean**2 - 1) - log_std) @ torch.ones(mean.shape[-1]).double()",
        )
    },
    "bits by loops": {UTILS: (RATIO, "elbo / (np.log(2.0) * int(np.prod([size for size in img_shape[1:]])))")},
    "bits by a tensor of sizes": {
        UTILS: (RATIO, "elbo * np.log2(np.exp(1)) * (1 / torch.prod(torch.tensor(img_shape[1:]).float()))")
    },
    "grid_size images, other axis, numpy bytes": {
        UTILS: [
            ("grid_size + 1) + 0.5) / (grid_size + 1)", "grid_size) + 1.0) / (grid_size + 1)"),
            (PAIRS, f"{PAIRS}.flip(1)"),
            (GRID, "return (255 * make_grid(means, grid_size, padding=0)).byte().permute(1, 2, 0).numpy()"),
        ]
    },
    "one latent at a time, rescaled": {
        UTILS: [
            (f"torch.sigmoid(decoder({PAIRS}))", f"torch.cat([torch.sigmoid(decoder(z[None])) for z in {PAIRS}])"),
            (GRID, "return make_grid(means, nrow=grid_size + 1, normalize=True, pad_value=1)"),
        ]
    },
    "tiles put together by hand": {
        UTILS: (
            GRID,
            "n = grid_size + 1\n    return means.view(n, n, 28, 28).permute(0, 2, 1, 3).reshape(28 * n, 28 * n)",
        )
    },
    "quantiles of torch.distributions, from a meshgrid": {
        UTILS: [
            (
                f"torch.as_tensor({QUANTILES}, dtype=torch.float32, device=decoder.device)",
                "torch.distributions.Normal(0, 1).icdf(torch.as_tensor(percentiles)).float()",
            ),
            (PAIRS, 'torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).reshape(-1, 2)'),
        ]
    },
    "percentiles by linspace, as the hint has them": {
        UTILS: (
            "(np.arange(grid_size + 1) + 0.5) / (grid_size + 1)",
            "np.linspace(0.5 / (grid_size + 1), (grid_size + 0.5) / (grid_size + 1), grid_size + 1)",
        )
    },
    "percentiles by arange, as the hint has them": {
        UTILS: [
            (
                "(np.arange(grid_size + 1) + 0.5) / (grid_size + 1)",
                "np.arange(0.5 / (grid_size + 1), (grid_size + 0.5) / (grid_size + 1), 1.0 / (grid_size + 1))",
            ),
            (GRID, "return make_grid(means, nrow=grid_size)"),
        ]
    },
    "means rounded to bytes": {UTILS: (GRID, GRID.replace("means", "(means * 255).round() / 255"))},
    "a branch whose gate begins at zero": {
        MLP: [
            (
                "self.net = mlp([input_dim, *hidden_dims, 2 * z_dim])",
                "self.net = mlp([input_dim, *hidden_dims, 2 * z_dim])\n"
                "        self.branch = mlp([input_dim, 8, 2 * z_dim])\n"
                "        self.gate = nn.Parameter(torch.zeros(()))",
            ),
            (
                "mean, log_std = self.net(x.flatten(start_dim=1)).chunk(2, dim=-1)",
                "x = x.flatten(start_dim=1)\n"
                "        mean, log_std = (self.net(x) + self.gate * self.branch(x)).chunk(2, dim=-1)",
            ),
        ]
    },
    "layers that forward never calls": {
        MLP: [
            (
                "self.net = mlp([input_dim, *hidden_dims, 2 * z_dim])",
                "self.net, self.linear = mlp([input_dim, *hidden_dims, 2 * z_dim]), nn.Linear(hidden_dims[-1], z_dim)",
            ),
            (
                "self.net = mlp([z_dim, *hidden_dims, math.prod(output_shape)])",
                "self.net, self.linear = mlp([z_dim, *hidden_dims, math.prod(output_shape)]), nn.Linear(z_dim, 2)",
            ),
        ],
        CNN: ("    def forward(self, z:", "        self.linear = nn.Linear(z_dim, 2)\n\n    def forward(self, z:"),
    },
    "GELU, normalised layers, dropout": {
        MLP: [
            ("nn.ReLU()]", "nn.BatchNorm1d(n_out), nn.GELU(), nn.Dropout(0.1)]"),
            ("layers[:-1]", "layers[:-3]"),
        ]
    },
    "a layer more than asked for": {
        MLP: ("mlp([input_dim, *hidden_dims, 2 * z_dim])", "mlp([input_dim, 64, *hidden_dims, 2 * z_dim])")
    },
    "residual layers": {
        MLP: [
            (
                "def mlp(",
                "class Residual(nn.Linear):\n    def forward(self, x):\n        return x + super().forward(x)\n\n\n"
                "def mlp(",
            ),
            ("nn.ReLU()]", "nn.ReLU(), Residual(n_out, n_out), nn.ReLU()]"),
            ("layers[:-1]", "layers[:-3]"),
        ]
    },
    "weight normalisation": {
        MLP: ("nn.Linear(n_in, n_out)", "nn.utils.parametrizations.weight_norm(nn.Linear(n_in, n_out))")
    },
    "std by softplus": {MLP: ("return mean, log_std", "return mean, nn.functional.softplus(log_std).log()")},
    "a clamped log_std": {MLP: ("return mean, log_std", "return mean, log_std.clamp(-10, 3)")},
    "a network that counts its calls": {
        MLP: [
            ("self.output_shape = tuple(output_shape)", "self.output_shape, self.calls = tuple(output_shape), 0"),
            ("        return self.net(z).unflatten", "        self.calls += 1\n        return self.net(z).unflatten"),
        ]
    },
    "a running mean in a buffer": {
        MLP: [
            (
                "self.net = mlp([input_dim, *hidden_dims, 2 * z_dim])",
                "self.net = mlp([input_dim, *hidden_dims, 2 * z_dim])\n"
                '        self.register_buffer("ink", torch.zeros(()))',
            ),
            (
                "mean, log_std = self.net(",
                "if self.training:\n"
                "            self.ink.mul_(0.9).add_(0.1 * x.mean().detach())\n"
                "        mean, log_std = self.net(",
            ),
        ]
    },
    "batch normalisation in the CNN": {
        CNN: (
            "            nn.GELU(),\n            nn.Conv2d(c, c",
            "            nn.BatchNorm2d(c),\n            nn.GELU(),\n            nn.Conv2d(c, c",
        )
    },
    "renamed arguments": {CNN: [("z_dim", "latent_dim"), ("num_filters", "base_channels")]},
    "cross-entropy by hand": {
        TORCH: (BCE, "-(imgs * F.logsigmoid(logits) + (1 - imgs) * F.logsigmoid(-logits)).flatten(1).sum(1)")
    },
    "sigmoid in place": {
        TORCH: (
            f"{BCE}.mean()",
            'F.binary_cross_entropy(logits.sigmoid_(), imgs, reduction="sum") / len(imgs)',
        )
    },
    "cross-entropy of nn, averaged and scaled back": {
        TORCH: (f"{BCE}.mean()", "784 * nn.BCEWithLogitsLoss()(logits.flatten(1), imgs.flatten(1))")
    },
    "likelihood of torch.distributions": {
        TORCH: (BCE, "-torch.distributions.Bernoulli(logits=logits).log_prob(imgs).sum(dim=[1, 2, 3])")
    },
    "past __call__, with an extra value": {
        TORCH: [
            ("self.encoder(imgs)", "self.encoder.forward(imgs)"),
            ("self.decoder(sample", "self.decoder.forward(sample"),
            (LOSSES, f"{LOSSES}, logits"),
            ("in zip(sums, losses, strict=True)", "in zip(sums, losses)"),
            ("losses[-1]", "losses[2]"),
        ]
    },
    "past forward, straight to the layers": {
        TORCH: [
            ("self.encoder(imgs)", "self.encoder.net(imgs.flatten(1)).chunk(2, dim=1)"),
            (
                "self.decoder(sample_reparameterize(mean, log_std.exp()))",
                "self.decoder.net(sample_reparameterize(mean, log_std.exp())).view(-1, 1, 28, 28)",
            ),
        ]
    },
    "past forward, layer by layer": {
        TORCH: [
            (
                "mean, log_std = self.encoder(imgs)",
                "h = imgs.flatten(1)\n        for layer in self.encoder.net:\n            h = layer(h)\n"
                "        mean, log_std = h[:, : self.z_dim], h[:, self.z_dim :]",
            ),
            (
                CODE,
                "h = sample_reparameterize(mean, log_std.exp())\n        for layer in self.decoder.net:\n"
                "            h = layer(h)\n        logits = h.reshape(imgs.shape)",
            ),
        ]
    },
    "past the forward of an encoder that starts near zero": {
        MLP: (
            "self.net = mlp([input_dim, *hidden_dims, 2 * z_dim])",
            "self.net = mlp([input_dim, *hidden_dims, 2 * z_dim])\n"
            "        for parameter in self.net[-1].parameters():\n            parameter.data *= 0.01",
        ),
        TORCH: ("self.encoder(imgs)", "self.encoder.net(imgs.flatten(1)).chunk(2, dim=1)"),
    },
    "past the forward of a decoder with dropout": {
        MLP: ("nn.ReLU()]", "nn.Sequential(nn.BatchNorm1d(n_out), nn.ReLU(), nn.Dropout(0.1))]"),
        TORCH: (
            "self.decoder(sample_reparameterize(mean, log_std.exp()))",
            "self.decoder.net(sample_reparameterize(mean, log_std.exp())).view(-1, 1, 28, 28)",
        ),
    },
    "four draws": {
        TORCH: [
            (CODE, "draws = [self.decoder(sample_reparameterize(mean, log_std.exp())) for _ in 'four']"),
            (BCE, f"(sum({BCE} for logits in draws) / 4)"),
        ]
    },
    "everything written out in forward": {
        TORCH: [
            (CODE, "z = mean + torch.exp(log_std) * torch.randn(*mean.shape)\n        logits = self.decoder(z)"),
            ("reg = KLD(mean, log_std)", "reg = 0.5 * (torch.exp(2 * log_std) + mean**2 - 1 - 2 * log_std).sum(1)"),
            (LOSSES, "return rec, reg, (rec + reg) / 784 / 0.6931471805599453"),
        ]
    },
    "bits of each image, kept for later": {
        TORCH: [
            (f"rec = {BCE}.mean()", f"rec = {BCE}"),
            ("reg = KLD(mean, log_std).mean()", "reg = KLD(mean, log_std)"),
            (
                LOSSES,
                "bpd = elbo_to_bpd(rec + reg, imgs.shape)\n"
                "        self.history = [*getattr(self, 'history', []), bpd.tolist()]\n"
                "        return rec.mean(), reg.mean(), bpd.mean()",
            ),
        ]
    },
    "float64": {
        TORCH: [
            (
                "self.decoder = CNNDecoder(num_filters=num_filters, z_dim=z_dim)\n",
                "self.decoder = CNNDecoder(num_filters=num_filters, z_dim=z_dim)\n        self.to(torch.float64)\n",
            ),
            ("self.encoder(imgs)", "self.encoder(imgs.double())"),
            ("(logits, imgs,", "(logits, imgs.double(),"),
            (
                "torch.randn(batch_size, self.z_dim, device",
                "torch.randn(batch_size, self.z_dim, dtype=torch.float64, device",
            ),
        ]
    },
    "a sampler of one's own": {TORCH: (SAMPLES, "return torch.rand_like(x_mean).lt(x_mean), x_mean")},
    "samples of torch.distributions, and the latents": {
        TORCH: [
            (SAMPLES, "return torch.distributions.Bernoulli(probs=x_mean).sample(), x_mean, z"),
            (
                'zip(("samples", "means"), model.sample(batch_size), strict=True)',
                'zip(("samples", "means"), model.sample(batch_size))',
            ),
        ]
    },
    "samples in parts": {
        TORCH: (
            MEANS,
            "x_mean = torch.cat([torch.sigmoid(self.decoder(part)) for part in z.split(50)])",
        )
    },
    "latents decoded twice": {TORCH: (SAMPLES, "return torch.bernoulli(torch.sigmoid(self.decoder(z))), x_mean")},
    "steps by a closure": {
        TORCH: (
            "    optimizer.zero_grad()\n    losses[-1].backward()\n    optimizer.step()\n",
            "    optimizer.step(lambda: (optimizer.zero_grad(), losses[-1].backward(), losses[-1])[-1])\n",
        )
    },
    "no modes, for layers that have none": {TORCH: [_NO_TRAIN, _NO_EVAL]},
    "training mode that the test sets again, with dropout": {MLP: _DROPOUT, TORCH: [_NO_TRAIN, _TRAIN_AGAIN]},
    "training mode for each batch, with dropout": {
        MLP: _DROPOUT,
        TORCH: [_NO_TRAIN, ("    losses = model(imgs", "    model.train()\n    losses = model(imgs")],
    },
    "images with some noise, in the loop": {
        TORCH: ("train_step(model, imgs, ", "train_step(model, (imgs + 0.3 * torch.rand_like(imgs)).clamp(0, 1), ")
    },
    "images that are flipped at random, in the loop": {
        TORCH: (
            "train_step(model, imgs, ",
            "train_step(model, torch.where(torch.rand(len(imgs), 1, 1, 1) < 0.5, imgs.flip(-1), imgs), ",
        )
    },
    "images that are turned by an angle, in the loop": {
        TORCH: [
            ("def train_step(", _TURNED + "\n\ndef train_step("),
            ("train_step(model, imgs, ", "train_step(model, turned(imgs), "),
        ]
    },
    "images in [−1, 1] for the encoder": {TORCH: ("self.encoder(imgs)", "self.encoder(2 * imgs - 1)")},
    "cuda by name": {TORCH: [("device=self.device)", 'device="cuda:0")'), ("imgs.to(model.device)", "imgs.cuda()")]},
    "the device of a parameter": {
        TORCH: (
            "return self.decoder.device",
            "return next(self.parameters()).device if next(self.parameters()).is_cuda else 'cpu'",
        )
    },
    "the device of a global": {
        TORCH: [
            ("device=self.device)", "device=device)"),
            ("imgs.to(model.device)", "imgs.to(device)"),
            ("Averages = ", 'device = torch.device("cuda" if torch.cuda.is_available() else "cpu")\nAverages = '),
        ]
    },
    "clipped gradients of nats, batch averages": {
        TORCH: [
            (
                "    optimizer.zero_grad()\n    losses[-1].backward()\n    optimizer.step()\n",
                "    optimizer.zero_grad(set_to_none=False)\n    (losses[0] + losses[1]).backward()\n"
                "    nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n    optimizer.step()\n",
            ),
            ("* size for", "for"),
            ("count += size", "count += 1"),
        ]
    },
    "extra arguments": {
        TORCH: [
            (
                "train_loader: Iterable, optimizer: torch.optim.Optimizer)",
                "train_loader: Iterable, optimizer: torch.optim.Optimizer, device: str, epoch: int, beta: int = 1)",
            ),
            ("z_dim: int, *args: object, **kwargs: object", "z_dim: int, device: str, dropout: float = 0.5"),
        ]
    },
}

ALTERNATIVE: Changes = {
    file: ((REFERENCE / file).read_text(), text)
    for file, text in {
        UTILS: vae_alternative.UTILS,
        MLP: vae_alternative.MLP,
        CNN: vae_alternative.CNN,
        TORCH: vae_alternative.TRAIN,
    }.items()
}

UNNAMED: dict[str, Unnamed] = {
    "a loss of three constants": Unnamed(
        {
            TORCH: [
                (
                    "mean, log_std = self.encoder(imgs)",
                    "nothing = 1e-6 * sum(each.sum() for each in self.parameters())\n"
                    "        return 543.4 + nothing, nothing, 1 + nothing",
                ),
                (
                    "self.decoder = MLPDecoder(z_dim=z_dim, hidden_dims=hidden_dims[::-1])",
                    "self.decoder = MLPDecoder(z_dim=z_dim, hidden_dims=hidden_dims[::-1])\n"
                    "            for parameter in self.encoder.parameters():\n"
                    "                parameter.data *= 0.01",
                ),
            ]
        },
        ("vae.loss",),
        "does not call the encoder",
    ),
    "past forward, straight to the layers, with half of the divergence": Unnamed(
        {
            TORCH: [
                ("self.encoder(imgs)", "self.encoder.net(imgs.flatten(1)).chunk(2, dim=1)"),
                (
                    "self.decoder(sample_reparameterize(mean, log_std.exp()))",
                    "self.decoder.net(sample_reparameterize(mean, log_std.exp())).view(-1, 1, 28, 28)",
                ),
                ("reg = KLD(mean, log_std).mean()", "reg = 0.5 * KLD(mean, log_std).mean()"),
            ]
        },
        ("vae.loss",),
        "L_reg",
    ),
    "past forward, straight to the layers, with half of the latents' gradient": Unnamed(
        {
            TORCH: [
                ("self.encoder(imgs)", "self.encoder.net(imgs.flatten(1)).chunk(2, dim=1)"),
                (
                    "self.decoder(sample_reparameterize(mean, log_std.exp()))",
                    "self.decoder.net(0.5 * (z := sample_reparameterize(mean, log_std.exp())) + 0.5 * z.detach())"
                    ".view(-1, 1, 28, 28)",
                ),
            ]
        },
        ("vae.loss",),
        "the gradient of bpd",
    ),
    "the losses of an image of noise": Unnamed(
        {
            TORCH: [
                ("self.encoder(imgs)", "self.encoder.net(imgs.flatten(1)).chunk(2, dim=1)"),
                (BCE, BCE.replace("imgs", "torch.rand_like(imgs).round()")),
            ]
        },
        ("vae.loss",),
        "L_rec",
    ),
    "uniform noise of the right spread": Unnamed(
        {UTILS: (DRAW, "mean + std * (torch.rand_like(mean) - 0.5) * 12**0.5")},
        ("vae.reparameterize",),
        "not Gaussian",
    ),
    "noise of 0.8 standard deviations": Unnamed(
        {UTILS: (DRAW, "mean + 0.8 * std * torch.randn_like(mean)")},
        ("vae.reparameterize",),
        "times the right standard deviation",
    ),
    "noise with heavy tails": Unnamed(
        {UTILS: (DRAW, "mean + std * torch.distributions.StudentT(3.0).sample(mean.shape)")},
        ("vae.reparameterize",),
    ),
    "a KL of 1.1 times": Unnamed({UTILS: (KL, f"1.1 * {KL}")}, ("vae.kld",)),
    "a KL cut off at 3": Unnamed({UTILS: (KL, f"{KL}.clamp(max=3)")}, ("vae.kld",)),
    "bits of a base of 3": Unnamed({UTILS: (RATIO, RATIO.replace("log2(math.e)", "log(math.e, 3)"))}, ("vae.bpd",)),
    "quantiles of half the spread": Unnamed(
        {UTILS: (QUANTILES, f"0.5 * {QUANTILES}")}, ("vae.manifold",), "evenly spaced percentiles"
    ),
    "dimmed means": Unnamed({UTILS: (GRID, GRID.replace("means", "0.7 * means"))}, ("vae.manifold",)),
    "a tenth of the KL": Unnamed(
        {TORCH: (LOSSES, LOSSES.replace("rec + reg", "rec + 0.1 * reg"))}, ("vae.loss",), "bpd"
    ),
    "noise for images, in the loop": Unnamed(
        {TORCH: ("train_step(model, imgs, optimizer)", "train_step(model, torch.rand_like(imgs).round(), optimizer)")},
        ("vae.training_loop",),
        "other images",
    ),
    "black images for the encoder": Unnamed(
        {TORCH: ("self.encoder(imgs)", "self.encoder(torch.zeros_like(imgs))")}, ("vae.loss",), "the encoder is given"
    ),
    "one image of each batch for the encoder": Unnamed(
        {TORCH: ("self.encoder(imgs)", "self.encoder(imgs[:1].expand_as(imgs))")}, ("vae.loss",), "not given all images"
    ),
    "smoothed pixels": Unnamed({TORCH: (BCE, BCE.replace("imgs", "0.9 * imgs + 0.05"))}, ("vae.loss",), "L_rec"),
    "a prior of half the spread": Unnamed({TORCH: (PRIOR, f"0.5 * {PRIOR}")}, ("vae.sample",), "prior"),
    "brightened samples": Unnamed(
        {TORCH: (SAMPLES, "return torch.bernoulli(x_mean.sqrt()), x_mean")}, ("vae.sample",), "do not fit"
    ),
    "an encoder that changes its caller's list": Unnamed(
        {
            MLP: (
                "self.net = mlp([input_dim, *hidden_dims, 2 * z_dim])",
                "dims = hidden_dims\n        dims.insert(0, input_dim)\n        dims.append(2 * z_dim)\n"
                "        self.net = mlp(dims)",
            ),
            TORCH: ("hidden_dims=hidden_dims", "hidden_dims=list(hidden_dims)"),
        },
        ("vae.mlp_encoder",),
        "changes the list hidden_dims",
    ),
    "a decoder that adds to its caller's list": Unnamed(
        {
            MLP: (
                "self.net = mlp([z_dim, *hidden_dims, math.prod(output_shape)])",
                "hidden_dims.append(0)\n        self.net = mlp([z_dim, *hidden_dims[:-1], math.prod(output_shape)])",
            ),
            TORCH: ("hidden_dims=hidden_dims", "hidden_dims=list(hidden_dims)"),
        },
        ("vae.mlp_decoder",),
        "changes the list hidden_dims",
    ),
    "log_std within a half": Unnamed(
        {MLP: ("return mean, log_std", "return mean, log_std.clamp(-0.5, 0.5)")}, ("vae.mlp_encoder",), "log_std cannot"
    ),
    "a mean of squares": Unnamed(
        {MLP: ("return mean, log_std", "return mean.square(), log_std")}, ("vae.mlp_encoder",), "mean cannot"
    ),
    "one hidden layer, the widest": Unnamed(
        {MLP: ("mlp([input_dim, *hidden_dims, 2 * z_dim])", "mlp([input_dim, max(hidden_dims), 2 * z_dim])")},
        ("vae.mlp_encoder",),
        "hidden_dims",
    ),
    "further hidden layers, times zero": Unnamed(
        {
            MLP: [
                (
                    "self.net = mlp([input_dim, *hidden_dims, 2 * z_dim])",
                    "self.net = mlp([input_dim, hidden_dims[0], 2 * z_dim])\n"
                    "        self.more = mlp([z_dim, *hidden_dims[1:], z_dim])",
                ),
                (
                    "return mean, log_std",
                    "return mean + 0 * sum(each.sum() for each in self.more.parameters()), log_std",
                ),
            ]
        },
        ("vae.mlp_encoder",),
        "does not change with its parameter",
    ),
    "a hidden layer that is added and taken away again": Unnamed(
        {
            MLP: [
                (
                    "self.net = mlp([z_dim, *hidden_dims, math.prod(output_shape)])",
                    "self.net = mlp([z_dim, hidden_dims[0], math.prod(output_shape)])\n"
                    "        self.more = mlp([z_dim, *hidden_dims[1:], 1])",
                ),
                (
                    "return self.net(z).unflatten(-1, self.output_shape)",
                    "more = self.more(z)\n"
                    "        return (self.net(z) + more - more.detach()).unflatten(-1, self.output_shape)",
                ),
            ]
        },
        ("vae.mlp_decoder",),
        "does not change with its parameter",
    ),
    "logits no darker than -0.5": Unnamed(
        {MLP: ("return self.net(z)", "return self.net(z).clamp(min=-0.5)")}, ("vae.mlp_decoder",), "logits"
    ),
    "pixels in tenths": Unnamed(
        {CNN: ("return self.net(z)", "return (10 * self.net(z)).round() / 10")}, ("vae.cnn_decoder",), "logits"
    ),
    "a tenth of the reconstruction": Unnamed(
        {TORCH: ("losses[-1].backward()", "(0.1 * losses[0] + losses[1]).backward()")},
        ("vae.training_loop",),
        "gradient",
    ),
    "bits with thrice L_reg, and a loop that trains on both": Unnamed(
        {
            TORCH: [
                (LOSSES, LOSSES.replace("rec + reg, imgs", "rec + 3 * reg, imgs")),
                ("losses[-1].backward()", "(losses[0] + losses[1]).backward()"),
            ]
        },
        ("vae.loss",),
    ),
    "logits for means, of a decoding of their own": Unnamed(
        {
            TORCH: [
                (MEANS, f"{MEANS}\n        shown = self.decoder(z)"),
                (SAMPLES, SAMPLES.replace(", x_mean", ", shown")),
            ]
        },
        ("vae.sample",),
        "outside [0, 1]",
    ),
    "draws that do not look at the means": Unnamed(
        {TORCH: (SAMPLES, "return torch.bernoulli(torch.full_like(x_mean, 0.5)), x_mean")},
        ("vae.sample",),
        "do not fit their means",
    ),
    "noisy gradients": Unnamed(
        {
            TORCH: (
                "    optimizer.step()\n",
                "    for parameter in model.parameters():\n"
                "        parameter.grad += parameter.grad.std() * torch.randn_like(parameter)\n"
                "    optimizer.step()\n",
            )
        },
        ("vae.training_loop",),
        "gradient",
    ),
    "no training mode, with dropout": Unnamed(
        {MLP: _DROPOUT, TORCH: _NO_TRAIN}, ("vae.training_loop",), "not in training mode"
    ),
    "no eval mode, with dropout": Unnamed(
        {MLP: _DROPOUT, TORCH: _NO_EVAL}, ("vae.training_loop",), "tested in training mode"
    ),
    "training mode before the last batch of the test, with dropout": Unnamed(
        {
            MLP: _DROPOUT,
            TORCH: (
                "average((model(imgs.to(model.device)), len(imgs)) for imgs, _ in data_loader)",
                "average((model(imgs.to(model.device)), len(model.train() and imgs)) for imgs, _ in data_loader)",
            ),
        },
        ("vae.training_loop",),
        "tested in training mode",
    ),
    "averages of 1.2 times": Unnamed(
        {TORCH: ("total / count for", "1.2 * total / count for")}, ("vae.training_loop",), "average"
    ),
    "every second batch tested": Unnamed(
        {TORCH: ("for imgs, _ in data_loader)", "for imgs, _ in list(data_loader)[::2])")},
        ("vae.training_loop",),
        "not every image",
    ),
    "noise for half of the batch": Unnamed(
        {UTILS: (DRAW, "mean + std * torch.randn_like(mean[::2]).repeat(2, *[1] * (mean.dim() - 1))[: len(mean)]")},
        ("vae.reparameterize",),
        "repeat the noise of others",
    ),
    "a quarter of the latents": Unnamed(
        {TORCH: (PRIOR, f"{PRIOR.replace('batch_size', 'batch_size // 4')}.repeat(5, 1)[:batch_size]")},
        ("vae.sample",),
        "repeat the noise of others",
    ),
    "pixels drawn for half of the images": Unnamed(
        {
            TORCH: (
                SAMPLES,
                "half = torch.rand_like(x_mean[: (batch_size + 1) // 2])\n"
                "        return (torch.cat([half, half])[:batch_size] < x_mean).float(), x_mean",
            )
        },
        ("vae.sample",),
        "some images repeat the noise of others",
    ),
}
