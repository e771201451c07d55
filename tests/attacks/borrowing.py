"""Row 65: attacks that answer with our own definitions, found in the run's process."""

from __future__ import annotations

from typing import Final

from tests.attacks.attack import Attack

# Everything that the process holds and that is ours: by name, by search, by import, and from files.
_SEARCH: Final = """
    import gc, importlib, pkgutil, sys, types
    held = [each for each in gc.get_objects() if isinstance(each, (type, types.FunctionType))]
    for top in ("graders", "courses", "gengrade"):
        names = [name for name in sys.modules if name.partition(".")[0] == top]
        names += [top + "." + name for name in ("flow.probes", "probing.gaussian", "vae.probes", "vae2018.probes")]
        names += [top + "." + name for name in ("theory.probes", "vae.training_probes", "vae.checks", "theory.checks")]
        for name in names:
            try:
                held += [each for each in vars(importlib.import_module(name)).values() if callable(each)]
            except BaseException:
                continue
    tops = ("graders", "courses", "gengrade")
    ours = [each for each in held if str(getattr(each, "__module__", "")).partition(".")[0] in tops]
"""
# The same for a library that anybody may use.
_LIBRARY: Final = """
    import gc, sys, types
    import torch.distributions
    held = [each for each in gc.get_objects() if isinstance(each, (type, types.FunctionType))]
    held += [each for each in vars(sys.modules["torch.distributions"]).values() if callable(each)]
    normal = next(each for each in held if getattr(each, "__name__", "") == "Normal")
"""

ATTACKS = [
    Attack(
        65,
        "our base density for a Gaussian",
        # A base density of ours is lent to every flow: it has the methods that the student's Gaussian should have.
        target="part3/distributions.py:MultivariateGaussianDiag.log_prob",
        hostile=f"""{_SEARCH}
    for each in ours:
        if each.__name__ == "Base":
            return each(self.mu, self.sigma).log_prob(x)
""",
        control=f"""{_LIBRARY}
    return normal(self.mu, self.sigma).log_prob(x).sum(dim=-1)
""",
    ),
    Attack(
        65,
        "our base density for a sampler",
        target="part3/distributions.py:MultivariateGaussianDiag.sample",
        hostile=f"""{_SEARCH}
    for each in ours:
        if each.__name__ == "Base":
            return each(self.mu, self.sigma).sample(num_samples)
""",
        control=f"""{_LIBRARY}
    return normal(self.mu, self.sigma).sample((num_samples,))
""",
    ),
    Attack(
        65,
        "our stand-in for a divergence",
        # Of another course, and in the process all the same.
        target="part1/utils.py:KLD",
        hostile=f"""{_SEARCH}
    for each in ours:
        if each.__name__ == "Gaussian":
            class Theirs:
                def __init__(self, mean, logvar):
                    pass
            shape = mean.shape
            rows = [part.reshape(-1, shape[-1]) for part in (mean, 2 * log_std)]
            return type("Lent", (each,), {{"theirs": Theirs}})(*rows).kl().reshape(shape[:-1])
""",
        control=f"""{_LIBRARY}
    posterior, prior = normal(mean, log_std.exp()), normal(0.0, 1.0)
    return torch.distributions.kl_divergence(posterior, prior).sum(dim=-1)
""",
    ),
]
