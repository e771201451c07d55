"""Mistakes in EulerSimulator.step(xt, t, h): points [B, d] after a step of Euler's method."""

from graders.misconceptions import defaults, misconception

defaults("lab_one.py:EulerSimulator.step", fails=("flow_matching.euler",))


@misconception
def step_not_scaled(self, xt, t, h):
    """You added u(x, t) as it is. It is a velocity: in a time h, points move by h·u(x, t)."""
    return xt + self.ode.drift_coefficient(xt, t)


@misconception
def backwards(self, xt, t, h):
    """You subtracted h·u(x, t), so that points move backwards in time. A step from t to t + h adds it."""
    return xt - h * self.ode.drift_coefficient(xt, t)


@misconception
def step_without_its_start(self, xt, t, h):
    """You returned h·u(x, t) alone. That is how far points move: return the points themselves, x + h·u(x, t)."""
    return h * self.ode.drift_coefficient(xt, t)


@misconception
def drift_at_the_end(self, xt, t, h):
    """You took the drift at the time t + h. Euler's method takes it where the step begins, at t."""
    return self.original(xt, t, h) + h * (self.ode.drift_coefficient(xt, t + h) - self.ode.drift_coefficient(xt, t))


@misconception
def scaled_by_the_time(self, xt, t, h):
    """You multiplied the drift by the time t. The length of a step is h."""
    return xt + t * self.ode.drift_coefficient(xt, t)
