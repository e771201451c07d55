"""Normalizing flows on a toy problem: densities, the invertible map, its log-determinant, the loss.

Left open by the hand-out, and decided for the student:
- samples of the mixture may come in any order, and exactly half of them from each mode;
- the mixture's log-density may round to −∞ far from both modes (only log-sum-exp avoids that), so no point lies there.

What a training does with these is judged in `flow_training`.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from gengrade.grading import Evidence, Rng, Subject, UpTo, assert_close, check, expect, fail, probes
from graders.common.statistics import ALPHA, GaussianFit, Mass, Share, Strays, declare
from graders.flow.densities import ROUNDING, WIDEST, Mixture, Plane, density_of, log_gaussian

Array = NDArray[np.floating]

DRAWS = 10_000  # of a sampler
MOST_LAYERS = 1_000  # of a model of FLOWS couplings, permutations and all else among them
FEW = 5  # an odd number of them
FLOWS = 4  # layers of an untrained model
STIR = 0.3  # how far noise on its parameters moves the points, on average
MODELS = 8  # untrained models whose mass is asked for
REACH = 1.5  # the points that it is asked about lie between −REACH and REACH
NEAR = 1e-3  # of a float32 round trip
FAR = 20.0  # up to where float32 can tell where a point came from
FLAT = 1e-3  # of a map that is affine, but for rounding
HALF = 0.5  # of the points, at least, must stay within
PLANE = Plane(cells=120)
CENTRE = 5.0  # how far from the axes the first points lie, which diagnoses look at

GAUSSIAN = {
    d: declare("flow.gaussian_sample", f"samples in {d} dimensions", GaussianFit(DRAWS, d, ALPHA / 2)) for d in (2, 5)
}
# The mixture's check has two cases, in 2 and in 3 dimensions, and each has four tests.
STRAYS = {d: declare("flow.bimodal_sample", f"samples in {d} dimensions", Strays(DRAWS * d, ALPHA / 8)) for d in (2, 3)}
MODES = declare("flow.bimodal_sample", "the mode of a sample", Share(DRAWS, 0.5, ALPHA / 8), cases=2)
MEMBERS = {
    d: declare("flow.bimodal_sample", f"a mode's samples in {d} dimensions", fit, cases=2)
    for d, fit in ((d, GaussianFit(DRAWS // 2, d, ALPHA / 8)) for d in (2, 3))
}
# Where a kink of an activation (ReLU's) lies between neighbours, differences are no derivatives: at 3 of 10,000 points
# of ReLU layers, and at none of smooth ones.
KINKS = declare("flow.log_det", "kinks of the layers' networks near a point", Share(100, 0.02, ALPHA / 4), cases=4)
MASS = declare("flow.normalised", "points of integration", Mass(PLANE.cells**2, 3e-4, ALPHA / MODELS), cases=MODELS)


def random_gaussian(rng: Rng, d: int) -> tuple[Array, Array]:
    """A mean and a standard deviation, [d] each; the latter far enough from 1 to tell it from its square."""
    below = rng.uniform(0.3, 0.6, d)
    return 2 * rng.normal(d).astype(np.float64), np.where(rng.bits(d) > 0, below, 1 / below)


def random_mixture(rng: Rng, d: int) -> Mixture:
    """Two modes at least 24 standard deviations apart, so that it is plain which of them a sample comes from."""
    sigmas = rng.uniform(0.2, 0.6, 2, d)
    direction = rng.uniform(1, 2, d) * (2 * rng.bits(d) - 1)
    centre = rng.normal(d)
    away = 12 * sigmas.max() * direction
    return Mixture(mus=np.stack([centre + away, centre - away]).astype(np.float64), sigmas=sigmas.astype(np.float64))


def float32(*arrays: Array) -> list[NDArray[np.float32]]:
    """What a student's default tensors would be."""
    return [array.astype(np.float32) for array in arrays]


# The densities


@check("flow.gaussian_log_prob")
@pytest.mark.parametrize("shape", [(64, 2), (6, 7, 2), (32, 5)])
def test_gaussian_log_density(student: Subject, rng: Rng, shape: tuple[int, ...]) -> None:
    """The log-density of a diagonal Gaussian, summed over the last dimension.

    log N(x; μ, σ²) = Σ −½((x − μ)/σ)² − log σ − ½ log 2π, with σ a standard deviation.
    """
    mu, sigma = random_gaussian(rng, shape[-1])
    x = mu + 1.5 * sigma * rng.normal(*shape)
    mu32, sigma32, x32 = float32(mu, sigma, x)
    got = student.run(probes.flow.gaussian_log_prob, mu=mu32, sigma=sigma32, x=x32)
    assert_log_density(
        got,
        log_gaussian(x32.astype(np.float64), mu32, sigma32),
        x32,
        "sigma is a standard deviation; the terms −log σ and −½ log 2π count once for each dimension",
    )


