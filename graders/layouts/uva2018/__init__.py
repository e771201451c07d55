"""University of Amsterdam, Deep Learning, assignment 3 of 2018: a VAE and a GAN, one template each.

Plain data, read by the host as well: what is handed in, what the hand-out imports, and where the contracts stand.
The contracts themselves import student code, so only a guest imports them.
"""

from graders.layouts import USUAL
from graders.layouts.loading import Part

PARTS = {
    "vae": Part(folder=None, files=("a3_vae_template.py",), also={"a3_vae_template.py": ("*vae*.py",)}, beside=True),
    "gan": Part(folder=None, files=("a3_gan_template.py",), also={"a3_gan_template.py": ("*gan*.py",)}, beside=True),
}

PRELOAD = (*USUAL, "scipy.stats")

CONTRACTS = {
    "vae": "graders.layouts.uva2018.vae:VaeContract",
    "gan": "graders.layouts.uva2018.gan:GanContract",
}
