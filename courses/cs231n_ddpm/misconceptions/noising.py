"""Mistakes in q_sample(x_start, t, noise), which gives noisy images, and in its two inverses."""

import torch

from graders.misconceptions import defaults, misconception

defaults("gaussian_diffusion.py:GaussianDiffusion.q_sample", fails=("ddpm.noising",))


def at(sequence, t, x):
    """The entries of a sequence at the times of images."""
    return extract(sequence, t, x.shape)


@misconception
def product_without_a_root(self, x_start, t, noise):
    """You multiplied the images with ᾱ. Their factor is √ᾱ: use sqrt_alphas_cumprod."""
    return at(self.alphas_cumprod, t, x_start) * x_start + at(self.sqrt_one_minus_alphas_cumprod, t, x_start) * noise


@misconception
def variance_of_the_noise(self, x_start, t, noise):
    """You multiplied the noise with its variance 1 − ᾱ. Its factor is the standard deviation √(1 − ᾱ): use
    sqrt_one_minus_alphas_cumprod."""
    return at(self.sqrt_alphas_cumprod, t, x_start) * x_start + (1 - at(self.alphas_cumprod, t, x_start)) * noise


@misconception
def no_roots(self, x_start, t, noise):
    """You left out both roots. Images are multiplied with √ᾱ, and noise with √(1 − ᾱ)."""
    product = at(self.alphas_cumprod, t, x_start)
    return product * x_start + (1 - product) * noise


@misconception
def alpha_for_the_product(self, x_start, t, noise):
    """You used α of one step. To go from x_0 to x_t at once, use ᾱ, the product of all α up to t: alphas_cumprod."""
    alpha = at(self.alphas, t, x_start)
    return alpha.sqrt() * x_start + (1 - alpha).sqrt() * noise


@misconception
def exchanged(self, x_start, t, noise):
    """You exchanged the factors of images and noise. Images fade with t: they are multiplied with √ᾱ, the noise with
    √(1 − ᾱ)."""
    signal, spread = at(self.sqrt_alphas_cumprod, t, x_start), at(self.sqrt_one_minus_alphas_cumprod, t, x_start)
    return spread * x_start + signal * noise


@misconception
def noise_subtracted(self, x_start, t, noise):
    """You subtracted the noise. It is added here, so that the loss finds the noise that is in the image."""
    return (
        at(self.sqrt_alphas_cumprod, t, x_start) * x_start - at(self.sqrt_one_minus_alphas_cumprod, t, x_start) * noise
    )


@misconception
def noise_as_it_is(self, x_start, t, noise):
    """You added the noise as it is. Multiply it with √(1 − ᾱ), which grows with t."""
    return at(self.sqrt_alphas_cumprod, t, x_start) * x_start + noise


@misconception
def images_as_they_are(self, x_start, t, noise):
    """You did not scale the images. Multiply them with √ᾱ, so that they fade with t."""
    return x_start + at(self.sqrt_one_minus_alphas_cumprod, t, x_start) * noise


@misconception
def other_noise(self, x_start, t, noise):
    """You drew noise of your own in q_sample. Use the noise that it is given, since the loss compares with it."""
    signal, spread = at(self.sqrt_alphas_cumprod, t, x_start), at(self.sqrt_one_minus_alphas_cumprod, t, x_start)
    return signal * x_start + spread * torch.randn_like(x_start)


@misconception
def time_of_the_first_image(self, x_start, t, noise):
    """You used the time of the first image for all of them. Each image has its own time: extract gives its factor."""
    first = t[:1].expand(len(t))
    signal, spread = (
        at(self.sqrt_alphas_cumprod, first, x_start),
        at(self.sqrt_one_minus_alphas_cumprod, first, x_start),
    )
    return signal * x_start + spread * noise


@misconception
def in_place(self, x_start, t, noise):
    """You changed the images or the noise in place, so that whoever called q_sample has lost them. Make new tensors."""
    x_start *= at(self.sqrt_alphas_cumprod, t, x_start)
    return x_start + at(self.sqrt_one_minus_alphas_cumprod, t, x_start) * noise


defaults("gaussian_diffusion.py:GaussianDiffusion.predict_start_from_noise", fails=("ddpm.start_from_noise",))


@misconception
def start_by_the_other_formula(self, x_t, t, noise):
    """You computed (x_t − √ᾱ·ε)/√(1 − ᾱ), which finds the noise for given clean images. Here the noise is given:
    (x_t − √(1 − ᾱ)·ε)/√ᾱ."""
    return (x_t - at(self.sqrt_alphas_cumprod, t, x_t) * noise) / at(self.sqrt_one_minus_alphas_cumprod, t, x_t)


@misconception
def start_not_divided(self, x_t, t, noise):
    """You subtracted the noise, but did not divide by √ᾱ, so that the clean images stay faded."""
    return x_t - at(self.sqrt_one_minus_alphas_cumprod, t, x_t) * noise


