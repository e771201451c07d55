"""Mistakes in the classes VAE(input_size, latent_size) and CVAE(input_size, num_classes, latent_size)."""

import torch
from torch import nn

from graders.misconceptions import defaults, misconception, original

defaults("vae.py:VAE.__init__", fails=("vae.layers",))


@misconception
def last_relu_of_the_encoder_missing(self, input_size, latent_size=15):
    """You left out the ReLU after the encoder's last layer, so that this layer and both heads are one linear map."""
    self.original(input_size, latent_size)
    self.encoder = self.encoder[:-1]


@misconception
def first_relu_of_the_encoder_missing(self, input_size, latent_size=15):
    """You left out the ReLU after the encoder's first layer."""
    self.original(input_size, latent_size)
    self.encoder[2] = nn.Identity()


@misconception
def leaky_relu_in_the_encoder(self, input_size, latent_size=15):
    """You used LeakyReLU in the encoder. Its hidden layers have ReLU."""
    self.original(input_size, latent_size)
    self.encoder = nn.Sequential(*(nn.LeakyReLU(0.01) if isinstance(each, nn.ReLU) else each for each in self.encoder))


@misconception
def two_layers_in_the_encoder(self, input_size, latent_size=15):
    """You gave the encoder two layers before its heads. It has three."""
    self.original(input_size, latent_size)
    self.encoder = self.encoder[:5]


@misconception
def no_sigmoid(self, input_size, latent_size=15):
    """You left out the sigmoid at the end of the decoder, whose outputs should be the means of pixels in [0, 1]."""
    self.original(input_size, latent_size)
    self.decoder[7] = nn.Identity()


@misconception
def tanh_for_the_sigmoid(self, input_size, latent_size=15):
    """You ended the decoder with a tanh. Its outputs are means of pixels in [0, 1]: use a sigmoid."""
    self.original(input_size, latent_size)
    self.decoder[7] = nn.Tanh()


@misconception
def last_relu_of_the_decoder_missing(self, input_size, latent_size=15):
    """You left out the ReLU before the decoder's last layer."""
    self.original(input_size, latent_size)
    self.decoder[5] = nn.Identity()


@misconception
def relu_before_the_sigmoid(self, input_size, latent_size=15):
    """You put a ReLU between the decoder's last layer and the sigmoid, so that no mean is ever below ½."""
    self.original(input_size, latent_size)
    self.decoder[7] = nn.Sequential(nn.ReLU(), nn.Sigmoid())


@misconception
def relu_on_the_heads(self, input_size, latent_size=15):
    """You put a ReLU after both heads. mu and logvar may have either sign, so nothing follows these layers."""
    self.original(input_size, latent_size)
    self.mu_layer = nn.Sequential(self.mu_layer, nn.ReLU())
    self.logvar_layer = nn.Sequential(self.logvar_layer, nn.ReLU())


@misconception
def latent_size_ignored(self, input_size, latent_size=15):
    """Your VAE always has 15 latents, whatever latent_size is. Use latent_size for both heads and the decoder."""
    self.original(input_size, 15)


defaults("vae.py:VAE.forward", fails=("vae.forward",))


@misconception
def mean_decoded(self, x):
    """You decoded mu. The decoder takes a draw: z = reparametrize(mu, logvar)."""
    hidden = self.encoder(x)
    mu, logvar = self.mu_layer(hidden), self.logvar_layer(hidden)
    return self.decoder(mu), mu, logvar


@misconception
def draw_cut_off(self, x):
    """You detached z, so that the reconstruction does not train the encoder."""
    hidden = self.encoder(x)
    mu, logvar = self.mu_layer(hidden), self.logvar_layer(hidden)
    return self.decoder(reparametrize(mu, logvar).detach()), mu, logvar


@misconception
def heads_exchanged(self, x):
    """You returned logvar before mu. The order is x_hat, mu, logvar."""
    x_hat, mu, logvar = self.original(x)
    return x_hat, logvar, mu


@misconception
def arguments_exchanged(self, x):
    """You exchanged the arguments of reparametrize: mu comes first."""
    hidden = self.encoder(x)
    mu, logvar = self.mu_layer(hidden), self.logvar_layer(hidden)
    return self.decoder(reparametrize(logvar, mu)), mu, logvar


@misconception
def deviation_given(self, x):
    """You gave reparametrize the standard deviation. It takes logvar, and computes the deviation from it."""
    hidden = self.encoder(x)
    mu, logvar = self.mu_layer(hidden), self.logvar_layer(hidden)
    return self.decoder(reparametrize(mu, torch.exp(0.5 * logvar))), mu, logvar


