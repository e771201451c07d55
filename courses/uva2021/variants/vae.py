"""VAEs of images with 16 levels: the reference's in other forms, or with a few words changed."""

from __future__ import annotations

from validation.variants import Changes, Unnamed

UTILS, NETWORKS, MODEL = "part1/utils.py", "part1/cnn_encoder_decoder.py", "part1/train_pl.py"
ENTROPY = 'F.cross_entropy(logits, imgs.squeeze(1).long(), reduction="none").sum(dim=(1, 2)).mean()'
DECODED = "        return self.net(z)"

RIGHT: dict[str, Changes] = {
    "normalised logits": {NETWORKS: (DECODED, "        return torch.log_softmax(self.net(z), dim=1)")},
    "the likelihood of a distribution": {
        MODEL: (
            ENTROPY,
            "-torch.distributions.Categorical(logits=logits.permute(0, 2, 3, 1)).log_prob(imgs[:, 0].long())"
            ".flatten(1).sum(dim=1).mean()",
        )
    },
    "a sum over the batch, divided": {
        MODEL: (ENTROPY, 'F.cross_entropy(logits, imgs[:, 0].long(), reduction="sum") / len(imgs)')
    },
    "images from 0 to 1 for the encoder": {MODEL: ("imgs.float() / (LEVELS - 1) * 2 - 1", "imgs.float() / 15")},
    "a distribution's draw and divergence": {
        UTILS: [
            ("mean + std * torch.randn_like(mean)", "torch.distributions.Normal(mean, std).rsample()"),
            (
                "(0.5 * ((2 * log_std).exp() + mean.square() - 1) - log_std).sum(dim=-1)",
                "torch.distributions.kl_divergence(torch.distributions.Normal(mean, log_std.exp()), "
                "torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))).sum(dim=-1)",
            ),
        ]
    },
}

ALTERNATIVE: Changes = {
    UTILS: ("mean + std * torch.randn_like(mean)", "torch.empty_like(std).normal_() * std + mean"),
    NETWORKS: [("nn.GELU()", "nn.LeakyReLU(0.2)"), ("padding=1, stride=2),  # 28 → 14", "padding=1, stride=2),")],
    MODEL: (ENTROPY, 'F.nll_loss(logits.log_softmax(1), imgs[:, 0].long(), reduction="sum") / len(imgs)'),
}

UNNAMED: dict[str, Unnamed] = {
    "levels one too high": Unnamed(
        {MODEL: (ENTROPY, ENTROPY.replace("imgs.squeeze(1).long()", "(imgs.squeeze(1).long() + 1).clamp(max=15)"))},
        ("vae.level_loss",),
        "L_rec",
    ),
    "half of the levels": Unnamed(
        {NETWORKS: (DECODED, "        return self.net(z)[:, ::2]")}, ("vae.levels", "vae.level_loss"), "shape"
    ),
    "a divergence of half of the latents": Unnamed(
        {MODEL: ("KLD(mean, log_std).mean()", "KLD(mean[:, ::2], log_std[:, ::2]).mean()")},
        ("vae.level_loss",),
        "L_reg",
    ),
}
