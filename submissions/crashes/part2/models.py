import tensorflow as tf
import torch.nn as nn


class GeneratorMLP(nn.Module):
    pass


class DiscriminatorMLP(nn.Module):
    pass
