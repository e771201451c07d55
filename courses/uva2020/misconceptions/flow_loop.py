"""Mistakes in an epoch of a flow's training, train_nf(model, train_loader, optimizer) → average bits per dimension."""

import math

import torch

from graders.misconceptions import defaults, misconception, original

# A step of it, on a batch x [B, dim]


defaults("part3/train.py:step", fails=("flow.training_loop",))


@misconception
def gradients_not_cleared(model, optimizer, x):
    """You never clear the gradients, so that every step follows the sum of all batches so far: call
    optimizer.zero_grad() once for each batch, before backward()."""
    nll = model(x)
    nll.mean().backward()
    optimizer.step()
    return nll.detach()


@misconception
def gradients_cleared_before_the_step(model, optimizer, x):
    """You clear the gradients between backward() and optimizer.step(), so that the step finds none: the order is
    zero_grad, backward, step."""
    nll = model(x)
    nll.mean().backward()
    optimizer.zero_grad()
    optimizer.step()
    return nll.detach()


@misconception
def step_before_backward(model, optimizer, x):
    """You call optimizer.step() before backward(), when the gradients are cleared and not yet computed: the order is
    zero_grad, backward, step."""
    optimizer.zero_grad()
    nll = model(x)
    optimizer.step()
    nll.mean().backward()
    return nll.detach()


@misconception
def no_backward(model, optimizer, x):
    """You never call backward() on the loss, so that there is no gradient to follow: call it for each batch, between
    zero_grad and step."""
    optimizer.zero_grad()
    nll = model(x)
    optimizer.step()
    return nll.detach()


@misconception
def no_step(model, optimizer, x):
    """You never call optimizer.step(), so that the model stays as it is: call it for each batch, after backward()."""
    optimizer.zero_grad()
    nll = model(x)
    nll.mean().backward()
    return nll.detach()


@misconception
def loss_maximised(model, optimizer, x):
    """You negate the loss before backward(), so that training makes the data less likely: the model returns the
    negative log-likelihood already, so minimise it as it is."""
    optimizer.zero_grad()
    nll = model(x)
    (-nll.mean()).backward()
    optimizer.step()
    return nll.detach()


defaults("part3/train.py:train_nf", fails=("flow.training_loop",))


@misconception
def one_step_for_the_epoch(model, train_loader, optimizer):
    """You take a single step at the end of the epoch: take one for each batch, inside the loop."""
    optimizer.zero_grad()
    losses = [model(x) for (x,) in train_loader]
    torch.cat(losses).mean().backward()
    optimizer.step()
    return bits_per_dimension(torch.cat(losses).mean().item(), model.dim)


@misconception
def first_batch_only(model, train_loader, optimizer):
    """You leave the loop after the first batch: go through all of train_loader, and return after the loop."""
    return original(model, [next(iter(train_loader))], optimizer)


# What it returns


@misconception
def nothing_returned(model, train_loader, optimizer):
    """Your train_nf returns nothing: return the epoch's average bits per dimension."""
    original(model, train_loader, optimizer)


defaults("part3/train.py:bits_per_dimension", fails=("flow.training_loop",))


@misconception
def nats_for_bits(nats, dim):
    """Your average is in nats: multiply by log2(e) to get bits."""
    return nats / dim


@misconception
def not_per_dimension(nats, dim):
    """Your average is in bits for a whole point: divide by the number of dimensions to get bits per dimension."""
    return original(nats, dim) * dim


@misconception
def loss_as_it_is(nats, dim):
    """Your average is the loss as it is, in nats for a whole point: multiply by log2(e) and divide by the number of
    dimensions to get bits per dimension."""
    return nats


@misconception
def nats_times_log_two(nats, dim):
    """You multiplied by ln 2 to get bits: a nat is log2(e) = 1/ln 2 bits, so divide by ln 2."""
    return nats * math.log(2) / dim


@misconception
def logarithm_of_the_loss(nats, dim):
    """You took the logarithm of the loss to get bits: it is a logarithm already, and only changes its base when you
    multiply by log2(e)."""
    return math.log2(nats) / dim


@misconception
def log_likelihood_returned(nats, dim):
    """Your average has the wrong sign: bits per dimension are those of the negative log-likelihood, as the model
    returns it."""
    return -original(nats, dim)


defaults("part3/train.py:train_nf", fails=("flow.training_loop",))


@misconception
def last_batch_for_the_epoch(model, train_loader, optimizer):
    """You return the bits per dimension of the last batch: add those of all batches, and divide by the number of
    batches."""
    model.train()
    for (x,) in train_loader:
        last = step(model, optimizer, x)
    return bits_per_dimension(last.mean().item(), model.dim)


@misconception
def batches_summed(model, train_loader, optimizer):
    """You return the sum over the batches: divide it by their number to get the average."""
    return original(model, train_loader, optimizer) * len(train_loader)


@misconception
def points_summed(model, train_loader, optimizer):
    """You return the sum over the points: divide it by their number to get the average."""
    return original(model, train_loader, optimizer) * len(train_loader.dataset)


@misconception
def batch_means_divided_by_points(model, train_loader, optimizer):
    """You add up the batches' means and divide by the number of points: divide by the number of batches, or add up the
    points' losses."""
    return original(model, train_loader, optimizer) * len(train_loader) / len(train_loader.dataset)


@misconception
def batch_sums_divided_by_batches(model, train_loader, optimizer):
    """You add up the losses of all points and divide by the number of batches: divide by the number of points, or add
    up the batches' means."""
    return original(model, train_loader, optimizer) * len(train_loader.dataset) / len(train_loader)
