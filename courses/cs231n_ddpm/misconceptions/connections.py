"""Mistakes in forward, which connects the layers, in the context that blocks are given, and in cfg_forward."""

import copy

import torch

from graders.misconceptions import defaults, misconception

defaults("unet.py:Unet.forward", fails=("ddpm.unet_forward",))


def begun(self, x, time, model_kwargs):
    """The context, and the features behind the first convolution."""
    return self.context(x, time, model_kwargs["text_emb"]), self.init_conv(x)


def down(self, x, context):
    """The features behind the way down and the middle, and those that are kept."""
    skips = []
    for block1, block2, downsample in self.downs:
        x = block1(x, context)
        skips.append(x)
        x = block2(x, context)
        skips.append(x)
        x = downsample(x)
    return self.mid_block2(self.mid_block1(x, context), context), skips


def up(self, x, skips, context):
    """The output of the last convolution."""
    for upsample, block1, block2 in self.ups:
        x = upsample(x)
        x = block1(torch.cat([x, skips.pop()], dim=1), context)
        x = block2(torch.cat([x, skips.pop()], dim=1), context)
    return self.final_conv(x)


@misconception(raises=True)
def first_block_kept_alone(self, x, time, model_kwargs=None):
    """You kept the output of the first ResnetBlock of each level only, but each level on the way up takes two. Keep
    that of the second block, too, before Downsample."""
    context, x = begun(self, x, time, model_kwargs)
    skips = []
    for block1, block2, downsample in self.downs:
        x = block1(x, context)
        skips.append(x)
        x = downsample(block2(x, context))
    return up(self, self.mid_block2(self.mid_block1(x, context), context), skips, context)


@misconception(raises=True)
def first_kept_first(self, x, time, model_kwargs=None):
    """You used the skip connections in the order in which they were kept. The last ones belong to the first level on
    the way up: take them from the end, by skips.pop()."""
    context, x = begun(self, x, time, model_kwargs)
    x, skips = down(self, x, context)
    return up(self, x, skips[::-1], context)


@misconception
def skips_of_a_level_exchanged(self, x, time, model_kwargs=None):
    """You used the two skip connections of a level in the order in which they were kept. The last one kept is the first
    one used, also within a level."""
    context, x = begun(self, x, time, model_kwargs)
    x, skips = down(self, x, context)
    pairs = [skip for index in range(0, len(skips), 2) for skip in (skips[index + 1], skips[index])]
    return up(self, x, pairs, context)


@misconception
def skip_in_front(self, x, time, model_kwargs=None):
    """You put the skip connection in front of the features from below. The checkpoint's weights are for
    torch.cat([x, skip], dim=1)."""
    context, x = begun(self, x, time, model_kwargs)
    x, skips = down(self, x, context)
    for upsample, block1, block2 in self.ups:
        x = upsample(x)
        x = block1(torch.cat([skips.pop(), x], dim=1), context)
        x = block2(torch.cat([skips.pop(), x], dim=1), context)
    return self.final_conv(x)


@misconception
def one_skip_for_both_blocks(self, x, time, model_kwargs=None):
    """You kept the features of the second block of a level only, and used them twice. Keep those of both blocks."""
    context, x = begun(self, x, time, model_kwargs)
    x, skips = down(self, x, context)
    twice = [skip for skip in skips[1::2] for _ in range(2)]
    return up(self, x, twice, context)


@misconception(raises=True)
def features_kept_before_the_blocks(self, x, time, model_kwargs=None):
    """You kept the features before each block. Keep those behind it."""
    context, x = begun(self, x, time, model_kwargs)
    skips = []
    for block1, block2, downsample in self.downs:
        skips.append(x)
        x = block1(x, context)
        skips.append(x)
        x = downsample(block2(x, context))
    return up(self, self.mid_block2(self.mid_block1(x, context), context), skips, context)


