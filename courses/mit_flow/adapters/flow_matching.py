"""Adapter for the labs: a student's integrators, processes, probability paths, losses and guidance.

The hand-outs of 2025 and 2026 ask for the same classes in labs one and two. In lab three, the trainer of 2025 takes the
model and knows the null label, 10; that of 2026 takes the null label, and gets its model when it trains. The first
hand-out of 2026 builds its networks for MNIST alone: its images have one channel, those of the whole model 32² pixels.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from courses.mit_flow.adapters.labs import Labs
from gengrade.sandbox.guest.errors import Missing
from graders.adapting import sizes
from graders.adapting.calling import answered, call
from graders.adapting.loading import Modules

NULL_LABEL = 10  # of digits without a label, in the hand-out of 2025
CHANNELS = ("c", "c_in", "c_out")  # settings that the first hand-out of 2026 does not have
SIDE = 32  # of the images for which that hand-out's whole model is made
EARLIER = {"DiffusionTransformerFlowModel": "MNISTDiffusionTransformer"}  # names of classes in that hand-out


class FlowMatchingContract:
    """A student's labs as the probes use them. Methods raise Missing, or whatever the student's code raises.

    Points x and z are [B, d]. Times t are [] in lab one, [B, 1] in lab two, and [B, 1, 1, 1] or [B] in lab three.
    """

    def __init__(self, modules: Modules) -> None:
        self._labs = Labs(modules)

    # Lab one

    def euler(self, ode: Any) -> Any:
        """Return a new EulerSimulator."""
        return call(self._labs.find("one", "EulerSimulator"), {"ode": ode})

    def euler_maruyama(self, sde: Any) -> Any:
        """Return a new EulerMaruyamaSimulator."""
        return call(self._labs.find("one", "EulerMaruyamaSimulator"), {"sde": sde})

    def step(self, integrator: Any, x: Tensor, t: Tensor, h: Tensor) -> Any:
        """Return the points after a step of a simulator."""
        return _ask(integrator, "step", {"xt": x, "t": t, "h": h})

    def brownian_motion(self, sigma: float) -> Any:
        """Return a new BrownianMotion."""
        return call(self._labs.find("one", "BrownianMotion"), {"sigma": sigma})

    def ou_process(self, theta: float, sigma: float) -> Any:
        """Return a new OUProcess."""
        return call(self._labs.find("one", "OUProcess"), {"theta": theta, "sigma": sigma})

    def langevin(self, sigma: float, density: Any) -> Any:
        """Return a new LangevinSDE."""
        return call(self._labs.find("one", "LangevinSDE"), {"sigma": sigma, "density": density})

    def drift(self, process: Any, x: Tensor, t: Tensor) -> Any:
        """Return the drift coefficient of a process."""
        return _ask(process, "drift_coefficient", {"xt": x, "t": t})

    def diffusion(self, process: Any, x: Tensor, t: Tensor) -> Any:
        """Return the diffusion coefficient of a process."""
        return _ask(process, "diffusion_coefficient", {"xt": x, "t": t})

    # Lab two

    def alpha(self) -> Any:
        """Return a new LinearAlpha."""
        return self._labs.find("two", "LinearAlpha")()

    def beta(self) -> Any:
        """Return a new SquareRootBeta."""
        return self._labs.find("two", "SquareRootBeta")()

    def gaussian_path(self, p_data: Any, alpha: Any, beta: Any) -> Any:
        """Return a new GaussianConditionalProbabilityPath."""
        made = self._labs.find("two", "GaussianConditionalProbabilityPath")
        _set_global(made, p_data)
        return call(made, {"p_data": p_data, "alpha": alpha, "beta": beta})

    def linear_path(self, p_simple: Any, p_data: Any) -> Any:
        """Return a new LinearConditionalProbabilityPath."""
        made = self._labs.find("two", "LinearConditionalProbabilityPath")
        _set_global(made, p_data)
        return call(made, {"p_simple": p_simple, "p_data": p_data})

    def sample(self, path: Any, z: Tensor, t: Tensor) -> Any:
        """Draws from a path, given z."""
        return _ask(path, "sample_conditional_path", {"z": z, "t": t})

    def field(self, path: Any, x: Tensor, z: Tensor, t: Tensor) -> Any:
        """Return the conditional vector field of a path."""
        return _ask(path, "conditional_vector_field", {"x": x, "z": z, "t": t})

    def score(self, path: Any, x: Tensor, z: Tensor, t: Tensor) -> Any:
        """Return the conditional score of a path."""
        return _ask(path, "conditional_score", {"x": x, "z": z, "t": t})

    def flow_matching_trainer(self, path: Any, model: nn.Module) -> Any:
        """Return a new ConditionalFlowMatchingTrainer."""
        return call(self._labs.find("two", "ConditionalFlowMatchingTrainer"), {"path": path, "model": model})

    def score_matching_trainer(self, path: Any, model: nn.Module) -> Any:
        """Return a new ConditionalScoreMatchingTrainer."""
        return call(self._labs.find("two", "ConditionalScoreMatchingTrainer"), {"path": path, "model": model})

    def loss(self, trainer: Any, n: int) -> Any:
        """Return the loss of any of the labs' trainers for a batch of n."""
        return _ask(trainer, "get_train_loss", {"batch_size": n})

    def score_of_field(self, field: nn.Module, alpha: Any, beta: Any, x: Tensor, t: Tensor) -> Any:
        """Return what a ScoreFromVectorField gives for a field."""
        asked = {"vector_field": field, "alpha": alpha, "beta": beta}
        made = call(self._labs.find("two", "ScoreFromVectorField"), asked)
        return _ask(made, "forward", {"x": x, "t": t})

    # Lab three

    def guided_trainer(self, path: Any, model: nn.Module, eta: float, null_label: int) -> Any:
        """Return a new CFGTrainer, which drops labels with probability η."""
        made = self._labs.find("three", "CFGTrainer")
        asked = {"path": path, "model": model, "eta": eta}
        if _takes(made, "null_label"):
            asked["null_label"] = null_label
        if not _takes(made, "model"):
            del asked["model"]
        trainer = call(made, asked)
        if "model" not in asked:
            trainer.model = model
        return trainer

    def network(self, name: str, settings: dict[str, Any]) -> nn.Module:
        """Return a new network of that class. Early hand-outs ask for no channels, which are one then."""
        made = self._network(name)
        if not _takes_channels(made):
            settings = {key: value for key, value in settings.items() if key not in CHANNELS}
        network: nn.Module = call(made, settings)
        return network

    def image(self, name: str, channels: int, side: int) -> tuple[int, int]:
        """Return the channels and the side of images for a class: the wished ones, if it does not leave them fixed."""
        made = self._network(name)
        sized = name not in EARLIER or _takes_any(made) or _takes_size(made, "img_size", "side")
        return channels if _takes_channels(made) else 1, side if sized else SIDE

    def _network(self, name: str) -> Any:
        """Return the class of that name, or the one that an earlier hand-out calls otherwise."""
        try:
            return self._labs.find("three", name)
        except Missing:
            if name not in EARLIER:
                raise
            with suppress(Missing):
                return self._labs.find("three", EARLIER[name])
            raise

    def answer(self, network: nn.Module, inputs: dict[str, Tensor]) -> Any:
        """Return what a network gives. An encoder of times, or a field of points, may want the times as a column."""
        called = f"{type(network).__name__}.forward"
        try:
            return answered(call(network.forward, inputs), called)
        except (RuntimeError, IndexError) as error:
            points = inputs.get("x")
            if "t" not in inputs or (points is not None and points.dim() != 2):
                raise
            with suppress(RuntimeError, IndexError):
                return answered(call(network.forward, {**inputs, "t": inputs["t"][:, None]}), called)
            raise error

    def vae_loss(
        self, beta: float, z_mean: Tensor, z_logvar: Tensor, x_mean: Tensor, x_logvar: Tensor, x_true: Tensor
    ) -> Any:
        """Return the loss of a new VAE with this β."""
        asked = {"data_channels": x_true.shape[1], "hidden_channels": [16, 32], "beta": beta}
        model = call(self._labs.find("three", "VAE"), asked)
        numbers = {"z_mean": z_mean, "z_logvar": z_logvar, "x_mean": x_mean, "x_logvar": x_logvar, "x_true": x_true}
        return _ask(model, "compute_loss", numbers)

    def latent_trainer(
        self, data: Any, vae: nn.Module, path: Any, model: nn.Module, eta: float, null_label: int
    ) -> Any:
        """Return a new LatentCFGTrainer."""
        asked = {"mnist": data, "vae": vae, "path": path, "eta": eta, "null_label": null_label}
        trainer = call(self._labs.find("three", "LatentCFGTrainer"), asked)
        trainer.model = model
        return trainer

    def null_label(self, wished: int) -> int:
        """Return the wished label, where CFGTrainer takes one; otherwise that of the hand-out of 2025."""
        return wished if _takes(self._labs.find("three", "CFGTrainer"), "null_label") else NULL_LABEL


