"""Answers to the questions on flows: the reference's in other spellings, or with a few words changed."""

from __future__ import annotations

from courses.uva2020.variants import flow_alternative
from validation.variants import Changes, Unnamed
from validation.workbench import REFERENCE

DENSITIES, MODEL, TRAIN = (f"part3/{name}.py" for name in ("distributions", "model", "train"))

LOG_PROB = "return (-0.5 * standardised**2 - torch.log(self.sigma) - 0.5 * math.log(2 * math.pi)).sum(dim=-1)"
MIXTURE = "torch.logaddexp(self.p1.log_prob(x), self.p2.log_prob(x)) - math.log(2)"
NOISE = "torch.randn(num_samples, self.dims, dtype=self.mu.dtype, device=self.mu.device)"
COIN = "torch.rand(num_samples, 1, device=self.p1.mu.device) < 0.5"
CHOICE = "torch.where(first, self.p1.sample(num_samples), self.p2.sample(num_samples))"
CLONE = "z = z.clone()  # the layers write into their input, and it is the caller's"
NLL = "return -(self.base_density.log_prob(z) + log_det)"
LOOP = "for layer in reversed(self.layers) if inverse else self.layers:"
RESULT = "        return z, log_det\n\n    @torch.no_grad()"
COUPLING = "s, t = self.nn(z[:, self.mask]).chunk(2, dim=1)\n        moving = z[:, ~self.mask]"
DEPTH = "nn.GELU(), last"
EPOCH = "    losses = [step(model, optimizer, x) for (x,) in train_loader]\n"
AVERAGE = "return bits_per_dimension(torch.cat(losses).mean().item(), model.dim)"
STEP = "    nll.mean().backward()\n    optimizer.step()\n"

LIBRARY = """
class MultivariateGaussianDiag(torch.nn.Module):
    def __init__(self, mu, sigma, dims):
        super().__init__()
        self.register_buffer("mu", mu.double())
        self.register_buffer("sigma", sigma.double())
        self._normal = torch.distributions.MultivariateNormal(self.mu, torch.diag(self.sigma**2))

    def log_prob(self, x):
        return self._normal.log_prob(x.double())

    def sample(self, num_samples):
        return self._normal.sample([num_samples])


class BimodalGaussianDiag:"""
MIXTURE_OF_THE_LIBRARY = """
class BimodalGaussianDiag:
    def __init__(self, mu, sigma, dims):
        D = torch.distributions
        modes = D.Independent(D.Normal(torch.stack(mu), torch.stack(sigma)), 1)
        self.mixture = D.MixtureSameFamily(D.Categorical(torch.ones(2)), modes)
        self.dims = dims

    def log_prob(self, x, *, reduce=False):
        return self.mixture.log_prob(x).sum() if reduce else self.mixture.log_prob(x)

    def sample(self, num_samples):
        return self.mixture.sample((num_samples,))


class _Unused:"""
HALVES = """a, b = self.p1.sample(num_samples // 2), self.p2.sample(num_samples - num_samples // 2)
        return torch.cat([a, b])"""
BY_MASK = """m = first.float()
        return m * self.p1.sample(num_samples) + (1 - m) * self.p2.sample(num_samples)"""
SHUFFLED = """count = int(torch.distributions.Binomial(num_samples, torch.tensor(0.5)).sample())
        both = torch.cat([self.p1.sample(count), self.p2.sample(num_samples - count)])
        return both[torch.randperm(num_samples)]"""
BOX_MULLER = """torch.sqrt(-2 * torch.log(1 - torch.rand(num_samples, self.dims))) * torch.cos(
            2 * math.pi * torch.rand(num_samples, self.dims)
        )"""
OTHER_COUPLING = """s, t = self.nn(z[:, self.mask]).chunk(2, dim=1)
        s = 0.9 * torch.tanh(s)
        out = torch.empty(z.shape)
        out[:, self.mask] = z[:, self.mask]
        sign = -1 if inverse else 1
        out[:, ~self.mask] = (z[:, ~self.mask] - t) * torch.exp(-s) if inverse else z[:, ~self.mask] * s.exp() + t
        return out, log_det + sign * s.sum(1)
        moving = z[:, ~self.mask]"""
