"""Mistakes in the fully connected networks: discriminator() and generator(noise_dim)."""

from torch import nn

from graders.misconceptions import defaults, misconception, original

defaults("gan_pytorch.py:discriminator", fails=("image_gan.discriminator",))


def scoring(first, second, last=None):
    """The layers of the discriminator with other activations."""
    layers = [Flatten(), nn.Linear(784, 256), first, nn.Linear(256, 256), second, nn.Linear(256, 1)]
    return nn.Sequential(*filter(None, [*layers, last]))


@misconception
def sigmoid_at_the_end(seed=None):
    """You ended the discriminator with a sigmoid. Return the scores themselves: they are logits, and bce_loss applies
    the sigmoid."""
    return nn.Sequential(*original(), nn.Sigmoid())


@misconception
def steep_leaky_relu(seed=None):
    """You used LeakyReLU with a slope of 0.2. It should be 0.01 here."""
    return scoring(nn.LeakyReLU(0.2), nn.LeakyReLU(0.2))


@misconception
def slope_of_a_tenth(seed=None):
    """You used LeakyReLU with a slope of 0.1. It should be 0.01 here."""
    return scoring(nn.LeakyReLU(0.1), nn.LeakyReLU(0.1))


@misconception
def relu_for_leaky_relu(seed=None):
    """You used ReLU. The discriminator uses LeakyReLU with slope 0.01, which also passes a gradient where a unit is
    negative."""
    return scoring(nn.ReLU(), nn.ReLU())


@misconception
def activation_on_the_scores(seed=None):
    """You put a LeakyReLU after the last layer, too. Nothing follows it: scores may have any size and sign."""
    return nn.Sequential(*original(), nn.LeakyReLU(0.01))


@misconception
def one_activation_only(seed=None):
    """You left out the LeakyReLU after the second hidden layer, so that it and the last layer are one linear map."""
    return scoring(nn.LeakyReLU(0.01), nn.Identity())


@misconception
def no_activations(seed=None):
    """You left out the LeakyReLUs between the layers, so that the whole discriminator is linear."""
    return scoring(nn.Identity(), nn.Identity())


@misconception
def one_hidden_layer(seed=None):
    """You used one hidden layer. The discriminator has two of 256 units."""
    return nn.Sequential(Flatten(), nn.Linear(784, 256), nn.LeakyReLU(0.01), nn.Linear(256, 1))


@misconception
def two_scores(seed=None):
    """You gave each image two scores, one for each class. The discriminator gives one, and its loss takes one."""
    return nn.Sequential(
        *(Flatten(), nn.Linear(784, 256), nn.LeakyReLU(0.01)),
        *(nn.Linear(256, 256), nn.LeakyReLU(0.01), nn.Linear(256, 2)),
    )


defaults("gan_pytorch.py:generator", fails=("image_gan.generator",))


def imagining(noise_dim, first, second, last):
    """The layers of the generator with other activations."""
    layers = [nn.Linear(noise_dim, 1024), first, nn.Linear(1024, 1024), second, nn.Linear(1024, 784), last]
    return nn.Sequential(*layers)


@misconception
def sigmoid_for_tanh(noise_dim=96, seed=None):
    """You ended the generator with a sigmoid. Its pixels should lie between −1 and 1, as those of the scaled images do:
    use tanh."""
    return imagining(noise_dim, nn.ReLU(), nn.ReLU(), nn.Sigmoid())


@misconception
def no_tanh(noise_dim=96, seed=None):
    """You left out the tanh at the end, so that pixels leave [−1, 1]."""
    return imagining(noise_dim, nn.ReLU(), nn.ReLU(), nn.Identity())


@misconception
def relu_before_the_tanh(noise_dim=96, seed=None):
    """You put a ReLU between the last layer and the tanh, so that no pixel is ever negative."""
    return nn.Sequential(*original(noise_dim)[:-1], nn.ReLU(), nn.Tanh())


@misconception
def leaky_relu_in_the_generator(noise_dim=96, seed=None):
    """You used LeakyReLU in the generator. Its hidden layers have ReLU; LeakyReLU is the discriminator's."""
    return imagining(noise_dim, nn.LeakyReLU(0.01), nn.LeakyReLU(0.01), nn.Tanh())


@misconception
def no_hidden_activations(noise_dim=96, seed=None):
    """You left out the ReLUs between the layers, so that the generator is linear but for its tanh."""
    return imagining(noise_dim, nn.Identity(), nn.Identity(), nn.Tanh())


@misconception
def noise_dim_ignored(noise_dim=96, seed=None):
    """Your generator always takes 96 latents, whatever noise_dim is. Use noise_dim for the size of the first layer."""
    return original(96)


@misconception
def discriminators_widths(noise_dim=96, seed=None):
    """You gave the generator hidden layers of 256 units, which are those of the discriminator. It has 1024."""
    return nn.Sequential(
        *(nn.Linear(noise_dim, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 784), nn.Tanh())
    )