@misconception
def start_with_noise_added(self, x_t, t, noise):
    """You added the noise. It was added by q_sample, so subtract it here."""
    return (x_t + at(self.sqrt_one_minus_alphas_cumprod, t, x_t) * noise) / at(self.sqrt_alphas_cumprod, t, x_t)


@misconception
def start_divided_without_a_root(self, x_t, t, noise):
    """You divided by ᾱ. Divide by √ᾱ, the factor that q_sample multiplied the clean images with."""
    return (x_t - at(self.sqrt_one_minus_alphas_cumprod, t, x_t) * noise) / at(self.alphas_cumprod, t, x_t)


@misconception
def start_with_the_variance(self, x_t, t, noise):
    """You subtracted the noise times 1 − ᾱ, its variance. Its factor in x_t is √(1 − ᾱ)."""
    return (x_t - (1 - at(self.alphas_cumprod, t, x_t)) * noise) / at(self.sqrt_alphas_cumprod, t, x_t)


@misconception
def start_of_one_step(self, x_t, t, noise):
    """You used α of one step. The clean images of x_t are found with ᾱ, the product of all α up to t:
    (x_t − √(1 − ᾱ)·ε)/√ᾱ."""
    alpha = at(self.alphas, t, x_t)
    return (x_t - (1 - alpha).sqrt() * noise) / alpha.sqrt()


@misconception
def start_with_only_noise_divided(self, x_t, t, noise):
    """You divided the noise alone by √ᾱ. Divide the whole difference: (x_t − √(1 − ᾱ)·ε)/√ᾱ."""
    return x_t - at(self.sqrt_one_minus_alphas_cumprod, t, x_t) * noise / at(self.sqrt_alphas_cumprod, t, x_t)


@misconception
def start_by_noising_again(self, x_t, t, noise):
    """You computed q_sample's formula once more. Solve x_t = √ᾱ·x_0 + √(1 − ᾱ)·ε for x_0."""
    return at(self.sqrt_alphas_cumprod, t, x_t) * x_t + at(self.sqrt_one_minus_alphas_cumprod, t, x_t) * noise


@misconception
def start_clamped(self, x_t, t, noise):
    """You clamped x_0 in predict_start_from_noise. It inverts q_sample exactly; p_sample clamps what it gets."""
    spread = at(self.sqrt_one_minus_alphas_cumprod, t, x_t)
    return ((x_t - spread * noise) / at(self.sqrt_alphas_cumprod, t, x_t)).clamp(-1, 1)


defaults("gaussian_diffusion.py:GaussianDiffusion.predict_noise_from_start", fails=("ddpm.noise_from_start",))


@misconception
def noise_by_the_other_formula(self, x_t, t, x_start):
    """You computed (x_t − √(1 − ᾱ)·x_0)/√ᾱ, which finds the clean images for given noise. Here the clean images are
    given: (x_t − √ᾱ·x_0)/√(1 − ᾱ)."""
    return (x_t - at(self.sqrt_one_minus_alphas_cumprod, t, x_t) * x_start) / at(self.sqrt_alphas_cumprod, t, x_t)


@misconception
def noise_not_divided(self, x_t, t, x_start):
    """You subtracted the clean images, but did not divide by √(1 − ᾱ), so that the noise has the wrong scale."""
    return x_t - at(self.sqrt_alphas_cumprod, t, x_t) * x_start


@misconception
def noise_with_the_wrong_sign(self, x_t, t, x_start):
    """You subtracted x_t from the clean images. The noise is what x_t has more than √ᾱ·x_0."""
    return (at(self.sqrt_alphas_cumprod, t, x_t) * x_start - x_t) / at(self.sqrt_one_minus_alphas_cumprod, t, x_t)


@misconception
def noise_divided_by_its_variance(self, x_t, t, x_start):
    """You divided by 1 − ᾱ. Divide by √(1 − ᾱ), the factor that q_sample multiplied the noise with."""
    return (x_t - at(self.sqrt_alphas_cumprod, t, x_t) * x_start) / (1 - at(self.alphas_cumprod, t, x_t))


@misconception
def noise_with_images_as_they_are(self, x_t, t, x_start):
    """You subtracted the clean images without their factor √ᾱ."""
    return (x_t - x_start) / at(self.sqrt_one_minus_alphas_cumprod, t, x_t)


@misconception
def noise_with_the_product(self, x_t, t, x_start):
    """You multiplied the clean images with ᾱ. Their factor in x_t is √ᾱ."""
    return (x_t - at(self.alphas_cumprod, t, x_t) * x_start) / at(self.sqrt_one_minus_alphas_cumprod, t, x_t)


@misconception
def noise_of_one_step(self, x_t, t, x_start):
    """You used α of one step. The noise in x_t is found with ᾱ, the product of all α up to t:
    (x_t − √ᾱ·x_0)/√(1 − ᾱ)."""
    alpha = at(self.alphas, t, x_t)
    return (x_t - alpha.sqrt() * x_start) / (1 - alpha).sqrt()
