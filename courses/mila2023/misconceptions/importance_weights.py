"""The importance-weighted likelihood: in place of VAE.log_weight(x, posterior) or VAE.log_likelihood(x, K)."""

import math

import torch

from graders.misconceptions import defaults, misconception


def terms(model, x, z, posterior):
    """log p(x|z), log p(z) and log q(z|x)."""
    prior = DiagonalGaussianDistribution(torch.zeros_like(z))
    return -model.decode(z).nll(x), -prior.nll(z, dims=[1]), -posterior.nll(z, dims=[1])


defaults("vae_solution.py:VAE.log_weight", fails=("gaussian_vae.log_likelihood",))


@misconception
def prior_forgotten(self, x, posterior):
    """You left out log p(z): the weight is p(x|z)·p(z)/q(z|x)."""
    given_z, _, proposal = terms(self, x, posterior.sample(), posterior)
    return given_z - proposal


@misconception
def proposal_forgotten(self, x, posterior):
    """You left out log q(z|x): since z is drawn from q, divide by its density."""
    given_z, prior, _ = terms(self, x, posterior.sample(), posterior)
    return given_z + prior


@misconception
def only_the_reconstruction(self, x, posterior):
    """You averaged p(x|z) over the encoder's latents. They are not drawn from the prior, so a weight has to correct
    that: p(x|z)·p(z)/q(z|x)."""
    return terms(self, x, posterior.sample(), posterior)[0]


@misconception
def likelihood_forgotten(self, x, posterior):
    """You left out log p(x|z), so that the images do not count: the weight is p(x|z)·p(z)/q(z|x)."""
    z = posterior.sample()
    prior = DiagonalGaussianDistribution(torch.zeros_like(z))
    return posterior.nll(z, dims=[1]) - prior.nll(z, dims=[1])


@misconception
def prior_subtracted(self, x, posterior):
    """You subtracted log p(z), or added its negative, where the weight multiplies by p(z): p(x|z)·p(z)/q(z|x)."""
    given_z, prior, proposal = terms(self, x, posterior.sample(), posterior)
    return given_z - prior - proposal


@misconception
def weights_negated(self, x, posterior):
    """You negated the logarithm of the whole weight, which inverts it: its logarithm is log p(x|z) + log p(z) −
    log q(z|x)."""
    given_z, prior, proposal = terms(self, x, posterior.sample(), posterior)
    return proposal - prior - given_z


@misconception
def ratio_upside_down(self, x, posterior):
    """You multiplied by q(z|x)/p(z), where the weight has p(z)/q(z|x)."""
    given_z, prior, proposal = terms(self, x, posterior.sample(), posterior)
    return given_z - prior + proposal


@misconception
def proposal_added(self, x, posterior):
    """You added log q(z|x), where it is subtracted: the weight divides by the density that z is drawn from."""
    return sum(terms(self, x, posterior.sample(), posterior))


@misconception
def drawn_from_the_prior(self, x, posterior):
    """You drew z from the prior, and divided by q(z|x) all the same. Draw z from the posterior that encode gives."""
    z = torch.randn_like(posterior.mean)
    given_z, prior, proposal = terms(self, x, z, posterior)
    return given_z + prior - proposal


@misconception
def divergence_for_the_ratio(self, x, posterior):
    """You subtracted the KL divergence, which gives the average of the bound's terms. A weight uses the densities of
    the z that was drawn: log p(z) − log q(z|x)."""
    return terms(self, x, posterior.sample(), posterior)[0] - posterior.kl()


@misconception
def negative_likelihood_added(self, x, posterior):
    """You added the negative log-likelihood nll(x), where log p(x|z) = −nll(x) belongs."""
    given_z, prior, proposal = terms(self, x, posterior.sample(), posterior)
    return -given_z + prior - proposal


@misconception
def mean_decoded(self, x, posterior):
    """You decode the posterior's mean in each of the K passes, so that all weights are the same. Each needs a draw of
    its own."""
    given_z, prior, proposal = terms(self, x, posterior.mode(), posterior)
    return given_z + prior - proposal


