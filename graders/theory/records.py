"""Records of the evidence that the probes of the written answers return."""

from __future__ import annotations

from typing import TypedDict

from torch import Tensor


class KlExamples(TypedDict):
    """Both examples of question 1.3, each as mu_q, mu_p, var_q and var_p: [4] in float64."""

    small: Tensor
    large: Tensor


class CubicDensity(TypedDict):
    """The student's density at x [N]."""

    density: Tensor | None  # [N]; None if the code compares with a complex number
    complex: bool  # whether it does
