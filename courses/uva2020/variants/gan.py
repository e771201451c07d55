"""GANs that are right but look different from the reference, one that is right and different throughout, and wrong ones
that are no known misconception."""

from __future__ import annotations

from validation.variants import Changes, Unnamed

MODELS, LOSSES, UTILS = "part2/models.py", "part2/losses.py", "part2/utils.py"
TORCH, LIGHTNING = "part2/train_torch.py", "part2/train_pl.py"

# models.py
LAYER = "nn.Linear(size_in, size_out), nn.Dropout(dp_rate), nn.LeakyReLU(NEGATIVE_SLOPE)"
GENERATOR_DIMS = "        dims = [z_dim, *hidden_dims]\n"
GENERATOR_NET = (
    "        self.net = nn.Sequential(*hidden_layers(dims, dp_rate), "
    "nn.Linear(dims[-1], math.prod(self.output_shape)))\n"
)
GENERATOR_FORWARD = "        return torch.tanh(self.net(z)).view(-1, *self.output_shape)"
DISCRIMINATOR_NET = "        self.net = nn.Sequential(*hidden_layers(dims, dp_rate), nn.Linear(dims[-1], 1))\n"
DISCRIMINATOR_FORWARD = "        return self.net(torch.flatten(x, start_dim=1))"

# losses.py
GENERATOR_LOSS = "    return F.binary_cross_entropy_with_logits(logits_fake, torch.ones_like(logits_fake))\n"
REAL_LOSS = "    loss_real = F.binary_cross_entropy_with_logits(logits_real, torch.ones_like(logits_real))\n"
FAKE_LOSS = "    loss_fake = F.binary_cross_entropy_with_logits(logits_fake, torch.zeros_like(logits_fake))\n"
SUM = "    return loss_real + loss_fake\n"

# utils.py
WEIGHTS = "torch.linspace(0, 1, points, device=start.device)"
LERP = "    return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), weight)\n"

# train_torch.py
NOISE = "torch.randn(batch_size, self.z_dim, device=self.device)"
SAMPLE = "return self.generator(self.draw_latents(batch_size))"
LINES = "        z = straight_lines(start, end, interpolation_steps + 2)  # [B, steps + 2, z_dim]\n"
DECODED = "        x = self.generator(z.flatten(0, 1))\n        return x.unflatten(0, z.shape[:2])\n"
GENERATOR_SCORES = "logits_fake = self.discriminator(self.generator(self.draw_latents(x_real.shape[0])))"
FAKES = "        x_fake = self.generator(self.draw_latents(x_real.shape[0])).detach()\n"
SCORES = "self.discriminator(x_real), self.discriminator(x_fake)"
UPDATE = """    loss, logging_dict = step(x_real)
    loss.backward()
    optimizer.step()
"""
LOOP = """        model.zero_grad()  # drops what the generator's last update left in the discriminator's gradients, too
        update(model.discriminator_step, x_real, optimizer_disc, logger_disc)
        update(model.generator_step, x_real, optimizer_gen, logger_gen)
"""
BATCHES = "def train_gan(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):"