ACTNORM = """

class ActNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(dim))
        self.shift = nn.Parameter(torch.zeros(dim))

    def forward(self, z, log_det, inverse=False):
        if inverse:
            return (z - self.shift) * (-self.scale).exp(), log_det - self.scale.sum()
        return z * self.scale.exp() + self.shift, log_det + self.scale.sum()


class Coupling(nn.Module):"""
IN_PLACE_ONLY = """        for layer in reversed(self.layers) if inverse else self.layers:
            _, log_det = layer(z, log_det, inverse)
"""
WAYS = """        if inverse:
            return self._walk(z.clone(), self.layers[::-1], True)
        return self._walk(z.clone(), self.layers, False)

    def _walk(self, z, layers, inverse):
        log_det = self.init_log_det.expand(z.shape[0])
        for layer in layers:
            z, log_det = layer(z, log_det, inverse=inverse)
"""
START = f"""        {CLONE}
        log_det = self.init_log_det.expand(z.shape[0])
"""
BODY = f"""{START}        {LOOP}
            z, log_det = layer(z, log_det, inverse=inverse)
"""
_CLOSURE = """    def closure():
        nonlocal nll
        optimizer.zero_grad()
        nll = model(x)
        nll.mean().backward()
        return nll.mean()

    nll = None
    optimizer.step(closure)
"""
ANOTHER_LOOP = """
def train_nf(model, train_loader, optimizer):
    model = model.to(device)
    sum_bpd = 0
    for i, x in enumerate(train_loader):
        x = x[0].to(device)
        loss = torch.mean(model.forward(x)) * torch.log2(torch.exp(torch.tensor(1.0))) / x.shape[1]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        for parameter in model.parameters():
            parameter.grad = None
        sum_bpd += loss
    return sum_bpd / len(train_loader), i


@torch.no_grad()
def learned_density"""

RIGHT: dict[str, Changes] = {
    "layers that write into the caller's tensor": {MODEL: ("z = z.clone()", "z = z")},
    "mixture without log-sum-exp": {
        DENSITIES: (MIXTURE, "torch.log(0.5 * self.p1.log_prob(x).exp() + 0.5 * self.p2.log_prob(x).exp())")
    },
    "mixture by logsumexp": {
        DENSITIES: (
            MIXTURE,
            "torch.logsumexp(torch.stack([p.log_prob(x) for p in (self.p1, self.p2)]), 0) - math.log(2)",
        )
    },
    "a library's Gaussian, in double precision, as a module": {DENSITIES: ("class BimodalGaussianDiag:", LIBRARY)},
    "a library's mixture, with another argument": {DENSITIES: ("class BimodalGaussianDiag:", MIXTURE_OF_THE_LIBRARY)},
    "log-density by the product of densities": {
        DENSITIES: (
            LOG_PROB,
            "return torch.log(torch.exp(-0.5 * standardised**2) / (self.sigma * (2 * math.pi) ** 0.5)).sum(-1)",
        )
    },
    "log-density in place, on a copy": {
        DENSITIES: [
            ("(x - self.mu) / self.sigma", "x.clone()"),
            (
                LOG_PROB,
                "standardised.sub_(self.mu).div_(self.sigma).square_().mul_(-0.5)\n"
                "        return standardised.sum(-1) - self.sigma.prod().log() - self.dims * math.log(2 * math.pi) / 2",
            ),
        ]
    },
    "exactly half from each mode, in order": {DENSITIES: ("return " + CHOICE, HALVES)},
    "samples by a mask": {DENSITIES: ("return " + CHOICE, BY_MASK)},
    "a number of each mode, shuffled": {DENSITIES: ("return " + CHOICE, SHUFFLED)},
    "noise by Box and Muller": {DENSITIES: (NOISE, BOX_MULLER)},
    "another coupling layer, single precision only, nothing in place": {
        MODEL: [(COUPLING, OTHER_COUPLING), (CLONE, "pass")]
    },
    "a deeper, wider network": {
        MODEL: (
            DEPTH,
            "nn.ReLU(), nn.Linear(num_hidden, 2 * num_hidden), nn.ELU(), nn.Linear(2 * num_hidden, num_hidden), last",
        )
    },
    "a network with normalised layers and normalised weights": {
        MODEL: (
            DEPTH,
            "nn.LayerNorm(num_hidden), nn.Tanh(), nn.utils.parametrizations.weight_norm("
            "nn.Linear(num_hidden, num_hidden)), nn.SiLU(), last",
        )
    },
    "layers that start away from the identity": {
        MODEL: ("nn.init.zeros_(last.weight)", "nn.init.normal_(last.weight, std=0.02)")
    },
    "layers of another kind between the coupling layers": {
        MODEL: [
            ("class Coupling(nn.Module):", ACTNORM.strip("\n")),
            (
                "        )\n\n    def forward(self, x):",
                "        )\n        self.layers.insert(1, ActNorm(dim))\n\n    def forward(self, x):",
            ),
        ]
    },
    "a flow in double precision": {
        MODEL: [
            ("        )\n\n    def forward(self, x):", "        )\n        self.double()\n\n    def forward(self, x):"),
            (CLONE, "z = z.double().clone()"),
        ]
    },
    "loss in two steps": {
        MODEL: (NLL, "nll = -self.base_density.log_prob(z)\n        nll -= log_det\n        return nll")
    },
    "inverse by index": {
        MODEL: (LOOP, "for i in range(len(self.layers)):\n            layer = self.layers[-1 - i if inverse else i]")
    },
    "layers that are used for what they write": {MODEL: (BODY, START + IN_PLACE_ONLY)},
    "both ways in a method of their own": {MODEL: (BODY, WAYS)},
    "a transform that counts its calls": {
        MODEL: (CLONE, 'self.calls = getattr(self, "calls", 0) + 1\n        z = z.clone()')
    },
    "another training loop": {
        TRAIN: [("def train_nf(", "def _unused("), ("\n@torch.no_grad()\ndef learned_density", ANOTHER_LOOP)]
    },
    "the sum for a loss": {TRAIN: ("nll.mean().backward()", "nll.sum().backward()")},
    "a step by a closure": {TRAIN: ("    optimizer.zero_grad()\n    nll = model(x)\n" + STEP, _CLOSURE)},
    "gradients cleared after the step": {
        TRAIN: [("    optimizer.zero_grad()\n", ""), (STEP, STEP + "    optimizer.zero_grad()\n")]
    },
    "an average of the batches' averages": {
        TRAIN: (AVERAGE, "return sum(bits_per_dimension(each.mean(), model.dim) for each in losses) / len(losses)")
    },
}

