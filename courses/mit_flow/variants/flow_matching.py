"""The labs: the reference's answers in other spellings, and with mistakes that have no name."""

from __future__ import annotations

from courses.mit_flow.variants.alternative import ONE, THREE, TWO
from validation.variants import Changes, Unnamed
from validation.workbench import reference_of


def one(*changes: tuple[str, str]) -> Changes:
    return {"lab_one.py": list(changes)}


def two(*changes: tuple[str, str]) -> Changes:
    return {"lab_two.py": list(changes)}


def three(*changes: tuple[str, str]) -> Changes:
    return {"lab_three.py": list(changes)}


def _whole(file: str) -> str:
    return (reference_of("mit_flow") / file).read_text()


EULER = "return xt + h * self.ode.drift_coefficient(xt, t)"
NOISY = "return xt + h * drift + diffusion * torch.sqrt(h) * torch.randn_like(xt)"
NO_DRIFT = "return torch.zeros_like(xt)"
SIGMA = "return torch.full_like(xt, self.sigma)"
LANGEVIN = "return 0.5 * self.sigma**2 * self.density.score(xt)"
DRAW = "return self.alpha(t) * z + self.beta(t) * torch.randn_like(z)"
FIELD = "return (self.alpha.dt(t) - ratio * alpha) * z + ratio * x"
SCORE = "return (self.alpha(t) * z - x) / self.beta(t) ** 2"
TIMES = "t = torch.rand(batch_size, 1).to(z)"
MEAN = "residuals.square().sum(dim=-1).mean()"
DATA = "z = self.path.p_data.sample(batch_size)"
OF_FIELD = "return (alpha * self.vector_field(x, t) - alpha_dt * x) / (beta**2 * alpha_dt - alpha * beta_dt * beta)"
LINEAR = "return (1 - t) * self.p_simple.sample(len(z)) + t * z"
LINEAR_FIELD = "return (z - x) / (1 - t)"
ROOT = "return torch.sqrt(1 - t)"
TARGET = "self.model(x, t) - self.path.conditional_vector_field(x, z, t)"

DROPS = "y = torch.where(dropped, NULL_LABEL, y)"
COINS = "dropped = torch.rand(batch_size, device=y.device) < self.eta"
IMAGE_TIMES = "t = torch.rand(batch_size, 1, 1, 1).to(z)"
IMAGE_MEAN = "residuals.square().sum(dim=(1, 2, 3)).mean()"
GUIDED = "self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)"
SEEDED = "        super().__init__(model)\n        torch.manual_seed(3)\n        self.path = path"
LATENT_DROPS = "y = torch.where(torch.rand(batch_size, device=y.device) < self.eta, self.null_label, y)"
LATENT_TIMES = "t = (1 - self.eps) * torch.rand(batch_size).to(z)"
OF_2026 = (
    ("def __init__(self, path, model, eta):", "def __init__(self, path, eta, null_label, eps=0.001):"),
    ("super().__init__(model)\n        self.path", "self.null_label, self.eps = null_label, eps\n        self.path"),
    (DROPS, "y = torch.where(dropped, self.null_label, y)"),
    (IMAGE_TIMES, "t = torch.rand(batch_size) * (1 - self.eps)"),
)

