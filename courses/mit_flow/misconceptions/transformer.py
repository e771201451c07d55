"""Mistakes in the networks of lab three of 2026: times, patches, attention, and the transformer."""

import math

import torch
from torch import nn

from graders.misconceptions import defaults, misconception

defaults("lab_three.py:MLPConditionalVectorField.forward", fails=("flow_matching.label_field",))


def _joined(self, x, t, labels):
    return self.mlp(torch.cat([x, t.reshape(-1, 1), labels], dim=-1))


@misconception
def field_without_time(self, x, t, y):
    """The time has no part in your field: give it to the MLP beside the point and the embedding of the label."""
    return _joined(self, x, 0 * t, self.class_embedding(y))


@misconception
def field_without_label(self, x, t, y):
    """The label has no part in your field: give its embedding to the MLP beside the point and the time."""
    return _joined(self, x, t, 0 * self.class_embedding(y))


@misconception
def label_of_the_first_sample(self, x, t, y):
    """All points of a batch get the label of the first one. Each has its own: self.class_embedding(y), row by row."""
    return _joined(self, x, t, self.class_embedding(y[:1]).expand(len(x), -1))


defaults("lab_three.py:FourierEncoder.forward", fails=("flow_matching.fourier",))


@misconception
def angles_without_two_pi(self, t):
    """The angles lack the factor 2π: they are 2π·w·t, so that w counts whole turns."""
    angles = t.reshape(-1, 1) * self.weights
    return math.sqrt(2) * torch.cat([angles.cos(), angles.sin()], dim=-1)


@misconception
def sines_twice(self, t):
    """You used one of the two functions twice. The encoding has the cosine and the sine of each angle."""
    angles = 2 * math.pi * t.reshape(-1, 1) * self.weights
    return math.sqrt(2) * torch.cat([angles.sin(), angles.sin()], dim=-1)


@misconception
def frequencies_in_pi(self, t):
    """The angles are π·w·t, half of what they should be: they are 2π·w·t."""
    angles = math.pi * t.reshape(-1, 1) * self.weights
    return math.sqrt(2) * torch.cat([angles.cos(), angles.sin()], dim=-1)


@misconception
def encoding_too_large(self, t):
    """Your encoding is multiplied by 2, not by √2, so that its elements have the variance 2."""
    angles = 2 * math.pi * t.reshape(-1, 1) * self.weights
    return 2 * torch.cat([angles.cos(), angles.sin()], dim=-1)


defaults("lab_three.py:Patchifier", fails=("flow_matching.patches",))


@misconception(fails=("flow_matching.patches", "flow_matching.flow_model"), raises=True)
class Patchifier_tokens_of_channels(nn.Module):
    """Your tokens and their elements are exchanged: the result is [B, tokens, dim], so transpose the last two axes
    after flatten(2)."""

    def __init__(self, img_size, patch_size, c_in, dim):
        super().__init__()
        self.project = nn.Conv2d(c_in, dim, patch_size, stride=patch_size)

    def forward(self, x):
        return self.project(x).flatten(2)


@misconception
class Patchifier_reshaped(nn.Module):
    """You reshaped [B, dim, h, w] to [B, h·w, dim] without moving axes, so that each token mixes the elements of
    several patches. Use flatten(2).transpose(1, 2), or rearrange."""

    def __init__(self, img_size, patch_size, c_in, dim):
        super().__init__()
        self.project = nn.Conv2d(c_in, dim, patch_size, stride=patch_size)
        self.dim = dim

    def forward(self, x):
        return self.project(x).reshape(len(x), -1, self.dim)


@misconception
class Patchifier_rows(nn.Module):
    """Your patches are stretches of the flattened image, not squares: cut height and width, and then put the axes of a
    patch beside each other."""

    def __init__(self, img_size, patch_size, c_in, dim):
        super().__init__()
        self.tokens = (img_size // patch_size) ** 2
        self.project = nn.Linear(c_in * patch_size**2, dim)

    def forward(self, x):
        return self.project(x.reshape(len(x), self.tokens, -1))


defaults("lab_three.py:Depatchifier.forward", fails=("flow_matching.patches",))


@misconception
def patches_not_put_together(self, tokens):
    """You reshaped the tokens to an image without moving axes, so that a token gives stretches of rows, not a patch:
    permute, so that the rows of a patch follow the rows of patches."""
    side = self.side * self.patch
    return self.smooth(self.expand(tokens).reshape(-1, self.channels, side, side))


defaults("lab_three.py:MHA.forward", fails=("flow_matching.attention",))


def _attended(self, x, scale, dim=-1):
    batch, tokens, width = x.shape
    parts = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads)
    q, k, v = parts.permute(2, 0, 3, 1, 4)
    weights = (q @ k.transpose(-2, -1) / scale).softmax(dim=dim)
    return self.out((weights @ v).transpose(1, 2).reshape(batch, tokens, width))


@misconception
def scores_without_scale(self, x):
    """You did not scale the scores: divide q·k by √(dim/heads), the root of the size of a head."""
    return _attended(self, x, 1.0)


@misconception
def scale_of_all_heads(self, x):
    """You divided the scores by √dim. Each head has dim/heads numbers: divide by √(dim/heads)."""
    return _attended(self, x, math.sqrt(x.shape[-1]))