@check("flow.bimodal_log_prob")
@pytest.mark.parametrize("shape", [(64, 2), (6, 7, 2), (32, 4)])
def test_bimodal_log_density(student: Subject, rng: Rng, shape: tuple[int, ...]) -> None:
    """The log-density of an equal mixture of two diagonal Gaussians.

    log(½ N₁(x) + ½ N₂(x)), about modes that overlap and at points around both.
    """
    sigmas = rng.uniform(0.4, 0.9, 2, shape[-1])
    mixture = Mixture(mus=rng.uniform(-1, 1, 2, shape[-1]).astype(np.float64), sigmas=sigmas.astype(np.float64))
    x = mixture.sample(rng, int(np.prod(shape[:-1]))).reshape(shape)
    mus32, sigmas32, x32 = float32(mixture.mus, mixture.sigmas, x)
    got = student.run(probes.flow.bimodal_log_prob, mus=mus32, sigmas=sigmas32, x=x32)
    assert_log_density(
        got,
        mixture.log_prob(x32.astype(np.float64)),
        x32,
        "it is log(½·N₁(x) + ½·N₂(x)), where N₁ and N₂ are densities and not their logarithms",
    )


def assert_log_density(got: Evidence, expected: Array, x: NDArray[np.float32], hint: str) -> None:
    shape = got.shape("log_prob")
    if shape == x.shape:
        fail(
            "log_prob keeps the last dimension: sum over it, so that there is one log-density for each vector",
            expected=f"shape {list(expected.shape)}",
            got=f"shape {list(shape)}",
        )
    assert_close(
        got["log_prob"],
        expected,
        atol=1e-3,
        what="the log-density",
        hint=hint,
    )
    assert_close(got["x"], x, rtol=0, atol=0, what="x after log_prob", hint="log_prob must not write into its argument")


@check("flow.gaussian_sample")
@pytest.mark.parametrize("d", GAUSSIAN)
def test_gaussian_samples(student: Subject, rng: Rng, d: int) -> None:
    """Samples of a diagonal Gaussian: mean, spread, shape and independence."""
    mu, sigma = random_gaussian(rng, d)
    mu32, sigma32 = float32(mu, sigma)
    got = student.run(probes.flow.gaussian_sample, mu=mu32, sigma=sigma32, n=DRAWS)
    samples = got.tensor("samples", shape=(DRAWS, d))
    problem = GAUSSIAN[d].problem((samples - mu32) / sigma32)
    expect(
        problem is None,
        f"The samples do not fit the Gaussian: {problem}. A sample is mu + sigma · noise, noise ~ N(0, 1)",
    )
    assert_calls_differ(got)


@check("flow.bimodal_sample")
@pytest.mark.parametrize("d", MEMBERS)
def test_bimodal_samples(student: Subject, rng: Rng, d: int) -> None:
    """Samples of the mixture: half of them from each mode, and those of a mode fit its Gaussian."""
    mixture = random_mixture(rng, d)
    mus, sigmas = float32(mixture.mus, mixture.sigmas)
    few = student.run(probes.flow.bimodal_sample, mus=mus, sigmas=sigmas, n=FEW).shape("samples")
    expect(
        few == (FEW, d),
        "sample(n) does not give n samples where n is odd: toss a coin for each of them",
        expected=f"shape {[FEW, d]}",
        got=f"shape {list(few)}",
    )
    got = student.run(probes.flow.bimodal_sample, mus=mus, sigmas=sigmas, n=DRAWS)
    samples = got.tensor("samples", shape=(DRAWS, d))
    standardised = (samples[:, None] - mus) / sigmas  # [DRAWS, 2, d]
    distance = np.abs(standardised).max(axis=2)
    mode = distance.argmin(axis=1)
    strays = float(np.mean(distance.min(axis=1) > STRAYS[d].bound))
    expect(
        strays == 0,
        f"{strays:.0%} of the samples lie near neither mode: each sample belongs to one of the two Gaussians",
    )
    share = float(np.mean(mode == 0))
    low, high = MODES.bounds
    expect(
        low <= share <= high,
        "The two modes are not equally likely: toss a fair coin for each sample",
        expected="about 50 % of the samples from each mode",
        got=f"{share:.1%} from the first mode",
    )
    for index, name in enumerate(("first", "second")):
        problem = MEMBERS[d].problem(standardised[mode == index, index])
        expect(problem is None, f"The samples of the {name} mode do not fit its Gaussian: {problem}")
    assert_calls_differ(got)


