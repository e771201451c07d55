"""Mistakes in train_vae and test_vae, the loops of a VAE, which return averages of bpd, L_rec and L_reg."""

from itertools import islice

import torch

from graders.misconceptions import defaults, misconception


def losses_of(model, loader, step=lambda losses: None):
    """Yields each batch's losses as [bpd, L_rec, L_reg], with its size; `step` is called with (L_rec, L_reg, bpd)."""
    for imgs, _ in loader:
        rec, reg, bpd = model(imgs.to(model.device))
        step((rec, reg, bpd))
        yield [bpd.item(), rec.item(), reg.item()], len(imgs)


def averages(batches):
    """Returns the averages of three losses over images."""
    batches = list(batches)
    count = sum(size for _, size in batches)
    return tuple(sum(losses[i] * size for losses, size in batches) / count for i in range(3))


def trained(model, loader, optimizer, loss_of=lambda rec, reg, bpd: bpd):
    """Yields each batch's losses in an epoch of training on `loss_of`, by default correctly on bpd."""
    model.train()

    def step(losses):
        optimizer.zero_grad()
        loss_of(*losses).backward()
        optimizer.step()

    return losses_of(model, loader, step)


def tested(model, loader):
    """Yields each batch's losses in a correct evaluation."""
    model.eval()
    with torch.no_grad():
        yield from losses_of(model, loader)


# Steps


defaults("part1/train_torch.py:train_vae", fails=("vae.training_loop",))


@misconception
def no_zero_grad(model, train_loader, optimizer):
    """You never clear the gradients, so that each step follows the sum of all gradients so far: call
    optimizer.zero_grad() before backward() of each batch."""

    def step(losses):
        losses[-1].backward()
        optimizer.step()

    model.train()
    return averages(losses_of(model, train_loader, step))


@misconception
def zero_grad_once(model, train_loader, optimizer):
    """You clear the gradients before every second batch only, or more rarely, so that steps in between follow the sum
    of several batches' gradients: call optimizer.zero_grad() before backward() of each batch."""

    def step(losses):
        nonlocal batches
        if batches % 2 == 0:
            optimizer.zero_grad()
        batches += 1
        losses[-1].backward()
        optimizer.step()

    batches = 0
    model.train()
    return averages(losses_of(model, train_loader, step))


@misconception
def gradients_cleared_before_the_step(model, train_loader, optimizer):
    """You clear the gradients between backward() and step(), so that there is nothing left to follow: call
    optimizer.zero_grad() before backward()."""

    def step(losses):
        losses[-1].backward()
        optimizer.zero_grad()
        optimizer.step()

    model.train()
    return averages(losses_of(model, train_loader, step))


@misconception
def step_before_backward(model, train_loader, optimizer):
    """You call optimizer.step() before backward(), so that no step has a gradient to follow: the order is zero_grad(),
    backward(), step()."""

    def step(losses):
        optimizer.zero_grad()
        optimizer.step()
        losses[-1].backward()

    model.train()
    return averages(losses_of(model, train_loader, step))


@misconception
def no_step(model, train_loader, optimizer):
    """You compute gradients and never call optimizer.step(), so that nothing is trained: call it after backward()."""

    def step(losses):
        optimizer.zero_grad()
        losses[-1].backward()

    model.train()
    return averages(losses_of(model, train_loader, step))


@misconception
def no_backward(model, train_loader, optimizer):
    """You never call backward() on the bpd that the model returned, or only on a tensor made of its value, so that
    steps have no gradients to follow: call bpd.backward() between zero_grad() and step()."""

    def step(losses):
        optimizer.zero_grad()
        optimizer.step()

    model.train()
    return averages(losses_of(model, train_loader, step))


@misconception
def no_training_at_all(model, train_loader, optimizer):
    """Your train_vae only evaluates the model: clear the gradients, call backward() on bpd, and let the optimiser step,
    for each batch."""
    model.train()
    return averages(losses_of(model, train_loader))


@misconception
def one_step_for_the_epoch(model, train_loader, optimizer):
    """You call optimizer.step() once, after the loop, along the gradients of all batches: indent it, so that there is a
    step for each batch."""
    model.train()
    optimizer.zero_grad()
    found = averages(losses_of(model, train_loader, lambda losses: losses[-1].backward()))
    optimizer.step()
    return found


@misconception
def step_of_the_last_batch_only(model, train_loader, optimizer):
    """You call backward() and optimizer.step() once, after the loop, so that only the last batch is trained on: indent
    them, so that there is a step for each batch."""
    last = None

    def step(losses):
        nonlocal last
        last = losses[-1]

    model.train()
    found = averages(losses_of(model, train_loader, step))
    optimizer.zero_grad()
    last.backward()
    optimizer.step()
    return found