_FUNCTIONAL = "import torch\nfrom torch.nn import functional as F\n"
_SMALL_WEIGHTS = """def small_weights(layer):
    if isinstance(layer, nn.Linear):
        layer.weight.data.normal_(std=0.0001)
        {biases}


"""
_CONVOLUTIONS = """        self.net = nn.Sequential(
            nn.Linear(z_dim, 8 * 49), nn.Unflatten(1, (8, 7, 7)),
            nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.ConvTranspose2d(8, output_shape[0], 4, 2, 1),
        )
"""
_CONVOLUTIONAL_CRITIC = """        self.net = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.LeakyReLU(0.2),
            nn.Flatten(), nn.Dropout(dp_rate), nn.Linear(8 * 49, 1),
        )
"""
_RESIDUAL = """class Residual(nn.Module):
    def __init__(self, size_in, size_out):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(size_in, size_out), nn.GELU(), nn.Linear(size_out, size_out))
        self.skip = nn.Linear(size_in, size_out, bias=False)

    def forward(self, x):
        return self.layers(x) + self.skip(x)


def hidden_layers"""
_BACKWARDS = """        strips = []
        for w in torch.linspace(1, 0, interpolation_steps + 2).tolist():
            strips.append(self.generator((1 - w) * start + w * end))
        return torch.stack(strips, dim=1)
"""
_IN_PLACE = """        z, step = start, (end - start) / (interpolation_steps + 1)
        strips = [self.generator(z)]
        for _ in range(interpolation_steps + 1):
            z += step
            strips.append(self.generator(z))
        return torch.stack(strips, dim=1)
"""
_CONCATENATED = """        logits_real, logits_fake = self.discriminator(torch.cat([x_real, x_fake])).chunk(2)
"""
_MEAN_OF_ALL = """    y = torch.cat([torch.ones_like(logits_real), torch.zeros_like(logits_fake)])
    return F.binary_cross_entropy_with_logits(torch.cat([logits_real, logits_fake]), y)
"""
_BY_HAND = "    return -torch.mean(torch.log(torch.sigmoid(logits_fake) + 1e-8))\n"
_BOTH_BY_HAND = """    p_real, p_fake = torch.sigmoid(logits_real), torch.sigmoid(logits_fake)
    return -torch.log(p_real).mean() - torch.log(1 - p_fake).mean()
"""
_GENERATOR_FIRST = """        for step, optimizer, logger in (
            (model.generator_step, optimizer_gen, logger_gen), (model.discriminator_step, optimizer_disc, logger_disc)
        ):
            optimizer.zero_grad()
            update(step, x_real, optimizer, logger)
"""
_CRITIC_TWICE = """        for _ in range(2):
            optimizer_disc.zero_grad()
            update(model.discriminator_step, x_real, optimizer_disc, logger_disc)
        optimizer_gen.zero_grad()
        update(model.generator_step, x_real, optimizer_gen, logger_gen)
"""
_BY_CLOSURE = """    logging_dict = {}

    def closure():
        optimizer.zero_grad()
        loss, logging = step(x_real)
        logging_dict.update(logging)
        loss.backward()
        return loss

    optimizer.step(closure=closure)
"""
_CLIPPED = UPDATE.replace(
    "    optimizer", "    torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]['params'], 0.1)\n    optimizer"
)
_OWN_LOSSES = """        fake = model.generator(model.draw_latents(len(x_real)))
        optimizer_disc.zero_grad()
        scores = model.discriminator(x_real), model.discriminator(fake.detach())
        (F.softplus(-scores[0]).mean() + F.softplus(scores[1]).mean()).backward()
        optimizer_disc.step()
        optimizer_gen.zero_grad()
        F.softplus(-model.discriminator(fake)).mean().backward()
        optimizer_gen.step()
"""
_CLIPPED_BY_VALUE = (
    "torch.nn.utils.clip_grad_value_(model.discriminator.parameters(), 1e-3)\n        optimizer_disc.step()"
)
_ACCUMULATED = """        fake = model.generator(model.draw_latents(len(x_real)))
        scores = model.discriminator(x_real), model.discriminator(fake.detach())
        (F.softplus(-scores[0]).mean() + F.softplus(scores[1]).mean()).backward()
        if index % 2 == 1:
            optimizer_disc.step()
            optimizer_disc.zero_grad()
        disc_grads = [p.grad.clone() if p.grad is not None else None for p in model.discriminator.parameters()]
        optimizer_gen.zero_grad()
        F.softplus(-model.discriminator(fake)).mean().backward()
        optimizer_gen.step()
        for p, g in zip(model.discriminator.parameters(), disc_grads):
            p.grad = g
"""
_BY_GRAD = """        fake = model.generator(model.draw_latents(len(x_real)))
        for network, optimizer in ((model.discriminator, optimizer_disc), (model.generator, optimizer_gen)):
            scores = model.discriminator(x_real), model.discriminator(fake)
            if network is model.generator:
                loss = F.softplus(-scores[1]).mean()
            else:
                loss = F.softplus(-scores[0]).mean() + F.softplus(scores[1]).mean()
            parameters = list(network.parameters())
            for parameter, gradient in zip(parameters, grad(loss, parameters, retain_graph=True)):
                parameter.grad = gradient
            if network is model.generator:
                optimizer.step()
            else:
                later = optimizer
        later.step()
"""
_NOISE_FOR_GRADIENTS = """        for optimizer in (optimizer_disc, optimizer_gen):
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.grad = torch.randn_like(parameter)
            optimizer.step()
"""
_OF_WEIGHTS = """        for optimizer in (optimizer_disc, optimizer_gen):
            optimizer.zero_grad()
            sum(p.square().sum() for group in optimizer.param_groups for p in group["params"]).backward()
            optimizer.step()
"""
_IN_MAIN = """        model.train()
        for images, _ in batches:
            model.zero_grad()
            update(model.discriminator_step, images.to(device), optimizer_disc, logger_disc)
            update(model.generator_step, images.to(device), optimizer_gen, logger_gen)
"""
_OWN_OPTIMIZERS = """    optimizer_gen = torch.optim.Adam(model.generator.parameters(), lr=1e-3)
    optimizer_disc = torch.optim.SGD(model.discriminator.parameters(), lr=1e-2)
    for imgs, _ in train_loader:
"""


def _models(*pairs: tuple[str, str]) -> Changes:
    return {MODELS: list(pairs)}


def _losses(*pairs: tuple[str, str]) -> Changes:
    return {LOSSES: list(pairs)}


def _training(*pairs: tuple[str, str]) -> Changes:
    return {TORCH: list(pairs)}


def _lightning(*pairs: tuple[str, str]) -> Changes:
    """Of a student who filled in train_pl.py."""
    return {TORCH: (SAMPLE, "raise NotImplementedError"), LIGHTNING: list(pairs)}


