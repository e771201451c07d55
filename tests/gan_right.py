"""Right GANs that look different from the reference, as changes to it."""

from __future__ import annotations

from tests.gan_fragments import (
    DECODED,
    DISCRIMINATOR_FORWARD,
    DISCRIMINATOR_UPDATE,
    FAKE_LOSS,
    FAKES,
    GENERATOR_DIMS,
    GENERATOR_FORWARD,
    GENERATOR_LAST,
    GENERATOR_LAYERS,
    GENERATOR_LOSS,
    GENERATOR_SCORES,
    GENERATOR_UPDATE,
    LAYER,
    LERP,
    NOISE,
    REAL_LOSS,
    SAMPLE,
    SCORES,
    SUM,
    WEIGHTS,
    Changes,
)

_CONVOLUTIONS = """        self.net = nn.Sequential(
            nn.Linear(z_dim, 8 * 49), nn.Unflatten(1, (8, 7, 7)),
            nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 4, 2, 1), nn.Tanh(),
        )
"""
_NET = "        self.net = nn.Sequential(\n" + GENERATOR_LAYERS + GENERATOR_LAST + "        )\n"
_LOOP = """        strips = []
        for w in reversed(weight.flatten().tolist()):
            strips.append(self.generator((1 - w) * start.squeeze(1) + w * end.squeeze(1)))
        return torch.stack(strips, dim=1)
"""
_ONE_BY_ONE = """        return torch.stack([self.generator(strip) for strip in z])
"""
_IN_PLACE = """        z, step = start.squeeze(1), (end - start).squeeze(1) / (interpolation_steps + 1)
        strips = [self.generator(z)]
        for _ in range(interpolation_steps + 1):
            z += step
            strips.append(self.generator(z))
        return torch.stack(strips, dim=1)
"""
_CONCATENATED = """        x = torch.cat([x_real, x_fake])
        logits_real, logits_fake = self.discriminator(x).chunk(2)
"""
_BY_HAND = """        p = torch.sigmoid(logits_fake)
        loss = -torch.mean(torch.log(p + 1e-8))
"""
_BOTH_BY_HAND = """        p_real, p_fake = torch.sigmoid(logits_real), torch.sigmoid(logits_fake)
        loss = -torch.log(p_real).mean() - torch.log(1 - p_fake).mean()
"""
_CLIPPED = "        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n        optimizer_gen.step()\n"
_BATCHES = "def train_gan(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):"


def _models(*pairs: tuple[str, str]) -> Changes:
    return {"models.py": list(pairs)}


def _training(*pairs: tuple[str, str]) -> Changes:
    return {"train_torch.py": list(pairs)}


