"""VAEs of images with 16 levels: the reference's in other forms, or with a few words changed."""

from __future__ import annotations

from validation.variants import Changes, Unnamed

UTILS, NETWORKS, MODEL = "part1/utils.py", "part1/cnn_encoder_decoder.py", "part1/train_pl.py"
ENTROPY = 'F.cross_entropy(logits, imgs.squeeze(1).long(), reduction="none").sum(dim=(1, 2)).mean()'
DECODED = "        return self.net(z)"

RIGHT: dict[str, Changes] = {
    "layers that forward never calls": {
        NETWORKS: ("    def forward(self, z:", "        self.linear = nn.Linear(z_dim, 2)\n\n    def forward(self, z:")
    },
    "normalised logits": {NETWORKS: (DECODED, "        return torch.log_softmax(self.net(z), dim=1)")},
    "normalised logits, and the loss that takes them": {
        NETWORKS: (DECODED, "        return torch.log_softmax(self.net(z), dim=1)"),
        MODEL: (ENTROPY, 'F.nll_loss(logits, imgs[:, 0].long(), reduction="sum") / len(imgs)'),
    },
    "logits less their largest": {
        NETWORKS: (DECODED, "        h = self.net(z)\n        return h - h.max(dim=1, keepdim=True).values")
    },
    "a batch norm after the last convolution": {
        NETWORKS: (
            "padding=1, stride=2, output_padding=1),  # → 28",
            "padding=1, stride=2, output_padding=1), nn.BatchNorm2d(num_input_channels),",
        )
    },
    "two draws for each image": {
        MODEL: (
            f"        logits = self.decoder(sample_reparameterize(mean, log_std.exp()))\n        rec = {ENTROPY}",
            "        drawn = [self.decoder(sample_reparameterize(mean, log_std.exp())) for _ in range(2)]\n"
            f"        rec = sum({ENTROPY} for logits in drawn) / 2",
        )
    },
    "log_std within wide limits": {
        NETWORKS: ("        return mean, log_std", "        return mean, 6 * torch.tanh(log_std / 6)")
    },
    "images scaled in the encoder": {
        NETWORKS: ("self.net(x).chunk", "self.net(x.float() / 15 * 2 - 1).chunk"),
        MODEL: ("imgs.float() / (LEVELS - 1) * 2 - 1", "imgs"),
    },
    "dropout in the encoder": {NETWORKS: ("            nn.Flatten(),", "            nn.Dropout(0.1), nn.Flatten(),")},
    "a draw and a divergence within forward": {
        MODEL: [
            ("sample_reparameterize(mean, log_std.exp())", "mean + log_std.exp() * torch.randn_like(mean)"),
            ("KLD(mean, log_std).mean()", "0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(dim=1).mean()"),
        ]
    },
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

SAMPLES = (
    "        probabilities = self.decoder(torch.randn(batch_size, self.z_dim, device=self.device)).softmax(dim=1)\n"
    "        levels = torch.multinomial(probabilities.permute(0, 2, 3, 1).reshape(-1, LEVELS), 1)\n"
    "        return levels.reshape(batch_size, 1, 28, 28)\n"
)
PICTURE = '    return make_grid(torch.einsum("blhw,l->bhw", probabilities, levels).unsqueeze(1), nrow=grid_size)'
RIGHT |= {
    "a draw for each pixel by itself": {
        MODEL: (
            SAMPLES,
            "        logits = self.decoder(torch.randn(batch_size, self.z_dim))\n"
            "        x = torch.zeros(batch_size, 1, 28, 28)\n"
            "        for b in range(batch_size):\n            for i in range(28):\n"
            "                for j in range(28):\n"
            "                    p = torch.softmax(logits[b, :, i, j].float(), dim=0)\n"
            "                    x[b, 0, i, j] = torch.multinomial(p, 1)\n"
            "        return x\n",
        )
    },
    "draws by the noise of Gumbel": {
        MODEL: (
            SAMPLES,
            "        logits = self.decoder(sample_reparameterize(torch.zeros(batch_size, self.z_dim), torch.ones(1)))\n"
            "        return (logits - (-torch.rand_like(logits).log()).log()).argmax(dim=1, keepdim=True).float()\n",
        )
    },
    "draws from the cumulated probabilities, and their latents": {
        MODEL: (
            SAMPLES,
            "        z = torch.randn(batch_size, self.z_dim)\n"
            "        cdf = self.decoder(z).softmax(dim=1).cumsum(dim=1)[:, :-1]\n"
            "        return (torch.rand(batch_size, 1, 28, 28) > cdf).sum(dim=1, keepdim=True), z\n",
        )
    },
    "images that are decoded one by one": {
        MODEL: (
            "self.decoder(torch.randn(batch_size, self.z_dim, device=self.device)).softmax",
            "torch.cat([self.decoder(torch.randn(1, self.z_dim)) for _ in range(batch_size)]).softmax",
        )
    },
    "a picture of draws": {
        UTILS: (
            PICTURE,
            "    drawn = torch.distributions.Categorical(probs=probabilities.permute(0, 2, 3, 1)).sample()\n"
            "    return make_grid(drawn.unsqueeze(1).float(), nrow=grid_size, padding=0)",
        )
    },
    "a picture of the likeliest levels, normalised": {
        UTILS: (
            PICTURE,
            "    imgs = probabilities.argmax(dim=1, keepdim=True).float()\n"
            "    return make_grid(imgs, nrow=grid_size, normalize=True, pad_value=0.5)",
        )
    },
    "a picture with exchanged axes": {
        UTILS: (
            "decoder(torch.cartesian_prod(quantiles, quantiles))",
            "decoder(torch.cartesian_prod(quantiles, quantiles.flip(0)).flip(1))",
        )
    },
}

ALTERNATIVE: Changes = {
    UTILS: ("mean + std * torch.randn_like(mean)", "torch.empty_like(std).normal_() * std + mean"),
    NETWORKS: [("nn.GELU()", "nn.LeakyReLU(0.2)"), ("padding=1, stride=2),  # 28 → 14", "padding=1, stride=2),")],
    MODEL: (ENTROPY, 'F.nll_loss(logits.log_softmax(1), imgs[:, 0].long(), reduction="sum") / len(imgs)'),
}

UNNAMED: dict[str, Unnamed] = {
    "logits with a reversed gradient": Unnamed(
        {NETWORKS: (DECODED, "        logits = self.net(z)\n        return 2 * logits.detach() - logits")},
        ("vae.levels",),
        "not the derivative",
    ),
    "latents with a reversed gradient": Unnamed(
        {NETWORKS: (DECODED, "        return self.net(2 * z.detach() - z)")}, ("vae.levels",), "not the derivative"
    ),
    "levels from 1 to 16": Unnamed(
        {MODEL: ("return levels.reshape", "return 1 + levels.reshape")}, ("vae.level_samples",), "no levels"
    ),
    "levels that are drawn with a temperature": Unnamed(
        {MODEL: (".softmax(dim=1)\n        levels", ".div(0.7).softmax(dim=1)\n        levels")},
        ("vae.level_samples",),
        "not drawn from the softmax",
    ),
    "noise that all images share": Unnamed(
        {
            MODEL: (
                SAMPLES,
                "        logits = self.decoder(torch.randn(batch_size, self.z_dim))\n"
                "        noise = -(-torch.rand(1, LEVELS, 28, 28).log()).log()\n"
                "        return (logits + noise).argmax(dim=1, keepdim=True)\n",
            )
        },
        ("vae.level_samples",),
        "different images are not independent",
    ),
    "latents with half of the deviation": Unnamed(
        {MODEL: ("torch.randn(batch_size, self.z_dim, device", "0.5 * torch.randn(batch_size, self.z_dim, device")},
        ("vae.level_samples",),
        "prior",
    ),
    "a grid of fixed size": Unnamed(
        {UTILS: ("    percentiles =", "    grid_size = 20\n    percentiles =")}, ("vae.level_manifold",), "grid_size"
    ),
    "a picture of one level's probability": Unnamed(
        {UTILS: (PICTURE, "    return make_grid(probabilities[:, 15:], nrow=grid_size)")},
        ("vae.level_manifold",),
        "",
    ),
    "half of the levels": Unnamed(
        {NETWORKS: (DECODED, "        return self.net(z)[:, ::2]")}, ("vae.levels", "vae.level_loss"), "shape"
    ),
    "a divergence of half of the latents": Unnamed(
        {MODEL: ("KLD(mean, log_std).mean()", "KLD(mean[:, ::2], log_std[:, ::2]).mean()")},
        ("vae.level_loss",),
        "L_reg",
    ),
    "normalised numbers of a tanh": Unnamed(
        {NETWORKS: (DECODED, "        return torch.log_softmax(torch.tanh(self.net(z)), dim=1)")},
        ("vae.levels",),
        "cannot be far apart",
    ),
    "a log-softmax over the rows": Unnamed(
        {NETWORKS: (DECODED, "        return torch.log_softmax(self.net(z), dim=2)")},
        ("vae.levels",),
        "cannot take every real value",
    ),
    "a softplus after the logits": Unnamed(
        {NETWORKS: (DECODED, "        return nn.functional.softplus(self.net(z))")},
        ("vae.levels",),
        "cannot take every real value",
    ),
    "a softmax over the rows": Unnamed(
        {NETWORKS: (DECODED, "        return torch.softmax(self.net(z), dim=2)")},
        ("vae.levels",),
        "over the rows",
    ),
    "a divergence that is three times as large": Unnamed(
        {UTILS: ("- log_std).sum(dim=-1)", "- log_std).sum(dim=-1) * 3")}, ("vae.kld",), "KL divergence"
    ),
    "a divergence of the whole batch": Unnamed(
        {UTILS: ("- log_std).sum(dim=-1)", "- log_std).sum()")}, ("vae.kld",), "shape"
    ),
    "noise with half of the deviation": Unnamed(
        {UTILS: ("std * torch.randn_like", "0.5 * std * torch.randn_like")}, ("vae.reparameterize",), "(z − mean) / std"
    ),
    "bits of another base": Unnamed(
        {UTILS: ("math.log2(math.e)", "math.log10(math.e)")}, ("vae.bpd",), "bits per dimension"
    ),
    "a divergence that is weighted": Unnamed(
        {MODEL: ("KLD(mean, log_std).mean()", "0.5 * KLD(mean, log_std).mean()")}, ("vae.level_loss",), "L_reg"
    ),
    "bits of the reconstruction alone": Unnamed(
        {MODEL: ("elbo_to_bpd(rec + reg, imgs.shape)", "elbo_to_bpd(rec, imgs.shape)")},
        ("vae.level_loss",),
        "that of L_rec alone: add L_reg",
    ),
    "probabilities for logits, and a divergence that is weighted": Unnamed(
        {
            MODEL: [
                (ENTROPY, ENTROPY.replace("(logits,", "(logits.softmax(dim=1),")),
                ("KLD(mean, log_std).mean()", "0.5 * KLD(mean, log_std).mean()"),
            ]
        },
        ("vae.level_loss",),
        "a softmax of a softmax",
    ),
    "mean and log_std detached in the divergence": Unnamed(
        {MODEL: ("KLD(mean, log_std).mean()", "KLD(mean.detach(), log_std).mean()")}, ("vae.level_loss",), "mean"
    ),
    "a leaky mean": Unnamed(
        {NETWORKS: ("        return mean, log_std", "        return nn.functional.elu(mean), log_std")},
        ("vae.cnn_encoder",),
        "mean cannot take every real value",
    ),
    "a log_std that is never positive": Unnamed(
        {NETWORKS: ("        return mean, log_std", "        return mean, -nn.functional.softplus(log_std)")},
        ("vae.cnn_encoder",),
        "log_std cannot take every real value",
    ),
}