@misconception
def other_draws_for_the_densities(self, x, posterior):
    """You drew z anew for each term. All three densities of a weight belong to one z."""
    given_z, _, _ = terms(self, x, posterior.sample(), posterior)
    prior = DiagonalGaussianDistribution(torch.zeros_like(posterior.mean))
    return given_z - prior.nll(posterior.sample(), dims=[1]) + posterior.nll(posterior.sample(), dims=[1])


defaults("vae_solution.py:VAE.log_likelihood", fails=("gaussian_vae.log_likelihood",))


@misconception
def count_not_divided_by(self, x, K=100):
    """You summed the K weights. Their mean is asked for: subtract log K."""
    return self.original(x, K) + math.log(K)


@misconception
def count_without_logarithm(self, x, K=100):
    """You divided the logarithm of the sum by K. In logarithms a mean subtracts log K."""
    return (self.original(x, K) + math.log(K)) / K


@misconception
def mean_of_logarithms(self, x, K=100):
    """You averaged the logarithms of the weights, which is the ordinary bound, whatever K is. Take the logarithm of
    their average: logsumexp less log K."""
    posterior = self.encode(x)
    return torch.stack([self.log_weight(x, posterior) for _ in range(K)]).mean(dim=0)


@misconception
def best_of_the_weights(self, x, K=100):
    """You took the largest weight. Their mean is asked for: logsumexp less log K."""
    posterior = self.encode(x)
    return torch.stack([self.log_weight(x, posterior) for _ in range(K)]).amax(dim=0)


@misconception
def exponentials_overflow(self, x, K=100):
    """You took the exponential of the logarithms, which is 0 in single precision, and its logarithm −∞. Use logsumexp,
    which computes the same without underflow."""
    posterior = self.encode(x)
    return torch.stack([self.log_weight(x, posterior) for _ in range(K)]).exp().mean(dim=0).log()


@misconception
def one_draw_for_all(self, x, K=100):
    """You drew z once and used it K times. Each weight needs a draw of its own."""
    return self.log_weight(x, self.encode(x))


@misconception
def one_draw_decoded_again(self, x, K=100):
    """You drew z once, before the loop, and decode the same one K times. Each weight needs a draw of its own: draw
    within the loop."""
    posterior = self.encode(x)
    z = posterior.sample()
    weights = []
    for _ in range(K):
        given_z, prior, proposal = terms(self, x, z, posterior)
        weights.append(given_z + prior - proposal)
    return torch.stack(weights).logsumexp(dim=0) - math.log(K)


@misconception
def largest_of_the_batch(self, x, K=100):
    """You subtract the largest weight of the whole batch before you take exponentials, so that those of less likely
    images are 0, and their logarithm −∞. Subtract each image's own largest, over its K draws, as logsumexp does."""
    posterior = self.encode(x)
    weights = torch.stack([self.log_weight(x, posterior) for _ in range(K)])
    return weights.max() + (weights - weights.max()).exp().mean(dim=0).log()


@misconception
def hundred_for_the_count(self, x, K=100):
    """You subtract log 100 whatever K is. Subtract log K: a mean divides by the number of draws."""
    return self.original(x, K) + math.log(K) - math.log(100)


@misconception
def averaged_over_images(self, x, K=100):
    """You averaged over the images as well. One likelihood for each image is asked for: [B]."""
    return self.original(x, K).mean()


@misconception
def sign_turned(self, x, K=100):
    """You return −log p(x). The log-likelihood itself is asked for."""
    return -self.original(x, K)


@misconception
def count_fixed(self, x, K=100):
    """You always draw 100 times. Draw K times."""
    return self.original(x, 100)


@misconception
def one_too_few(self, x, K=100):
    """Your loop runs K − 1 times, and divides by K all the same: let it run over range(K)."""
    if K < 2:
        return self.original(x, K)
    return self.original(x, K - 1) + math.log(K - 1) - math.log(K)
