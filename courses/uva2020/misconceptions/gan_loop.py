"""Mistakes in train_gan, the training loop of a GAN, or in the update of one network in it."""

import torch

from graders.misconceptions import defaults, misconception, original

defaults("part2/train_torch.py:train_gan", fails=("gan.alternation",))


@misconception
def gradients_never_cleared(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):
    """You never call zero_grad() in the loop, so that the gradients of all earlier batches, and of the other network's
    steps, add up: clear them right before each backward()."""
    model.train()
    for imgs, _ in train_loader:
        x_real = imgs.to(model.device)
        update(model.discriminator_step, x_real, optimizer_disc, logger_disc)
        update(model.generator_step, x_real, optimizer_gen, logger_gen)


@misconception
def generator_never_cleared(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):
    """You never clear the generator's gradients, so that each of its updates adds up those of all earlier batches: call
    optimizer_gen.zero_grad() before the backward() of its loss."""
    model.train()
    for imgs, _ in train_loader:
        x_real = imgs.to(model.device)
        optimizer_disc.zero_grad()
        update(model.discriminator_step, x_real, optimizer_disc, logger_disc)
        update(model.generator_step, x_real, optimizer_gen, logger_gen)


@misconception
def discriminator_never_cleared(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):
    """You never clear the discriminator's gradients, so that those of all earlier batches and of the generator's steps
    add up: call optimizer_disc.zero_grad() before the backward() of its loss."""
    model.train()
    for imgs, _ in train_loader:
        x_real = imgs.to(model.device)
        update(model.discriminator_step, x_real, optimizer_disc, logger_disc)
        optimizer_gen.zero_grad()
        update(model.generator_step, x_real, optimizer_gen, logger_gen)


@misconception
def not_cleared_in_between(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):
    """You clear both networks' gradients at the start of a batch only, so that what the generator's backward() leaves
    in the discriminator moves that too: call optimizer_disc.zero_grad() right before the discriminator's backward()."""
    model.train()
    for imgs, _ in train_loader:
        x_real = imgs.to(model.device)
        model.zero_grad()
        update(model.generator_step, x_real, optimizer_gen, logger_gen)
        update(model.discriminator_step, x_real, optimizer_disc, logger_disc)


@misconception
def losses_summed(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):
    """You add both losses up and let both optimisers step on the sum, so that the discriminator is moved by the
    generator's loss as well, against its own: give each network the gradients of its own loss only."""
    model.train()
    for imgs, _ in train_loader:
        x_real = imgs.to(model.device)
        model.zero_grad()
        loss = model.generator_step(x_real)[0] + model.discriminator_step(x_real)[0]
        loss.backward()
        optimizer_gen.step()
        optimizer_disc.step()


@misconception
def losses_exchanged(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):
    """You step the generator's optimiser on the discriminator's loss, and the other way round: each optimiser belongs
    to the loss of its own network."""
    model.train()
    for imgs, _ in train_loader:
        x_real = imgs.to(model.device)
        optimizer_gen.zero_grad()
        update(model.discriminator_step, x_real, optimizer_gen, logger_gen)
        optimizer_disc.zero_grad()
        update(model.generator_step, x_real, optimizer_disc, logger_disc)


@misconception
def generators_loss_for_both(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):
    """You train the discriminator on the loss of generator_step too, which teaches it to be fooled: its loss is that of
    discriminator_step."""
    model.train()
    for imgs, _ in train_loader:
        x_real = imgs.to(model.device)
        model.zero_grad()
        update(model.generator_step, x_real, optimizer_gen, logger_gen)
        model.zero_grad()
        update(model.generator_step, x_real, optimizer_disc, logger_disc)


@misconception
def generator_never_stepped(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):
    """You never call optimizer_gen.step(), so that the generator is never trained: call it after the backward() of its
    loss."""
    model.train()
    for imgs, _ in train_loader:
        x_real = imgs.to(model.device)
        model.zero_grad()
        update(model.discriminator_step, x_real, optimizer_disc, logger_disc)
        model.generator_step(x_real)[0].backward()


@misconception
def discriminator_never_stepped(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):
    """You never call optimizer_disc.step(), so that the discriminator is never trained: call it after the backward() of
    its loss."""
    model.train()
    for imgs, _ in train_loader:
        x_real = imgs.to(model.device)
        model.zero_grad()
        model.discriminator_step(x_real)[0].backward()
        optimizer_gen.zero_grad()
        update(model.generator_step, x_real, optimizer_gen, logger_gen)


@misconception("part2/train_torch.py:update")
def never_stepped(step, x_real, optimizer, logger):
    """You never call step() of either optimiser in the loop, so that nothing is trained: call it after each
    backward()."""
    optimizer.zero_grad()
    step(x_real)[0].backward()


@misconception
def generator_stepped_twice(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):
    """You call optimizer_gen.step() after both losses, so that the discriminator is never trained: after the backward()
    of the discriminator's loss comes optimizer_disc.step()."""
    model.train()
    for imgs, _ in train_loader:
        x_real = imgs.to(model.device)
        optimizer_gen.zero_grad()
        update(model.generator_step, x_real, optimizer_gen, logger_gen)
        optimizer_disc.zero_grad()
        update(model.discriminator_step, x_real, optimizer_gen, logger_disc)


@misconception("part2/train_torch.py:update")
def cleared_before_step(step, x_real, optimizer, logger):
    """You call zero_grad() between backward() and step(), so that each optimiser finds no gradients and moves nothing:
    call it before backward()."""
    loss, _ = step(x_real)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()


@misconception
def generator_without_backward(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):
    """You never call backward() on the generator's loss, so that its optimiser finds no gradients: call it before
    optimizer_gen.step()."""
    model.train()
    for imgs, _ in train_loader:
        x_real = imgs.to(model.device)
        model.zero_grad()
        model.generator_step(x_real)
        optimizer_gen.step()
        update(model.discriminator_step, x_real, optimizer_disc, logger_disc)


@misconception
def discriminator_without_backward(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):
    """You never call backward() on the discriminator's loss, so that its optimiser finds no gradients of it: call it
    before optimizer_disc.step()."""
    model.train()
    for imgs, _ in train_loader:
        x_real = imgs.to(model.device)
        model.zero_grad()
        model.discriminator_step(x_real)
        optimizer_disc.step()
        update(model.generator_step, x_real, optimizer_gen, logger_gen)


@misconception
def one_optimizer_for_both(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):
    """You give one optimiser the parameters of both networks, so that each loss moves both of them, one of them the
    wrong way: make an optimiser for the parameters of each network."""
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-4, betas=(0.5, 0.999))
    for imgs, _ in train_loader:
        x_real = imgs.to(model.device)
        for step, logger in ((model.discriminator_step, logger_disc), (model.generator_step, logger_gen)):
            optimizer.zero_grad()
            update(step, x_real, optimizer, logger)


@misconception
def first_batch_only(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):
    """You leave the loop after its first batch, so that all others are never trained on: take out the break, or the
    return inside the loop."""
    original(model, [next(iter(train_loader))], logger_gen, logger_disc, optimizer_gen, optimizer_disc)