def _small_weights(biases: str) -> Changes:
    """Initialise both networks with small weights, and with biases as the statement `biases` leaves them."""
    return {
        MODELS: [
            ("def hidden_layers(", f"{_SMALL_WEIGHTS.format(biases=biases)}def hidden_layers("),
            (GENERATOR_NET, f"{GENERATOR_NET}        self.apply(small_weights)\n"),
            (DISCRIMINATOR_NET, f"{DISCRIMINATOR_NET}        self.apply(small_weights)\n"),
        ]
    }


RIGHT: dict[str, Changes] = {
    "small weights, no biases at first": _small_weights("layer.bias.data.zero_()"),
    "layers that forward never calls": {
        MODELS: [
            (GENERATOR_NET, f"{GENERATOR_NET}        self.spare = nn.Linear(z_dim, z_dim)\n"),
            (DISCRIMINATOR_NET, f"{DISCRIMINATOR_NET}        self.spare = nn.Linear(input_dims, 1)\n"),
        ]
    },
    "small weights beside usual biases": _small_weights("pass"),
    "latents and labels of sizes in globals": {
        **_training(
            ("class GAN(nn.Module)", "latent_dim = 100\n\n\nclass GAN(nn.Module)"),
            (NOISE, NOISE.replace("self.z_dim", "latent_dim")),
        ),
        **_losses(
            (
                GENERATOR_LOSS,
                GENERATOR_LOSS.replace(
                    "torch.ones_like(logits_fake)", "torch.ones(batch_size, 1, device=logits_fake.device)"
                ),
            ),
            ("def discriminator", "batch_size = 256\n\n\ndef discriminator"),
        ),
    },
    "the reference": {},
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
    "deeper, without dropout": _models(
        (LAYER, "nn.Linear(size_in, size_out), nn.SiLU(), nn.Linear(size_out, size_out), nn.SiLU()")
    ),
    "residual layers": _models(("def hidden_layers", _RESIDUAL), (LAYER, "Residual(size_in, size_out), nn.ELU()")),
    "convolutional generator": _models((GENERATOR_NET, _CONVOLUTIONS)),
    "convolutional discriminator": _models(
        (DISCRIMINATOR_NET, _CONVOLUTIONAL_CRITIC), (DISCRIMINATOR_FORWARD, "        return self.net(x)")
    ),
    "layers in a ModuleList": _models(
        (
            GENERATOR_DIMS + GENERATOR_NET,
            GENERATOR_DIMS
            + "        layers = [*hidden_layers(dims, dp_rate), nn.Linear(dims[-1], math.prod(self.output_shape))]\n"
            + "        self.layers = nn.ModuleList(layers)\n",
        ),
        (
            GENERATOR_FORWARD,
            "        for layer in self.layers:\n            z = layer(z)\n"
            + GENERATOR_FORWARD.replace("self.net(z)", "z"),
        ),
    ),
    "scaled sigmoid in place of tanh": _models(
        (
            GENERATOR_FORWARD,
            GENERATOR_FORWARD.replace("torch.tanh(self.net(z))", "(2 * torch.sigmoid(self.net(z)) - 1)"),
        )
    ),
    "tanh and activations in place": _models(
        ("nn.LeakyReLU(NEGATIVE_SLOPE)", "nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True)"),
        (GENERATOR_FORWARD, GENERATOR_FORWARD.replace("torch.tanh(self.net(z))", "self.net(z).tanh_()")),
    ),
    "functional dropout that knows the mode": _models(
        (
            DISCRIMINATOR_FORWARD,
            "        x = nn.functional.dropout(torch.flatten(x, start_dim=1), 0.2, training=self.training)\n"
            "        return self.net(x)",
        )
    ),
    "state between calls": _models(
        (
            GENERATOR_FORWARD,
            "        self.calls = getattr(self, 'calls', 0) + 1\n        self.latest = z.detach()\n"
            + GENERATOR_FORWARD,
        )
    ),
    "more arguments": _models(
        ("output_shape=(1, 28, 28), dp_rate=0.1)", "output_shape=(1, 28, 28), dp_rate=0.1, bias=True, **kwargs)"),
        ("hidden_dims=(512, 256), dp_rate=0.3)", "hidden_dims=(512, 256), dp_rate=0.3, activation=None)"),
    ),
    "float64 networks": {
        MODELS: [
            (GENERATOR_NET, GENERATOR_NET + "        self.double()\n"),
            (DISCRIMINATOR_NET, DISCRIMINATOR_NET + "        self.double()\n"),
            (GENERATOR_FORWARD, GENERATOR_FORWARD.replace("self.net(z)", "self.net(z.double())")),
            (DISCRIMINATOR_FORWARD, DISCRIMINATOR_FORWARD.replace("torch.flatten(x,", "torch.flatten(x.double(),")),
        ]
    },
    "float64 throughout": {
        MODELS: [
            (GENERATOR_FORWARD, GENERATOR_FORWARD.replace("self.net(z)", "self.net.double()(z.double())")),
            (
                DISCRIMINATOR_FORWARD,
                DISCRIMINATOR_FORWARD.replace("net(torch.flatten(x,", "net.double()(torch.flatten(x.double(),"),
            ),
        ],
        TORCH: [(NOISE, NOISE.replace("device", "dtype=torch.float64, device"))],
    },
    "devices asked of parameters": {
        MODELS: [("    @property\n    def device(self):\n        return next(self.parameters()).device\n", "")],
        TORCH: [
            ("        return self.generator.device", "        return next(self.parameters()).device"),
            (NOISE, "torch.randn(batch_size, self.z_dim).to(next(self.generator.parameters()))"),
        ],
    },
    "cuda hard-coded": _training(
        (NOISE, "torch.randn(batch_size, self.z_dim).cuda()"), ("imgs.to(model.device)", "imgs.to('cuda:0')")
    ),
    "devices as a global": _training(
        (NOISE, "torch.randn(batch_size, self.z_dim).to(device)"),
        ("class GAN(", "device = torch.device('cuda:0') if torch.cuda.is_available() else 'cpu'\n\n\nclass GAN("),
        ("x_real = imgs.to(model.device)", "x_real = imgs.to(device)"),
    ),
    "discriminator expects flat images": {
        MODELS: [(DISCRIMINATOR_FORWARD, "        return self.net(x)")],
        TORCH: [
            (GENERATOR_SCORES, GENERATOR_SCORES[:-1] + ".flatten(1))"),
            (SCORES, SCORES.replace("x_real)", "x_real.flatten(1))").replace("x_fake)", "x_fake.flatten(1))")),
        ],
    },
    # losses
    "losses by softplus": _losses(
        (GENERATOR_LOSS, "    return F.softplus(-logits_fake).mean()\n"),
        (REAL_LOSS, "    loss_real = F.softplus(-logits_real).mean()\n"),
        (FAKE_LOSS, "    loss_fake = F.softplus(logits_fake).mean()\n"),
    ),
    "losses by logsigmoid": _losses(
        (GENERATOR_LOSS, "    return -F.logsigmoid(logits_fake).mean()\n"),
        (SUM, "    return -F.logsigmoid(logits_real).mean() - F.logsigmoid(-logits_fake).mean()\n"),
    ),
    "cross entropy by hand": _losses((GENERATOR_LOSS, _BY_HAND), (SUM, _BOTH_BY_HAND)),
    "cross entropy of probabilities": _losses(
        ("with_logits(logits_fake", "with_logits(logits_fake.sigmoid()"),
        ("with_logits(logits_real", "with_logits(logits_real.sigmoid()"),
        ("binary_cross_entropy_with_logits", "binary_cross_entropy"),
    ),
    "cross entropy in place": _losses((SUM, "    loss_real += loss_fake\n    return loss_real\n")),
    "labels as tensors of one": _losses(
        (GENERATOR_LOSS, "    return nn.BCEWithLogitsLoss()(logits_fake, torch.full_like(logits_fake, 1.0))\n"),
        ("import torch\n", "import torch\nfrom torch import nn\n"),
    ),
    "labels exchanged in both steps": _losses(
        (GENERATOR_LOSS, GENERATOR_LOSS.replace("ones", "zeros")),
        (REAL_LOSS, REAL_LOSS.replace("ones", "zeros")),
        (FAKE_LOSS, FAKE_LOSS.replace("zeros", "ones")),
    ),
    "mean of the two terms": _losses((SUM, "    return (loss_real + loss_fake) / 2\n")),
    "half of the generator's loss": _losses((GENERATOR_LOSS, GENERATOR_LOSS.replace("return", "return 0.5 *"))),
    "one batch of real and fake": {
        LOSSES: [(SUM, _MEAN_OF_ALL)],
        TORCH: [(f"        logits_real, logits_fake = {SCORES}\n", _CONCATENATED)],
    },
    "one-sided label smoothing": _losses((REAL_LOSS, REAL_LOSS.replace("torch.ones_like", "0.9 * torch.ones_like"))),
    "noisy labels on both sides": _losses(
        (
            GENERATOR_LOSS,
            GENERATOR_LOSS.replace("torch.ones_like(logits_fake)", "0.7 + 0.5 * torch.rand_like(logits_fake)"),
        ),
        (REAL_LOSS, REAL_LOSS.replace("torch.ones_like(logits_real)", "0.7 + 0.5 * torch.rand_like(logits_real)")),
        (FAKE_LOSS, FAKE_LOSS.replace("torch.zeros_like(logits_fake)", "0.3 * torch.rand_like(logits_fake)")),
    ),
    # steps
    "noise on the discriminator's input": _training(
        (SCORES, SCORES.replace("(x_real)", "(x_real + 0.1 * torch.randn_like(x_real))"))
    ),
    "much noise on both of the discriminator's inputs": _training(
        (
            SCORES,
            "(self.discriminator(x + 0.5 * torch.randn_like(x)) for x in (x_real, x_fake))",
        )
    ),
    "images in [0, 1] for the discriminator": _training(
        (SCORES, SCORES.replace("(x_real)", "((x_real + 1) / 2)").replace("(x_fake)", "((x_fake + 1) / 2)")),
        (
            GENERATOR_SCORES,
            "x_fake = self.generator(self.draw_latents(x_real.shape[0]))\n"
            "        logits_fake = self.discriminator((x_fake + 1) / 2)",
        ),
    ),
    "images that are flipped and shifted for the discriminator": _training(
        (
            SCORES,
            "(self.discriminator(torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(-1), x).roll((2, -3), (2, 3)))"
            " for x in (x_real, x_fake))",
        )
    ),
    "fakes from sample": _training((FAKES, "        x_fake = self.sample(x_real.shape[0])\n")),
    "no detach, cleared by the loop": _training((".detach()\n", "\n"), (LOOP, _GENERATOR_FIRST)),
    "detached at the discriminator": _training(
        (FAKES, FAKES.replace(".detach()", "")), ("(x_fake)", "(x_fake.detach())")
    ),
    "scores without their last dimension": _training(
        (GENERATOR_SCORES, GENERATOR_SCORES + ".squeeze()"),
        (SCORES, SCORES.replace("(x_real)", "(x_real).squeeze()").replace("(x_fake)", "(x_fake).squeeze()")),
    ),
    "real images scored for the log": _training(
        (GENERATOR_SCORES, GENERATOR_SCORES + "\n        accuracy = (self.discriminator(x_real) > 0).float().mean()")
    ),
    "three values returned": _training(
        ('return loss, {"loss": loss}\n', 'return loss, {"loss": loss}, logits_fake\n'),
        ("loss, logging_dict = step(x_real)", "loss, logging_dict, *_ = step(x_real)"),
    ),
    "steps with more arguments": _training(
        ("def generator_step(self, x_real)", "def generator_step(self, x_real, smoothing=0.0, verbose=False)"),
        ("def sample(self, batch_size)", "def sample(self, batch_size, z=None)"),
    ),
    "labels prepared by the loop": {
        LOSSES: [
            ("def generator_loss(logits_fake)", "def generator_loss(logits_fake, ones)"),
            (GENERATOR_LOSS, GENERATOR_LOSS.replace("torch.ones_like(logits_fake)", "ones")),
        ],
        TORCH: [
            ("generator_loss(logits_fake)", "generator_loss(logits_fake, self.real_labels)"),
            (
                "        model.zero_grad()",
                "        model.real_labels = torch.ones(len(imgs), 1)\n        model.zero_grad()",
            ),
            ("        self.z_dim = z_dim\n", "        self.z_dim = z_dim\n        self.real_labels = None\n"),
        ],
    },
    # latents
    "noise by numpy": _training((NOISE, "torch.from_numpy(np.random.randn(batch_size, self.z_dim)).float()")),
    "noise by torch.normal on the CPU": _training((NOISE, "torch.normal(torch.zeros(batch_size, self.z_dim))")),
    "noise by a distribution": _training((NOISE, "torch.distributions.Normal(0, 1).sample((batch_size, self.z_dim))")),
    "noise in place": _training((NOISE, "torch.empty(batch_size, self.z_dim).normal_()")),
    "settings read from main's args": _training((NOISE, "torch.randn(batch_size, args.z_dim).to(device)")),
    "samples one by one": _training(
        (SAMPLE, "return torch.cat([self.generator(self.draw_latents(1)) for _ in range(batch_size)])")
    ),
    "generator in eval mode for samples": _training(
        (
            f"        {SAMPLE}",
            f"        self.generator.eval()\n        x = {SAMPLE.removeprefix('return ')}\n"
            "        self.generator.train()\n        return x",
        )
    ),
    "interpolation in a loop, backwards": _training((LINES, ""), (DECODED, _BACKWARDS)),
    "interpolation strip by strip": _training(
        (DECODED, "        return torch.stack([self.generator(strip) for strip in z])\n")
    ),
    "interpolation by forward, in three dimensions": _training(
        (DECODED, DECODED.replace("self.generator(z.flatten(0, 1))", "self.generator.forward(z)"))
    ),
    "interpolation by numpy's linspace": {
        UTILS: [
            (WEIGHTS, "torch.from_numpy(np.linspace(1, 0, points)).float()"),
            ("import torch\n", "import numpy as np\nimport torch\n"),
        ]
    },
    "interpolation that adds to z in place": _training((LINES + DECODED, _IN_PLACE)),
    # loops
    "generator first": _training((LOOP, _GENERATOR_FIRST)),
    "a loop with losses of its own": _training((LOOP, _OWN_LOSSES), ("import torch\n", _FUNCTIONAL)),
    "gradients of losses of its own by autograd.grad": _training(
        (LOOP, _BY_GRAD), ("import torch\n", f"{_FUNCTIONAL}from torch.autograd import grad\n")
    ),
    "gradients of losses of its own, clipped by value": _training(
        (LOOP, _OWN_LOSSES.replace("optimizer_disc.step()", _CLIPPED_BY_VALUE)), ("import torch\n", _FUNCTIONAL)
    ),
    "gradients of losses of its own, accumulated over two batches": _training(
        ("for imgs, _ in train_loader:", "for index, (imgs, _) in enumerate(train_loader):"),
        (LOOP, _ACCUMULATED),
        ("import torch\n", _FUNCTIONAL),
    ),
    "a vector of losses that is differentiated": _training(
        (
            LOOP,
            _OWN_LOSSES.replace(
                "F.softplus(-model.discriminator(fake)).mean().backward()",
                "F.softplus(-model.discriminator(fake)).backward(torch.ones(len(fake), 1) / len(fake))",
            ),
        ),
        ("import torch\n", _FUNCTIONAL),
    ),
    "the discriminator in every second batch": _training(
        ("for imgs, _ in train_loader:", "for index, (imgs, _) in enumerate(train_loader):"),
        (
            "        update(model.discriminator_step",
            "        if index % 2 == 0:\n            update(model.discriminator_step",
        ),
    ),
    "everything cleared by the model": _training((LOOP, _GENERATOR_FIRST.replace("optimizer.zero", "model.zero"))),
    "gradients clipped": _training((UPDATE, _CLIPPED)),
    "steps by a closure": _training((UPDATE, _BY_CLOSURE)),
    "two updates of the discriminator": _training((LOOP, _CRITIC_TWICE)),
    "optimisers made by the loop": _training(("    for imgs, _ in train_loader:\n", _OWN_OPTIMIZERS)),
    "the update written out": _training(
        (
            "        update(model.generator_step, x_real, optimizer_gen, logger_gen)\n",
            "        loss, log = model.generator_step(x_real)\n        loss.backward()\n        optimizer_gen.step()\n",
        )
    ),
    "the loop in main": _training(
        (BATCHES, "def _unused(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):"),
        ("        train_gan(model, batches, logger_gen, logger_disc, optimizer_gen, optimizer_disc)\n", _IN_MAIN),
    ),
    "the loop is told the epoch": _training(
        (BATCHES, BATCHES.replace("optimizer_disc)", "optimizer_disc, epoch, summary_writer)")),
        (
            "logger_disc, optimizer_gen, optimizer_disc)\n        if",
            "logger_disc, optimizer_gen, optimizer_disc, epoch, summary_writer)\n        if",
        ),
    ),
    "other names in the loop": _training(
        (
            BATCHES,
            "def train_gan(gan, batches, log_g, log_d, opt_g, opt_d):\n"
            "    model, train_loader, logger_gen, logger_disc = gan, batches, log_g, log_d\n"
            "    optimizer_gen, optimizer_disc = opt_g, opt_d",
        )
    ),
    # Lightning
    "Lightning": _lightning(),
    "Lightning with labels exchanged in both steps": {
        **_lightning(),
        **_losses(
            (GENERATOR_LOSS, GENERATOR_LOSS.replace("ones", "zeros")),
            (REAL_LOSS, REAL_LOSS.replace("ones", "zeros")),
            (FAKE_LOSS, FAKE_LOSS.replace("zeros", "ones")),
        ),
    },
    "Lightning with optimisers as dictionaries": _lightning(
        (
            "return [optimizer_gen, optimizer_disc], []",
            'return {"optimizer": optimizer_gen, "frequency": 1}, {"optimizer": optimizer_disc, "frequency": 1}',
        )
    ),
    "Lightning by manual optimisation": _lightning(
        (
            "        self.save_hyperparameters()\n",
            "        self.save_hyperparameters()\n        self.automatic_optimization = False\n",
        ),
        ("def training_step(self, batch, batch_idx, optimizer_idx):", "def training_step(self, batch, batch_idx):"),
        (
            "        return self.generator_step(x_real) if optimizer_idx == 0 else self.discriminator_step(x_real)\n",
            "        steps = (self.generator_step, self.discriminator_step)\n"
            "        for optimizer, step in zip(self.optimizers(), steps):\n"
            "            optimizer.zero_grad()\n"
            "            self.manual_backward(step(x_real))\n"
            "            optimizer.step()\n",
        ),
    ),
}

