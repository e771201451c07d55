"""Mistakes in the layers of a level: of `downs` in down_block, and of `ups` in up_block."""

from torch import nn

from graders.misconceptions import defaults, misconception

defaults("unet.py:Unet.down_block", fails=("ddpm.unet_layers",))


@misconception
def blocks_widen(self, dim_in, dim_out, context_dim):
    """You let a ResnetBlock on the way down change the number of channels. Both keep dim_in; Downsample changes it."""
    return nn.ModuleList(
        [
            ResnetBlock(dim_in, dim_out, context_dim),
            ResnetBlock(dim_out, dim_out, context_dim),
            Downsample(dim_out, dim_out),
        ]
    )


@misconception
def second_block_widens(self, dim_in, dim_out, context_dim):
    """You let the second ResnetBlock on the way down change the number of channels. Both keep dim_in; Downsample
    changes it."""
    return nn.ModuleList(
        [
            ResnetBlock(dim_in, dim_in, context_dim),
            ResnetBlock(dim_in, dim_out, context_dim),
            Downsample(dim_out, dim_out),
        ]
    )


@misconception
def downsample_keeps_channels(self, dim_in, dim_out, context_dim):
    """You let Downsample keep the number of channels. It goes from dim_in to dim_out."""
    return nn.ModuleList(
        [ResnetBlock(dim_in, dim_in, context_dim), ResnetBlock(dim_in, dim_in, context_dim), Downsample(dim_in)]
    )


@misconception
def blocks_without_context(self, dim_in, dim_out, context_dim):
    """You gave the blocks on the way down no context_dim, so that they ignore time and text. Pass context_dim."""
    return nn.ModuleList(
        [ResnetBlock(dim_in, dim_in, None), ResnetBlock(dim_in, dim_in, None), Downsample(dim_in, dim_out)]
    )


@misconception(fails=("ddpm.unet_layers", "ddpm.unet_forward"), raises=True)
def one_block_on_the_way_down(self, dim_in, dim_out, context_dim):
    """You put one ResnetBlock into a level on the way down. There are two, and Downsample behind them."""
    return nn.ModuleList([ResnetBlock(dim_in, dim_in, context_dim), Downsample(dim_in, dim_out)])


@misconception(fails=("ddpm.unet_layers", "ddpm.unet_forward"), raises=True)
def downsample_first(self, dim_in, dim_out, context_dim):
    """You put Downsample before the blocks. A level on the way down is [ResnetBlock, ResnetBlock, Downsample]."""
    return nn.ModuleList(
        [
            Downsample(dim_in, dim_out),
            ResnetBlock(dim_in, dim_in, context_dim),
            ResnetBlock(dim_in, dim_in, context_dim),
        ]
    )


@misconception(fails=("ddpm.unet_layers", "ddpm.unet_forward"), raises=True)
def list_of_python(self, dim_in, dim_out, context_dim):
    """You put the layers of a level into a list of Python. Use nn.ModuleList, so that the network knows them."""
    return [
        ResnetBlock(dim_in, dim_in, context_dim),
        ResnetBlock(dim_in, dim_in, context_dim),
        Downsample(dim_in, dim_out),
    ]


defaults("unet.py:Unet.up_block", fails=("ddpm.unet_layers",))


@misconception
def no_room_for_skips(self, dim_in, dim_out, context_dim):
    """You gave the blocks on the way up dim_out channels at their input. They also take the skip connection, so that it
    is 2 · dim_out."""
    return nn.ModuleList(
        [
            Upsample(dim_in, dim_out),
            ResnetBlock(dim_out, dim_out, context_dim),
            ResnetBlock(dim_out, dim_out, context_dim),
        ]
    )


@misconception
def no_room_for_the_second_skip(self, dim_in, dim_out, context_dim):
    """You gave the second block on the way up dim_out channels at its input. It also takes a skip connection, like the
    first, so that it is 2 · dim_out."""
    return nn.ModuleList(
        [
            Upsample(dim_in, dim_out),
            ResnetBlock(2 * dim_out, dim_out, context_dim),
            ResnetBlock(dim_out, dim_out, context_dim),
        ]
    )


@misconception
def upsample_keeps_channels(self, dim_in, dim_out, context_dim):
    """You let Upsample keep the number of channels. It goes from dim_in to dim_out, so that the features fit the skip
    connections."""
    return nn.ModuleList(
        [
            Upsample(dim_in),
            ResnetBlock(dim_in + dim_out, dim_out, context_dim),
            ResnetBlock(2 * dim_out, dim_out, context_dim),
        ]
    )


@misconception
def upsample_doubled(self, dim_in, dim_out, context_dim):
    """You gave Upsample the doubled number of channels. The skip connections come behind it: it goes from dim_in to
    dim_out."""
    return nn.ModuleList(
        [
            Upsample(2 * dim_in, dim_out),
            ResnetBlock(2 * dim_out, dim_out, context_dim),
            ResnetBlock(2 * dim_out, dim_out, context_dim),
        ]
    )


@misconception(fails=("ddpm.unet_layers", "ddpm.unet_forward"), raises=True)
def upsample_last(self, dim_in, dim_out, context_dim):
    """You put Upsample behind the blocks. A level on the way up is [Upsample, ResnetBlock, ResnetBlock]."""
    return nn.ModuleList(
        [
            ResnetBlock(2 * dim_out, dim_out, context_dim),
            ResnetBlock(2 * dim_out, dim_out, context_dim),
            Upsample(dim_in, dim_out),
        ]
    )


@misconception
def blocks_on_the_way_up_without_context(self, dim_in, dim_out, context_dim):
    """You gave the blocks on the way up no context_dim, so that they ignore time and text. Pass context_dim."""
    return nn.ModuleList(
        [Upsample(dim_in, dim_out), ResnetBlock(2 * dim_out, dim_out, None), ResnetBlock(2 * dim_out, dim_out, None)]
    )


@misconception
def sizes_of_the_way_down(self, dim_in, dim_out, context_dim):
    """You doubled the input of a block on the way up by dim_in. The skip connection has dim_out channels, as the
    features behind Upsample: 2 · dim_out."""
    return nn.ModuleList(
        [
            Upsample(dim_in, dim_out),
            ResnetBlock(2 * dim_in, dim_out, context_dim),
            ResnetBlock(2 * dim_in, dim_out, context_dim),
        ]
    )
