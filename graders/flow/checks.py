"""Checks of a normalizing flow on a toy problem: densities, the invertible map, its log-determinant and the loss.

Where the hand-out is silent, the student is free:
- samples of the mixture may come in any order, and exactly half of them may come from each mode;
- the mixture's log-density may round to −∞ far from both modes (only log-sum-exp avoids that), so no test point lies
  there.

`graders.flow.training` judges the training.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from gengrade.arrays import Array32, Floats
from gengrade.grading import Evidence, Mismatch, Passed, Rng, Subject, UpTo, assert_close, check, expect, fail, probes
from graders.common.statistics import ALPHA, GaussianFit, Mass, Share, Strays, declare
from graders.flow.densities import FAR, ROUNDING, WIDEST, Mixture, Plane, density_of, is_near, log_gaussian
from graders.flow.sizes import MOST_LAYERS

DRAWS = 10_000  # samples that a distribution is asked for
FEW = 5  # an odd number of samples
CALLS, SMALL = 100, 8  # number and size of small samples; must equal CALLS and FEW of `graders.flow.probes`
FLOWS = 4  # coupling layers of an untrained model
STIR = 0.3  # average distance by which random parameters of an untrained model move the points
MODELS = 8  # untrained models whose mass is computed
REACH = 1.5  # coordinates of the test points lie between −REACH and REACH
NEAR = 1e-3  # tolerance on a point after a round trip in float32
CURVED = 1e-3  # a map counts as not affine above this `curvature`
DIRECTIONS = 8  # random directions of a model's parameters in which the slope of its loss is measured
STEP = 5e-4  # step in such a direction, whose elements are standard normal
SLOPE = 0.05  # relative tolerance on these slopes
IN_USE = 2e-2  # tolerance on a log-determinant in single precision
ROUNDED = 2e-6  # relative tolerance on a sum in single precision
HALF = 0.5  # at least this share of the points must be mapped to within `FAR`
PLANE = Plane(cells=120)
CENTRE = 5.0  # points with coordinates up to this come first, since diagnoses use the first points only

GAUSSIAN = {
    d: declare("flow.gaussian_sample", f"samples in {d} dimensions", GaussianFit(DRAWS, d, ALPHA / 4)) for d in (2, 5)
}
OF_CALLS = {
    d: declare("flow.gaussian_sample", f"samples of many calls in {d} dimensions", fit)
    for d, fit in ((d, GaussianFit(SMALL * CALLS, d, ALPHA / 4)) for d in (2, 5))
}
# The mixture's check has two cases, in 2 and in 3 dimensions, and each has five tests.
STRAYS = {
    d: declare("flow.bimodal_sample", f"samples in {d} dimensions", Strays(DRAWS * d, ALPHA / 10)) for d in (2, 3)
}
MODES = declare("flow.bimodal_sample", "the mode of a sample", Share(DRAWS, 0.5, ALPHA / 10), cases=2)
MEMBERS = {
    d: declare("flow.bimodal_sample", f"a mode's samples in {d} dimensions", fit, cases=2)
    for d, fit in ((d, GaussianFit(DRAWS // 2, d, ALPHA / 10)) for d in (2, 3))
}
OF_CALLS_BIMODAL = {
    d: declare("flow.bimodal_sample", f"samples of many calls in {d} dimensions", fit)
    for d, fit in ((d, GaussianFit(SMALL * CALLS, d, ALPHA / 10)) for d in (2, 3))
}
# Where a kink of an activation (such as ReLU's) lies between neighbours, differences do not approximate derivatives: at
# 3 of 10,000 points for ReLU layers, and at none for smooth ones.
KINKS = declare("flow.log_det", "kinks of the layers' networks near a point", Share(100, 0.02, ALPHA / 4), cases=4)
MASS = declare("flow.normalised", "points of integration", Mass(PLANE.cells**2, 3e-4, ALPHA / MODELS), cases=MODELS)


def random_gaussian(rng: Rng, d: int) -> tuple[Floats, Floats]:
    """Return a random mean and standard deviation, [d] each.

    No standard deviation is near 1, so that it can be told from its square, the variance.
    """
    below = rng.uniform(0.3, 0.6, d)
    return 2 * rng.normal(d).astype(np.float64), np.where(rng.bits(d) > 0, below, 1 / below)


def random_mixture(rng: Rng, d: int) -> Mixture:
    """Return a random mixture whose modes are at least 24 standard deviations apart, so that no sample is between."""
    sigmas = rng.uniform(0.2, 0.6, 2, d)
    direction = rng.uniform(1, 2, d) * (2 * rng.bits(d) - 1)
    centre = rng.normal(d)
    away = 12 * sigmas.max() * direction
    return Mixture(mus=np.stack([centre + away, centre - away]).astype(np.float64), sigmas=sigmas.astype(np.float64))


def float32(*arrays: Floats) -> list[Array32]:
    """Convert arrays to float32, the type of a student's default tensors."""
    return [array.astype(np.float32) for array in arrays]


