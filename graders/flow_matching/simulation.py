"""Checks of lab one: integrators of ODEs and SDEs on known processes, and the coefficients of the student's processes.

Left open by the hand-out, and decided for the student:
- any way of drawing standard normal noise is right;
- a coefficient that is the same everywhere may be a number, since it broadcasts; a small check of its own asks for the
  shape of x;
- an integrator may round like single precision.
"""

from __future__ import annotations

import numpy as np
import pytest

from gengrade.arrays import Array, Array32, Floats
from gengrade.grading import (
    Evidence,
    Passed,
    Rng,
    Show,
    Subject,
    assert_close,
    check,
    expect,
    fail,
    not_asked,
    probes,
)
from graders.common.statistics import ALPHA, GaussianFit, Independence, declare, in_turns
from graders.flow_matching.processes import AffineField, OrnsteinUhlenbeck

EULER, MARUYAMA = "flow_matching.euler", "flow_matching.euler_maruyama"
BROWNIAN, OU, LANGEVIN = "flow_matching.brownian_motion", "flow_matching.ou_process", "flow_matching.langevin"
PROCESSES = (BROWNIAN, OU, LANGEVIN)
DRIFTS = {  # for each process, a drift that has the shape of x
    "BrownianMotion": "torch.zeros_like(xt)",
    "OUProcess": "-self.theta * xt",
    "LangevinSDE": "0.5 * self.sigma**2 * self.density.score(xt)",
}
STEPS = (8, 16)  # in a trajectory, at least and less than
DRAWN, MOST_DRAWN = 1_000, 1_500  # points in a test of noise
FEW_STEPS = 600  # in a trajectory of one point, whose noise is judged by all steps together
SHOWN = 8  # trajectories in a figure
START = 2.0  # of the trajectories in a figure

STEP_NOISE = declare(MARUYAMA, "the noise of two steps", GaussianFit(2 * DRAWN, 2, ALPHA / 5))
OTHER_STEP = declare(MARUYAMA, "the noise of a step and of the next", Independence(DRAWN * 2, ALPHA / 5))
LAST = {
    theta: declare(MARUYAMA, f"points after some steps, θ = {theta:g}", GaussianFit(DRAWN, 2, ALPHA / 5))
    for theta in (0.0, 1.7)
}
OF_ONE = declare(MARUYAMA, "the noise of many steps of one point", GaussianFit(FEW_STEPS, 2, ALPHA / 5))


@check(EULER)
@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
def test_euler_steps(student: Subject, rng: Rng, show: Show, several: bool) -> None:
    """A step of EulerSimulator goes from x to x + h·u(x, t), and further steps go on from there.

    The field is known and depends on x and t, so that the points after any number of steps are exact. Euler 1768.
    """
    d, steps = rng.integer(2, 5), rng.integer(*STEPS) if several else 1
    x = rng.normal(rng.integer(SHOWN, 60) if several else 1, d)
    field, h = _field(rng, d), _size(rng, 0.04, 0.09)
    setting = {"matrix": field.matrix, "slope": field.slope}
    got = student.run(probes.flow_matching.simulation.euler, x=x, h=h, steps=steps, **setting)
    points = got.tensor("points", shape=(steps + 1, *x.shape), finite=False)
    right = field.euler(x, h, steps)
    if not np.allclose(points, right, rtol=1e-4, atol=1e-4):
        fail(_euler_words(points, right, field, h), expected=_first(right), got=_first(points))
    if several:
        _show_trajectories(points[:, :SHOWN], field, x, h, show)


@check(MARUYAMA)
def test_noise_of_a_step(student: Subject, rng: Rng) -> None:
    """A step of EulerMaruyamaSimulator adds h·u(x, t) and σ(x, t)·√h times new standard normal noise.

    Maruyama 1955. The drift and the diffusion coefficient are known and differ from point to point.
    """
    d = rng.integer(2, 5)
    field, x, h = _field(rng, d), rng.normal(rng.integer(DRAWN, MOST_DRAWN), d), _size(rng, 0.03, 0.3)
    # Far from 1, so that it can be told from its square and its root.
    noise = {"sigma": _size(rng, 1.5, 1.9), "weight": _size(rng, 0.6, 0.9)}
    setting = {"matrix": field.matrix, "slope": field.slope, "noise": noise}
    got = student.run(probes.flow_matching.simulation.euler_maruyama, x=x, h=h, steps=2, **setting)
    points = got.tensor("points", shape=(3, *x.shape))
    noises = [_noise(points, step, field, noise, h) for step in range(2)]
    _expect_noise(noises[0])
    correlation = OTHER_STEP.correlation(*noises)
    if correlation is not None:
        fail("two steps add the same noise: each step draws its own", got=f"a correlation of {correlation:.3f}")
    problem = STEP_NOISE.problem(in_turns(*noises))
    expect(problem is None, f"(x' − x − h·u)/(σ√h) is not drawn from N(0, I): {problem}")


