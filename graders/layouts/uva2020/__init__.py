"""University of Amsterdam, Deep Learning, practical 3 of 2020: VAEs, GANs and flows.

Plain data, read by the host as well: what is handed in, what the hand-out imports, and where the contracts stand.
The contracts themselves import student code, so only a guest imports them.
"""

from graders.layouts import USUAL
from graders.layouts.loading import Part

PARTS = {
    "vae": Part(
        folder="part1",
        files=("utils.py", "mlp_encoder_decoder.py", "train_torch.py", "train_pl.py", "cnn_encoder_decoder.py"),
    ),
    "gan": Part(folder="part2", files=("models.py", "train_torch.py", "train_pl.py")),
    "flow": Part(folder="part3", files=("distributions.py", "model.py", "train.py")),
    "theory": Part(folder=None, files=("answers.py",)),
}

PRELOAD = (*USUAL, "torch.utils.tensorboard", "scipy.stats", "pytorch_lightning", "pytorch_lightning.callbacks")

CONTRACTS = {
    "vae": "graders.layouts.uva2020.vae:VaeContract",
    "gan": "graders.layouts.uva2020.gan:GanContract",
    "flow": "graders.layouts.uva2020.flow:FlowContract",
    "theory": "graders.layouts.uva2020.theory:TheoryContract",
}