@misconception
def variance_returned(self, x):
    """You returned the variance in place of its logarithm, which the loss takes: return logvar."""
    x_hat, mu, logvar = self.original(x)
    return x_hat, mu, logvar.exp()


@misconception
def second_sigmoid(self, x):
    """You applied a sigmoid to what the decoder gives, which ends in one already."""
    x_hat, mu, logvar = self.original(x)
    return x_hat.sigmoid(), mu, logvar


@misconception
def flat_reconstruction(self, x):
    """You returned flat reconstructions. They have the shape of the images, [N, 1, 28, 28]."""
    x_hat, mu, logvar = self.original(x)
    return x_hat.flatten(1), mu, logvar


defaults("vae.py:CVAE.__init__", fails=("vae.conditional_layers",))


@misconception
def last_relu_of_the_conditional_encoder_missing(self, input_size, num_classes=10, latent_size=15):
    """You left out the ReLU after the last layer of CVAE's encoder, so that this layer and both heads are one linear
    map."""
    self.original(input_size, num_classes, latent_size)
    self.encoder = self.encoder[:-1]


@misconception
def no_conditional_sigmoid(self, input_size, num_classes=10, latent_size=15):
    """You left out the sigmoid at the end of CVAE's decoder."""
    self.original(input_size, num_classes, latent_size)
    self.decoder[7] = nn.Identity()


@misconception
def two_layers_in_the_conditional_encoder(self, input_size, num_classes=10, latent_size=15):
    """You gave CVAE's encoder two layers before its heads. It has three."""
    self.original(input_size, num_classes, latent_size)
    self.encoder = self.encoder[:4]


defaults("vae.py:CVAE.forward", fails=("vae.conditional_forward",))


@misconception
def labels_before_latents(self, x, c):
    """You put the labels before the latents. The decoder takes the latents first, and then the labels, as the notebook
    calls it."""
    hidden = self.encoder(torch.cat([x.flatten(start_dim=1), c], dim=1))
    mu, logvar = self.mu_layer(hidden), self.logvar_layer(hidden)
    return self.decoder(torch.cat([c, reparametrize(mu, logvar)], dim=1)), mu, logvar


@misconception
def conditional_mean_decoded(self, x, c):
    """You decoded mu with the labels. The decoder takes a draw with the labels: z = reparametrize(mu, logvar)."""
    hidden = self.encoder(torch.cat([x.flatten(start_dim=1), c], dim=1))
    mu, logvar = self.mu_layer(hidden), self.logvar_layer(hidden)
    return self.decoder(torch.cat([mu, c], dim=1)), mu, logvar


@misconception
def labels_of_zeros_decoded(self, x, c):
    """You gave the decoder zeros in place of the labels. It takes the latents, and then the labels c."""
    hidden = self.encoder(torch.cat([x.flatten(start_dim=1), c], dim=1))
    mu, logvar = self.mu_layer(hidden), self.logvar_layer(hidden)
    return self.decoder(torch.cat([reparametrize(mu, logvar), torch.zeros_like(c)], dim=1)), mu, logvar


defaults("vae.py:CVAE", fails=("vae.conditional_forward",))


@misconception
class LabelsNotDecoded(original):
    """You gave the labels to the encoder only. The decoder takes them, too, behind the latents."""

    def __init__(self, input_size, num_classes=10, latent_size=15):
        super().__init__(input_size, num_classes, latent_size)
        self.decoder = decoder_of(latent_size, input_size)

    def forward(self, x, c):
        hidden = self.encoder(torch.cat([x.flatten(start_dim=1), c], dim=1))
        mu, logvar = self.mu_layer(hidden), self.logvar_layer(hidden)
        return self.decoder(reparametrize(mu, logvar)), mu, logvar


@misconception
class LabelsNotEncoded(original):
    """You gave the labels to the decoder only. The encoder takes them, too, beside the flat image."""

    def __init__(self, input_size, num_classes=10, latent_size=15):
        super().__init__(input_size, num_classes, latent_size)
        self.encoder = nn.Sequential(*hidden_layers(input_size))

    def forward(self, x, c):
        hidden = self.encoder(x.flatten(start_dim=1))
        mu, logvar = self.mu_layer(hidden), self.logvar_layer(hidden)
        return self.decoder(torch.cat([reparametrize(mu, logvar), c], dim=1)), mu, logvar
