"""The loop: what is written in place of epoch_iter(model, data, optimizer) → the average bound."""

from graders.misconceptions import defaults, misconception


def stepped(model, images, optimizer):
    loss = model(images.view(-1, 784))
    if model.training:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


defaults("a3_vae_template.py:epoch_iter", fails=("vae2018.epoch",))


@misconception
def gradients_left(model, data, optimizer):
    """You never clear the gradients, so that each step follows those of all batches before. Call
    optimizer.zero_grad() before backward()."""
    losses = []
    for images in data:
        loss = model(images.view(-1, 784))
        if model.training:
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@misconception
def trained_on_validation(model, data, optimizer):
    """You make steps on the validation data too. Ask model.training whether this is an epoch of training."""
    losses = []
    for images in data:
        loss = model(images.view(-1, 784))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@misconception
def never_trained(model, data, optimizer):
    """Nothing is learned in your loop: optimizer.step() is not called in training mode."""
    losses = []
    for images in data:
        loss = model(images.view(-1, 784))
        if model.training:
            optimizer.zero_grad()
            loss.backward()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@misconception
def uphill(model, data, optimizer):
    """You minimise the ELBO, where it should be maximised: call backward() on −ELBO."""
    losses = []
    for images in data:
        loss = model(images.view(-1, 784))
        if model.training:
            optimizer.zero_grad()
            (-loss).backward()
            optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@misconception
def sum_of_batches(model, data, optimizer):
    """You return the sum of the batches' bounds. Divide by their number, for the average."""
    return sum(stepped(model, images, optimizer) for images in data)


@misconception
def last_batch(model, data, optimizer):
    """You return the bound of the last batch. Return the average of all batches."""
    return [stepped(model, images, optimizer) for images in data][-1]


@misconception
def averages_over_images(model, data, optimizer):
    """You divide the sum of the batches' averages by the number of images. Divide it by the number of batches, or weigh
    each average by the size of its batch."""
    losses, count = 0.0, 0
    for images in data:
        losses += stepped(model, images, optimizer)
        count += len(images)
    return losses / count


@misconception
def first_batch_only(model, data, optimizer):
    """You leave the loop after its first batch: the return stands within it, or a break."""
    return stepped(model, next(iter(data)), optimizer)


@misconception
def nothing_returned(model, data, optimizer):
    """Your loop returns nothing. Return the average bound of the epoch."""
    for images in data:
        stepped(model, images, optimizer)


@misconception
def steps_without_gradient(model, data, optimizer):
    """Your steps have no gradient to follow, so that the model does not learn: you clear the gradients between
    backward() and step(), or call step() before backward(). The order is zero_grad(), backward(), step()."""
    losses = []
    for images in data:
        loss = model(images.view(-1, 784))
        if model.training:
            loss.backward()
            optimizer.zero_grad()
            optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@misconception
def divided_in_every_turn(model, data, optimizer):
    """You divide by the number of batches in every turn of the loop, so that early batches hardly count. Add up the
    bounds, and divide once, after the loop."""
    average = 0.0
    for images in data:
        average += stepped(model, images, optimizer)
        average /= len(data)
    return average
