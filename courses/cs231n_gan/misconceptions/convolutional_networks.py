"""Mistakes in the convolutional networks: build_dc_classifier(batch_size) and build_dc_generator(noise_dim)."""

from torch import nn

from graders.misconceptions import defaults, misconception, original

defaults("gan_pytorch.py:build_dc_classifier", fails=("image_gan.dc_discriminator",))


def scoring(act=nn.LeakyReLU, pool=nn.MaxPool2d, slopes=(0.01, 0.01, 0.01), last=None):
    """The layers of the convolutional discriminator with other parts between them."""
    made = [act(slope) if slope is not None else nn.Identity() for slope in slopes]
    layers = [nn.Conv2d(1, 32, 5), made[0], pool(2), nn.Conv2d(32, 64, 5), made[1], pool(2), Flatten()]
    layers += [nn.Linear(1024, 1024), made[2], nn.Linear(1024, 1), last]
    return nn.Sequential(*filter(None, layers))


@misconception
def sigmoid_at_the_end(batch_size):
    """You ended the convolutional discriminator with a sigmoid. Return the scores themselves: they are logits."""
    return scoring(last=nn.Sigmoid())


@misconception
def steep_leaky_relu(batch_size):
    """You used LeakyReLU with a slope of 0.2 in the convolutional discriminator. It should be 0.01 here."""
    return scoring(slopes=(0.2, 0.2, 0.2))


@misconception
def relu_for_leaky_relu(batch_size):
    """You used ReLU in the convolutional discriminator. It should be LeakyReLU with slope 0.01."""
    return scoring(slopes=(0.0, 0.0, 0.0))


@misconception
def average_pooling(batch_size):
    """You used average-pooling after the convolutions. It should be max-pooling of 2×2 pixels."""
    return scoring(pool=nn.AvgPool2d)


@misconception
def no_activation_between_the_last_layers(batch_size):
    """You left out the LeakyReLU between the two fully connected layers, which are then one linear map."""
    return scoring(slopes=(0.01, 0.01, None))


@misconception
def no_activations_after_convolutions(batch_size):
    """You left out the LeakyReLUs after the convolutions."""
    return scoring(slopes=(None, None, 0.01))


@misconception
def small_padded_filters(batch_size):
    """You used convolutions of 3×3 pixels with padding. They have 5×5 pixels and no padding, so that 28×28 pixels
    become 24×24 in the first, and 12×12 become 8×8 in the second."""
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.LeakyReLU(0.01), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.LeakyReLU(0.01), nn.MaxPool2d(2)),
        *(Flatten(), nn.Linear(7 * 7 * 64, 1024), nn.LeakyReLU(0.01), nn.Linear(1024, 1)),
    )


@misconception
def padded_filters(batch_size):
    """You padded the convolutions, so that the image keeps its size. They have no padding: 28×28 pixels become 24×24 in
    the first, and 12×12 become 8×8 in the second."""
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 5, padding=2), nn.LeakyReLU(0.01), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 5, padding=2), nn.LeakyReLU(0.01), nn.MaxPool2d(2)),
        *(Flatten(), nn.Linear(7 * 7 * 64, 1024), nn.LeakyReLU(0.01), nn.Linear(1024, 1)),
    )


@misconception("gan_pytorch.py:build_dc_classifier", fails=("image_gan.batch_sizes",))
def one_size_of_a_batch(batch_size):
    """Your convolutional discriminator only takes batches of 128 images, since it reshapes them to [128, 1, 28, 28].
    Let it take any number: −1 in that place."""
    return nn.Sequential(Unflatten(128, 1, 28, 28), *original(batch_size))


defaults("gan_pytorch.py:build_dc_generator", fails=("image_gan.dc_generator",))


def imagining(noise_dim, *, norms_first=False, act=nn.ReLU, norms=True, last=nn.Tanh, batch=-1):
    """The layers of the convolutional generator with other parts between them, or in another order."""

    def between(norm):
        parts = [act(), norm] if norms else [act()]
        return parts[::-1] if norms_first else parts

    return nn.Sequential(
        *(nn.Linear(noise_dim, 1024), *between(nn.BatchNorm1d(1024))),
        *(nn.Linear(1024, 7 * 7 * 128), *between(nn.BatchNorm1d(7 * 7 * 128)), Unflatten(batch, 128, 7, 7)),
        *(nn.ConvTranspose2d(128, 64, 4, 2, 1), *between(nn.BatchNorm2d(64))),
        *(nn.ConvTranspose2d(64, 1, 4, 2, 1), last(), Flatten()),
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
def sigmoid_in_place_of_tanh(noise_dim=96):
    """You ended the convolutional generator with a sigmoid. Its pixels should lie between −1 and 1: use tanh."""
    return imagining(noise_dim, last=nn.Sigmoid)


@misconception
def tanh_left_out(noise_dim=96):
    """You left out the tanh at the end of the convolutional generator, so that pixels leave [−1, 1]."""
    return imagining(noise_dim, last=nn.Identity)


@misconception
def leaky_relu_in_the_generator(noise_dim=96):
    """You used LeakyReLU in the convolutional generator. It should be ReLU; LeakyReLU is the discriminator's."""
    return imagining(noise_dim, act=nn.LeakyReLU)


@misconception
def noise_dim_ignored(noise_dim=96):
    """Your convolutional generator always takes 96 latents, whatever noise_dim is. Use noise_dim for the size of the
    first layer."""
    return original(96)


@misconception
def unpadded(noise_dim=96):
    """You left out the padding of the transposed convolutions, so that the images have 34×34 pixels: with stride 2 and
    padding 1, 7×7 pixels become 14×14, and these 28×28."""
    return nn.Sequential(
        *original(noise_dim)[:7],
        *(nn.ConvTranspose2d(128, 64, 4, 2), nn.ReLU(), nn.BatchNorm2d(64)),
        *(nn.ConvTranspose2d(64, 1, 4, 2), nn.Tanh(), Flatten()),
    )


@misconception("gan_pytorch.py:build_dc_generator", fails=("image_gan.batch_sizes",))
def images_for_one_size_of_a_batch(noise_dim=96):
    """Your convolutional generator only takes batches of 128 rows of noise, since it reshapes them to [128, 128, 7, 7].
    Let it take any number: −1 in the first place."""
    return imagining(noise_dim, batch=128)