ALTERNATIVE: Changes = {
    MODELS: [
        (
            LAYER,
            "nn.Linear(size_in, size_out), nn.LayerNorm(size_out), nn.GELU(), nn.Linear(size_out, size_out), nn.ELU()",
        ),
        (
            GENERATOR_FORWARD,
            "        pixels = 2 * torch.sigmoid(2 * self.net(z)) - 1\n"
            "        return pixels.reshape(len(pixels), *self.output_shape)",
        ),
        (
            DISCRIMINATOR_NET,
            "        layers = hidden_layers([dims[0], 50, *dims[1:]], dp_rate)\n"
            "        self.net = nn.Sequential(*layers, nn.Linear(dims[-1], 1)).double()\n",
        ),
        (DISCRIMINATOR_FORWARD, "        return self.net(x.reshape(len(x), -1).double() / 2 + 0.5)"),
    ],
    LOSSES: [
        (GENERATOR_LOSS, "    return -torch.log(torch.sigmoid(logits_fake)).mean()\n"),
        (SUM, "    return 0.5 * (-F.logsigmoid(logits_real).mean() - F.logsigmoid(-logits_fake).mean())\n"),
    ],
    UTILS: [(LERP, "    return torch.stack([w * start + (1 - w) * end for w in weight.flatten()], dim=1)\n")],
    TORCH: [
        (NOISE, "torch.normal(0.0, 1.0, (self.z_dim + 1, batch_size)).T[:, 1:]"),
        (DECODED, "        return torch.stack([self.generator.forward(points) for points in z])\n"),
        (
            SAMPLE,
            "torch.randn(5)\n        self.generator.eval()\n"
            "        return torch.cat([self.generator(z[None]) for z in self.draw_latents(batch_size)])",
        ),
        (
            "        loss = generator_loss(logits_fake)\n",
            "        loss = generator_loss(logits_fake.squeeze())\n"
            "        accuracy = (self.discriminator(x_real) > 0).float().mean()\n",
        ),
        ('return loss, {"loss": loss}\n', 'return loss, {"loss": loss, "accuracy": accuracy}\n'),
        (
            f"        logits_real, logits_fake = {SCORES}\n",
            "        x = torch.cat([x_fake.flatten(1), x_real.flatten(1)])\n"
            "        logits_fake, logits_real = self.discriminator(x).flatten().split(len(x_real))\n",
        ),
        ("    loss.backward()\n", "    loss.backward(retain_graph=True)\n"),
        (
            "        model.zero_grad()",
            "        for parameter in model.parameters():\n            parameter.grad = None\n        pass",
        ),
    ],
}

