"""University of Amsterdam, Deep Learning, deep generative models of 2021 to 2025: a VAE of 4-bit images."""

from graders.layouts import USUAL
from graders.layouts.loading import Part

PARTS = {
    "vae": Part(folder="part1", files=("utils.py", "cnn_encoder_decoder.py", "train_pl.py", "mnist.py")),
}

PRELOAD = (*USUAL, "torch.utils.tensorboard", "scipy.stats", "pytorch_lightning", "pytorch_lightning.callbacks")

CONTRACTS = {"vae": "graders.layouts.uva2021.vae:VaeContract"}
