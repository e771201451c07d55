"""Mistakes in ScoreFromVectorField.forward(x, t): the score [B, d] of a Gaussian path from its vector field."""

from graders.misconceptions import defaults, misconception

defaults("lab_two.py:ScoreFromVectorField.forward", fails=("flow_matching.score_of_field",))


@misconception
def slope_for_beta(self, x, t):
    """You squared β̇ where β² stands: the denominator is β²α̇ − αβ̇β."""
    alpha, beta = self.alpha(t), self.beta(t)
    alpha_dt, beta_dt = self.alpha.dt(t), self.beta.dt(t)
    return (alpha * self.vector_field(x, t) - alpha_dt * x) / (beta_dt**2 * alpha_dt - alpha * beta_dt * beta)


@misconception
def beta_not_squared(self, x, t):
    """You used β where β² stands: the denominator is β²α̇ − αβ̇β."""
    alpha, beta = self.alpha(t), self.beta(t)
    alpha_dt, beta_dt = self.alpha.dt(t), self.beta.dt(t)
    return (alpha * self.vector_field(x, t) - alpha_dt * x) / (beta * alpha_dt - alpha * beta_dt * beta)


@misconception
def sum_for_difference(self, x, t):
    """You added αβ̇β in the denominator. It is subtracted: β²α̇ − αβ̇β."""
    alpha, beta = self.alpha(t), self.beta(t)
    alpha_dt, beta_dt = self.alpha.dt(t), self.beta.dt(t)
    return (alpha * self.vector_field(x, t) - alpha_dt * x) / (beta**2 * alpha_dt + alpha * beta_dt * beta)


@misconception
def negated(self, x, t):
    """Your score has the wrong sign: it is (αu − α̇x)/(β²α̇ − αβ̇β), and leads to where the density is higher."""
    return -self.original(x, t)


@misconception
def alpha_for_its_slope(self, x, t):
    """You multiplied x by α. It is multiplied by the derivative α̇: (αu − α̇x)/(β²α̇ − αβ̇β)."""
    alpha, beta = self.alpha(t), self.beta(t)
    alpha_dt, beta_dt = self.alpha.dt(t), self.beta.dt(t)
    return (alpha * self.vector_field(x, t) - alpha * x) / (beta**2 * alpha_dt - alpha * beta_dt * beta)


@misconception
def field_not_scaled(self, x, t):
    """You used the field without its factor α: the numerator is αu − α̇x."""
    alpha, beta = self.alpha(t), self.beta(t)
    alpha_dt, beta_dt = self.alpha.dt(t), self.beta.dt(t)
    return (self.vector_field(x, t) - alpha_dt * x) / (beta**2 * alpha_dt - alpha * beta_dt * beta)


@misconception
def last_beta_forgotten(self, x, t):
    """You lost a β in the denominator: it is β²α̇ − αβ̇β."""
    alpha, beta = self.alpha(t), self.beta(t)
    alpha_dt, beta_dt = self.alpha.dt(t), self.beta.dt(t)
    return (alpha * self.vector_field(x, t) - alpha_dt * x) / (beta**2 * alpha_dt - alpha * beta_dt)


defaults("lab_two.py:ScoreFromVectorField.forward", fails=("flow_matching.score_anywhere",))


@misconception
def schedules_of_the_lab_put_in(self, x, t):
    """You put the lab's schedules into the formula: with α = t and β = √(1 − t) its denominator is 1 − t/2. That is
    right for these schedules only, but the class is given any α and β: divide by β²α̇ − αβ̇β."""
    return (self.alpha(t) * self.vector_field(x, t) - self.alpha.dt(t) * x) / (1 - t / 2)


@misconception
def divided_by_alpha(self, x, t):
    """You divided by α, which is 0 at t = 0, where the lab's figure of the scores begins: the score has no value there.
    Multiply numerator and denominator by α: (αu − α̇x)/(β²α̇ − αβ̇β)."""
    beta, rate = self.beta(t), self.alpha.dt(t) / self.alpha(t)
    return (self.vector_field(x, t) - rate * x) / (beta**2 * rate - self.beta.dt(t) * beta)
