"""One package for each course edition: which files it asks for, and how they become the contract that probes speak."""

# What hand-outs import whatever they are about, each worth up to seconds that a fresh process would pay in every probe.
USUAL = (
    "torchvision",
    "torchvision.datasets",
    "torchvision.transforms",
    "torchvision.utils",
    "torch.utils.data",
    "matplotlib.pyplot",
    "tqdm",
)
