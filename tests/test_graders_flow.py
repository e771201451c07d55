"""The flow's checks: wrong implementations fail the right ones and no others, unusual right ones pass."""

from __future__ import annotations

import pytest

from gengrade.facts import Outcome
from tests.workbench import REFERENCE, Workbench

DENSITIES, MODEL, TRAIN = (f"part3/{name}.py" for name in ("distributions", "model", "train"))
BOTH_LOGS = {"flow.gaussian_log_prob", "flow.bimodal_log_prob"}
BOTH_SAMPLES = {"flow.gaussian_sample", "flow.bimodal_sample"}

LOG_PROB = "return (-0.5 * standardised**2 - torch.log(self.sigma) - 0.5 * math.log(2 * math.pi)).sum(dim=-1)"
MIXTURE = "torch.logaddexp(self.p1.log_prob(x), self.p2.log_prob(x)) - math.log(2)"
NOISE = "torch.randn(num_samples, self.dims, dtype=self.mu.dtype, device=self.mu.device)"
COIN = "torch.rand(num_samples, 1, device=self.p1.mu.device) < 0.5"
CHOICE = "torch.where(first, self.p1.sample(num_samples), self.p2.sample(num_samples))"
NLL = "return -(self.base_density.log_prob(z) + log_det)"
LOOP = "for layer in reversed(self.layers) if inverse else self.layers:"
STEP = "z, log_det = layer(z, log_det, inverse=inverse)"
AVERAGE = "return total / count * math.log2(math.e) / model.dim"