RIGHT: dict[str, Changes] = {
    "reference": {},
    # networks
    "spectral norm": _models(
        ("nn.Linear(size_in", "nn.utils.spectral_norm(nn.Linear(size_in"),
        ("size_out), nn.Dropout", "size_out)), nn.Dropout"),
    ),
    "weight norm by parametrisation": _models(
        ("nn.Linear(size_in", "nn.utils.parametrizations.weight_norm(nn.Linear(size_in"),
        ("size_out), nn.Dropout", "size_out)), nn.Dropout"),
    ),
    "batch norm in both": _models(("nn.Dropout(dp_rate)", "nn.BatchNorm1d(size_out)")),
    "layer norm and GELU": _models((LAYER, "nn.Linear(size_in, size_out), nn.LayerNorm(size_out), nn.GELU()")),
    "convolutional generator": _models((_NET, _CONVOLUTIONS)),
    "layers in a ModuleList": _models(
        (GENERATOR_LAYERS, ""),
        (GENERATOR_DIMS, GENERATOR_DIMS + "        self.layers = nn.ModuleList(hidden_layers(dims, dp_rate))\n"),
        (GENERATOR_FORWARD, "        for layer in self.layers:\n            z = layer(z)\n" + GENERATOR_FORWARD),
    ),
    "scaled sigmoid in place of tanh": _models(
        ("nn.Tanh()", "nn.Sigmoid()"),
        (GENERATOR_FORWARD, GENERATOR_FORWARD.replace("self.net(z)", "(2 * self.net(z) - 1)")),
    ),
    "discriminator expects flat images": {
        "models.py": [(DISCRIMINATOR_FORWARD, "        return self.net(x)")],
        "train_torch.py": [
            (GENERATOR_SCORES, GENERATOR_SCORES[:-1] + ".flatten(1))"),
            (SCORES, SCORES.replace("x_real)", "x_real.flatten(1))").replace("x_fake)", "x_fake.flatten(1))")),
        ],
    },
    # losses
    "losses by softplus": _training(
        (GENERATOR_LOSS, "        loss = F.softplus(-logits_fake).mean()\n"),
        (REAL_LOSS, "        loss_real = F.softplus(-logits_real).mean()\n"),
        (FAKE_LOSS, "        loss_fake = F.softplus(logits_fake).mean()\n"),
    ),
    "cross entropy by hand": _training((GENERATOR_LOSS, _BY_HAND), (SUM, _BOTH_BY_HAND)),
    "cross entropy of probabilities": _training(
        ("with_logits(logits_fake", "with_logits(logits_fake.sigmoid()"),
        ("with_logits(logits_real", "with_logits(logits_real.sigmoid()"),
        ("binary_cross_entropy_with_logits", "binary_cross_entropy"),
    ),
    "labels exchanged in both steps": _training(
        (GENERATOR_LOSS, GENERATOR_LOSS.replace("ones", "zeros")),
        (REAL_LOSS, REAL_LOSS.replace("ones", "zeros")),
        (FAKE_LOSS, FAKE_LOSS.replace("zeros", "ones")),
    ),
    "mean of the two terms": _training((SUM, "        loss = (loss_real + loss_fake) / 2\n")),
    "one batch of real and fake": _training(
        (f"        logits_real, logits_fake = {SCORES}\n", _CONCATENATED),
        (
            SUM,
            "        y = torch.cat([torch.ones_like(logits_real), torch.zeros_like(logits_fake)])\n"
            "        loss = F.binary_cross_entropy_with_logits(torch.cat([logits_real, logits_fake]), y)\n",
        ),
    ),
    "one-sided label smoothing": _training((REAL_LOSS, REAL_LOSS.replace("torch.ones_like", "0.9 * torch.ones_like"))),
    "noisy labels on both sides": _training(
        (
            GENERATOR_LOSS,
            GENERATOR_LOSS.replace("torch.ones_like(logits_fake)", "0.7 + 0.5 * torch.rand_like(logits_fake)"),
        ),
        (REAL_LOSS, REAL_LOSS.replace("torch.ones_like(logits_real)", "0.7 + 0.5 * torch.rand_like(logits_real)")),
        (FAKE_LOSS, FAKE_LOSS.replace("torch.zeros_like(logits_fake)", "0.3 * torch.rand_like(logits_fake)")),
    ),
    "noise on the discriminator's input": _training(
        (SCORES, SCORES.replace("(x_real)", "(x_real + 0.1 * torch.randn_like(x_real))"))
    ),
    "no detach, cleared by the loop": _training(
        (FAKES, "        x_fake = self.generator(self.draw_latents(x_real.shape[0]))\n")
    ),
    "scores without their last dimension": _training(
        (GENERATOR_SCORES, GENERATOR_SCORES + ".squeeze()"),
        (SCORES, SCORES.replace("(x_real)", "(x_real).squeeze()").replace("(x_fake)", "(x_fake).squeeze()")),
    ),
    "real images scored for the log": _training(
        (GENERATOR_LOSS, GENERATOR_LOSS + "        accuracy = (self.discriminator(x_real) > 0).float().mean()\n")
    ),
    "three values returned": _training(
        ('return loss, {"loss": loss}\n', 'return loss, {"loss": loss}, {"accuracy": loss.detach()}\n'),
        ("loss, logging_dict = model.generator_step", "loss, logging_dict, _ = model.generator_step"),
    ),
    # latents
    "noise by numpy": _training((NOISE, "torch.from_numpy(np.random.randn(batch_size, self.z_dim)).float()")),
    "noise by torch.normal on the CPU": _training((NOISE, "torch.normal(torch.zeros(batch_size, self.z_dim))")),
    "interpolation in a loop, backwards": _training((LERP, ""), (DECODED, _LOOP)),
    "interpolation strip by strip": _training((DECODED, _ONE_BY_ONE)),
    "interpolation by forward, in three dimensions": _training(
        (DECODED, DECODED.replace("self.generator(z.flatten(0, 1))", "self.generator.forward(z)"))
    ),
    "interpolation by numpy's linspace": _training(
        (WEIGHTS, "torch.from_numpy(np.linspace(1, 0, interpolation_steps + 2)).float()")
    ),
    "generator in eval mode for samples": _training(
        (
            f"        {SAMPLE}",
            f"        self.generator.eval()\n        x = {SAMPLE.removeprefix('return ')}\n"
            "        self.generator.train()\n        return x",
        )
    ),
    # loops
    "discriminator first": _training(
        (GENERATOR_UPDATE, "        GENERATOR\n"),
        (DISCRIMINATOR_UPDATE, GENERATOR_UPDATE),
        ("        GENERATOR\n", DISCRIMINATOR_UPDATE),
    ),
    "everything cleared by the model": _training(
        ("        optimizer_gen.zero_grad()\n", "        model.zero_grad()\n"),
        ("        optimizer_disc.zero_grad()\n", "        model.zero_grad()\n"),
    ),
    "gradients clipped": _training(("        optimizer_gen.step()\n", _CLIPPED)),
    "two updates of the discriminator": _training((DISCRIMINATOR_UPDATE, 2 * DISCRIMINATOR_UPDATE)),
    "other names in the loop": _training(
        (
            _BATCHES,
            "def train_gan(gan, batches, log_g, log_d, opt_g, opt_d):\n"
            "    model, train_loader, logger_gen, logger_disc = gan, batches, log_g, log_d\n"
            "    optimizer_gen, optimizer_disc = opt_g, opt_d",
        )
    ),
    "labels prepared by the loop": _training(
        (GENERATOR_LOSS, GENERATOR_LOSS.replace("torch.ones_like(logits_fake)", "self.real_labels")),
        (REAL_LOSS, REAL_LOSS.replace("torch.ones_like(logits_real)", "self.real_labels")),
        (GENERATOR_UPDATE, "        model.real_labels = torch.ones(len(imgs), 1)\n" + GENERATOR_UPDATE),
        ("        self.z_dim = z_dim\n", "        self.z_dim = z_dim\n        self.real_labels = None\n"),
    ),
    "interpolation that adds to z in place": _training((LERP + DECODED, _IN_PLACE)),
    "settings read from main's args": _training(
        (NOISE, "torch.randn(batch_size, args.z_dim).to(device)"),
    ),
}

