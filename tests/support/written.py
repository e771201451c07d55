"""Texts that students might write, some of which are alike."""

from __future__ import annotations

import random

from gengrade.room.documents import Definition, Program

PRIOR = "We draw z from the prior and then every pixel from the Bernoulli distribution that the decoder returns."
PRIOR_TOO = "First draw z from the prior, then draw pixels from the Bernoulli distribution that the decoder returns."
BOUND = "The right-hand side is a lower bound, since a divergence between two densities is never negative."
BOUND_TOO = "It is a lower bound since the divergence between two densities is never negative."
COPIED = (
    "Since the Kullback-Leibler divergence can never become negative, dropping it leaves us with something which is at "
    "most the logarithm of the evidence, and maximising that by gradient ascent is feasible even if the integral "
    "itself cannot be solved by hand."
)


def own_words(seed: int, count: int = 60) -> str:
    """Return words that nobody else has."""
    return " ".join(f"{random.Random(f'{seed} {place}').randbytes(4).hex()}w" for place in range(count))


# What a class handed in.
STUDENTS = ("ada", "bob", "cyd", "dan", "eve", "fay")
ANSWERS = {
    "ada": {"1.1": f"1.1 {PRIOR}"},
    "bob": {"1.1": f"1.1 {BOUND} {COPIED}"},
    "cyd": {"1.1": f"1.1 {PRIOR_TOO}"},
    "dan": {"1.1": f"1.1 {own_words(1)} {COPIED} </script><b>"},
    "eve": {"1.1": f"1.1 {BOUND_TOO}"},
}
HOSTILE = "x = '</pre><script>alert(1)</script>'  # <img src=x onerror=alert(1)>\n"
CODE = f"""import torch

def KLD(mean, log_std):
    return mean.sum()

class VAE(nn.Module):
    def forward(self, imgs):
        return imgs

    def sample(self, n):
        return n

{HOSTILE}"""
COLOURS = "".join(letter if letter == "\n" else "k" for letter in CODE).replace("\n", " ")
PROGRAM = Program(
    CODE,
    COLOURS,
    (
        *(Definition("KLD", 3, 4), Definition("VAE", 6, 11), Definition("VAE.forward", 7, 8)),
        Definition("VAE.sample", 10, 11),
    ),
)