# The densities


@check("flow.gaussian_log_prob")
@pytest.mark.parametrize("shape", [(64, 2), (6, 7, 2), (32, 5)])
def test_gaussian_log_density(student: Subject, rng: Rng, shape: tuple[int, ...]) -> None:
    """log_prob of the diagonal Gaussian is right, for vectors in tensors of any shape.

    log N(x; μ, σ²) = Σ −½((x − μ)/σ)² − log σ − ½ log 2π over the last dimension; σ is a standard deviation.
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


@check("flow.bimodal_log_prob", leaves_to=("flow.gaussian_log_prob",))
@pytest.mark.parametrize("shape", [(64, 2), (6, 7, 2), (32, 4)])
def test_bimodal_log_density(student: Subject, rng: Rng, passed: Passed, shape: tuple[int, ...]) -> None:
    """log_prob of the equal mixture of two diagonal Gaussians is right, for vectors in tensors of any shape.

    log(½ N₁(x) + ½ N₂(x)), with modes that overlap, at points around both.
    """
    sigmas = rng.uniform(0.4, 0.9, 2, shape[-1])
    mixture = Mixture(mus=rng.uniform(-1, 1, 2, shape[-1]).astype(np.float64), sigmas=sigmas.astype(np.float64))
    x = mixture.sample(rng, int(np.prod(shape[:-1]))).reshape(shape)
    mus32, sigmas32, x32 = float32(mixture.mus, mixture.sigmas, x)
    expected = mixture.log_prob(x32.astype(np.float64))
    hint = "it is log(½·N₁(x) + ½·N₂(x)), where N₁ and N₂ are the densities themselves, not their logarithms"
    ours = not passed("flow.gaussian_log_prob")
    got = student.run(probes.flow.bimodal_log_prob, mus=mus32, sigmas=sigmas32, x=x32, ours=ours)
    judge_mixture(got, lambda found: assert_log_density(found, expected, x32, hint))


def judge_mixture(got: Evidence, judge: Callable[[Evidence], None]) -> None:
    """Fail a mixture that is wrong with the student's own Gaussian, and with ours where that of the student is wrong.

    Args:
        got: evidence of a mixture, and `with_ours`, the same of one that is made of our Gaussians, if it was asked for.
        judge: raises Mismatch for what is wrong.
    """
    try:
        judge(got)
    except Mismatch as problem:
        if got.is_none("with_ours"):
            raise
        try:
            judge(got["with_ours"])
        except Mismatch:
            raise problem from None


def assert_log_density(got: Evidence, expected: Floats, x: Array32, hint: str) -> None:
    """Fail a log_prob that is not right or that changes its argument.

    Args:
        got: evidence with `log_prob` and with `x` after the call.
        expected: the right log-densities [...].
        x: the points [..., d] before the call.
        hint: the formula, for the student.
    """
    shape = got.shape("log_prob")
    if shape == x.shape:
        fail(
            "log_prob gives a value for each element: sum over the last dimension to get one for each vector",
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
    hint = "log_prob should not write into its argument"
    assert_close(got["x"], x, rtol=0, atol=0, what="x after log_prob", hint=hint)


@check("flow.gaussian_sample")
@pytest.mark.parametrize("d", GAUSSIAN)
def test_gaussian_samples(student: Subject, rng: Rng, d: int) -> None:
    """sample of the diagonal Gaussian gives independent draws with the right mean and standard deviation."""
    mu, sigma = random_gaussian(rng, d)
    mu32, sigma32 = float32(mu, sigma)
    got = student.run(probes.flow.gaussian_sample, mu=mu32, sigma=sigma32, n=DRAWS)
    samples = got.tensor("samples", shape=(DRAWS, d))
    problem = GAUSSIAN[d].problem((samples - mu32) / sigma32)
    expect(
        problem is None,
        f"the samples do not fit the Gaussian: {problem}. A sample is mu + sigma · noise, with noise ~ N(0, 1)",
    )
    _judge_calls(got, OF_CALLS[d], lambda points: (points - mu32) / sigma32)


@check("flow.bimodal_sample", leaves_to=("flow.gaussian_sample",))
@pytest.mark.parametrize("d", MEMBERS)
def test_bimodal_samples(student: Subject, rng: Rng, passed: Passed, d: int) -> None:
    """sample of the mixture draws from each of the two Gaussians with probability ½."""
    mixture = random_mixture(rng, d)
    mus, sigmas = float32(mixture.mus, mixture.sigmas)
    ours = not passed("flow.gaussian_sample")
    few = student.run(probes.flow.bimodal_sample, mus=mus, sigmas=sigmas, n=FEW, ours=ours).shape("samples")
    expect(
        len(few) != 2 or few[1] == d,
        f"the samples of a mixture that was built with dims={d} do not have {d} numbers each: use dims",
        expected=f"shape {[FEW, d]}",
        got=f"shape {list(few)}",
    )
    expect(
        few == (FEW, d),
        "sample(n) does not give n samples for odd n: choose one of the modes at random for each sample",
        expected=f"shape {[FEW, d]}",
        got=f"shape {list(few)}",
    )
    judge_mixture(
        student.run(probes.flow.bimodal_sample, mus=mus, sigmas=sigmas, n=DRAWS, ours=ours),
        lambda found: _judge_samples(found, mus, sigmas),
    )


def _judge_samples(got: Evidence, mus: Array32, sigmas: Array32) -> None:
    """Fail samples of a mixture that do not come from both of its Gaussians, which are far apart, with equal shares.

    mus, sigmas: [2, d].
    """
    d = mus.shape[1]
    samples = got.tensor("samples", shape=(DRAWS, d))
    standardised = (samples[:, None] - mus) / sigmas  # [DRAWS, 2, d]
    distance = np.abs(standardised).max(axis=2)
    mode = distance.argmin(axis=1)
    strays = float(np.mean(distance.min(axis=1) > STRAYS[d].bound))
    expect(
        strays == 0,
        f"{strays:.0%} of the samples lie near neither mode: draw each sample from one of the two Gaussians",
    )
    share = float(np.mean(mode == 0))
    low, high = MODES.bounds
    expect(
        low <= share <= high,
        "the two modes are not equally likely: choose each with probability ½, for each sample",
        expected="about 50 % of the samples from each mode",
        got=f"{share:.1%} from the first mode",
    )
    for index, name in enumerate(("first", "second")):
        problem = MEMBERS[d].problem(standardised[mode == index, index])
        expect(problem is None, f"the samples of the {name} mode do not fit its Gaussian: {problem}")

    def in_nearest(points: Floats) -> Floats:
        each = (points[:, None] - mus) / sigmas
        nearest = np.abs(each).max(axis=2).argmin(axis=1)
        return np.asarray(each[np.arange(len(points)), nearest])

    _judge_calls(got, OF_CALLS_BIMODAL[d], in_nearest)


def _judge_calls(got: Evidence, test: GaussianFit, standardised: Callable[[Floats], Floats]) -> None:
    """Fail a sampler whose calls repeat points of each other, exactly or nearly.

    `standardised` turns points [n, d] into N(0, I). Each is followed by the point in the same place of the next call.
    """
    calls = [call.tensor(shape=(SMALL, test.elements)) for call in got.list("calls")]
    expect(len(calls) == CALLS, "sample did not answer every call")
    repeated = [np.array_equal(first, second) for first, second in itertools.pairwise(calls)]
    expect(sum(repeated) < len(repeated) / 2, "every call of sample gives the same points: do not set a seed in it")
    problem = test.problem(standardised(np.concatenate(np.stack(calls, axis=1))))
    expect(problem is None, f"the samples of many calls are not independent draws: {problem}")


# The map


@check("flow.invertible")
@pytest.mark.parametrize("dim", [2, 4])
def test_inverse_undoes_the_transformation(student: Subject, rng: Rng, dim: int) -> None:
    """transform and its inverse undo each other in either order, and neither is the identity or affine.

    The way back is asked of the same model in another process, for the mapped points in another order among others: a
    model that remembers what it mapped has nothing to remember there.
    """
    x = rng.uniform(-REACH, REACH, 200, dim)
    got = student.run(probes.flow.round_trip, x=x, num_flows=FLOWS, stir=STIR)
    kept, mapped = {}, {}
    for name, there in (("forward", "transform(z)"), ("backward", "transform(z, inverse=True)")):
        image = got.tensor(name, shape=x.shape, finite=False)
        kept[name] = is_near(image)
        expect(
            float(kept[name].mean()) > HALF,
            f"{there} maps most points beyond ±{FAR:g}, or to NaN or infinity: initialise the layers so that a new "
            "model is near the identity",
            got=f"{int(kept[name].sum())} of {len(x)} points stay within ±{FAR:g}",
        )
        moved = np.abs(image - x)[kept[name]].max(axis=0).tolist()  # for each element of a point
        expect(max(moved) > 0.01, f"{there} returns every point unchanged: apply all layers, one after the other")
        expect(
            min(moved) > 1e-4,
            f"{there} never changes element {moved.index(min(moved))} of a point: apply all layers, with masks that "
            "alternate",
        )
        expect(
            curvature(x[kept[name]], image[kept[name]]) > CURVED,
            f"{there} is an affine map: use an activation function in the layers' networks",
        )
        others = rng.uniform(-REACH, REACH, *x.shape)
        mapped[name] = np.where(kept[name][:, None], image, others).astype(np.float32)
    order = rng.choice(len(x), len(x))
    shuffled = {name: image[order] for name, image in mapped.items()}
    back = student.again(probes.flow.way_back, **shuffled, num_flows=FLOWS, stir=STIR)
    hint = "the inverse should apply the layers in reverse order, each with inverse=True"
    for name, what in (("forward", "inverse(transform(x))"), ("backward", "transform(inverse(z))")):
        found, near = back.tensor(f"of_{name}", shape=x.shape, finite=False), kept[name][order]
        assert_close(found[near], x[order][near], rtol=NEAR, atol=NEAR, what=what, hint=hint)


def curvature(x: Floats, image: Floats) -> float:
    """Return the largest deviation of a map from the best affine one.

    Args:
        x: points [n, d]. image: what the map makes of them, [n, d].

    Returns:
        The largest residual of a coordinate in the least-squares fit of an affine map; about 0 if the map is affine.
    """
    affine = np.column_stack([x, np.ones(len(x))]).astype(np.float64)
    nearest, *_ = np.linalg.lstsq(affine, image, rcond=None)
    return float(np.abs(image - affine @ nearest).max())


@check("flow.log_det")
@pytest.mark.parametrize("dim", [2, 4])
@pytest.mark.parametrize("inverse", [False, True])
def test_log_determinant(student: Subject, rng: Rng, dim: int, inverse: bool) -> None:
    """The log_det that transform returns is the logarithm of the Jacobian's determinant.

    The Jacobian is computed by central differences, ∂f_j/∂x_i ≈ (f_j(x + h·e_i) − f_j(x − h·e_i)) / 2h, with an error
    of order h² plus the rounding error divided by h. A few points may differ, since activations may have kinks.
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
        "transform is not invertible: at some points the determinant of its Jacobian is zero",
    )
    log_det = got.tensor("log_det", finite=False)
    if are_near(log_det, expected, tolerance):
        at_x = got.tensor("at_x", shape=x.shape, finite=False)
        answers, modes = got.list("in_use"), ("eval", "training")
        expect(len(answers) == len(modes), "transform did not answer every call")
        for in_use, mode in zip(answers, modes, strict=True):
            z, claimed = in_use.tensor("z", shape=x.shape, finite=False), in_use.tensor("log_det", finite=False)
            # In training mode, batch norms may give another map.
            same = np.isclose(z, at_x, rtol=NEAR, atol=NEAR).all(axis=1)
            fits = claimed.shape == expected.shape and are_near(claimed[same], log_det[same], IN_USE)
            expect(
                fits,
                f"log_det is not that of the map in ordinary precision and {mode} mode, although the map is the same "
                "as in double precision and eval mode",
            )
        return
    assert_close(
        log_det,
        expected,
        rtol=tolerance,
        atol=tolerance,
        what="log_det of the inverse" if inverse else "log_det",
        hint="it is the sum of the layers' log-determinants, so pass the log_det that a layer returns on to the next; "
        "for the inverse, each has the opposite sign",
    )


