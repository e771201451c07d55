"""Université de Montréal, IFT6135, the practical on generative models of autumn 2023: VAEs, GANs and diffusion.

Plain data, read by the host as well: what is handed in, what the hand-out imports, and where the contracts stand.
"""

from graders.layouts import USUAL
from graders.layouts.loading import Part

PARTS = {
    "gaussian_vae": Part(
        folder=None,
        files=("vae_solution.py",),
        also={"vae_solution.py": ("vae.py", "*vae*solution*.py", "*vae*.py")},
        beside=True,
    ),
    "gan": Part(
        folder=None,
        files=("gan_solution.py",),
        also={"gan_solution.py": ("gan.py", "*gan*solution*.py", "*gan*.py")},
        beside=True,
    ),
    "ddpm": Part(
        folder=None,
        files=("diffusion_solution.py",),
        also={"diffusion_solution.py": ("diffusion.py", "*diffusion*solution*.py", "*diffusion*.py", "*ddpm*.py")},
        beside=True,
    ),
}

PRELOAD = (*USUAL, "nbformat")

CONTRACTS = {
    "gaussian_vae": "graders.layouts.mila2023.gaussian_vae:GaussianVaeContract",
    "gan": "graders.layouts.mila2023.gan:GanContract",
    "ddpm": "graders.layouts.mila2023.ddpm:DdpmContract",
}