@misconception
def a_step_every_second_batch(model, train_loader, optimizer):
    """You let the optimiser step after every second batch only: there should be a step for each batch."""

    def step(losses):
        nonlocal batches
        optimizer.zero_grad()
        losses[-1].backward()
        batches += 1
        if batches % 2 == 0:
            optimizer.step()

    batches = 0
    model.train()
    return averages(losses_of(model, train_loader, step))


@misconception
def another_optimizer(model, train_loader, optimizer):
    """You create a new optimiser in train_vae instead of using the given one, so that its learning rate is ignored and
    Adam's averages start anew each epoch: use the argument."""
    model.train()
    return averages(trained(model, train_loader, torch.optim.Adam(model.parameters(), lr=1e-3)))


@misconception
def reconstruction_only(model, train_loader, optimizer):
    """You train on the reconstruction loss alone, so that nothing keeps the posterior near the prior: call backward()
    on bpd, which contains both losses."""
    return averages(trained(model, train_loader, optimizer, lambda rec, reg, bpd: rec))


@misconception
def regularisation_only(model, train_loader, optimizer):
    """You train on the regularisation loss alone, so that the model learns nothing of the images: call backward() on
    bpd, which contains both losses."""
    return averages(trained(model, train_loader, optimizer, lambda rec, reg, bpd: reg))


@misconception
def regularisation_subtracted(model, train_loader, optimizer):
    """You train on L_rec − L_reg, so that the divergence from the prior is made large: call backward() on bpd, the sum
    of both losses."""
    return averages(trained(model, train_loader, optimizer, lambda rec, reg, bpd: rec - reg))


@misconception
def bits_added_to_nats(model, train_loader, optimizer):
    """You train on the sum of bpd and L_reg, so that the divergence counts hundreds of times, which makes the posterior
    collapse to the prior: call backward() on bpd alone, which contains both losses already."""
    return averages(trained(model, train_loader, optimizer, lambda rec, reg, bpd: bpd + reg))


@misconception
def loss_maximised(model, train_loader, optimizer):
    """You train on −bpd, so that the loss grows: bpd is the negative of the bound already, so minimise it as it is."""
    return averages(trained(model, train_loader, optimizer, lambda rec, reg, bpd: -bpd))


# Modes


@misconception(raises=True)
@torch.no_grad()
def training_without_gradients(model, train_loader, optimizer):
    """You train under torch.no_grad(), where backward() cannot compute gradients: use no_grad in test_vae only."""
    return averages(trained(model, train_loader, optimizer))


defaults("part1/train_torch.py:test_vae", fails=("vae.training_loop",))


@misconception
def gradients_in_test(model, data_loader):
    """You test without torch.no_grad(), so that PyTorch keeps all intermediate results for gradients that are not
    needed: put @torch.no_grad() over test_vae."""
    model.eval()
    return averages(losses_of(model, data_loader))


@misconception
def training_in_test(model, data_loader):
    """You train in test_vae too, so that the model learns from the images that it is evaluated on: evaluate only, in
    eval mode and without gradients."""
    return averages(trained(model, data_loader, torch.optim.Adam(model.parameters(), lr=1e-3)))


# Batches


defaults("part1/train_torch.py:train_vae", fails=("vae.training_loop",))


@misconception
def trained_on_the_first_batch_only(model, train_loader, optimizer):
    """You return from within the loop, so that only the first batch is trained on: return after the loop."""
    return averages(trained(model, islice(train_loader, 1), optimizer))