ALTERNATIVE: Changes = {
    file: ((REFERENCE / file).read_text(), text)
    for file, text in {
        DENSITIES: flow_alternative.DENSITIES,
        MODEL: flow_alternative.MODEL,
        TRAIN: flow_alternative.TRAIN,
    }.items()
}

UNNAMED: dict[str, Unnamed] = {
    "one point of each batch": Unnamed(
        {TRAIN: (EPOCH, EPOCH.replace("optimizer, x)", "optimizer, x[:1].expand_as(x))"))}, ("flow.training_loop",)
    ),
    "noise for points": Unnamed(
        {TRAIN: (EPOCH, EPOCH.replace("optimizer, x)", "optimizer, torch.randn_like(x))"))}, ("flow.training_loop",)
    ),
    "two halves of an odd number": Unnamed(
        {
            DENSITIES: (
                f"first = {COIN}\n        return {CHOICE}",
                "half = num_samples // 2\n        both = torch.cat([self.p1.sample(half), self.p2.sample(half)])\n"
                "        return both[torch.randperm(len(both))]",
            )
        },
        ("flow.bimodal_sample",),
        "for odd n",
    ),
    "a Laplace density": Unnamed(
        {DENSITIES: (LOG_PROB, "return (-standardised.abs() - torch.log(2 * self.sigma)).sum(dim=-1)")},
        ("flow.gaussian_log_prob",),
        "sigma is a standard deviation",
    ),
    "three halves of log 2π": Unnamed(
        {DENSITIES: ("- 0.5 * math.log", "- 1.5 * math.log")}, ("flow.gaussian_log_prob",)
    ),
    "a mixture of one and two thirds": Unnamed(
        {
            DENSITIES: (
                MIXTURE,
                "torch.logaddexp(self.p1.log_prob(x) - math.log(3), self.p2.log_prob(x) + math.log(2 / 3))",
            )
        },
        ("flow.bimodal_log_prob",),
    ),
    "the log-density of one mode by a coin": Unnamed(
        {
            DENSITIES: (
                MIXTURE,
                "torch.where(torch.rand(x.shape[:-1]) < 0.5, self.p1.log_prob(x), self.p2.log_prob(x))",
            )
        },
        ("flow.bimodal_log_prob",),
    ),
    "uniform noise of the right spread": Unnamed(
        {DENSITIES: (NOISE, "math.sqrt(12) * (torch.rand(num_samples, self.dims) - 0.5)")},
        ("flow.gaussian_sample",),
        "not Gaussian",
    ),
    "heavy-tailed noise": Unnamed(
        {DENSITIES: (NOISE, "torch.distributions.StudentT(5.0).sample((num_samples, self.dims))")},
        ("flow.gaussian_sample",),
        "do not fit",
    ),
    "noise a fifth too small": Unnamed(
        {DENSITIES: ("self.sigma * noise", "0.8 * self.sigma * noise")}, ("flow.gaussian_sample",), "standard deviation"
    ),
    "a biased coin": Unnamed({DENSITIES: ("< 0.5", "< 0.55")}, ("flow.bimodal_sample",), "not equally likely"),
    "some of the samples between the modes": Unnamed(
        {DENSITIES: (COIN, "torch.rand(num_samples, 1) < torch.rand(1, self.dims)")}, ("flow.bimodal_sample",)
    ),
    "a shift that the inverse forgets": Unnamed(
        {MODEL: ("(moving - t) * torch.exp(-s)", "moving * torch.exp(-s)")}, ("flow.invertible",), "inverse"
    ),
    "a scale that the inverse repeats": Unnamed(
        {MODEL: ("(moving - t) * torch.exp(-s)", "(moving - t) * torch.exp(s)")},
        ("flow.invertible", "flow.log_det"),
        "inverse",
    ),
    "a coupling that scales twice": Unnamed(
        {MODEL: ("moving * torch.exp(s) + t", "moving * torch.exp(2 * s) + t")},
        ("flow.invertible", "flow.log_det", "flow.normalised"),
    ),
    "a log-determinant that is 1.2 times the right one": Unnamed(
        {MODEL: (RESULT, RESULT.replace("log_det\n", "1.2 * log_det\n", 1))}, ("flow.log_det", "flow.normalised")
    ),
    "a loss with the base density at half weight": Unnamed(
        {MODEL: (NLL, "return -(0.5 * self.base_density.log_prob(z) + log_det)")}, ("flow.nll", "flow.normalised")
    ),
    "a loss with a penalty": Unnamed(
        {MODEL: (NLL, NLL + " + 0.1 * z.square().sum(dim=1)")}, ("flow.nll", "flow.normalised")
    ),
    "a loss whose gradient is NaN": Unnamed(
        {MODEL: (NLL, f"{NLL}.detach() + torch.sqrt(0 * sum(each.sum() for each in self.parameters()))")},
        ("flow.nll",),
        "is NaN or infinite",
    ),
    "layers whose inputs are detached": Unnamed(
        {MODEL: ("layer(z, log_det, inverse=inverse)", "layer(z.detach().clone(), log_det, inverse=inverse)")},
        ("flow.nll",),
        "not the derivative",
    ),
    "data rounded in place": Unnamed(
        {
            MODEL: (
                "        z, log_det = self.transform(x)\n",
                "        z, log_det = self.transform(x.round_(decimals=1))\n",
            )
        },
        ("flow.nll",),
    ),
    "every other batch": Unnamed(
        {TRAIN: (EPOCH, EPOCH.replace("in train_loader", "in list(train_loader)[::2]"))},
        ("flow.training_loop",),
        "average",
    ),
    "two steps for each batch": Unnamed(
        {TRAIN: (STEP, STEP + "    optimizer.step()\n")}, ("flow.training_loop",), "one step"
    ),
    "an average that is a tenth too large": Unnamed(
        {TRAIN: ("return nats * math.log2(math.e) / dim", "return 1.1 * nats * math.log2(math.e) / dim")},
        ("flow.training_loop",),
        "average",
    ),
    "noise for half of the samples": Unnamed(
        {DENSITIES: (NOISE, "torch.randn(num_samples // 2, self.dims).repeat(2, 1)")},
        ("flow.gaussian_sample",),
        "noise of others",
    ),
}