LIGHTNING_RIGHT: dict[str, Changes] = {
    "reference": {},
    "labels exchanged in both steps": {
        "train_pl.py": [
            (GENERATOR_LOSS, GENERATOR_LOSS.replace("ones", "zeros")),
            (REAL_LOSS, REAL_LOSS.replace("ones", "zeros")),
            (FAKE_LOSS, FAKE_LOSS.replace("zeros", "ones")),
        ]
    },
    "optimisers as dictionaries": {
        "train_pl.py": [
            (
                "return [optimizer_gen, optimizer_disc], []",
                'return {"optimizer": optimizer_gen, "frequency": 1}, {"optimizer": optimizer_disc, "frequency": 1}',
            )
        ]
    },
    "manual optimisation": {
        "train_pl.py": [
            (
                "        self.save_hyperparameters()\n",
                "        self.save_hyperparameters()\n        self.automatic_optimization = False\n",
            ),
            ("def training_step(self, batch, batch_idx, optimizer_idx):", "def training_step(self, batch, batch_idx):"),
            (
                "        return self.generator_step(x_real) if optimizer_idx == 0 else "
                "self.discriminator_step(x_real)\n",
                "        steps = (self.generator_step, self.discriminator_step)\n"
                "        for optimizer, step in zip(self.optimizers(), steps):\n"
                "            optimizer.zero_grad()\n"
                "            self.manual_backward(step(x_real))\n"
                "            optimizer.step()\n",
            ),
        ]
    },
}
