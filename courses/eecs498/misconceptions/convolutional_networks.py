"""Mistakes in the convolutional networks: build_dc_classifier() and build_dc_generator(noise_dim)."""

from torch import nn

from graders.misconceptions import defaults, misconception, original

defaults("gan.py:build_dc_classifier", fails=("image_gan.dc_discriminator",))


class Reshape(nn.Module):
    """Gives its input another shape, which may fix the size of the batch."""

    def __init__(self, *shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        return x.reshape(self.shape)


def scoring(slope=0.01, last=None):
    """The layers of the convolutional discriminator with another slope, or with one more at the end."""
    layers = [nn.Conv2d(1, 32, 5), nn.LeakyReLU(slope), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(32, 64, 5), nn.LeakyReLU(slope), nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(1024, 1024), nn.LeakyReLU(slope), nn.Linear(1024, 1), last]
    return nn.Sequential(nn.Unflatten(1, (1, 28, 28)), *filter(None, layers))


@misconception
def sigmoid_at_the_end():
    """You ended the convolutional discriminator with a sigmoid. Return the scores themselves: they are logits."""
    return scoring(last=nn.Sigmoid())


@misconception
def steep_leaky_relu():
    """You used LeakyReLU with a slope of 0.2 in the convolutional discriminator. It should be 0.01 here."""
    return scoring(slope=0.2)


@misconception
def small_padded_filters():
    """You used convolutions of 3×3 pixels with padding. They have 5×5 pixels and no padding, so that 28×28 pixels
    become 24×24 in the first, and 12×12 become 8×8 in the second."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        *(nn.Conv2d(1, 32, 3, padding=1), nn.LeakyReLU(0.01), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.LeakyReLU(0.01), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(7 * 7 * 64, 1024), nn.LeakyReLU(0.01), nn.Linear(1024, 1)),
    )


@misconception("gan.py:build_dc_classifier", fails=("image_gan.batch_sizes",))
def one_size_of_a_batch():
    """Your convolutional discriminator only takes batches of 128 images, since it reshapes them to [128, 1, 28, 28].
    Let it take any number: −1 in that place."""
    return nn.Sequential(Reshape(128, 1, 28, 28), *original()[1:])


defaults("gan.py:build_dc_generator", fails=("image_gan.dc_generator",))


def imagining(noise_dim, *, norms=True, norms_first=False, last=nn.Tanh, batch=-1):
    """The layers of the convolutional generator with other parts between them, or in another order."""

    def between(norm):
        parts = [nn.ReLU(), norm] if norms else [nn.ReLU()]
        return parts[::-1] if norms_first else parts

    return nn.Sequential(
        *(nn.Linear(noise_dim, 1024), *between(nn.BatchNorm1d(1024))),
        *(nn.Linear(1024, 7 * 7 * 128), *between(nn.BatchNorm1d(7 * 7 * 128)), Reshape(batch, 128, 7, 7)),
        *(nn.ConvTranspose2d(128, 64, 4, 2, 1), *between(nn.BatchNorm2d(64))),
        *(nn.ConvTranspose2d(64, 1, 4, 2, 1), last(), nn.Flatten()),
    )


@misconception
def norms_before_activations(noise_dim=96):
    """You put the batch norms before the ReLUs. They should follow them here: layer, ReLU, batch norm."""
    return imagining(noise_dim, norms_first=True)


@misconception
def no_batch_norms(noise_dim=96):
    """You left out the batch norms, which follow the ReLUs of both fully connected layers and of the first transposed
    convolution."""
    return imagining(noise_dim, norms=False)


@misconception
def tanh_left_out(noise_dim=96):
    """You left out the tanh at the end of the convolutional generator, so that pixels leave [−1, 1]."""
    return imagining(noise_dim, last=nn.Identity)


@misconception
def noise_dim_ignored(noise_dim=96):
    """Your convolutional generator always takes 96 latents, whatever noise_dim is. Use noise_dim for the size of the
    first layer."""
    return original(96)


@misconception("gan.py:build_dc_generator", fails=("image_gan.batch_sizes",))
def images_for_one_size_of_a_batch(noise_dim=96):
    """Your convolutional generator only takes batches of 128 rows of noise, since it reshapes them to [128, 128, 7, 7].
    Let it take any number: −1 in the first place."""
    return imagining(noise_dim, batch=128)