@misconception
def context_left_out(self, x, time, model_kwargs=None):
    """You called the blocks without the context, so that they know neither time nor text. Pass context to each
    ResnetBlock."""
    _, x = begun(self, x, time, model_kwargs)
    x, skips = down(self, x, None)
    return up(self, x, skips, None)


@misconception
def context_left_out_on_the_way_up(self, x, time, model_kwargs=None):
    """You called the blocks on the way up without the context. Pass context to each ResnetBlock."""
    context, x = begun(self, x, time, model_kwargs)
    x, skips = down(self, x, context)
    return up(self, x, skips, None)


@misconception
def context_left_out_in_the_middle(self, x, time, model_kwargs=None):
    """You called the blocks in the middle without the context. Pass context to each ResnetBlock."""
    context, x = begun(self, x, time, model_kwargs)
    skips = []
    for block1, block2, downsample in self.downs:
        x = block1(x, context)
        skips.append(x)
        x = block2(x, context)
        skips.append(x)
        x = downsample(x)
    return up(self, self.mid_block2(self.mid_block1(x)), skips, context)


@misconception
def no_middle(self, x, time, model_kwargs=None):
    """You left out the two blocks in the middle: mid_block1 and mid_block2."""
    context, x = begun(self, x, time, model_kwargs)
    skips = []
    for block1, block2, downsample in self.downs:
        x = block1(x, context)
        skips.append(x)
        x = block2(x, context)
        skips.append(x)
        x = downsample(x)
    return up(self, x, skips, context)


@misconception
def one_block_in_the_middle(self, x, time, model_kwargs=None):
    """You left out mid_block2. The middle has two blocks."""
    context, x = begun(self, x, time, model_kwargs)
    skips = []
    for block1, block2, downsample in self.downs:
        x = block1(x, context)
        skips.append(x)
        x = block2(x, context)
        skips.append(x)
        x = downsample(x)
    return up(self, self.mid_block1(x, context), skips, context)


@misconception
def skips_of_zeros(self, x, time, model_kwargs=None):
    """You filled the second half of the channels with zeros. Put the kept features there, by torch.cat."""
    context, x = begun(self, x, time, model_kwargs)
    x, skips = down(self, x, context)
    return up(self, x, [torch.zeros_like(skip) for skip in skips], context)


@misconception
def no_last_convolution(self, x, time, model_kwargs=None):
    """You left out the last convolution, final_conv, so that the output has dim channels."""
    context, x = begun(self, x, time, model_kwargs)
    x, skips = down(self, x, context)
    for upsample, block1, block2 in self.ups:
        x = upsample(x)
        x = block1(torch.cat([x, skips.pop()], dim=1), context)
        x = block2(torch.cat([x, skips.pop()], dim=1), context)
    return x


@misconception
def no_gradients(self, x, time, model_kwargs=None):
    """You computed forward under torch.no_grad, so that nothing can be trained. Only sampling does without
    gradients."""
    context, x = begun(self, x, time, model_kwargs)
    x, skips = down(self, x, context)
    with torch.no_grad():
        return up(self, x, skips, context)


defaults("unet.py:Unet.context", fails=("ddpm.unet_forward",))


@misconception
def time_ignored(self, x, time, text):
    """You left the time out of the context. It is the sum of what time_mlp and condition_mlp give."""
    text = torch.zeros(len(x), self.condition_dim, device=x.device) if text is None else text
    return self.condition_mlp(text)


@misconception
def text_ignored(self, x, time, text):
    """You left the text out of the context. It is the sum of what time_mlp and condition_mlp give."""
    return self.time_mlp(time)


@misconception
def text_always_dropped(self, x, time, text):
    """You drop all texts, also in use. In training, some are dropped, with the probability uncond_prob; in eval mode,
    none is."""
    return self.time_mlp(time) + self.condition_mlp(torch.zeros_like(text))