WRONG: dict[str, tuple[str, str, str, set[str]]] = {
    "sigma taken for a variance": (DENSITIES, "/ self.sigma\n", "/ self.sigma.sqrt()\n", BOTH_LOGS),
    "no log 2π": (DENSITIES, " - 0.5 * math.log(2 * math.pi)", "", BOTH_LOGS),
    "log 2π once for all dimensions": (
        DENSITIES,
        LOG_PROB,
        "return (-0.5 * standardised**2 - torch.log(self.sigma)).sum(dim=-1) - 0.5 * math.log(2 * math.pi)",
        BOTH_LOGS,
    ),
    "sign of log sigma": (DENSITIES, "- torch.log(self.sigma)", "+ torch.log(self.sigma)", BOTH_LOGS),
    "no normaliser at all": (DENSITIES, LOG_PROB, "return -0.5 * (standardised**2).sum(dim=-1)", BOTH_LOGS),
    "not summed": (DENSITIES, ").sum(dim=-1)", ")", BOTH_LOGS),
    "averaged over dimensions": (DENSITIES, ").sum(dim=-1)", ").mean(dim=-1)", BOTH_LOGS),
    "summed over the wrong dimension of a mesh": (DENSITIES, ").sum(dim=-1)", ").sum(dim=1)", BOTH_LOGS),
    "density, not its log": (DENSITIES, LOG_PROB, LOG_PROB + ".exp()", BOTH_LOGS),
    "x changed in place": (DENSITIES, "(x - self.mu) / self.sigma", "x.sub_(self.mu).div_(self.sigma)", BOTH_LOGS),
    "mixture without weights": (DENSITIES, " - math.log(2)\n", "\n", {"flow.bimodal_log_prob"}),
    "product for a mixture": (
        DENSITIES,
        MIXTURE,
        "self.p1.log_prob(x) + self.p2.log_prob(x)",
        {"flow.bimodal_log_prob"},
    ),
    "mean of the logs": (
        DENSITIES,
        MIXTURE,
        "(self.p1.log_prob(x) + self.p2.log_prob(x)) / 2",
        {"flow.bimodal_log_prob"},
    ),
    "Gaussian of the sum": (
        DENSITIES,
        MIXTURE,
        "MultivariateGaussianDiag(self.mus[0] + self.mus[1], self.sigmas[0], self.dims).log_prob(x)",
        {"flow.bimodal_log_prob"},
    ),
    "samples spread by the variance": (DENSITIES, "self.sigma * noise", "self.sigma**2 * noise", BOTH_SAMPLES),
    "samples without a mean": (DENSITIES, "self.mu + self.sigma * noise", "self.sigma * noise", BOTH_SAMPLES),
    "uniform noise": (DENSITIES, NOISE, "math.sqrt(12) * (torch.rand(num_samples, self.dims) - 0.5)", BOTH_SAMPLES),
    "noise shared by the dimensions": (DENSITIES, NOISE, "torch.randn(num_samples, 1)", BOTH_SAMPLES),
    "noise shared by the samples": (
        DENSITIES,
        NOISE,
        "torch.randn(1, self.dims).expand(num_samples, -1)",
        BOTH_SAMPLES,
    ),
    "one coin for all samples": (DENSITIES, COIN, "torch.rand(1, 1) < 0.5", {"flow.bimodal_sample"}),
    "one coin for each element": (DENSITIES, COIN, "torch.rand(num_samples, self.dims) < 0.5", {"flow.bimodal_sample"}),
    "a biased coin": (DENSITIES, "< 0.5", "< 0.55", {"flow.bimodal_sample"}),
    "one mode only": (DENSITIES, CHOICE, "self.p1.sample(num_samples)", {"flow.bimodal_sample"}),
    "mean of both modes' samples": (
        DENSITIES,
        CHOICE,
        "(self.p1.sample(num_samples) + self.p2.sample(num_samples)) / 2",
        {"flow.bimodal_sample"},
    ),
    "caller's tensor overwritten": (MODEL, "z = z.clone()", "z = z", {"flow.no_side_effects"}),
    "inverse in forward order": (MODEL, LOOP, "for layer in self.layers:", {"flow.invertible"}),
    "layers never told to invert": (MODEL, STEP, "z, log_det = layer(z, log_det)", {"flow.invertible"}),
    "log-determinant of the last layer": (
        MODEL,
        STEP,
        "z, log_det = layer(z, torch.zeros_like(log_det), inverse=inverse)",
        {"flow.log_det", "flow.normalised"},
    ),
    "log-determinant with the wrong sign": (
        MODEL,
        "        return z, log_det\n\n",
        "        return z, -log_det\n\n",
        {"flow.log_det", "flow.normalised"},
    ),
    "one log-determinant for the batch": (
        MODEL,
        "        return z, log_det\n\n",
        "        return z, log_det.mean().expand(len(z))\n\n",
        {"flow.log_det", "flow.normalised"},
    ),
    "layers left out": (MODEL, LOOP, "for layer in self.layers[:1]:", {"flow.nll"}),
    "no layers at all": (MODEL, LOOP, "for layer in []:", {"flow.invertible", "flow.nll"}),
    "loss without the determinant": (
        MODEL,
        NLL,
        "return -self.base_density.log_prob(z)",
        {"flow.nll", "flow.normalised"},
    ),
    "loss with the wrong sign of the determinant": (
        MODEL,
        NLL,
        "return -self.base_density.log_prob(z) + log_det",
        {"flow.nll", "flow.normalised"},
    ),
    "loss without the base density": (MODEL, NLL, "return -log_det", {"flow.nll", "flow.normalised"}),
    "log-likelihood for a loss": (
        MODEL,
        NLL,
        "return self.base_density.log_prob(z) + log_det",
        {"flow.nll", "flow.normalised"},
    ),
    "base density of the data": (
        MODEL,
        NLL,
        "return -(self.base_density.log_prob(x) + log_det)",
        {"flow.nll", "flow.normalised"},
    ),
    "loss averaged over the batch": (
        MODEL,
        NLL,
        "return -(self.base_density.log_prob(z) + log_det).mean()",
        {"flow.nll", "flow.normalised"},
    ),
    "gradients never cleared": (TRAIN, "        optimizer.zero_grad()\n", "", {"flow.training_loop"}),
    "no step": (TRAIN, "        optimizer.step()\n", "", {"flow.training_loop"}),
    "no backward": (TRAIN, "        nll.mean().backward()\n", "", {"flow.training_loop"}),
    "loss climbed": (TRAIN, "nll.mean().backward()", "(-nll.mean()).backward()", {"flow.training_loop"}),
    "average in nats": (TRAIN, " * math.log2(math.e)", "", {"flow.training_loop"}),
    "average not per dimension": (TRAIN, " / model.dim", "", {"flow.training_loop"}),
    "wrong base of the logarithm": (TRAIN, "* math.log2(math.e)", "* math.log(2)", {"flow.training_loop"}),
    "the last batch for the epoch": (
        TRAIN,
        "total += nll.sum().item()",
        "total = nll.sum().item()",
        {"flow.training_loop"},
    ),
    "nothing returned": (TRAIN, AVERAGE, "total / count", {"flow.training_loop"}),
    "first batch only": (
        TRAIN,
        "        count += x.shape[0]\n",
        "        count += x.shape[0]\n        break\n",
        {"flow.training_loop"},
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_implementations_fail_the_right_checks(workbench: Workbench, name: str) -> None:
    file, old, new, expected = WRONG[name]
    failing = workbench.failing(workbench.variant({file: (old, new)}), "flow.")
    assert set(failing) == expected
    assert all(fact.decisive.message for fact in failing.values())


DIRECT_MIXTURE = "torch.log(0.5 * self.p1.log_prob(x).exp() + 0.5 * self.p2.log_prob(x).exp())"
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
HALVES = """a, b = self.p1.sample(num_samples // 2), self.p2.sample(num_samples - num_samples // 2)
        return torch.cat([a, b])"""
OTHER_COUPLING = """s, t = self.nn(z[:, self.mask]).chunk(2, dim=1)
        s = 0.9 * torch.tanh(s)
        out = torch.empty(z.shape)
        out[:, self.mask] = z[:, self.mask]
        sign = -1 if inverse else 1
        out[:, ~self.mask] = (z[:, ~self.mask] - t) * torch.exp(-s) if inverse else z[:, ~self.mask] * s.exp() + t
        return out, log_det + sign * s.sum(1)
        moving = z[:, ~self.mask]"""
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

RIGHT: dict[str, dict[str, tuple[str, str] | list[tuple[str, str]]]] = {
    "mixture without log-sum-exp": {DENSITIES: (MIXTURE, DIRECT_MIXTURE)},
    "mixture by logsumexp": {
        DENSITIES: (
            MIXTURE,
            "torch.logsumexp(torch.stack([p.log_prob(x) for p in (self.p1, self.p2)]), 0) - math.log(2)",
        )
    },
    "a library's Gaussian, in double precision, as a module": {DENSITIES: ("class BimodalGaussianDiag:", LIBRARY)},
    "log-density by the product of densities": {
        DENSITIES: (
            LOG_PROB,
            "return torch.log(torch.exp(-0.5 * standardised**2) / (self.sigma * (2 * math.pi) ** 0.5)).sum(-1)",
        )
    },
    "exactly half from each mode, in order": {DENSITIES: ("return " + CHOICE, HALVES)},
    "samples by a mask": {
        DENSITIES: (
            "return " + CHOICE,
            "a, b = self.p1.sample(num_samples), self.p2.sample(num_samples)\n        m = first.float()\n"
            "        return m * a + (1 - m) * b",
        )
    },
    "another coupling layer, single precision only, nothing in place": {
        MODEL: [
            ("s, t = self.nn(z[:, self.mask]).chunk(2, dim=1)\n        moving = z[:, ~self.mask]", OTHER_COUPLING),
            ("z = z.clone()  # the layers write into their input, and it is the caller's", "pass"),
        ]
    },
    "a deeper, wider network": {
        MODEL: (
            "nn.GELU(), last",
            "nn.ReLU(), nn.Linear(num_hidden, 2 * num_hidden), nn.ELU(), nn.Linear(2 * num_hidden, num_hidden), last",
        )
    },
    "layers that start away from the identity": {
        MODEL: ("nn.init.zeros_(last.weight)", "nn.init.normal_(last.weight, std=0.02)")
    },
    "loss in two steps, through __call__ of the map": {
        MODEL: (NLL, "nll = -self.base_density.log_prob(z)\n        nll -= log_det\n        return nll")
    },
    "inverse by index": {
        MODEL: (LOOP, "for i in range(len(self.layers)):\n            layer = self.layers[-1 - i if inverse else i]")
    },
    "another training loop": {
        TRAIN: [("def train_nf(", "def _unused("), ("\n@torch.no_grad()\ndef learned_density", ANOTHER_LOOP)]
    },
    "the sum for a loss": {TRAIN: ("nll.mean().backward()", "nll.sum().backward()")},
}


@pytest.mark.parametrize("name", RIGHT)
def test_unusual_right_implementations_pass(workbench: Workbench, name: str) -> None:
    assert workbench.failing(workbench.variant(RIGHT[name]), "flow.") == {}


def test_the_reference_passes_and_learns(workbench: Workbench) -> None:
    assert workbench.failing(REFERENCE, "flow.") == {}
    observed = workbench.observe(REFERENCE, "flow.bpd")
    assert observed.checks()["flow.bpd"].outcome is Outcome.PASSED
    assert 0.81 < observed.measures["flow.bpd"] < 0.84


def test_a_density_that_is_none_earns_no_measure(workbench: Workbench) -> None:
    folder = workbench.variant({MODEL: ("return z, log_det\n\n", "return z, log_det + 1\n\n")})
    observed = workbench.observe(folder, "flow.bpd")
    fact = observed.checks()["flow.bpd"].decisive
    assert fact.outcome is Outcome.FAILED
    assert "mass" in fact.message
    assert "flow.bpd" not in observed.measures


def test_files_not_handed_in_are_missing(workbench: Workbench) -> None:
    folder = workbench.variant({})
    (folder / DENSITIES).unlink()
    failing = workbench.failing(folder, "flow.gaussian", "flow.bimodal", "flow.nll")
    assert {id_: fact.outcome for id_, fact in failing.items()} == dict.fromkeys(
        BOTH_LOGS | BOTH_SAMPLES, Outcome.MISSING
    )