def _ask(thing: Any, name: str, asked: dict[str, Any]) -> Any:
    """Return what a method of the student's returns. Raises Missing if there is none, or if it returns None."""
    method: Callable[..., Any] | None = getattr(thing, name, None)
    called = f"{type(thing).__name__}.{name}"
    if method is None:
        raise Missing(f"there is no {called}")
    return answered(call(method, asked), called)


def _takes(made: Any, name: str) -> bool:
    """Return whether a class has a parameter of exactly that name; others may go on to its base class."""
    return name in inspect.signature(made).parameters


def _takes_size(made: Any, name: str, kind: str) -> bool:
    """Return whether a class has a parameter of that name, or another one for the same kind of size."""
    return any(each == name or sizes.kind_of(each) == kind for each in inspect.signature(made).parameters)


def _takes_channels(made: Any) -> bool:
    return _takes_any(made) or any(_takes_size(made, each, "channels") for each in CHANNELS)


def _takes_any(made: Any) -> bool:
    """Return whether a class takes arguments of any name."""
    return any(each.kind is each.VAR_KEYWORD for each in inspect.signature(made).parameters.values())


def _set_global(made: Any, p_data: Any) -> None:
    """Let the hand-out's sample_conditioning_variable find the data: it reads a global p_data, not self.p_data."""
    module = sys.modules.get(getattr(inspect.unwrap(made), "__module__", ""))
    if module is not None:
        vars(module)["p_data"] = p_data


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.flow_matching.interface import FlowMatching

    def _adapter(modules: Modules) -> FlowMatching:
        return FlowMatchingContract(modules)
