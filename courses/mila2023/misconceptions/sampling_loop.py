"""The loop of steps back: in place of p_sample_loop(model, shape, timesteps, T, coefficients, noise)."""

import torch

from graders.misconceptions import defaults, misconception, original


def walk(model, img, steps, coefficients, noises=None):
    """The images after each of `steps`."""
    imgs = []
    for index, i in enumerate(steps):
        t = torch.full((len(img),), i, device=img.device)
        img = p_sample(model, img, t, i, coefficients, None if noises is None else noises[index])
        imgs.append(img)
    return torch.stack(imgs)


defaults("diffusion_solution.py:p_sample_loop", fails=("ddpm.p_sample_loop",))


@misconception
@torch.no_grad()
def forwards(model, shape, timesteps, T, coefficients, noise=None):
    """Your loop runs from t = 0 up to T − 1. Sampling goes back: it begins at T − 1, where there is nothing but noise,
    and ends at 0."""
    img = torch.randn(shape, device=model.device) if noise is None else noise[0]
    return walk(model, img, range(timesteps), coefficients, None if noise is None else noise[1:])


@misconception
@torch.no_grad()
def last_step_left_out(model, shape, timesteps, T, coefficients, noise=None):
    """Your loop stops at t = 1 and never takes the last step, t = 0, which removes the rest of the noise."""
    img = torch.randn(shape, device=model.device) if noise is None else noise[0]
    return walk(model, img, range(timesteps - 1, 0, -1), coefficients, None if noise is None else noise[1:])


@misconception
@torch.no_grad()
def always_from_the_start(model, shape, timesteps, T, coefficients, noise=None):
    """Each of your steps begins with the noise of the start again. Feed each step the image of the one before."""
    start = torch.randn(shape, device=model.device) if noise is None else noise[0]
    imgs = []
    for done, i in enumerate(reversed(range(timesteps)), start=1):
        t = torch.full((shape[0],), i, device=start.device)
        imgs.append(p_sample(model, start, t, i, coefficients, None if noise is None else noise[done]))
    return torch.stack(imgs)


@misconception
@torch.no_grad()
def only_the_last_image(model, shape, timesteps, T, coefficients, noise=None):
    """You return the last images only. All steps are asked for, stacked in order: [T, B, C, H, W]."""
    return original(model, shape, timesteps, T, coefficients, noise)[-1]


@misconception
@torch.no_grad()
def in_reverse_order(model, shape, timesteps, T, coefficients, noise=None):
    """You return the images with the last one first. They are asked for in the order of the steps, so that the finished
    images come last."""
    return original(model, shape, timesteps, T, coefficients, noise).flip(0)


@misconception
@torch.no_grad()
def start_kept_in_the_result(model, shape, timesteps, T, coefficients, noise=None):
    """Your result begins with the noise of the start, and has one image too many: append after each step only."""
    img = torch.randn(shape, device=model.device) if noise is None else noise[0]
    steps = range(timesteps - 1, -1, -1)
    return torch.cat([img[None], walk(model, img, steps, coefficients, None if noise is None else noise[1:])])


@misconception
@torch.no_grad()
def start_is_uniform(model, shape, timesteps, T, coefficients, noise=None):
    """Your loop starts from uniform noise, by torch.rand. x_T is standard normal: torch.randn."""
    img = torch.rand(shape, device=model.device) if noise is None else noise[0]
    return walk(model, img, range(timesteps - 1, -1, -1), coefficients, None if noise is None else noise[1:])


@misconception
@torch.no_grad()
def start_is_black(model, shape, timesteps, T, coefficients, noise=None):
    """Your loop starts from images of zeros. x_T is standard normal noise, and what makes one sample different from
    another: torch.randn."""
    img = torch.zeros(shape, device=model.device) if noise is None else noise[0]
    return walk(model, img, range(timesteps - 1, -1, -1), coefficients, None if noise is None else noise[1:])