@check(MARUYAMA)
def test_noise_of_one_point(student: Subject, rng: Rng) -> None:
    """A single point gets new noise in each of many steps, as the points of a large batch do."""
    process = OrnsteinUhlenbeck(_size(rng, 0.5, 1.5), _size(rng, 1.5, 1.9), _size(rng, 0.1, 0.2))
    field = AffineField(-np.float32(process.theta) * np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    noise = {"sigma": process.sigma, "weight": 0.0}
    inputs = {"matrix": field.matrix, "slope": field.slope, "noise": noise, "h": process.h, "steps": FEW_STEPS}
    got = student.run(probes.flow_matching.simulation.euler_maruyama, x=rng.normal(1, 2), **inputs)
    points = got.tensor("points", shape=(FEW_STEPS + 1, 1, 2))
    noises = np.concatenate([_noise(points, step, field, noise, process.h) for step in range(FEW_STEPS)])
    _expect_noise(noises)
    problem = OF_ONE.problem(noises)
    expect(problem is None, f"the noise of the steps of a single point is not drawn from N(0, I): {problem}")


@check(MARUYAMA)
@pytest.mark.parametrize("theta", sorted(LAST), ids=["Brownian motion", "Ornstein–Uhlenbeck"])
def test_moments_after_steps(student: Subject, rng: Rng, show: Show, theta: float) -> None:
    """After several steps, points have the mean and the variance that follow for this step size.

    For dX = −θX dt + σ dW they are known for every step size h: qⁿx₀ and σ²h(1 − q²ⁿ)/(1 − q²) with q = 1 − θh.
    """
    process, steps = OrnsteinUhlenbeck(theta, _size(rng, 1.6, 2.2), _size(rng, 0.1, 0.2)), rng.integer(*STEPS)
    x = np.tile(np.array([START, -3.0], np.float32), (rng.integer(DRAWN, MOST_DRAWN), 1))
    noise = {"sigma": process.sigma, "weight": 0.0}
    drift = {"matrix": -theta * np.eye(2, dtype=np.float32), "slope": np.zeros(2, np.float32)}
    got = student.run(
        probes.flow_matching.simulation.euler_maruyama, x=x, h=process.h, steps=steps, noise=noise, **drift
    )
    points = got.tensor("points", shape=(steps + 1, *x.shape))
    _show_process(points, process, show)
    _expect_noise(points[-1] - process.mean(x, steps))
    problem = LAST[theta].problem((points[-1] - process.mean(x, steps)) / process.std(steps))
    expect(problem is None, f"after {steps} steps the points are not distributed as they should be: {problem}")


@check(BROWNIAN)
def test_brownian_motion(student: Subject, rng: Rng) -> None:
    """BrownianMotion has no drift, and the diffusion coefficient σ."""
    x, t, sigma = _somewhere(rng)
    got = student.run(probes.flow_matching.simulation.brownian_motion, x=x, t=t, sigma=sigma)
    _judge_process(got, np.zeros(x.shape), sigma, "it is 0")


@check(OU)
def test_ou_process(student: Subject, rng: Rng) -> None:
    """OUProcess has the drift −θx and the diffusion coefficient σ."""
    x, t, sigma = _somewhere(rng)
    theta = float(rng.uniform(0.4, 0.8, 1)[0])
    got = student.run(probes.flow_matching.simulation.ou_process, x=x, t=t, theta=theta, sigma=sigma)
    _judge_process(got, -theta * x, sigma, "it is −θx")


@check(LANGEVIN)
def test_langevin(student: Subject, rng: Rng) -> None:
    """LangevinSDE has the drift ½σ²·∇log p(x) and the diffusion coefficient σ, for any density p."""
    x, t, sigma = _somewhere(rng)
    mean, precision = rng.normal(x.shape[1]), rng.uniform(0.4, 2.5, x.shape[1])
    setting = {"mean": mean, "precision": precision, "sigma": sigma}
    got = student.run(probes.flow_matching.simulation.langevin, x=x, t=t, **setting)
    _judge_process(got, 0.5 * sigma**2 * precision * (mean - x), sigma, "it is ½σ²·density.score(x)")


@check("flow_matching.coefficient_shapes", leaves_to=PROCESSES)
@pytest.mark.parametrize("which", PROCESSES, ids=list(DRIFTS))
def test_shapes_of_coefficients(student: Subject, rng: Rng, passed: Passed, which: str) -> None:
    """Coefficients of processes have the shape of x, one number for each coordinate."""
    x, t, sigma = _somewhere(rng)
    ones = np.ones(x.shape[1], np.float32)
    if which == BROWNIAN:
        got = student.run(probes.flow_matching.simulation.brownian_motion, x=x, t=t, sigma=sigma)
    elif which == OU:
        got = student.run(probes.flow_matching.simulation.ou_process, x=x, t=t, theta=0.5, sigma=sigma)
    else:
        setting = {"mean": ones, "precision": ones, "sigma": sigma}
        got = student.run(probes.flow_matching.simulation.langevin, x=x, t=t, **setting)
    if not passed(which):
        not_asked("the process has wrong coefficients", unless=(which,))
    name = dict(zip(PROCESSES, DRIFTS, strict=True))[which]
    for coefficient, like in (("drift", DRIFTS[name]), ("diffusion", "torch.full_like(xt, self.sigma)")):
        shape = got.shape(coefficient)
        expect(
            shape == x.shape,
            f"the {coefficient} coefficient of {name} should have the shape of x, such as {like}",
            expected=f"shape {list(x.shape)}",
            got=f"shape {list(shape)}" if shape else "a single number",
        )


def _field(rng: Rng, d: int) -> AffineField:
    return AffineField(0.7 * rng.normal(d, d), rng.normal(d))


def _size(rng: Rng, low: float, high: float) -> float:
    """Return a random number that single precision holds exactly."""
    return float(rng.uniform(low, high, 1)[0])


def _somewhere(rng: Rng) -> tuple[Array32, float, float]:
    """Return more points than they have coordinates, a time, and a σ that differs from its square and from 1."""
    return rng.normal(rng.integer(6, 40), rng.integer(2, 5)), _size(rng, 0.2, 0.8), _size(rng, 1.3, 1.9)


def _noise(points: Array, step: int, field: AffineField, noise: dict[str, float], h: float) -> Array:
    """Return the noise [B, d] of a step, in units of σ√h."""
    before = points[step]
    mean = before + h * field(before, step * h)
    spread = noise["sigma"] * (1 + noise["weight"] * np.abs(before)) * np.sqrt(h)
    return np.asarray((points[step + 1] - mean) / spread)


def _expect_noise(noise: Array) -> None:
    expect(
        float(np.abs(noise).max()) > 1e-3,
        "a step of EulerMaruyamaSimulator adds no noise: add σ(x, t)·√h times torch.randn_like(xt)",
    )


def _euler_words(points: Array, right: Array, field: AffineField, h: float) -> str:
    """Return a message for the student about wrong steps, which names the mistake if it is a common one."""
    start, step, drift = right[0], points[1] - right[0], field(right[0], 0.0)
    guesses = {
        "the step is not scaled by h: it is h·u(x, t)": drift,
        "the step goes backwards: add h·u(x, t)": -h * drift,
        "the drift is taken at t + h: Euler's method takes it at t": h * field(start, h),
        "a step does not move the points: add h·u(x, t)": 0 * drift,
        "only the step is returned: return x + h·u(x, t)": h * drift - start,
    }
    for words, guess in guesses.items():
        if np.allclose(step, guess, rtol=1e-3, atol=1e-4):
            return words
    return "a step is not x + h·u(x, t)"


def _first(points: Array) -> str:
    return f"{np.array2string(points[1][0], precision=4)} after the first step"


def _judge_process(got: Evidence, drift: Floats, sigma: float, hint: str) -> None:
    """Fail unless a process has this drift [B, d] and the constant diffusion coefficient, in both calls."""
    rights = {"drift": (drift, hint), "diffusion": (np.full(drift.shape, sigma), "it is σ, and holds no noise")}
    for name, (right, words) in rights.items():
        value = _broadcast(got[name], drift.shape, f"the {name} coefficient")
        again = _broadcast(got[f"second_{name}"], drift.shape, f"the {name} coefficient")
        expect(
            np.allclose(value, again, rtol=1e-5, atol=1e-6),
            f"the {name} coefficient is another one in each call, but it is no random number: the integrator draws the "
            "noise",
        )
        assert_close(value, right, rtol=1e-3, atol=1e-5, what=f"the {name} coefficient", hint=words)


def _broadcast(value: Evidence, shape: tuple[int, ...], what: str) -> Array:
    """Return a coefficient in the shape of x; fail one that cannot be broadcast to it."""
    given = value.shape()
    fits = len(given) <= len(shape) and all(
        have in (1, want) for have, want in zip(reversed(given), reversed(shape), strict=False)
    )
    expect(
        fits,
        f"{what} should have the shape of x",
        expected=f"shape {list(shape)}",
        got=f"shape {list(given)}",
    )
    return np.asarray(np.broadcast_to(value.tensor(shape=given), shape))


def _show_trajectories(points: Array, field: AffineField, x: Array32, h: float, show: Show) -> None:
    times = [step * h for step in range(len(points))]
    exact = field.solution(x, h, len(points) - 1)
    curves = {}
    for index in range(3):
        curves[f"yours, point {index + 1}"] = (times, points[:, index, 0].tolist())
        curves[f"exact, point {index + 1}"] = (times, exact[:, index, 0].tolist())
    show.curves(
        "Your Euler steps and the exact solution of the same ODE: the first coordinate of three points",
        curves,
        xlabel="t",
        ylabel="x",
        alt="Trajectories of Euler's method beside the exact ones, from which they depart slowly",
    )


def _show_process(points: Array, process: OrnsteinUhlenbeck, show: Show) -> None:
    times = [step * process.h for step in range(len(points))]
    paths = {f"path {index + 1}": (times, points[:, index, 0].tolist()) for index in range(4)}
    mean = np.array([process.mean(points[0, 0], step)[0] for step in range(len(points))])
    spread = np.array([process.std(step) for step in range(len(points))])
    for name, sign in (("mean + 2 std", 2), ("mean − 2 std", -2)):
        paths[f"exact {name}"] = (times, (mean + sign * spread).tolist())
    what = "Brownian motion" if process.theta == 0 else "an Ornstein–Uhlenbeck process"
    show.curves(
        f"Your Euler–Maruyama steps for {what}, and the exact spread for this step size",
        paths,
        xlabel="t",
        ylabel="x",
        alt=f"Four random paths of {what}, most of them between two curves at two standard deviations from the mean",
    )
    _show_last(points[-1, :, 0], process, len(points) - 1, show)


def _show_last(last: Array, process: OrnsteinUhlenbeck, steps: int, show: Show) -> None:
    """Show the density of the last points [B] beside the exact ones, for this step size and for none."""
    time, reach = steps * process.h, 4 * process.std(steps)
    mean = float(process.mean(np.array(START), steps))
    edges = np.linspace(mean - reach, mean + reach, 41)
    centres = (edges[1:] + edges[:-1]) / 2
    found = np.histogram(last, bins=edges)[0] / len(last) / (edges[1] - edges[0])
    laws = {
        "exact, for this step": (mean, process.std(steps)),
        "exact, for the process": (START * np.exp(-process.theta * time), process.exact_std(time)),
    }
    curves = {"yours": (centres.tolist(), found.tolist())}
    for name, (centre, std) in laws.items():
        density = np.exp(-0.5 * ((centres - centre) / std) ** 2) / (std * np.sqrt(2 * np.pi))
        curves[name] = (centres.tolist(), density.tolist())
    show.curves(
        f"The density of the points after {steps} steps",
        curves,
        xlabel="x",
        ylabel="density",
        alt="A histogram beside two normal densities: one for this step size, and one for the process itself",
    )