def assert_calls_differ(got: Evidence) -> None:
    calls = [call.tensor() for call in got.list("calls")]
    repeated = [np.array_equal(first, second) for first, second in itertools.pairwise(calls)]
    expect(sum(repeated) < len(repeated) / 2, "Every call of sample gives the same points: do not set a seed in it")


# The map


@check("flow.invertible")
@pytest.mark.parametrize("dim", [2, 4])
def test_inverse_undoes_the_transformation(student: Subject, rng: Rng, dim: int) -> None:
    """transform and its inverse undo each other, in either order."""
    x = rng.uniform(-REACH, REACH, 200, dim)
    got = student.run(probes.flow.round_trip, x=x, num_flows=FLOWS, stir=STIR)
    kept = {}
    for name, there in (("forward", "transform(z)"), ("backward", "transform(z, inverse=True)")):
        image = got.tensor(name, shape=x.shape, finite=False)
        kept[name] = is_near(image)
        expect(
            float(kept[name].mean()) > HALF,
            f"{there} sends most points beyond ±{FAR:g}, or to what is no number",
            got=f"{int(kept[name].sum())} of {len(x)} points are within",
        )
        moved = np.abs(image - x)[kept[name]].max(axis=0).tolist()  # of each element
        expect(max(moved) > 0.01, f"{there} leaves every point where it is: apply all layers, one after the other")
        expect(
            min(moved) > 1e-4,
            f"{there} never moves element {moved.index(min(moved))} of a point: the layers' masks alternate, "
            "and all layers are applied",
        )
        expect(
            curvature(x[kept[name]], image[kept[name]]) > FLAT,
            f"{there} is an affine map: the layers' networks need an activation function",
        )
    hint = "the inverse applies the layers in reverse order, each with inverse=True"
    for name, way, what in (
        ("forward", "forward_and_back", "inverse(transform(x))"),
        ("backward", "backward_and_forth", "transform(inverse(z))"),
    ):
        back = got.tensor(way, shape=x.shape, finite=False)
        assert_close(back[kept[name]], x[kept[name]], rtol=NEAR, atol=NEAR, what=what, hint=hint)


def curvature(x: Array, image: Array) -> float:
    """How far the images [n, d] of the points [n, d] are from those of the affine map that is nearest to them."""
    affine = np.column_stack([x, np.ones(len(x))]).astype(np.float64)
    nearest, *_ = np.linalg.lstsq(affine, image, rcond=None)
    return float(np.abs(image - affine @ nearest).max())


def is_near(image: Array) -> NDArray[np.bool_]:
    """Of each point, whether a way back can be asked for.

    Scales multiply from layer to layer: of a point that is driven far out, float32 has forgotten where it was.
    """
    return np.asarray(np.abs(image).max(axis=1) <= FAR)


@check("flow.log_det")
@pytest.mark.parametrize("dim", [2, 4])
@pytest.mark.parametrize("inverse", [False, True])
def test_log_determinant(student: Subject, rng: Rng, dim: int, inverse: bool) -> None:
    """The log-determinant that transform returns is that of its Jacobian, by central differences.

    ∂f_j/∂x_i ≈ (f_j(x + h·e_i) − f_j(x − h·e_i)) / 2h, to an error of the order h² plus the rounding over h. A few
    points may differ, for kinks.
    """
    step, coarse_step, n = 1e-5, 2e-3, KINKS.draws
    x = rng.uniform(-REACH, REACH, n, dim)
    inputs = {"num_flows": FLOWS, "stir": STIR, "inverse": inverse, "step": step, "coarse_step": coarse_step}
    got = student.run(probes.flow.neighbours, x=x, **inputs)
    double = got.flag("double")
    h, tolerance = (step, 1e-4) if double else (coarse_step, 2e-2)
    after, before = (got.tensor(name, shape=(dim, n, dim)) for name in ("after", "before"))
    jacobian = np.moveaxis((after - before) / (2 * h), 0, 1)
    _, expected = np.linalg.slogdet(jacobian)
    expect(
        bool(np.isfinite(expected).all()),
        "The transformation is not invertible: the Jacobian's determinant is zero",
    )
    log_det = got.tensor("log_det", finite=False)
    if log_det.shape == expected.shape:
        near = np.abs(log_det - expected) <= tolerance * (1 + np.abs(expected))
        if float(np.mean(~near)) <= KINKS.bounds[1]:
            return
    assert_close(
        log_det,
        expected,
        rtol=tolerance,
        atol=tolerance,
        what="log_det of the inverse" if inverse else "log_det",
        hint="every layer adds its own log-determinant to the log_det that it is given; the inverse's is the negative",
    )