@misconception
@torch.no_grad()
def given_noise_not_passed_on(model, shape, timesteps, T, coefficients, noise=None):
    """You do not pass the given noise on to p_sample, so that its steps draw their own: give each step one of
    `noise`."""
    img = torch.randn(shape, device=model.device) if noise is None else noise[0]
    return walk(model, img, range(timesteps - 1, -1, -1), coefficients)


@misconception
@torch.no_grad()
def one_noise_for_all_steps(model, shape, timesteps, T, coefficients, noise=None):
    """You give every step the noise of the start, noise[0]. Each step needs noise of its own: noise[1], noise[2] …"""
    if noise is None:
        return original(model, shape, timesteps, T, coefficients)
    steps = range(timesteps - 1, -1, -1)
    return walk(model, noise[0], steps, coefficients, [noise[0]] * timesteps)


@misconception
@torch.no_grad()
def steps_without_noise(model, shape, timesteps, T, coefficients, noise=None):
    """You give p_sample zeros where no noise is given, so that none is added in any step. Leave its `noise` out, and it
    draws its own."""
    img = torch.randn(shape, device=model.device) if noise is None else noise[0]
    noises = [torch.zeros_like(img)] * timesteps if noise is None else noise[1:]
    return walk(model, img, range(timesteps - 1, -1, -1), coefficients, noises)


@misconception
@torch.no_grad()
def one_noise_drawn_for_all_steps(model, shape, timesteps, T, coefficients, noise=None):
    """You draw noise once, before the loop, and give it to every step, so that it adds up. Each step needs new noise:
    leave p_sample's `noise` out, and it draws its own."""
    img = torch.randn(shape, device=model.device) if noise is None else noise[0]
    noises = [torch.randn_like(img)] * timesteps if noise is None else noise[1:]
    return walk(model, img, range(timesteps - 1, -1, -1), coefficients, noises)


@misconception
@torch.no_grad()
def start_for_the_last_step(model, shape, timesteps, T, coefficients, noise=None):
    """Your result begins with the noise of the start, and the step of t = 0 is missing in its place: take all T steps,
    from T − 1 down to 0, and append after each."""
    img = torch.randn(shape, device=model.device) if noise is None else noise[0]
    noises = None if noise is None else noise[1:]
    return torch.cat([img[None], walk(model, img, range(timesteps - 1, 0, -1), coefficients, noises)])


@misconception
@torch.no_grad()
def times_from_the_number_of_steps(model, shape, timesteps, T, coefficients, noise=None):
    """Your times go from T down to 1. They are indices of sequences of T entries, from T − 1 down to 0: range(T − 1,
    −1, −1), or reversed(range(T))."""
    img = torch.randn(shape, device=model.device) if noise is None else noise[0]
    return walk(model, img, range(timesteps, 0, -1), coefficients, None if noise is None else noise[1:])


@misconception
@torch.no_grad()
def index_one_ahead(model, shape, timesteps, T, coefficients, noise=None):
    """Your t_index runs from T to 1, one ahead of t, so that p_sample never sees 0, and adds noise in the last step as
    well. Both are the same time."""
    img, imgs = torch.randn(shape, device=model.device) if noise is None else noise[0], []
    for done, i in enumerate(reversed(range(timesteps)), start=1):
        t = torch.full((shape[0],), i, device=img.device)
        img = p_sample(model, img, t, i + 1, coefficients, None if noise is None else noise[done])
        imgs.append(img)
    return torch.stack(imgs)


@misconception
@torch.no_grad()
def times_begin_at_one(model, shape, timesteps, T, coefficients, noise=None):
    """Your times are one step behind the loop: the last one, which gives the mode, is never 0. Times run from T − 1 to
    0 and are those of the sequences' entries."""
    img = torch.randn(shape, device=model.device) if noise is None else noise[0]
    steps = [min(i + 1, timesteps - 1) for i in reversed(range(timesteps))]
    return walk(model, img, steps, coefficients, None if noise is None else noise[1:])