@misconception
def scale_without_root(self, x):
    """You divided the scores by the size of a head, dim/heads, and not by its root."""
    return _attended(self, x, x.shape[-1] // self.heads)


@misconception
def softmax_over_queries(self, x):
    """Your softmax is over the queries. The weights of a query add up to 1 over the keys: softmax(dim=-1) of q @ kᵀ."""
    return _attended(self, x, math.sqrt(x.shape[-1] // self.heads), dim=-2)


@misconception
def heads_not_separated(self, x):
    """You used a single head of all dim numbers: split queries, keys and values into `heads` heads."""
    q, k, v = self.qkv(x).chunk(3, dim=-1)
    return self.out((q @ k.transpose(-2, -1) / math.sqrt(x.shape[-1] // self.heads)).softmax(dim=-1) @ v)


@misconception
def heads_by_reshape(self, x):
    """You reshaped [B, tokens, dim] to [B, heads, tokens, dim/heads] at once, which puts numbers of several tokens into
    one. Reshape to [B, tokens, heads, dim/heads], and then exchange the axes of tokens and heads."""
    batch, tokens, width = x.shape
    q, k, v = (each.reshape(batch, self.heads, tokens, -1) for each in self.qkv(x).chunk(3, dim=-1))
    weights = (q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)).softmax(dim=-1)
    return self.out((weights @ v).transpose(1, 2).reshape(batch, tokens, width))


@misconception
def heads_put_together_by_reshape(self, x):
    """You put the heads together without exchanging axes back, so that numbers of several tokens are mixed: transpose
    [B, heads, tokens, dim/heads] to [B, tokens, heads, dim/heads] before you reshape to [B, tokens, dim]."""
    batch, tokens, width = x.shape
    parts = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads)
    q, k, v = parts.permute(2, 0, 3, 1, 4)
    weights = (q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)).softmax(dim=-1)
    return self.out((weights @ v).reshape(batch, tokens, width))


@misconception
def attention_among_heads(self, x):
    """You attended among the heads of each token, not among tokens: exchange the axes of tokens and heads before
    q @ kᵀ, so that it is [B, heads, tokens, tokens]."""
    batch, tokens, width = x.shape
    q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).unbind(2)
    weights = (q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)).softmax(dim=-1)
    return self.out((weights @ v).reshape(batch, tokens, width))


defaults("lab_three.py:DiffusionTransformerLayer.forward", fails=("flow_matching.transformer_layer",))


@misconception
def layer_without_residuals(self, x, c):
    """Your layer replaces its tokens instead of adding to them: x ← x + gate · f(…), for the attention and the MLP."""
    shift, scale, gate, shift2, scale2, gate2 = self.modulate(c)[:, None].chunk(6, dim=-1)
    x = gate * self.attend((1 + scale) * self.norms[0](x) + shift)
    return gate2 * self.mlp((1 + scale2) * self.norms[1](x) + shift2)


@misconception
def layer_without_condition(self, x, c):
    """Your layer does not use c. Shifts, scales and gates are made of it, six of dim numbers each."""
    x = x + self.attend(self.norms[0](x))
    return x + self.mlp(self.norms[1](x))


@misconception
def layer_without_attention(self, x, c):
    """Your layer has no attention, so that no token knows of another: it comes first, and then the MLP."""
    shift2, scale2, gate2 = self.modulate(c)[:, None].chunk(6, dim=-1)[3:]
    return x + gate2 * self.mlp((1 + scale2) * self.norms[1](x) + shift2)


defaults("lab_three.py:DiffusionTransformer", fails=("flow_matching.transformer",))


@misconception
class Transformer_without_positions(nn.Module):
    """Your transformer adds no positions, so that it cannot tell where in the image a token stands: add a parameter
    [1, n_tokens, dim] to the tokens."""

    def __init__(self, depth, n_tokens, dim, **layer_kwargs):
        super().__init__()
        self.layers = nn.ModuleList([DiffusionTransformerLayer(dim, **layer_kwargs) for _ in range(depth)])

    def forward(self, x, c):
        for layer in self.layers:
            x = layer(x, c)
        return x


@misconception
class Transformer_of_one_layer(nn.Module):
    """You used one layer `depth` times, so that all of them share their weights: make `depth` layers."""

    def __init__(self, depth, n_tokens, dim, **layer_kwargs):
        super().__init__()
        self.positions = nn.Parameter(0.02 * torch.randn(1, n_tokens, dim))
        self.layers = nn.ModuleList([DiffusionTransformerLayer(dim, **layer_kwargs)] * depth)

    def forward(self, x, c):
        x = x + self.positions
        for layer in self.layers:
            x = layer(x, c)
        return x


@misconception
class Transformer_with_hidden_layers(nn.Module):
    """You kept the layers in a Python list, where no optimiser finds them: use nn.ModuleList."""

    def __init__(self, depth, n_tokens, dim, **layer_kwargs):
        super().__init__()
        self.positions = nn.Parameter(0.02 * torch.randn(1, n_tokens, dim))
        self.layers = [DiffusionTransformerLayer(dim, **layer_kwargs) for _ in range(depth)]

    def forward(self, x, c):
        x = x + self.positions
        for layer in self.layers:
            x = layer(x, c)
        return x


defaults("lab_three.py:DiffusionTransformerFlowModel.forward", fails=("flow_matching.flow_model",))


@misconception
def model_without_time(self, x, t, y):
    """Your model does not use the time: the condition is the sum of the embeddings of t and y."""
    return self.depatchify(self.transformer(self.patchify(x), self.label(y)))


@misconception
def model_without_label(self, x, t, y):
    """Your model does not use the label: the condition is the sum of the embeddings of t and y."""
    return self.depatchify(self.transformer(self.patchify(x), self.time(t)))


@misconception
def model_adds_the_image(self, x, t, y):
    """Your model does not use the image: its patches are the tokens."""
    tokens = self.patchify(torch.zeros_like(x))
    return self.depatchify(self.transformer(tokens, self.time(t) + self.label(y)))