@check("flow.nll")
def test_negative_log_likelihood(student: Subject, rng: Rng) -> None:
    """The loss is −(log p_z(f(x)) + log |det ∂f/∂x|) for each point, and its gradient reaches every layer.

    Change of variables, equation 23 of the practical; p_z and the two parts are known from the same model.
    """
    mu, sigma = (value.astype(np.float64) for value in float32(*random_gaussian(rng, 2)))
    x = rng.uniform(-REACH, REACH, 100, 2)
    inputs = {"mu": mu.astype(np.float32), "sigma": sigma.astype(np.float32), "num_flows": FLOWS, "stir": STIR}
    got = student.run(probes.flow.nll, x=x, **inputs)
    expected = -(log_gaussian(got.tensor("z", shape=(100, 2)), mu, sigma) + got.tensor("log_det", shape=(100,)))
    if got.shape("nll") == ():
        fail("forward returns one number for the whole batch: return the loss of each point", expected="shape [100]")
    assert_close(
        got["nll"],
        expected,
        atol=1e-3,
        what="the negative log-likelihood",
        hint="nll = −(base_density.log_prob(z) + log_det) with z, log_det = transform(x)",
    )
    expect(got.flag("trainable"), "The loss does not depend on the model's parameters: nothing can be learned from it")
    idle = int(got.tensor("idle", shape=(UpTo(MOST_LAYERS),)).sum())
    expect(idle == 0, f"{idle} of the model's layers get no gradient from the loss: every layer takes part in the map")
    expect(
        not got.number("off", finite=False) > 1e-3,
        "The loss's gradient is not that of its two parts: leave both in the graph, without detach, item or data",
    )


@check("flow.no_side_effects")
def test_callers_tensor_survives(student: Subject, rng: Rng) -> None:
    """transform and forward leave the tensor that they are given as it was."""
    x = rng.uniform(-REACH, REACH, 50, 2)
    got = student.run(probes.flow.side_effects, x=x, num_flows=FLOWS, stir=STIR)
    calls = {"forward": "model(x)", "transform": "transform(x)", "inverse": "transform(x, inverse=True)"}
    for name, call in calls.items():
        changed = not np.array_equal(got.tensor(name, shape=x.shape, finite=False), x.astype(np.float64))
        expect(
            not changed,
            f"{call} changes the caller's x: the coupling layers write into their input, so give them a z.clone()",
        )


@check("flow.normalised")
def test_density_has_mass_one(student: Subject, rng: Rng) -> None:
    """The model's density has mass 1: exp(−loss), integrated over the plane by stratified random points.

    For several models, since a wrong determinant may leave the mass of one where it is.
    """
    points = PLANE.draw(rng)
    order = rng.choice(len(points), len(points))
    order = order[np.argsort(np.abs(points[order]).max(axis=1) > CENTRE, kind="stable")]
    base = {"mu": np.zeros(2, np.float32), "sigma": np.full(2, 0.5, np.float32)}
    got = student.run(
        probes.flow.stirred_densities,
        points=points[order].astype(np.float32),
        **base,
        num_flows=FLOWS,
        stir=STIR,
        models=MODELS,
        few=300,
    )
    claims = np.empty((MODELS, len(points)))
    claims[:, order] = got.tensor("log_densities", shape=claims.shape, finite=False)
    for claim in claims:
        mass, error = PLANE.integral(points, density_of(claim))
        tolerance = min(MASS.tolerance(error) + ROUNDING, WIDEST)
        expect(
            abs(mass - 1) <= tolerance,
            "The density does not integrate to 1: look at the log-determinant's sign and at what the loss adds up",
            expected=f"1 ± {tolerance:.2g}",
            got=f"{mass:.4g}",
        )
