"""Mistakes in a flow: in transform(z [B, dim]) → (z, log_det [B]), in the loss forward(x [B, dim]) → [B], and in
layers."""

import math

import torch

from graders.misconceptions import defaults, misconception

# The map


defaults("part3/model.py:NormalizingFlow.transform", fails=("flow.log_det", "flow.normalised"))


@misconception(fails=("flow.invertible",))
def inverse_in_forward_order(self, z, inverse=False):
    """You invert the layers in the order in which they were applied, but the last one must be undone first: loop over
    reversed(self.layers)."""
    z, log_det = z.clone(), self.init_log_det.expand(len(z))
    for layer in self.layers:
        z, log_det = layer(z, log_det, inverse=inverse)
    return z, log_det


@misconception(fails=("flow.invertible",))
def reversed_order_both_ways(self, z, inverse=False):
    """You loop over the reversed layers in both directions: apply them in their own order, and in reversed order only
    for the inverse (or the other way round)."""
    z, log_det = z.clone(), self.init_log_det.expand(len(z))
    for layer in reversed(self.layers):
        z, log_det = layer(z, log_det, inverse=inverse)
    return z, log_det


@misconception(fails=("flow.invertible",))
def layers_not_told_to_invert(self, z, inverse=False):
    """You reverse the layers but let each of them work forward: pass inverse=True on to every layer."""
    z, log_det = z.clone(), self.init_log_det.expand(len(z))
    for layer in reversed(self.layers) if inverse else self.layers:
        z, log_det = layer(z, log_det)
    return z, log_det


@misconception(fails=("flow.invertible",))
def inverse_ignored(self, z, inverse=False):
    """Your transform does the same whether it is asked for the inverse or not: with inverse=True, go through the
    reversed layers and pass inverse=True on to each."""
    return self.original(z)


@misconception(fails=("flow.invertible",))
def always_inverted(self, z, inverse=False):
    """You pass inverse=True to the layers both ways: pass on the argument that transform was given."""
    return self.original(z, inverse=True)


@misconception(fails=("flow.invertible", "flow.nll"))
def first_layer_only(self, z, inverse=False):
    """You return after the first layer: apply all layers, each to the output of the one before it, and return after the
    loop."""
    return self.layers[0](z.clone(), self.init_log_det.expand(len(z)), inverse=inverse)


@misconception(fails=("flow.invertible", "flow.nll"))
def last_layer_only(self, z, inverse=False):
    """You give every layer the original z, so that only the last one counts: give each layer the output of the one
    before it."""
    return self.layers[-1](z.clone(), self.init_log_det.expand(len(z)), inverse=inverse)


@misconception(fails=("flow.nll",))
def last_layer_left_out(self, z, inverse=False):
    """You leave out the last layer: loop over all of self.layers, without [:-1] or a range that ends too early."""
    z, log_det = z.clone(), self.init_log_det.expand(len(z))
    layers = self.layers[:-1]
    for layer in reversed(layers) if inverse else layers:
        z, log_det = layer(z, log_det, inverse=inverse)
    return z, log_det


@misconception(fails=("flow.invertible", "flow.nll"))
def no_layers(self, z, inverse=False):
    """Your transform applies no layer and returns its input: apply all of self.layers, each to the output of the one
    before it."""
    return z.clone(), torch.zeros(len(z))


@misconception("part3/model.py:NormalizingFlow.__init__", fails=("flow.invertible",))
def same_mask_for_all_layers(self, base_density, dim, num_flows, num_hidden):
    """You give every layer the same mask, so that half of the dimensions never move: alternate the mask and its
    negation."""
    self.original(base_density, dim, num_flows, num_hidden)
    for layer in self.layers:
        layer.mask = self.layers[0].mask


# Its log-determinant


@misconception
def log_det_negated(self, z, inverse=False):
    """Your log_det has the wrong sign: return the sum of the layers' log-determinants as it is."""
    z, log_det = self.original(z, inverse)
    return z, -log_det


@misconception(fails=("flow.log_det",))
def log_det_negated_again_for_the_inverse(self, z, inverse=False):
    """You negate log_det for the inverse, but layers that are told to invert have done so already: return their sum as
    it is."""
    z, log_det = self.original(z, inverse)
    return z, -log_det if inverse else log_det


@misconception
def log_det_of_the_last_layer(self, z, inverse=False):
    """Your log_det is that of the last layer alone: pass each layer the log_det that the one before returned, so that
    they add up."""
    z, log_det = z.clone(), self.init_log_det.expand(len(z))
    for layer in reversed(self.layers) if inverse else self.layers:
        z, log_det = layer(z, self.init_log_det.expand(len(z)), inverse=inverse)
    return z, log_det


@misconception
def log_det_added_to_itself(self, z, inverse=False):
    """You add the log_det that a layer returns to your own, although it already contains the sum so far, so that the
    first layers count many times: write z, log_det = layer(z, log_det)."""
    z, log_det = z.clone(), self.init_log_det.expand(len(z))
    for layer in reversed(self.layers) if inverse else self.layers:
        z, total = layer(z, log_det, inverse=inverse)
        log_det = log_det + total
    return z, log_det