def are_near(found: Floats, expected: Floats, tolerance: float) -> bool:
    """Return whether log-determinants [n] are right at all points but a few, at which activations may have kinks."""
    if found.shape != expected.shape or not len(found):
        return found.shape == expected.shape
    near = np.abs(found - expected) <= tolerance * (1 + np.abs(expected))
    return float(np.mean(~near)) <= KINKS.bounds[1]


@check("flow.nll")
def test_negative_log_likelihood(student: Subject, rng: Rng) -> None:
    """The loss is −(log p_z(f(x)) + log |det ∂f/∂x|) for each point, and its gradient reaches every layer.

    The change of variables: Dinh et al. 2017, equation 3, and equation 23 of the practical. The right loss is computed
    from z and log_det of the same model.
    """
    mu, sigma = (value.astype(np.float64) for value in float32(*random_gaussian(rng, 2)))
    x = rng.uniform(-REACH, REACH, 100, 2)
    inputs = {"mu": mu.astype(np.float32), "sigma": sigma.astype(np.float32), "num_flows": FLOWS, "stir": STIR}
    got = student.run(probes.flow.nll, x=x, **inputs, directions=DIRECTIONS, step=STEP)
    z = got.tensor("z", shape=(100, 2))
    expect(
        float(is_near(z).mean()) > HALF,
        f"transform(z) maps most points beyond ±{FAR:g}: initialise the layers so that a new model is near the "
        "identity",
    )
    expected = -(log_gaussian(z, mu, sigma) + got.tensor("log_det", shape=(100,)))
    if got.shape("nll") == ():
        fail(
            "forward returns one number for the whole batch: return the loss of each point",
            expected="shape [100]",
            got="shape []",
        )
    assert_close(
        got["nll"],
        expected,
        rtol=ROUNDED,
        atol=1e-3,
        what="the negative log-likelihood",
        hint="it should be −(base_density.log_prob(z) + log_det) with z, log_det = transform(x)",
    )
    trained = got["in_training"]
    z, log_det = trained.tensor("z", shape=(100, 2)), trained.tensor("log_det", shape=(100,))
    hint = "in training mode, too, it should be −(base_density.log_prob(z) + log_det) with z, log_det = transform(x)"
    expected = -(log_gaussian(z, mu, sigma) + log_det)
    what = "the negative log-likelihood in training mode"
    assert_close(trained["nll"], expected, rtol=ROUNDED, atol=1e-3, what=what, hint=hint)
    expect(
        got.flag("trainable"),
        "the loss does not depend on the model's parameters: do not detach anything that it is computed from",
    )
    idle = int(got.tensor("idle", shape=(UpTo(MOST_LAYERS),)).sum())
    expect(idle == 0, f"{idle} of the model's layers get no gradient from the loss: use every layer in transform")
    off = got.number("off", finite=False)
    expect(np.isfinite(off), "the gradient of the loss is NaN or infinite: look for a square root or logarithm of 0")
    expect(off <= 1e-3, "a part of the loss has no gradient: compute log_prob and log_det without detach, item or data")
    for name, error in zip(("z", "log_det"), slope_errors(got), strict=True):
        expect(
            error <= SLOPE,
            f"the gradient of {name} is not the derivative of its value: compute {name} in transform and in the layers "
            "without detach, item or data",
            expected="a gradient that predicts how the loss changes with the parameters",
            got=f"predictions that are {error:.0%} off",
        )


def slope_errors(got: Evidence) -> Floats:
    """Return how far the gradients of both parts of the loss are from the parts' slopes, relative to these, [2].

    Slopes below a thousandth of the largest are not distinguished from zero, which those of an additive flow's log_det
    are.

    Args:
        got: evidence of `probes.flow.nll`.
    """
    slopes, predicted = (got.tensor(name, shape=(DIRECTIONS, 2)) for name in ("slopes", "predicted_slopes"))
    lengths = np.linalg.norm(slopes, axis=0)
    least = max(1e-3 * float(lengths.max()), 1e-9)
    return np.asarray(np.linalg.norm(predicted - slopes, axis=0) / np.maximum(lengths, least))


@check("flow.normalised")
def test_density_has_mass_one(student: Subject, rng: Rng) -> None:
    """The model's density exp(−loss) integrates to 1 over the plane.

    The integral is estimated from stratified random points, for several models, since the density of a single model
    may by chance integrate to 1 in spite of a wrong determinant.
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
            "the model's density exp(−loss) does not integrate to 1: check the sign of log_det, and the terms of the "
            "loss",
            expected=f"1 ± {tolerance:.2g}",
            got=f"{mass:.4g}",
        )
