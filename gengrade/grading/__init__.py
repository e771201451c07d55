"""Everything that graders import to write checks, and the pytest session that runs the checks on one submission."""

from gengrade.choices import CheckKind
from gengrade.grading.asserts import assert_close, expect, fail, not_asked
from gengrade.grading.checks import Passed, Record, check
from gengrade.grading.evidence import Evidence, Mismatch, UpTo, describe
from gengrade.grading.figures import Show
from gengrade.grading.probes import probes
from gengrade.grading.rng import Rng
from gengrade.grading.subject import Subject

__all__ = [
    "CheckKind",
    "Evidence",
    "Mismatch",
    "Passed",
    "Record",
    "Rng",
    "Show",
    "Subject",
    "UpTo",
    "assert_close",
    "check",
    "describe",
    "expect",
    "fail",
    "not_asked",
    "probes",
]