@misconception
def log_det_not_collected(self, z, inverse=False):
    """Your log_det is zero for every point: keep the one that each layer returns, and pass it to the next."""
    z, log_det = self.original(z, inverse)
    return z, torch.zeros_like(log_det)


@misconception
def log_det_averaged_over_the_batch(self, z, inverse=False):
    """You return the same log_det for all points, the average over the batch: each point has its own."""
    z, log_det = self.original(z, inverse)
    return z, log_det.mean().expand(len(z))


@misconception
def log_det_summed_over_the_batch(self, z, inverse=False):
    """You return the same log_det for all points, the sum over the batch: each point has its own, so sum over the
    dimensions only."""
    z, log_det = self.original(z, inverse)
    return z, log_det.sum().expand(len(z))


@misconception(fails=("flow.nll",))
def log_det_of_transform_detached(self, z, inverse=False):
    """You detach the log_det that transform returns, so that the log-determinant gets no gradient and the loss trains
    the layers by log_prob alone: return it without detach, data or item."""
    z, log_det = self.original(z, inverse)
    return z, log_det.detach()


@misconception("part3/model.py:Coupling.forward", fails=("flow.log_det",))
def log_det_of_an_inverse_layer_not_negated(self, z, log_det, inverse=False):
    """Your coupling layer adds Σs to log_det even when it inverts: there it multiplies by e⁻ˢ, so it should subtract
    Σs."""
    start = torch.zeros_like(log_det)
    z, own = self.original(z, start, inverse=inverse)
    return z, log_det - own if inverse else log_det + own


# The loss


defaults("part3/model.py:NormalizingFlow.forward", fails=("flow.nll", "flow.normalised"))


@misconception
def no_log_determinant(self, x):
    """Your loss contains only the base density: the change of variables adds log_det, without which the flow may shrink
    all points into the mode of the base density."""
    z, _ = self.transform(x)
    return -self.base_density.log_prob(z)


@misconception
def log_determinant_of_the_wrong_sign(self, x):
    """You subtract log_det from the log-likelihood: log p(x) = log p_z(z) + log_det with z, log_det = transform(x), so
    the loss is −(log p_z(z) + log_det)."""
    z, log_det = self.transform(x)
    return -(self.base_density.log_prob(z) - log_det)


@misconception
def no_base_density(self, x):
    """Your loss is −log_det alone: add −log p_z(z) of the base density, without which nothing moves the points to where
    that density is large."""
    _, log_det = self.transform(x)
    return -log_det


@misconception
def base_density_of_the_data(self, x):
    """You evaluate the base density at x: it is the density of z = f(x), so evaluate it at the z that transform
    returned."""
    _, log_det = self.transform(x)
    return -(self.base_density.log_prob(x) + log_det)


@misconception
def log_likelihood_for_the_loss(self, x):
    """You return the log-likelihood: a loss is minimised, so return its negative."""
    return -self.original(x)


@misconception
def density_for_the_loss(self, x):
    """You return the density of x: the loss is its negative logarithm, −(log p_z(z) + log_det)."""
    return torch.exp(-self.original(x))


@misconception
def loss_averaged_over_the_batch(self, x):
    """You return one number, the average over the batch: forward returns the loss of each point, [B], and the training
    loop averages."""
    return self.original(x).mean()


@misconception
def loss_summed_over_the_batch(self, x):
    """You return one number, the sum over the batch: forward returns the loss of each point, [B], and the training
    loop averages."""
    return self.original(x).sum()


@misconception
def loss_in_bits(self, x):
    """You return the loss in bits: return it in nats, since the training loop converts it to bits per dimension."""
    return self.original(x) * math.log2(math.e)


@misconception
def loss_per_dimension(self, x):
    """You divide the loss by the number of dimensions: return that of the whole point, since the training loop converts
    it to bits per dimension."""
    return self.original(x) / x.shape[1]


@misconception
def log_determinant_per_dimension(self, x):
    """You divide log_det by the number of dimensions: add it in full, since it is the logarithm of a single
    determinant."""
    z, log_det = self.transform(x)
    return -(self.base_density.log_prob(z) + log_det / x.shape[1])


defaults("part3/model.py:NormalizingFlow.forward", fails=("flow.nll",))


@misconception
def data_through_the_inverse(self, x):
    """You send the data through the inverse: forward maps data to the base density's space with transform(x), and
    sampling goes the other way with inverse=True."""
    z, log_det = self.transform(x, inverse=True)
    return -(self.base_density.log_prob(z) + log_det)


@misconception
@torch.no_grad()
def loss_without_a_gradient(self, x):
    """Your loss is computed without a graph, under no_grad or from detached tensors, so nothing can be learned from
    it: leave gradients on in forward."""
    return self.original(x)


@misconception
def log_determinant_detached(self, x):
    """You detach log_det (with detach, data or item), so that it gives no gradient: both parts of the loss must stay in
    the graph."""
    z, log_det = self.transform(x)
    return -(self.base_density.log_prob(z) + log_det.detach())


@misconception
def base_density_detached(self, x):
    """You detach z before you evaluate the base density, so that it gives no gradient: both parts of the loss must stay
    in the graph."""
    z, log_det = self.transform(x)
    return -(self.base_density.log_prob(z.detach()) + log_det)
