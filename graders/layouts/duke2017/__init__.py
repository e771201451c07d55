"""Duke University, Introduction to Deep Learning, homework on unit 3 of 2017: interpolations, conditional GANs.

Plain data, read by the host as well. What is handed in is one notebook, or several, with weights beside them; no names
are prescribed. Which roles there are, and what they are called when nobody says so, stands in `roles`.
"""

from graders.layouts import USUAL
from graders.layouts.loading import WISHES, Part

_NOTEBOOK = Part(
    folder=None, files=("homework.py", WISHES), also={"homework.py": ("*.ipynb",)}, beside=True, libraries=True
)

PARTS = {"interpolation": _NOTEBOOK, "cgan": _NOTEBOOK}

PRELOAD = (*USUAL, "nbformat", "yaml")

CONTRACTS = {
    "interpolation": "graders.layouts.duke2017.interpolation:InterpolationContract",
    "cgan": "graders.layouts.duke2017.conditional:ConditionalContract",
}