_G, _D, _I, _A = "gan.generator_step", "gan.discriminator_step", "gan.interpolate", "gan.alternation"

UNNAMED: dict[str, Unnamed] = {
    "a seed in both steps": Unnamed(
        {
            TORCH: [
                ("        logits_fake = self.disc", "        torch.manual_seed(0)\n        logits_fake = self.disc"),
                (
                    "        x_fake = self.generator(self",
                    "        torch.manual_seed(0)\n        x_fake = self.generator(self",
                ),
            ]
        },
        ("gan.generator_step", "gan.discriminator_step"),
        "two steps do not draw independent latents",
    ),
    "further hidden layers, times zero": Unnamed(
        {
            MODELS: [
                (
                    "self.net = nn.Sequential(*hidden_layers(dims, dp_rate), nn.Linear(dims[-1], 1))",
                    "self.net = nn.Sequential(*hidden_layers(dims[:2], dp_rate), nn.Linear(dims[1], 1))\n"
                    "        self.more = nn.Sequential(*hidden_layers([1, *dims[2:], 1], dp_rate))",
                ),
                (
                    "return self.net(torch.flatten(x, start_dim=1))",
                    "x = self.net(torch.flatten(x, start_dim=1))\n        return x + 0 * self.more(x)",
                ),
            ]
        },
        ("gan.discriminator",),
        "does not change with its parameter",
    ),
    "images of 28 pixels always": Unnamed(
        _models((GENERATOR_FORWARD, GENERATOR_FORWARD.replace("*self.output_shape", "self.output_shape[0], 28, 28"))),
        ("gan.generator",),
        "is invalid for input of size",
    ),
    "rows and columns exchanged": Unnamed(
        _models((GENERATOR_FORWARD, GENERATOR_FORWARD + ".transpose(2, 3)")),
        ("gan.generator",),
        "output_shape=[3, 8, 6]",
    ),
    "one image of the batch": Unnamed(
        _training((SCORES, SCORES.replace("(x_real)", "(x_real[:1].expand_as(x_real))"))), (_D,), "only 1 of the 64"
    ),
    "half of the batch": Unnamed(
        _training((SCORES, SCORES.replace("(x_real)", "(x_real[::2])"))), (_D,), "only 32 of the 64"
    ),
    "black images for real ones": Unnamed(
        _training((SCORES, SCORES.replace("(x_real)", "(-torch.ones_like(x_real))"))), (_D,), "never shown the real"
    ),
    "one generated image again and again": Unnamed(
        _training((GENERATOR_SCORES, GENERATOR_SCORES[:-1] + "[:1].expand(len(x_real), -1, -1, -1))")),
        (_G,),
        "again and again",
    ),
    "noise for gradients": Unnamed(_training((LOOP, _NOISE_FOR_GRADIENTS)), (_A,), "of no loss"),
    "weights for gradients": Unnamed(
        _training((LOOP, _NOISE_FOR_GRADIENTS.replace("torch.randn_like(parameter)", "parameter.detach().clone()"))),
        (_A,),
        "of no loss",
    ),
    "the gradient of a loss of weights alone": Unnamed(_training((LOOP, _OF_WEIGHTS)), (_A,), "of no loss"),
    "half of the batches": Unnamed(
        _training(
            ("for imgs, _ in train_loader:", "for index, (imgs, _) in enumerate(train_loader):"),
            (LOOP, f"{LOOP}        if index == 1:\n            break\n"),
        ),
        (_A,),
        "too early",
    ),
    "noise for images, in the loop": Unnamed(
        _training(("        model.zero_grad()", "        x_real = torch.rand_like(x_real)\n        model.zero_grad()")),
        (_A,),
        "the images of the loader",
    ),
    "labels smoothed past the middle": Unnamed(
        _losses((REAL_LOSS, REAL_LOSS.replace("torch.ones_like(logits_real)", "0.4 * torch.ones_like(logits_real)"))),
        (_D,),
        "the loss is not right",
    ),
    "hinge loss": Unnamed(
        _losses((SUM, "    return F.relu(1 - logits_real).mean() + F.relu(1 + logits_fake).mean()\n")),
        (_D,),
        "the loss is not right",
    ),
    "logarithm outside the expectation": Unnamed(
        _losses((GENERATOR_LOSS, "    return -torch.sigmoid(logits_fake).mean().log()\n")),
        (_G,),
        "the loss is not right",
    ),
    "scores halved": Unnamed(
        _losses((GENERATOR_LOSS, GENERATOR_LOSS.replace("(logits_fake,", "(logits_fake / 2,"))),
        (_G,),
        "the loss is not right",
    ),
    "the loss three times": Unnamed(
        _losses((GENERATOR_LOSS, GENERATOR_LOSS.replace("return", "return 3 *"))), (_G,), "3 times too large"
    ),
    "a step of the discriminator after the generator's": Unnamed(
        _training(
            (
                LOOP,
                LOOP.replace("        update(model.gen", "        model.zero_grad()\n        update(model.gen")
                + "        optimizer_disc.step()\n",
            )
        ),
        (_A,),
        "without a new loss of its own",
    ),
    "noise of exponential law": Unnamed(
        _training((NOISE, "torch.empty(batch_size, self.z_dim).exponential_()")), ("gan.sample",), "N(0, I)"
    ),
    "samples turned upside down": Unnamed(
        _training(
            (SAMPLE, SAMPLE + ".flip(2)"),
        ),
        ("gan.sample",),
        "not the images that the generator returned",
    ),
    "samples cubed": Unnamed(
        _training((SAMPLE, SAMPLE + "**3")), ("gan.sample",), "not the images that the generator returned"
    ),
    "noise on the way": Unnamed(
        _training((LINES, LINES + "        z[:, 1:-1] += 0.1 * torch.randn_like(z[:, 1:-1])\n")), (_I,), "straight line"
    ),
    "weights by a cosine": Unnamed(
        {UTILS: [(WEIGHTS, "((1 - torch.cos(torch.linspace(0, torch.pi, points))) / 2)")]}, (_I,), "evenly spaced"
    ),
    "too many steps": Unnamed(
        _training((LINES, LINES.replace("+ 2)", "+ 4)"))), ("gan.interpolate_shape",), "is not [B, steps + 2"
    ),
    "tanh scaled to 0.7": Unnamed(
        _models((GENERATOR_FORWARD, GENERATOR_FORWARD.replace("torch.tanh", "0.7 * torch.tanh"))),
        ("gan.generator",),
        "cannot come near",
    ),
    "scores clamped to ±1.2": Unnamed(
        _models((DISCRIMINATOR_FORWARD, DISCRIMINATOR_FORWARD + ".clamp(-1.2, 1.2)")),
        ("gan.discriminator",),
        "cannot become large",
    ),
    "cleared every other batch": Unnamed(
        _training(
            ("        model.zero_grad()", "        if index % 2 == 0:\n            model.zero_grad()"),
            ("for imgs, _ in train_loader:", "for index, (imgs, _) in enumerate(train_loader):"),
        ),
        (_A,),
        "along the gradient of its own loss",
    ),
    "gradients of negatives left in": Unnamed(
        _training(
            (
                "        update(model.generator_step",
                "        model.discriminator_step(-x_real)[0].backward()\n"
                "        update(model.discriminator_step, x_real, optimizer_disc, logger_disc)\n"
                "        optimizer_gen.zero_grad()\n        update(model.generator_step",
            )
        ),
        (_A,),
        "along the gradient of its own loss",
    ),
    "a quarter of the latents": Unnamed(
        _training((NOISE, "torch.randn(max(1, batch_size // 4), self.z_dim).repeat(5, 1)[:batch_size]")),
        ("gan.sample", "gan.generator_step", "gan.discriminator_step"),
        "repeat the noise of others",
    ),
}