@misconception
def trained_on_half(model, train_loader, optimizer):
    """You train on the first half of the loader's batches only: an epoch goes once through all of them."""
    return averages(trained(model, islice(train_loader, len(train_loader) // 2), optimizer))


@misconception
def the_first_batch_again_and_again(model, train_loader, optimizer):
    """You call next(iter(train_loader)) in each step, which starts a new iteration every time, so that only first
    batches are seen: write for imgs, labels in train_loader."""
    again = (next(iter(train_loader)) for _ in range(len(train_loader)))
    return averages(trained(model, again, optimizer))


@misconception
def last_batch_not_trained_on(model, train_loader, optimizer):
    """Your training leaves the loader's last batch out: an epoch goes once through all of them."""
    return averages(trained(model, islice(train_loader, len(train_loader) - 1), optimizer))


defaults("part1/train_torch.py:test_vae", fails=("vae.training_loop",))


@misconception
def tested_on_the_first_batch_only(model, data_loader):
    """You return from within the loop of test_vae, so that only the first batch is tested: return after the loop."""
    return averages(tested(model, islice(data_loader, 1)))


@misconception
def tested_on_half(model, data_loader):
    """You test on the first half of the loader's batches only: the average is to be over all images."""
    return averages(tested(model, islice(data_loader, len(data_loader) // 2)))


@misconception
def last_batch_not_tested(model, data_loader):
    """Your test leaves the loader's last batch out: the average is to be over all images."""
    return averages(tested(model, islice(data_loader, len(data_loader) - 1)))


# Averages


defaults("part1/train_torch.py:average", fails=("vae.training_loop",))


@misconception
def sums_for_averages(batches):
    """train_vae and test_vae return the sums of the batches' losses: divide them by the number of batches."""
    batches = list(batches)
    return tuple(sum(losses[i].item() for losses, _ in batches) for i in (2, 0, 1))


@misconception
def last_batch_for_average(batches):
    """train_vae and test_vae return the losses of the last batch, since each batch's value overwrites the one before:
    add them up, and divide by their number."""
    rec, reg, bpd = list(batches)[-1][0]
    return bpd.item(), rec.item(), reg.item()


@misconception
def batch_means_divided_by_images(batches):
    """train_vae and test_vae add up the batches' mean losses and divide by the number of images: divide by the number
    of batches, or multiply each mean by its batch's size first."""
    batches = list(batches)
    images = sum(size for _, size in batches)
    return tuple(sum(losses[i].item() for losses, _ in batches) / images for i in (2, 0, 1))


@misconception
def image_sums_divided_by_batches(batches):
    """train_vae and test_vae multiply each mean loss by its batch's size and divide by the number of batches: divide by
    the number of images, or do not multiply."""
    batches = list(batches)
    sums = [sum(losses[i].item() * size for losses, size in batches) for i in (2, 0, 1)]
    return tuple(total / len(batches) for total in sums)


@misconception
def zeros_for_averages(batches):
    """train_vae and test_vae return zeros, since the losses are never added to the initial values: add each batch's
    value, and divide by their number."""
    list(batches)
    return 0.0, 0.0, 0.0


@misconception
def one_average_only(batches):
    """train_vae and test_vae return the average bpd alone: return three averages, of bpd, of the reconstruction and of
    the regularisation loss."""
    batches = list(batches)
    return sum(losses[2].item() * size for losses, size in batches) / sum(size for _, size in batches)


defaults("part1/train_torch.py:train_vae", fails=("vae.training_loop",))


@misconception
def training_sums_for_averages(model, train_loader, optimizer):
    """train_vae returns the sums of the batches' losses: divide them by the number of batches."""
    return tuple(map(sum, zip(*[losses for losses, _ in trained(model, train_loader, optimizer)], strict=True)))


@misconception
def last_training_batch_for_average(model, train_loader, optimizer):
    """train_vae returns the losses of the last batch, since each batch's value overwrites the one before: add them up,
    and divide by their number."""
    return tuple(list(trained(model, train_loader, optimizer))[-1][0])


@misconception
def training_averages_in_another_order(model, train_loader, optimizer):
    """train_vae returns the averages as (L_rec, L_reg, bpd): return bpd first, which is the order that main expects."""
    bpd, rec, reg = averages(trained(model, train_loader, optimizer))
    return rec, reg, bpd


@misconception
def losses_exchanged(model, train_loader, optimizer):
    """train_vae exchanges the averages of the reconstruction and of the regularisation loss: the order is bpd, L_rec,
    L_reg."""
    bpd, rec, reg = averages(trained(model, train_loader, optimizer))
    return bpd, reg, rec


@misconception
def average_halved_each_time(model, train_loader, optimizer):
    """train_vae takes (average + loss) / 2 after each batch, so that the first batches hardly count: add the losses up,
    and divide by their number at the end."""
    found = [0.0, 0.0, 0.0]
    for losses, _ in trained(model, train_loader, optimizer):
        found = [(average + loss) / 2 for average, loss in zip(found, losses, strict=True)]
    return tuple(found)


defaults("part1/train_torch.py:test_vae", fails=("vae.training_loop",))


@misconception
def test_sums_for_averages(model, data_loader):
    """test_vae returns the sums of the batches' losses: divide them by the number of batches."""
    return tuple(map(sum, zip(*[losses for losses, _ in tested(model, data_loader)], strict=True)))


@misconception
def last_tested_batch_for_average(model, data_loader):
    """test_vae returns the losses of the last batch, since each batch's value overwrites the one before: add them up,
    and divide by their number."""
    return tuple(list(tested(model, data_loader))[-1][0])


@misconception
def tested_losses_exchanged(model, data_loader):
    """test_vae exchanges the averages of the reconstruction and of the regularisation loss: the order is bpd, L_rec,
    L_reg."""
    bpd, rec, reg = averages(tested(model, data_loader))
    return bpd, reg, rec
