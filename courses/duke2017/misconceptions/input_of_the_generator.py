"""The generator's input: what is written in place of generator_input(noise, labels), [B, d] and [B] → [B, d + 10]."""

import torch

from graders.misconceptions import defaults, misconception, original

defaults("homework.ipynb:generator_input", fails=("cgan.input",))


@misconception
def label_as_a_number(noise, labels):
    """You put the label behind the noise as one number, which says that a 9 is nine times a 1: use a one-hot vector of
    ten numbers."""
    return torch.cat([noise, labels.unsqueeze(1).float()], dim=1)


@misconception
def label_repeated(noise, labels):
    """You put the label behind the noise ten times, as a number: of the ten numbers one is 1, at the label's place, and
    all others are 0."""
    return torch.cat([noise, labels.unsqueeze(1).float().expand(-1, classes)], dim=1)


@misconception
def labels_counted_from_one(noise, labels):
    """Your one-hot vectors are shifted by one, as if labels were counted from 1: digit d is the d-th of 0 … 9."""
    return torch.cat([noise, F.one_hot((labels + classes - 1) % classes, classes).float()], dim=1)


@misconception
def labels_reversed(noise, labels):
    """Your one-hot vectors are written backwards, with the 1 of digit 0 in the last place: digit d is the d-th of
    0 … 9."""
    return torch.cat([noise, F.one_hot(classes - 1 - labels, classes).float()], dim=1)


@misconception
def one_hot_of_the_row(noise, labels):
    """You build the one-hot vectors from the rows' positions in the batch, not from their labels: index with the
    labels."""
    return torch.cat([noise, F.one_hot(torch.arange(len(labels)) // 2 % classes, classes).float()], dim=1)


@misconception
def first_label_for_all(noise, labels):
    """You give all rows the one-hot vector of the first label: each row has its own."""
    return torch.cat([noise, F.one_hot(labels[:1].expand(len(labels)), classes).float()], dim=1)


@misconception
def label_added_to_the_noise(noise, labels):
    """You add the label to the noise, where it is to be put behind it: concatenate the noise and a one-hot vector."""
    return noise + labels.unsqueeze(1)


@misconception
def nine_classes(noise, labels):
    """Your one-hot vectors have nine places, so that two digits share one: there are ten digits."""
    return torch.cat([noise, F.one_hot(labels.clamp(max=classes - 2), classes - 1).float()], dim=1)


@misconception
def noise_times_label(noise, labels):
    """You multiply the noise by the label before the one-hot vector is put behind it, which silences the noise of every
    0: leave the noise as it is."""
    return torch.cat([noise * labels.unsqueeze(1), F.one_hot(labels, classes).float()], dim=1)


@misconception
def one_row_of_noise(noise, labels):
    """You give all rows the first row's noise: each has its own."""
    return original(noise[:1].expand_as(noise), labels)


@misconception
def soft_labels(noise, labels):
    """Your labels are not one-hot but smoothed, 0.9 and the rest spread over the others: smoothing belongs to a
    classifier's targets; the generator is told the digit as it is."""
    hot = F.one_hot(labels, classes).float()
    return torch.cat([noise, 0.9 * hot + 0.1 / classes], dim=1)
