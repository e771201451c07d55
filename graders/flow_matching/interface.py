"""What the probes of flow matching ask an adapter for, as `package.flow_matching`.

An adapter has the methods that its rubric's checks need, group by group. Points x and z are [B, d]. A process is any
object with drift_coefficient(xt, t) and diffusion_coefficient(xt, t); a path has p_data, sample_conditional_path(z, t),
conditional_vector_field(x, z, t) and conditional_score(x, z, t); a schedule α or β is called with t, and has dt(t). A
method raises Missing, or whatever the student's code raises. A result of type Any is what the student's code gave: its
docstring says what a right one is. Only a type checker reads this file.
"""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn


class Simulation(Protocol):
    """Integrators and processes. Times t and steps h are tensors of shape ()."""

    def euler(self, ode: Any) -> Any:
        """Return a new integrator of a process by Euler's method."""

    def euler_maruyama(self, sde: Any) -> Any:
        """Return a new integrator of a process by the Euler–Maruyama method."""

    def step(self, integrator: Any, x: Tensor, t: Tensor, h: Tensor) -> Any:
        """Return the points [B, d] after a step of an integrator from t to t + h."""

    def brownian_motion(self, sigma: float) -> Any:
        """Return a new process dX = σ dW."""

    def ou_process(self, theta: float, sigma: float) -> Any:
        """Return a new process dX = −θX dt + σ dW."""

    def langevin(self, sigma: float, density: Any) -> Any:
        """Return a new process that keeps `density`, an object with score(x) and log_density(x)."""

    def drift(self, process: Any, x: Tensor, t: Tensor) -> Any:
        """Return the drift of the student's process: [B, d], or what broadcasts to it."""

    def diffusion(self, process: Any, x: Tensor, t: Tensor) -> Any:
        """Return the diffusion coefficient of the student's process: [B, d], or what broadcasts to it."""


class Paths(Protocol):
    """Schedules, conditional probability paths, and losses. Times t are [B, 1]."""

    def alpha(self) -> Any:
        """Return a new schedule α(t) = t."""

    def beta(self) -> Any:
        """Return a new schedule β(t) = √(1 − t)."""

    def gaussian_path(self, p_data: Any, alpha: Any, beta: Any) -> Any:
        """Return a new path N(α(t)z, β(t)²I). p_data has sample(n) and dim."""

    def linear_path(self, p_simple: Any, p_data: Any) -> Any:
        """Return a new path (1 − t)x₀ + tz with x₀ of p_simple. Both arguments have sample(n) and dim."""

    def sample(self, path: Any, z: Tensor, t: Tensor) -> Any:
        """Draws [B, d] from the student's path, given z."""

    def field(self, path: Any, x: Tensor, z: Tensor, t: Tensor) -> Any:
        """Return the conditional vector field [B, d] of the student's path."""

    def score(self, path: Any, x: Tensor, z: Tensor, t: Tensor) -> Any:
        """Return the conditional score [B, d] of the student's path."""

    def flow_matching_trainer(self, path: Any, model: nn.Module) -> Any:
        """Return a new trainer, whose losses compare the model with the conditional vector field."""

    def score_matching_trainer(self, path: Any, model: nn.Module) -> Any:
        """Return a new trainer, whose losses compare the model with the conditional score."""

    def loss(self, trainer: Any, n: int) -> Any:
        """Return a trainer's loss of a new batch of n: a number with its graph."""

    def score_of_field(self, field: nn.Module, alpha: Any, beta: Any, x: Tensor, t: Tensor) -> Any:
        """Return the score [B, d] that belongs to a vector field of a Gaussian path."""


class Guidance(Protocol):
    """Classifier-free guidance. Points have any shape [B, …], labels are int64 [B]."""

    def guided_trainer(self, path: Any, model: nn.Module, eta: float, null_label: int) -> Any:
        """Return a new trainer, in whose batches a label is replaced by the null label with probability η."""

    def loss(self, trainer: Any, n: int) -> Any:
        """Return a trainer's loss of a new batch of n: a number with its graph."""

    def null_label(self, wished: int) -> int:
        """Return the label that stands for none: the wished one, where the trainer takes one as an argument."""


class Networks(Protocol):
    """A transformer as the vector field, and guidance in the latent space of an autoencoder, as in 2026."""

    def network(self, name: str, settings: dict[str, Any]) -> nn.Module:
        """Return a new network of the class that the hand-out calls `name`, with these settings."""

    def image(self, name: str, channels: int, side: int) -> tuple[int, int]:
        """Return the channels and the side of the images that a class's networks are for: as wished, where it is free.

        An early hand-out builds its networks for images of one channel, and of one size.
        """

    def answer(self, network: nn.Module, inputs: dict[str, Tensor]) -> Any:
        """Return what a network gives for x [B, …] and, if it takes them, times t [B], labels y [B] and c [B, dim]."""

    def vae_loss(
        self, beta: float, z_mean: Tensor, z_logvar: Tensor, x_mean: Tensor, x_logvar: Tensor, x_true: Tensor
    ) -> Any:
        """Return the loss of an autoencoder with this β; both logarithms of variances are tensors of shape []."""

    def latent_trainer(
        self, data: Any, vae: nn.Module, path: Any, model: nn.Module, eta: float, null_label: int
    ) -> Any:
        """Return a new trainer on latents. data has sample(n), and vae encode(x), a mean and a logvar."""

    def loss(self, trainer: Any, n: int) -> Any:
        """Return a trainer's loss of a new batch of n: a number with its graph."""


class FlowMatching(Simulation, Paths, Guidance, Networks, Protocol):
    """All that the family's probes ask for."""


class FlowMatchingPackage(Protocol):
    """A submission as the family's probes see it."""

    @property
    def flow_matching(self) -> FlowMatching:
        """The adapter of that part."""