defaults("unet.py:Unet.cfg_forward", fails=("ddpm.guidance",))


def passes(self, x, time, model_kwargs):
    """The scale, and what forward gives with and without the text."""
    model_kwargs = copy.copy(model_kwargs)
    scale = model_kwargs.pop("cfg_scale")
    text = self.forward(x, time, model_kwargs)
    return scale, text, self.forward(x, time, {**model_kwargs, "text_emb": None})


@misconception
def text_in_both_passes(self, x, time, model_kwargs=None):
    """You gave the text to both passes, so that guidance changes nothing. The second one takes None as text_emb."""
    model_kwargs = copy.copy(model_kwargs)
    scale = model_kwargs.pop("cfg_scale")
    text = self.forward(x, time, model_kwargs)
    return (scale + 1) * text - scale * self.forward(x, time, model_kwargs)


@misconception
def text_in_no_pass(self, x, time, model_kwargs=None):
    """You took the text out of the mapping before the first pass, so that neither pass has it. Copy the mapping for the
    pass without a text."""
    model_kwargs = copy.copy(model_kwargs)
    scale = model_kwargs.pop("cfg_scale")
    model_kwargs["text_emb"] = None
    text = self.forward(x, time, model_kwargs)
    return (scale + 1) * text - scale * self.forward(x, time, model_kwargs)


@misconception
def scale_of_the_other_convention(self, x, time, model_kwargs=None):
    """You weighted the passes by s and 1 − s. Here they are weighted by s + 1 and −s: equation 6 of Ho & Salimans."""
    scale, text, without = passes(self, x, time, model_kwargs)
    return without + scale * (text - without)


@misconception
def passes_exchanged(self, x, time, model_kwargs=None):
    """You exchanged the passes. The one with the text is weighted by s + 1, and the one without by −s."""
    scale, text, without = passes(self, x, time, model_kwargs)
    return (scale + 1) * without - scale * text


@misconception
def added(self, x, time, model_kwargs=None):
    """You added the pass without the text. It is subtracted, so that the text counts for more."""
    scale, text, without = passes(self, x, time, model_kwargs)
    return (scale + 1) * text + scale * without


@misconception
def not_weighted(self, x, time, model_kwargs=None):
    """You weighted the pass without the text by 1. Its weight is s, like the addition to the other one."""
    scale, text, without = passes(self, x, time, model_kwargs)
    return (scale + 1) * text - without


@misconception
def scaled_text_alone(self, x, time, model_kwargs=None):
    """You weighted both passes by s. The weights are s + 1 and −s, and their sum is 1."""
    scale, text, without = passes(self, x, time, model_kwargs)
    return scale * text - scale * without


@misconception
def no_guidance(self, x, time, model_kwargs=None):
    """You returned the pass with the text alone. Guidance takes s times what the text changes once more:
    (s + 1)·ε(text) − s·ε(no text)."""
    model_kwargs = copy.copy(model_kwargs)
    model_kwargs.pop("cfg_scale")
    return self.forward(x, time, model_kwargs)


@misconception
def mean_of_both(self, x, time, model_kwargs=None):
    """You returned the mean of both passes. Guidance goes beyond the pass with the text: (s + 1)·ε(text) − s·ε(no
    text)."""
    _, text, without = passes(self, x, time, model_kwargs)
    return (text + without) / 2


@misconception
def subtracted_the_wrong_way(self, x, time, model_kwargs=None):
    """You added s times what the text takes away. It is s times what the text adds: ε(text) + s·(ε(text) − ε(no
    text))."""
    scale, text, without = passes(self, x, time, model_kwargs)
    return text + scale * (without - text)


@misconception
def started_from_no_text(self, x, time, model_kwargs=None):
    """You started from the pass without the text: ε(no text) + (s + 1)·ε(text). Its weight is −s."""
    scale, text, without = passes(self, x, time, model_kwargs)
    return without + (scale + 1) * text