RIGHT: dict[str, Changes] = {
    "the trainer of 2026": three(*OF_2026),
    "the trainer of 2026, with times of its hand-out's hint": three(
        *OF_2026[:-1], (IMAGE_TIMES, "t = torch.rand(batch_size, 1, 1, 1) * (1 - self.eps)")
    ),
    "times short of both ends": three((IMAGE_TIMES, "t = 0.001 + 0.998 * torch.rand(batch_size, 1, 1, 1)")),
    "labels dropped by a product": three((DROPS, "y = 10 * dropped + ~dropped * y")),
    "labels dropped in place": three((DROPS, "y[dropped] = 10")),
    "labels dropped by a Bernoulli variable": three(
        (COINS, "dropped = torch.bernoulli(torch.full((batch_size,), self.eta)).bool()")
    ),
    "a guided loss as a mean of all squares": three(
        (IMAGE_MEAN, "torch.nn.functional.mse_loss(residuals, 0 * residuals)")
    ),
    "a guided loss of flattened images": three((IMAGE_MEAN, "residuals.flatten(1).norm(dim=1).pow(2).mean()")),
    "noise by torch.normal": one(
        (NOISY, "return xt + h * drift + diffusion * h**0.5 * torch.normal(torch.zeros_like(xt), torch.ones_like(xt))")
    ),
    "noise by torch.normal, with a deviation that broadcasts": one(
        (NOISY, "return xt + h * drift + diffusion * torch.sqrt(h) * torch.normal(torch.zeros_like(xt), torch.eye(1))")
    ),
    "noise of a multivariate normal": one(
        (
            NOISY,
            "noise = torch.distributions.MultivariateNormal(torch.zeros(xt.shape[-1]), torch.eye(xt.shape[-1]))\n"
            "        return xt + h * drift + diffusion * torch.sqrt(h) * noise.sample((len(xt),))",
        )
    ),
    "noise whose variance is h": one(
        (NOISY, "return xt + h * drift + torch.distributions.Normal(0.0, float(h) ** 0.5).sample(xt.shape) * diffusion")
    ),
    "steps in place": one(
        (EULER, "xt += h * self.ode.drift_coefficient(xt, t)\n        return xt"),
        (
            NOISY,
            "xt += h * drift\n        xt += diffusion * torch.sqrt(h) * torch.randn_like(xt)\n        return xt",
        ),
    ),
    "other names for the arguments of a step": one(
        (
            "def step(self, xt, t, h):\n        return xt + h",
            "def step(self, x, time, dt):\n        xt, t, h = x, time, dt\n        return xt + h",
        )
    ),
    "an error that stays below an answer": one(
        (EULER, f"{EULER}\n        raise NotImplementedError('fill this in')"),
        (LANGEVIN, f"{LANGEVIN}\n        # raise NotImplementedError"),
    ),
    "debug prints": one((EULER, f"print('xt', xt.shape, t, h)\n        {EULER}")),
    "coefficients by multiplication": one(
        (SIGMA, "return self.sigma * torch.ones_like(xt)"), (NO_DRIFT, "return 0 * xt")
    ),
    "a score by automatic differentiation": one(
        (
            LANGEVIN,
            "score = torch.func.vmap(torch.func.jacrev(lambda x: self.density.log_density(x)))(xt)\n"
            "        return self.sigma**2 / 2 * score.squeeze(1)",
        )
    ),
    "noise of rsample": two(
        (DRAW, "return torch.distributions.Normal(self.alpha(t) * z, self.beta(t) + 1e-6).rsample()")
    ),
    "denominators with something added": two(
        ("ratio = self.beta.dt(t) / beta", "ratio = self.beta.dt(t) / (beta + 1e-4)"),
        (SCORE, "return (self.alpha(t) * z - x) / (self.beta(t) ** 2 + 1e-4)"),
        (OF_FIELD, OF_FIELD.replace("beta_dt * beta)", "beta_dt * beta + 1e-5)")),
        (LINEAR_FIELD, "return (z - x) / (1 - t + 1e-4)"),
    ),
    "a score by automatic differentiation of the path": two(
        (
            SCORE,
            "mean, std = self.alpha(t), self.beta(t)\n"
            "        def log_density(x, z, a, b):\n"
            "            return -0.5 * ((x - a * z) ** 2).sum() / b.squeeze() ** 2\n"
            "        return torch.func.vmap(torch.func.jacrev(log_density))(x, z, mean, std)",
        )
    ),
    "a field by way of the noise": two(
        (FIELD, "noise = (x - alpha * z) / beta\n        return self.alpha.dt(t) * z + self.beta.dt(t) * noise")
    ),
    "losses as means of all squares": two((MEAN, "residuals.pow(2).mean()")),
    "losses as sums divided by the batch": two((MEAN, "(residuals**2).sum() / batch_size")),
    "losses by the norm": two((MEAN, "torch.mean(torch.linalg.norm(residuals, dim=1) ** 2)")),
    "data by the path": two((DATA, "z = self.path.sample_conditioning_variable(batch_size)")),
    "times that end before 1": two((TIMES, "t = (1 - 1e-3) * torch.rand(batch_size, 1)")),
    "times by uniform_": two((TIMES, "t = torch.empty(batch_size, 1).uniform_(0, 1)")),
    "a seed that is set when a trainer is made": {
        **two(("        super().__init__(model)\n        self.path = path", SEEDED)),
        **three(
            ("        super().__init__(model)\n        self.path = path", SEEDED),
            (
                "        self.mnist, self.vae, self.path =",
                "        torch.manual_seed(3)\n        self.mnist, self.vae, self.path =",
            ),
        ),
    },
    "networks with dropout": three(
        (
            "            nn.SiLU(),\n            nn.Linear(hidden_dim, dim),",
            "            nn.Dropout(0.2),\n            nn.SiLU(),\n            nn.Linear(hidden_dim, dim),",
        ),
        (
            "nn.GELU(), nn.Linear(4 * dim, dim))",
            "nn.GELU(), nn.Dropout(0.1), nn.Linear(4 * dim, dim), nn.Dropout(0.1))",
        ),
        (
            ".softmax(dim=-1)\n",
            ".softmax(dim=-1)\n        weights = nn.functional.dropout(weights, 0.1, self.training)\n",
        ),
    ),
    "residual blocks with batch norms": three(
        ("(nn.GroupNorm(4, channels) for _ in range(2))", "(nn.BatchNorm2d(channels) for _ in range(2))")
    ),
    "times with an axis added": two((TIMES, "t = torch.rand(len(z)).unsqueeze(-1)")),
    "beta by a power": two((ROOT, "return (1 - t) ** 0.5")),
    "the score in another order": two(
        (OF_FIELD, OF_FIELD.replace("alpha_dt * x)", "alpha_dt * x) * -1").replace("(beta**2", "-(beta**2"))
    ),
    "a linear path by steps": two(
        (LINEAR, "start = self.p_simple.sample(z.shape[0])\n        return start + t * (z - start)"),
        (LINEAR_FIELD, "start = (x - t * z) / (1 - t)\n        return z - start"),
    ),
    "attention of torch": three(
        (
            "        parts = self.qkv(x).reshape(batch, tokens, 3, self.heads, dim // self.heads)\n"
            "        q, k, v = parts.permute(2, 0, 3, 1, 4)\n"
            "        weights = (q @ k.transpose(-2, -1) / math.sqrt(dim // self.heads)).softmax(dim=-1)\n"
            "        return self.out((weights @ v).transpose(1, 2).reshape(batch, tokens, dim))",
            "        shape = (batch, tokens, self.heads, dim // self.heads)\n"
            "        q, k, v = (each.reshape(shape).transpose(1, 2) for each in self.qkv(x).chunk(3, dim=-1))\n"
            "        mixed = nn.functional.scaled_dot_product_attention(q, k, v)\n"
            "        return self.out(mixed.transpose(1, 2).flatten(2))",
        )
    ),
    "attention of torch's own module": three(
        (
            "        self.heads = heads\n"
            "        self.qkv = nn.Linear(dim, 3 * dim)\n"
            "        self.out = nn.Linear(dim, dim)",
            "        self.heads = heads\n        self.inner = nn.MultiheadAttention(dim, heads, batch_first=True)",
        ),
        (
            "        batch, tokens, dim = x.shape\n"
            "        parts = self.qkv(x).reshape(batch, tokens, 3, self.heads, dim // self.heads)\n"
            "        q, k, v = parts.permute(2, 0, 3, 1, 4)\n"
            "        weights = (q @ k.transpose(-2, -1) / math.sqrt(dim // self.heads)).softmax(dim=-1)\n"
            "        return self.out((weights @ v).transpose(1, 2).reshape(batch, tokens, dim))",
            "        return self.inner(x, x, x, need_weights=False)[0]",
        ),
    ),
    "a transformer with a norm and a linear layer at its end": three(
        (
            "layer_kwargs) for _ in range(depth)])",
            "layer_kwargs) for _ in range(depth)])\n"
            "        self.last = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim))",
        ),
        ("            x = layer(x, c)\n        return x", "            x = layer(x, c)\n        return self.last(x)"),
    ),
    "networks of the first hand-out of 2026, without channels": three(
        (
            "def __init__(self, img_size, patch_size, c_in, dim):",
            "def __init__(self, img_size, patch_size, dim):",
        ),
        ("nn.Conv2d(c_in, dim, patch_size", "nn.Conv2d(1, dim, patch_size"),
        (
            "def __init__(self, img_size, patch_size, dim, final_dim, c_out):",
            "def __init__(self, img_size, patch_size, dim, final_dim=10):",
        ),
        ("nn.Conv2d(final_dim, c_out, 3, padding=1)", "nn.Conv2d(final_dim, 1, 3, padding=1)"),
        ("class DiffusionTransformerFlowModel", "class MNISTDiffusionTransformer"),
        (
            "img_size=32, patch_size=8, num_layers=12, c=1, dim=256, heads=4, final_dim=10, n_classes=11):",
            "patch_size=8, num_layers=12, dim=256, heads=4):\n        img_size, n_classes = 32, 11",
        ),
        ("Patchifier(img_size, patch_size, c, dim)", "Patchifier(img_size, patch_size, dim)"),
        ("Depatchifier(img_size, patch_size, dim, final_dim, c)", "Depatchifier(img_size, patch_size, dim)"),
    ),
    "networks of the first hand-out of 2026, whose encoder wants times as a column": three(
        ("t.reshape(-1, 1) * self.weights", "t * self.weights"),
        ("self.time(t)", "self.time(t.reshape(-1, 1))"),
    ),
    "a score of the field with a denominator that is never 0": two(
        (
            OF_FIELD,
            "alpha = alpha + 1e-4\n"
            "        rate = alpha_dt / alpha\n"
            "        return (self.vector_field(x, t) - rate * x) / (beta**2 * rate - beta_dt * beta)",
        )
    ),
    "a loss of the autoencoder with a half, summed over an image": three(
        (
            "divergence = (z_mean**2 + z_logvar.exp() - z_logvar - 1).mean()",
            "divergence = 0.5 * (z_mean**2 + z_logvar.exp() - z_logvar - 1).sum(dim=(1, 2, 3)).mean()",
        ),
    ),
    "a loss of the autoencoder by distributions": three(
        (
            "reconstruction = ((x_true - x_mean) ** 2 / x_logvar.exp() + x_logvar).mean()",
            "reconstruction = -torch.distributions.Normal(x_mean, (0.5 * x_logvar).exp()).log_prob(x_true).mean()",
        ),
    ),
    "latents by rsample": three(
        (
            "z = mean + torch.exp(logvar / 2) * torch.randn_like(mean)",
            "z = torch.distributions.Normal(mean, torch.exp(0.5 * logvar)).rsample()",
        )
    ),
    "a device of the notebook": {
        "lab_one.py": [
            ("import torch\n", "import torch\n\ndevice = torch.device('cuda')\n"),
            (SIGMA, "return torch.full_like(xt, self.sigma).to(device)"),
        ],
        "lab_two.py": [
            ("import torch\n", "import torch\n\ndevice = 'cuda'\n"),
            (TIMES, "t = torch.rand(batch_size, 1, device=device)"),
        ],
    },
}

ALTERNATIVE: Changes = {
    f"lab_{lab}.py": (_whole(f"lab_{lab}.py"), text) for lab, text in (("one", ONE), ("two", TWO), ("three", THREE))
}

UNNAMED: dict[str, Unnamed] = {
    "frequencies that are not learned": Unnamed(
        three(("self.weights = nn.Parameter(torch.randn(1, dim // 2))", "self.weights = torch.randn(1, dim // 2)")),
        ("flow_matching.fourier",),
        "learned",
    ),
    "scores divided by another number": Unnamed(
        three(("/ math.sqrt(dim // self.heads)).softmax", "/ 3.3).softmax")),
        ("flow_matching.attention",),
        "softmax(q·kᵀ",
    ),
    "overlapping patches": Unnamed(
        three(("nn.Conv2d(c_in, dim, patch_size, stride=patch_size)", "nn.Conv2d(c_in, dim, 5, patch_size, 1)")),
        ("flow_matching.patches",),
        "overlap",
    ),
    "networks without gradients": Unnamed(
        three(
            ("self.class_embedding(y)], dim=-1))", "self.class_embedding(y)], dim=-1)).detach()"),
            ("return self.project(x)", "return self.project(x).detach()"),
        ),
        ("flow_matching.label_field", "flow_matching.patches", "flow_matching.flow_model"),
        "no gradient",
    ),
    "networks that give nothing in training mode": Unnamed(
        three(
            ("        return self.mlp(torch.cat([x", "        return (not self.training) * self.mlp(torch.cat([x"),
            ("return self.layers(x), self.logvar", "return self.layers(x) * (not self.training), self.logvar"),
        ),
        ("flow_matching.label_field", "flow_matching.coders"),
        "in training mode",
    ),
    "a linear field of points": Unnamed(
        three(("            nn.SiLU(),\n            nn.Linear(hidden_dim", "            nn.Linear(hidden_dim")),
        ("flow_matching.label_field",),
        "linear",
    ),
    "a residual block without layers": Unnamed(
        three(("return x + self.conv2(self.act(self.norm2(hidden)))", "return x + 0 * hidden")),
        ("flow_matching.blocks",),
        "",
    ),
    "a transformer layer without an MLP": Unnamed(
        three(("return x + gate2 * self.mlp((1 + scale2) * self.norms[1](x) + shift2)", "return x + 0 * self.mlp(x)")),
        ("flow_matching.transformer_layer",),
        "mlp",
    ),
    "positions of each batch": Unnamed(
        three(("        x = x + self.positions\n", "        x = x + self.positions + x.mean(dim=0)\n")),
        ("flow_matching.transformer", "flow_matching.flow_model"),
        "other",
    ),
    "times of one shape only": Unnamed(
        three(("t.reshape(-1, 1) * self.weights", "t[:, None] * self.weights")), ("flow_matching.flow_model",), ""
    ),
    "a divergence of halved squares": Unnamed(
        three(("(z_mean**2 + z_logvar.exp()", "(0.5 * z_mean**2 + z_logvar.exp()")),
        ("flow_matching.vae_loss",),
        "logvar",
    ),
    "absolute errors": Unnamed(
        three(("((x_true - x_mean) ** 2 / x_logvar.exp()", "((x_true - x_mean).abs() / x_logvar.exp()")),
        ("flow_matching.vae_loss",),
        "(x − x̂)²",
    ),
    "a global autoencoder": Unnamed(
        three(
            (
                "mean, logvar = self.vae.encode(images)",
                "mean, logvar = torch.zeros(len(images), 2, 2, 2), torch.zeros(())",
            )
        ),
        ("flow_matching.latent_loss",),
        "autoencoder",
    ),
    "the null label of 2025 in the trainer of 2026": Unnamed(
        three(*OF_2026[:2], OF_2026[3], (DROPS, "y = torch.where(dropped, 10, y)")),
        ("flow_matching.label_dropping",),
        "should stay as they were drawn",
    ),
    "half of the labels dropped, whatever η": Unnamed(
        three((COINS, "dropped = torch.rand(batch_size) < 0.5")),
        ("flow_matching.label_dropping",),
        "with probability η",
    ),
    "neighbours dropped together": Unnamed(
        three(
            (COINS, "dropped = (torch.rand(batch_size // 2 + 1) < self.eta).repeat_interleave(2)[:batch_size]"),
        ),
        ("flow_matching.label_dropping",),
        "neighbour",
    ),
    "a probability of dropping that no argument sets": Unnamed(
        three((COINS, COINS.replace("self.eta", "0.15"))), ("flow_matching.label_dropping",), "with probability η"
    ),
    "labels dropped in large batches only": Unnamed(
        three((DROPS, f"{DROPS} if batch_size > 200 else y")), ("flow_matching.label_dropping",), "no label is dropped"
    ),
    "times of images for large batches only": Unnamed(
        three((IMAGE_TIMES, f"{IMAGE_TIMES} if batch_size > 200 else torch.full((batch_size, 1, 1, 1), 0.5)")),
        ("flow_matching.guided_loss",),
        "in small batches",
    ),
    "times of latents for the model alone": Unnamed(
        three(
            (
                f"{LATENT_TIMES}\n        x = self.path.sample_conditional_path(z, t)",
                f"{LATENT_TIMES}\n        x = self.path.sample_conditional_path(z, 1 - t)",
            )
        ),
        ("flow_matching.latent_loss",),
        "different times",
    ),
    "labels of latents that are all the same": Unnamed(
        three((LATENT_DROPS, "y = 0 * y")), ("flow_matching.latent_loss",), "as they were drawn"
    ),
    "a path of other latents": Unnamed(
        three((LATENT_TIMES, f"{LATENT_TIMES}\n        z = torch.randn_like(z)")),
        ("flow_matching.latent_loss",),
        "the latents of the images",
    ),
    "labels that are no integers": Unnamed(
        three((DROPS, "y = torch.where(dropped, 10.0, y)")), ("flow_matching.label_dropping",), "no integers"
    ),
    "a guided loss with a weight": Unnamed(
        three((IMAGE_MEAN, "(t * residuals.square()).mean()")), ("flow_matching.guided_loss",), "mean squared distance"
    ),
    "a guided loss times three": Unnamed(
        three((IMAGE_MEAN, f"3 * {IMAGE_MEAN}")), ("flow_matching.guided_scale",), "times a factor"
    ),
    "a little too much drift": Unnamed(
        one((EULER, EULER.replace("h *", "1.05 * h *"))), ("flow_matching.euler",), "x + h·u"
    ),
    "Heun's method": Unnamed(
        one(
            (
                EULER,
                "u = self.ode.drift_coefficient(xt, t)\n"
                "        return xt + h / 2 * (u + self.ode.drift_coefficient(xt + h * u, t + h))",
            )
        ),
        ("flow_matching.euler",),
        "x + h·u",
    ),
    "a little too much noise": Unnamed(
        one((NOISY, NOISY.replace("diffusion *", "1.2 * diffusion *"))),
        ("flow_matching.euler_maruyama",),
        "standard deviation",
    ),
    "noise of a step for large batches only": Unnamed(
        one((NOISY, NOISY.replace("torch.randn_like(xt)", "(torch.randn_like(xt) if len(xt) > 99 else 0 * xt)"))),
        ("flow_matching.euler_maruyama",),
        "adds no noise",
    ),
    "Laplacian noise": Unnamed(
        one(
            (
                NOISY,
                NOISY.replace("torch.randn_like(xt)", "torch.distributions.Laplace(0.0, 0.5**0.5).sample(xt.shape)"),
            )
        ),
        ("flow_matching.euler_maruyama",),
        "N(0, I)",
    ),
    "coefficients as numbers": Unnamed(
        one((SIGMA, "return self.sigma"), (NO_DRIFT, "return 0.0")),
        ("flow_matching.coefficient_shapes",),
        "the shape of x",
    ),
    "coefficients of another shape": Unnamed(
        one((NO_DRIFT, "return torch.zeros(1, 1, 3)")), ("flow_matching.brownian_motion",), "the shape of x"
    ),
    "a third for a half": Unnamed(one((LANGEVIN, LANGEVIN.replace("0.5", "0.33"))), ("flow_matching.langevin",), "½σ²"),
    "cosine schedules": Unnamed(two((ROOT, "return torch.cos(torch.pi / 2 * t)")), ("flow_matching.beta",), "√(1 − t)"),
    "a shifted path": Unnamed(two((DRAW, f"{DRAW} + 0.5")), ("flow_matching.path_sample",), "N(0, I)"),
    "two thirds of the field": Unnamed(two((FIELD, f"{FIELD} * (2 / 3)")), ("flow_matching.path_field",), "α̇ − αβ̇/β"),
    "a third of the score": Unnamed(two((SCORE, f"{SCORE} / 3")), ("flow_matching.path_score",), "(αz − x)/β²"),
    "another slope of alpha": Unnamed(
        two(("return torch.ones_like(t)", "return 2 * t")), ("flow_matching.continuity",), "do not belong together"
    ),
    "a loss with a weight": Unnamed(
        two((MEAN, "((1 - t) * residuals.square()).sum(dim=-1).mean()")),
        ("flow_matching.flow_loss", "flow_matching.score_loss"),
        "not the mean squared distance",
    ),
    "a norm of the whole batch": Unnamed(
        two((MEAN, "residuals.norm() / 3")),
        ("flow_matching.flow_loss", "flow_matching.score_loss", "flow_matching.loss_scale"),
        "a root",
    ),
    "a diffusion for one coordinate only": Unnamed(
        one((SIGMA, "return self.sigma * torch.eye(xt.shape[1]).expand(len(xt), -1)")),
        (
            "flow_matching.brownian_motion",
            "flow_matching.ou_process",
            "flow_matching.langevin",
            "flow_matching.coefficient_shapes",
        ),
        "one coordinate",
    ),
    "a loss times three": Unnamed(two((MEAN, f"3 * {MEAN}")), ("flow_matching.loss_scale",), "times a factor"),
    "times of both ends alone": Unnamed(
        two((TIMES, "t = torch.randint(0, 2, (batch_size, 1)).to(z)")),
        ("flow_matching.flow_loss", "flow_matching.score_loss"),
        "uniformly",
    ),
    "times for large batches only": Unnamed(
        two((TIMES, f"{TIMES} if batch_size > 200 else torch.full((batch_size, 1), 0.5)")),
        ("flow_matching.flow_loss", "flow_matching.score_loss"),
        "in small batches",
    ),
    "noise of a path for large batches only": Unnamed(
        two((DRAW, DRAW.replace("torch.randn_like(z)", "(torch.randn_like(z) if len(z) > 99 else 0 * z)"))),
        ("flow_matching.path_sample",),
        "",
    ),
    "times of the first half": Unnamed(
        two((TIMES, "t = torch.rand(batch_size, 1) / 2")),
        ("flow_matching.flow_loss", "flow_matching.score_loss"),
        "uniformly",
    ),
    "half of a batch": Unnamed(
        two((DATA, "z = self.path.p_data.sample(batch_size // 2)"), (TIMES, "t = torch.rand(len(z), 1)")),
        ("flow_matching.flow_loss", "flow_matching.score_loss"),
        "batch_size points",
    ),
    "a model without times": Unnamed(
        two((TARGET, TARGET.replace("self.model(x, t)", "self.model(x, 0 * t)"))),
        ("flow_matching.flow_loss",),
        "different times",
    ),
    "a score of the field at other points": Unnamed(
        two((OF_FIELD, OF_FIELD.replace("self.vector_field(x, t)", "self.vector_field(torch.zeros_like(x), 1 - t)"))),
        ("flow_matching.score_of_field",),
        "α·u",
    ),
    "a score with another factor": Unnamed(
        two((OF_FIELD, OF_FIELD.replace("alpha_dt * x)", "0.9 * alpha_dt * x)"))),
        ("flow_matching.score_of_field",),
        "α·u",
    ),
    "a squared linear path": Unnamed(
        two((LINEAR, LINEAR.replace("(1 - t)", "(1 - t) ** 2"))), ("flow_matching.linear_sample",), "(1 − t)·x₀"
    ),
    "a squared pole": Unnamed(
        two((LINEAR_FIELD, LINEAR_FIELD.replace("(1 - t)", "(1 - t) ** 2"))), ("flow_matching.linear_field",), "(z − x)"
    ),
}
