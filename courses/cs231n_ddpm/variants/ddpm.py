"""A diffusion process and its U-Net: the reference's in other forms, or with a few words changed."""

from __future__ import annotations

from typing import Final

from validation.variants import Changes, Unnamed

FILE: Final = "gaussian_diffusion.py"
UNET: Final = "unet.py"
EXTRACT: Final = "    return a[t].reshape(len(t), *[1] * (len(x_shape) - 1))"
NOISED: Final = "        return signal * x_start + spread * noise"
START: Final = "        return (x_t - spread * noise) / signal"
NOISE: Final = "        return (x_t - signal * x_start) / spread"
CLAMP: Final = "        x_start = x_start.clamp(-1, 1)\n"
STEP: Final = "        mean, std = self.q_posterior(x_start, x_t, t)\n        return mean + std * torch.randn_like(x_t)"
FOUND: Final = (
    '        predicts_noise = self.objective == "pred_noise"\n'
    "        x_start = self.predict_start_from_noise(x_t, t, output) if predicts_noise else output\n"
)
LOSS: Final = "        return (loss_weight * (output - target) ** 2).mean()"
LOSSES: Final = "        output = self.model(self.q_sample(x_start, t, noise), t, model_kwargs)\n"
CALL: Final = "        output = self.model(x_t, t, model_kwargs)\n"
SIGNAL: Final = "signal = extract(self.sqrt_alphas_cumprod, t, x_t.shape)"
SPREAD: Final = "spread = extract(self.sqrt_one_minus_alphas_cumprod, t, x_t.shape)"
WAY_DOWN: Final = """        skips = []
        for block1, block2, downsample in self.downs:
            x = block1(x, context)
            skips.append(x)
            x = block2(x, context)
            skips.append(x)
            x = downsample(x)
        x = self.mid_block1(x, context)
        x = self.mid_block2(x, context)
"""
WAY_UP: Final = """        for upsample, block1, block2 in self.ups:
            x = upsample(x)
            x = block1(torch.cat([x, skips.pop()], dim=1), context)
            x = block2(torch.cat([x, skips.pop()], dim=1), context)
        return self.final_conv(x)
"""
GUIDED: Final = """        model_kwargs = copy.deepcopy(model_kwargs)
        conditional = self.forward(x, time, model_kwargs)
        model_kwargs["text_emb"] = None
        unconditional = self.forward(x, time, model_kwargs)
        return (scale + 1) * conditional - scale * unconditional
"""
COMBINED: Final = "        return (scale + 1) * conditional - scale * unconditional"
DOWN: Final = """                ResnetBlock(dim_in, dim_in, context_dim),
                ResnetBlock(dim_in, dim_in, context_dim),
                Downsample(dim_in, dim_out),
"""
UP: Final = """                Upsample(dim_in, dim_out),
                ResnetBlock(2 * dim_out, dim_out, context_dim),
                ResnetBlock(2 * dim_out, dim_out, context_dim),
"""
CONTEXT: Final = "        return self.time_mlp(time) + self.condition_mlp(text)"

RIGHT: dict[str, Changes] = {
    "sequences by gather": {
        FILE: (EXTRACT, "    return a.gather(-1, t).reshape(t.shape[0], *((1,) * (len(x_shape) - 1)))")
    },
    "sequences by view": {FILE: (EXTRACT, "    return a.to(t.device)[t].view(-1, 1, 1, 1)")},
    "einsum": {
        FILE: [
            (
                NOISED,
                '        return torch.einsum("b,bchw->bchw", self.sqrt_alphas_cumprod[t], x_start) + torch.einsum(\n'
                '            "b,bchw->bchw", self.sqrt_one_minus_alphas_cumprod[t], noise\n        )',
            ),
            (START, '        return torch.einsum("b,bchw->bchw", 1 / signal.flatten(), x_t - spread * noise)'),
        ]
    },
    "roots of the product": {
        FILE: [
            (SIGNAL, "signal = extract(self.alphas_cumprod, t, x_t.shape) ** 0.5"),
            (SPREAD, "spread = (1 - extract(self.alphas_cumprod, t, x_t.shape)).sqrt()"),
        ]
    },
    "reciprocals": {
        FILE: [
            (START, "        return x_t / signal - (1 / signal**2 - 1).sqrt() * noise"),
            (NOISE, "        return (x_t / signal - x_start) / (1 / signal**2 - 1).sqrt()"),
        ]
    },
    "sequences that were added": {
        FILE: [
            (
                "        for name, sequence in constants.items():",
                '        constants["sqrt_recip_alphas_cumprod"] = (1 / products).sqrt()\n'
                '        constants["sqrt_recipm1_alphas_cumprod"] = (1 / products - 1).sqrt()\n'
                "        for name, sequence in constants.items():",
            ),
            (
                START,
                "        return extract(self.sqrt_recip_alphas_cumprod, t, x_t.shape) * x_t - extract(\n"
                "            self.sqrt_recipm1_alphas_cumprod, t, x_t.shape\n        ) * noise",
            ),
        ]
    },
    "small numbers in denominators": {
        FILE: [
            (START, "        return (x_t - spread * noise) / (signal + 1e-8)"),
            (NOISE, "        return (x_t - signal * x_start) / (spread + 1e-5)"),
        ]
    },
    "q_sample for the inverses": {
        FILE: [
            (START, "        return (x_t - self.q_sample(torch.zeros_like(x_t), t, noise)) / signal"),
            (NOISE, "        return (x_t - self.q_sample(x_start, t, torch.zeros_like(x_t))) / spread"),
        ]
    },
    "no noise at the end": {
        FILE: (STEP, STEP.replace("torch.randn_like(x_t)", "(torch.randn_like(x_t) if t[0] > 0 else 0)"))
    },
    "a mask at the end": {
        FILE: (STEP, STEP.replace("std *", "(t != 0).float().view(-1, 1, 1, 1) * std *")),
    },
    "an exit at the end": {
        FILE: (
            STEP,
            STEP.replace("        return", "        if t[0].item() == 0:\n            return mean\n        return"),
        )
    },
    "noise by a distribution": {
        FILE: (
            STEP,
            STEP.replace("mean + std * torch.randn_like(x_t)", "torch.distributions.Normal(mean, std).sample()"),
        )
    },
    "noise by normal": {
        FILE: (STEP, STEP.replace("mean + std * torch.randn_like(x_t)", "torch.normal(mean, std.expand_as(mean))"))
    },
    "noise by a method": {
        FILE: (STEP, STEP.replace("torch.randn_like(x_t)", "torch.empty_like(x_t).normal_()")),
    },
    "a clamp in place": {FILE: (CLAMP, "        x_start.clamp_(-1.0, 1.0)\n")},
    "a clamp by clip": {FILE: (CLAMP, "        x_start = torch.clip(x_start, min=-1.0, max=1.0)\n")},
    "a clamp by where": {
        FILE: (CLAMP, "        x_start = torch.where(x_start.abs() > 1, x_start.sign(), x_start)\n"),
    },
    "a clamp in each branch": {
        FILE: [
            (CLAMP, ""),
            (
                FOUND,
                '        if self.objective == "pred_noise":\n'
                "            noise = output\n"
                "            x_start = self.predict_start_from_noise(x_t, t, noise).clamp(-1, 1)\n"
                '        elif self.objective == "pred_x_start":\n'
                "            x_start = torch.clamp(output, -1, 1)\n"
                "            noise = self.predict_noise_from_start(x_t, t, x_start)\n",
            ),
        ]
    },
    "a step without other methods": {
        FILE: [
            (
                FOUND,
                "        product = self.alphas_cumprod[t].view(-1, 1, 1, 1)\n"
                '        if self.objective == "pred_noise":\n'
                "            x_start = (x_t - (1 - product).sqrt() * output) / product.sqrt()\n"
                "        else:\n            x_start = output\n",
            ),
            (
                "        mean, std = self.q_posterior(x_start, x_t, t)\n        return mean + std",
                "        mean = extract(self.posterior_mean_coef1, t, x_t.shape) * x_start\n"
                "        mean = mean + extract(self.posterior_mean_coef2, t, x_t.shape) * x_t\n"
                "        return mean + extract(self.posterior_std, t, x_t.shape)",
            ),
        ]
    },
    "both ways to x_0 computed": {
        FILE: (
            FOUND,
            "        found = self.predict_start_from_noise(x_t, t, output)\n"
            '        x_start = found if self.objective == "pred_noise" else output\n',
        )
    },
    "the model's arguments by name": {
        FILE: [
            (CALL, "        output = self.model(x=x_t, time=t, model_kwargs=model_kwargs)\n"),
            (
                LOSSES,
                "        x_t = self.q_sample(x_start=x_start, t=t, noise=noise)\n"
                "        output = self.model(x_t, t, model_kwargs=model_kwargs)\n",
            ),
        ]
    },
    "a copy of the mapping": {
        FILE: [(CALL, "        output = self.model(x_t, t, dict(model_kwargs))\n")],
    },
    "one time for all images": {
        FILE: (
            "t = torch.full((len(x_t),), t, device=x_t.device, dtype=torch.long)",
            "t = torch.tensor([t], device=x_t.device)",
        ),
    },
    "a loss of torch": {
        FILE: (LOSS, '        return (F.mse_loss(output, target, reduction="none") * loss_weight).mean()'),
    },
    "a loss of each image first": {
        FILE: (
            LOSS,
            "        errors = (output - target).pow(2).flatten(1).mean(dim=1)\n"
            "        return (errors * loss_weight.reshape(-1)).mean()",
        ),
    },
    "a loss that is divided at the end": {
        FILE: (LOSS, "        return torch.sum(loss_weight * (output - target) ** 2) / target.numel()"),
    },
    "a loss with one element": {FILE: (LOSS, LOSS + ".reshape(1)")},
    "weights computed anew": {
        FILE: (
            LOSS,
            '        if self.objective == "pred_x_start":\n'
            "            loss_weight = extract(self.alphas_cumprod / (1 - self.alphas_cumprod), t, target.shape)\n"
            + LOSS,
        ),
    },
    "a loss without q_sample": {
        FILE: (
            LOSSES,
            "        product = extract(self.alphas_cumprod, t, x_start.shape)\n"
            "        x_t = product.sqrt() * x_start + (1 - product).sqrt() * noise\n"
            "        output = self.model(x_t, t, model_kwargs)\n",
        ),
    },
    "a loss by the objective": {
        FILE: (
            LOSS,
            '        if self.objective == "pred_noise":\n'
            "            loss = F.mse_loss(output, noise)\n        else:\n"
            "            loss = (loss_weight * (x_start - output) ** 2).mean()\n        return loss",
        ),
    },
    "other names of arguments": {
        FILE: [
            ("def q_sample(self, x_start, t, noise):", "def q_sample(self, x0, timestep, eps):"),
            (
                "        signal = extract(self.sqrt_alphas_cumprod, t, x_start.shape)\n"
                "        spread = extract(self.sqrt_one_minus_alphas_cumprod, t, x_start.shape)\n" + NOISED,
                "        signal = extract(self.sqrt_alphas_cumprod, timestep, x0.shape)\n"
                "        return signal * x0 + extract(self.sqrt_one_minus_alphas_cumprod, timestep, x0.shape) * eps",
            ),
            ("def predict_start_from_noise(self, x_t, t, noise):", "def predict_start_from_noise(self, x, t, eps):"),
            (
                f"        {SIGNAL}\n        {SPREAD}\n{START}",
                "        spread = extract(self.sqrt_one_minus_alphas_cumprod, t, x.shape)\n"
                "        return (x - spread * eps) / extract(self.sqrt_alphas_cumprod, t, x.shape)",
            ),
        ]
    },
    "prints that remained": {
        FILE: [
            (NOISED, "        print(signal.shape, x_start.shape)\n" + NOISED),
            (LOSS, "        print('loss', t)\n" + LOSS),
        ],
        UNET: (WAY_UP, "        print(x.shape, len(skips))\n" + WAY_UP),
    },
    "a GPU that is taken for granted": {
        FILE: [
            ("from tqdm.auto import tqdm\n", "from tqdm.auto import tqdm\n\ndevice = 'cuda'\n"),
            (STEP, STEP.replace("torch.randn_like(x_t)", "torch.randn(x_t.shape, device=device)")),
            (EXTRACT, EXTRACT.replace("a[t]", "a.to(device)[t.cuda()]")),
        ]
    },
    "errors that stay below the answers": {
        FILE: [
            (NOISED, NOISED + "\n        raise NotImplementedError"),
            (LOSS, LOSS + "\n        raise NotImplementedError()"),
        ],
        UNET: (COMBINED, COMBINED + "\n        raise NotImplementedError"),
    },
    "a schedule without functions": {
        FILE: [
            (
                "        betas = get_beta_schedule(beta_schedule, timesteps)\n",
                "        betas = torch.linspace(1e-4, 0.02, timesteps, dtype=torch.float64)\n",
            ),
        ]
    },
    "neighbours that were not handed in": {
        FILE: (
            "from tqdm.auto import tqdm\n",
            "from tqdm.auto import tqdm\nfrom cs231n.emoji_dataset import EmojiDataset\n",
        ),
        UNET: ("import copy\n", "import copy\nimport clip\nfrom .ddpm_trainer import Trainer\n"),
    },
    "levels by index": {
        UNET: [
            (
                WAY_DOWN,
                """        skips = []
        for level in self.downs:
            for index in range(2):
                x = level[index](x, context=context)
                skips.append(x)
            x = level[2](x)
        x = self.mid_block2(self.mid_block1(x, context), context)
""",
            ),
            (
                WAY_UP,
                """        for level in self.ups:
            x = level[0](x)
            for block in level[1:]:
                skip = skips[-1]
                skips = skips[:-1]
                x = torch.cat((x, skip), 1)
                x = block(x, context)
        x = self.final_conv(x)
        return x
""",
            ),
        ]
    },
    "skips by level": {
        UNET: [
            (
                WAY_DOWN,
                """        kept = []
        for level in self.downs:
            kept.append([x := block(x, context) for block in level[:-1]])
            x = level[-1](x)
        x = self.mid_block2(self.mid_block1(x, context), context)
""",
            ),
            (
                WAY_UP,
                """        for level, (first, second) in zip(self.ups, reversed(kept)):
            x = level[0](x)
            x = level[1](torch.concat([x, second], dim=1), context)
            x = level[2](torch.concat([x, first], dim=1), context)
        return self.final_conv(x)
""",
            ),
        ]
    },
    "skips in a mapping": {
        UNET: [
            (
                WAY_DOWN,
                """        skips = {}
        for i, (block1, block2, downsample) in enumerate(self.downs):
            skips[i, 0] = x = block1(x, context)
            skips[i, 1] = x = block2(x, context)
            x = downsample(x)
        x = self.mid_block1(x, context)
        x = self.mid_block2(x, context)
""",
            ),
            (
                WAY_UP,
                """        n = len(self.downs)
        for i, (upsample, block1, block2) in enumerate(self.ups):
            x = upsample(x)
            x = block1(torch.cat([x, skips[n - 1 - i, 1]], dim=1), context)
            x = block2(torch.cat([x, skips[n - 1 - i, 0]], dim=1), context)
        return self.final_conv(x)
""",
            ),
        ]
    },
    "layers with named arguments": {
        UNET: [
            (
                DOWN,
                DOWN.replace("context_dim)", "context_dim=context_dim)").replace(
                    "(dim_in, dim_out)", "(dim_in, dim_out=dim_out)"
                ),
            ),
            (UP, UP.replace("2 * dim_out", "dim_out * 2").replace("context_dim)", "context_dim=context_dim)")),
        ]
    },
    "levels that are filled one by one": {
        UNET: (
            "            up_block = self.up_block(dim_in, dim_out, context_dim)\n",
            "            up_block = nn.ModuleList()\n"
            "            up_block.append(Upsample(dim_in, dim_out))\n"
            "            for _ in range(2):\n"
            "                up_block.append(ResnetBlock(dim_out + dim_out, dim_out, context_dim))\n",
        )
    },
    "no einops": {
        UNET: [
            ("from einops import rearrange\n", ""),
            ('rearrange(self.mlp(context), "b c -> b c 1 1")', "self.mlp(context)[:, :, None, None]"),
        ]
    },
    "another interpolation in the given code": {UNET: ('mode="bilinear"', 'mode="nearest"')},
    "another name in the given code": {UNET: ("self.g", "self.scale")},
    "a sum in the other order": {
        UNET: (
            CONTEXT,
            "        condition = self.condition_mlp(text)\n        return condition + self.time_mlp(time.float())",
        )
    },
    "guidance from the pass with the text": {
        UNET: (COMBINED, "        return conditional + scale * (conditional - unconditional)")
    },
    "guidance in one batch": {
        UNET: (
            GUIDED,
            """        text = model_kwargs["text_emb"]
        both = {"text_emb": torch.cat([text, torch.zeros_like(text)])}
        conditional, unconditional = self.forward(torch.cat([x, x]), torch.cat([time, time]), both).chunk(2)
        return (scale + 1) * conditional - scale * unconditional
""",
        ),
    },
    "guidance with a text of zeros": {
        UNET: (
            '        model_kwargs["text_emb"] = None\n',
            '        model_kwargs["text_emb"] = torch.zeros_like(model_kwargs["text_emb"])\n',
        ),
    },
    "guidance without copies": {
        UNET: (
            GUIDED,
            """        with_text = self(x, time, {"text_emb": model_kwargs["text_emb"]})
        without_text = self(x=x, time=time, model_kwargs={"text_emb": None})
        return torch.lerp(without_text, with_text, scale + 1)
""",
        ),
    },
    "a dropout in forward": {
        UNET: (
            "        x = self.mid_block1(x, context)\n",
            "        x = F.dropout(x, 0.1, self.training)\n        x = self.mid_block1(x, context)\n",
        )
    },
    "texts that are dropped in another way": {
        UNET: (
            "            text = text * (torch.rand(len(x), 1, device=x.device) > self.uncond_prob)\n",
            "            dropped = torch.rand(len(x), device=x.device) < 0.1\n"
            "            text = text.masked_fill(dropped[:, None], 0.0)\n",
        )
    },
    "features that are computed once more for gradients": {
        UNET: [
            ("from torch import nn\n", "from torch import nn\nfrom torch.utils.checkpoint import checkpoint\n"),
            (
                "        x = self.mid_block1(x, context)\n",
                "        x = checkpoint(self.mid_block1, x, context, use_reentrant=False)\n",
            ),
        ]
    },
    "an image that is changed in place": {
        UNET: ("        x = self.init_conv(x)\n", "        x = x.mul_(2).div_(2)\n        x = self.init_conv(x)\n")
    },
    "times by another function": {
        FILE: (
            "        t = torch.randint(0, self.num_timesteps, (len(x_start),), device=x_start.device)",
            "        t = (torch.rand(len(x_start), device=x_start.device) * self.num_timesteps).long()",
        )
    },
    "the pass without the text first": {
        UNET: (
            GUIDED,
            """        model_kwargs = copy.deepcopy(model_kwargs)
        empty = copy.deepcopy(model_kwargs)
        empty.update({"text_emb": None})
        eps_uncond = self.forward(x, time, model_kwargs=empty)
        eps_cond = self.forward(x, time, model_kwargs=model_kwargs)
        x = (1 + scale) * eps_cond - scale * eps_uncond
        return x
""",
        ),
    },
}

ALTERNATIVE: Changes = {
    FILE: [
        (EXTRACT, "    b, *rest = x_shape\n    return torch.index_select(a, 0, t).view(b, *(1 for _ in rest))"),
        ("        return 2 * img - 1", "        return (img - 0.5) / 0.5"),
        (
            "        signal = extract(self.sqrt_alphas_cumprod, t, x_start.shape)\n"
            "        spread = extract(self.sqrt_one_minus_alphas_cumprod, t, x_start.shape)\n" + NOISED,
            "        product = extract(self.alphas_cumprod, t, x_start.shape)\n"
            "        return product.sqrt().mul(x_start).add((1 - product).sqrt() * noise)",
        ),
        (
            f"        {SIGNAL}\n        {SPREAD}\n{START}",
            "        product = extract(self.alphas_cumprod, t, x_t.shape)\n"
            "        return (x_t / product.sqrt()).sub((1 / product - 1).sqrt() * noise)",
        ),
        (
            f"        {SIGNAL}\n        {SPREAD}\n{NOISE}",
            "        faded = self.q_sample(x_start, t, torch.zeros_like(x_start))\n"
            "        return (x_t - faded).div(extract(self.sqrt_one_minus_alphas_cumprod, t, x_t.shape))",
        ),
        (
            "        of_start = extract(self.posterior_mean_coef1, t, x_t.shape)\n"
            "        of_image = extract(self.posterior_mean_coef2, t, x_t.shape)\n"
            "        return of_start * x_start + of_image * x_t, extract(self.posterior_std, t, x_t.shape)",
            "        sequences = (self.posterior_mean_coef1, self.posterior_mean_coef2, self.posterior_std)\n"
            "        first, second, std = (extract(each, t, x_t.shape) for each in sequences)\n"
            "        return torch.addcmul(first * x_start, second, x_t), std",
        ),
        (
            STEP,
            "        mean, std = self.q_posterior(x_start, x_t, t)\n"
            "        return torch.addcmul(mean, std, torch.normal(0.0, 1.0, x_t.shape, device=x_t.device))",
        ),
        (
            LOSS,
            '        each = F.mse_loss(output, target, reduction="none").flatten(1).mean(1)\n'
            "        return torch.dot(each, loss_weight.flatten()) / len(each)",
        ),
    ],
    UNET: [
        (
            'rearrange(self.mlp(context), "b c -> b c 1 1")',
            "self.mlp(context).unsqueeze(-1).unsqueeze(-1)",
        ),
        (CONTEXT, "        return torch.stack([self.time_mlp(time), self.condition_mlp(text)]).sum(0)"),
        (
            WAY_DOWN,
            """        kept = []
        for level in self.downs:
            for block in list(level)[:2]:
                x = block(x, context=context)
                kept.insert(0, x)
            x = level[2](x)
        for block in (self.mid_block1, self.mid_block2):
            x = block(x, context=context)
""",
        ),
        (
            WAY_UP,
            """        for level in self.ups:
            x = level[0](x)
            for block in list(level)[1:]:
                x = block(torch.cat((x, kept.pop(0)), dim=-3), context=context)
        return self.final_conv(x)
""",
        ),
        (COMBINED, "        return torch.lerp(unconditional, conditional, scale + 1)"),
    ],
}

UNNAMED: dict[str, Unnamed] = {
    "less noise in the images": Unnamed(
        {FILE: (NOISED, "        return signal * x_start + 0.9 * spread * noise")}, ("ddpm.noising",), "noisy image"
    ),
    "times of the neighbours": Unnamed(
        {
            FILE: (
                "        signal = extract(self.sqrt_alphas_cumprod, t, x_start.shape)",
                "        signal = extract(self.sqrt_alphas_cumprod, t.roll(1), x_start.shape)",
            )
        },
        ("ddpm.noising",),
        "noisy image",
    ),
    "a clean image that is shifted": Unnamed({FILE: (START, START + " + 0.05")}, ("ddpm.start_from_noise",), "x_0"),
    "the time of the last image for the clean images": Unnamed(
        {FILE: (START, "        return (x_t - spread * noise) / signal[-1:]")}, ("ddpm.start_from_noise",), "x_0"
    ),
    "noise that is halved": Unnamed({FILE: (NOISE, NOISE + " / 2")}, ("ddpm.noise_from_start",), "the noise"),
    "half the deviation": Unnamed(
        {FILE: (STEP, STEP.replace("std *", "0.5 * std *"))}, ("ddpm.step_back",), "posterior's mean"
    ),
    "noise of two kinds": Unnamed(
        {FILE: (STEP, STEP.replace("torch.randn_like(x_t)", "torch.randn_like(x_t).sign()"))},
        ("ddpm.step_back",),
        "posterior's mean",
    ),
    "noise for half of the images": Unnamed(
        {FILE: (STEP, STEP.replace("torch.randn_like(x_t)", "torch.randn_like(x_t)[torch.arange(len(x_t)) // 2]"))},
        ("ddpm.step_back",),
        "posterior's mean",
    ),
    "a mean that shrinks": Unnamed(
        {FILE: (STEP, STEP.replace("mean + std", "0.95 * mean + std"))}, ("ddpm.step_back",), "posterior's mean"
    ),
    "a model that sees other images": Unnamed(
        {FILE: (CALL, CALL.replace("x_t, t", "x_t.clamp(-1, 1), t"))},
        ("ddpm.step_back",),
        "image that the model is given",
    ),
    "a wide clamp": Unnamed({FILE: (CLAMP, CLAMP.replace("-1, 1", "-2, 2"))}, ("ddpm.clamp",), "x_0"),
    "a clamp above only": Unnamed({FILE: (CLAMP, CLAMP.replace("-1, 1", "max=1"))}, ("ddpm.clamp",), "x_0"),
    "a soft clamp": Unnamed(
        {FILE: (CLAMP, "        x_start = x_start.tanh()\n")}, ("ddpm.clamp", "ddpm.step_back"), "x_0"
    ),
    "a loss that is tripled": Unnamed(
        {FILE: (LOSS, LOSS.replace("return (", "return 3 * ("))}, ("ddpm.noise_loss",), "mean of the weighted squared"
    ),
    "a smooth absolute error": Unnamed(
        {FILE: (LOSS, '        return (loss_weight * F.smooth_l1_loss(output, target, reduction="none")).mean()')},
        ("ddpm.noise_loss",),
        "mean of the weighted squared",
    ),
    "the errors of half the images": Unnamed(
        {FILE: (LOSS, "        return ((loss_weight * (output - target) ** 2)[::2]).mean()")},
        ("ddpm.noise_loss",),
        "mean of the weighted squared",
    ),
    "a text of another image": Unnamed(
        {FILE: (LOSSES, LOSSES.replace("model_kwargs)", '{"text_emb": model_kwargs["text_emb"].roll(1, 0)})'))},
        ("ddpm.noise_loss",),
        "text that the model is given",
    ),
    "weights of another image": Unnamed(
        {FILE: (LOSS, LOSS.replace("loss_weight", "loss_weight.roll(1, 0)"))}, ("ddpm.start_loss",), "weighted squared"
    ),
    "weights that are cut off": Unnamed(
        {FILE: (LOSS, LOSS.replace("loss_weight", "loss_weight.clamp(max=5)"))},
        ("ddpm.start_loss",),
        "weighted squared",
    ),
    "one kernel in place of the downsampling": Unnamed(
        {UNET: ("Downsample(dim_in, dim_out),", "nn.Conv2d(dim_in, dim_out, 4, stride=2, padding=1),")},
        ("ddpm.unet_layers",),
        "does not have the prescribed layers",
    ),
    "an additional layer": Unnamed(
        {
            UNET: (
                "        self.final_conv =",
                "        self.attention = nn.Conv2d(dim, dim, 1)\n        self.final_conv =",
            )
        },
        ("ddpm.unet_layers",),
        "no layers but the prescribed ones",
    ),
    "a level too few": Unnamed(
        {UNET: ("        for dim_in, dim_out in in_out:", "        for dim_in, dim_out in in_out[:1]:")},
        ("ddpm.unet_layers", "ddpm.unet_forward"),
        "a level for each number",
    ),
    "half of the skips": Unnamed(
        {
            UNET: (
                "            x = block2(torch.cat([x, skips.pop()], dim=1), context)",
                "            x = block2(torch.cat([x, 0.5 * skips.pop()], dim=1), context)",
            )
        },
        ("ddpm.unet_forward",),
        "is given",
    ),
    "skips of another image": Unnamed(
        {
            UNET: (
                "            x = block2(torch.cat([x, skips.pop()], dim=1), context)",
                "            x = block2(torch.cat([x, skips.pop().roll(1, 0)], dim=1), context)",
            )
        },
        ("ddpm.unet_forward",),
        "is given",
    ),
    "a context of another image": Unnamed(
        {UNET: (CONTEXT, CONTEXT.replace("(time)", "(time.roll(1))"))}, ("ddpm.unet_forward",), "the context that"
    ),
    "a block twice": Unnamed(
        {
            UNET: (
                "        x = self.mid_block2(x, context)\n",
                "        x = self.mid_block2(self.mid_block2(x, context), context)\n",
            )
        },
        ("ddpm.unet_forward",),
        "another order",
    ),
    "an activation at the end": Unnamed(
        {UNET: ("        return self.final_conv(x)", "        return self.final_conv(x).tanh()")},
        ("ddpm.unet_forward",),
        "the output",
    ),
    "guidance that is too strong": Unnamed(
        {UNET: (COMBINED, "        return (scale + 2) * conditional - (scale + 1) * unconditional")},
        ("ddpm.guidance",),
        "cfg_forward",
    ),
    "guidance at another time": Unnamed(
        {
            UNET: (
                "        unconditional = self.forward(x, time, model_kwargs)",
                "        unconditional = self.forward(x, 0 * time, model_kwargs)",
            )
        },
        ("ddpm.guidance",),
        "cfg_forward",
    ),
    "a scale that is passed on": Unnamed(
        {
            UNET: (
                "        model_kwargs = copy.deepcopy(model_kwargs)\n",
                '        model_kwargs = {**model_kwargs, "cfg_scale": scale}\n',
            )
        },
        ("ddpm.guidance",),
        "cfg_scale again",
    ),
    "a clamp to a part of the range": Unnamed(
        {FILE: (CLAMP, CLAMP.replace("-1, 1", "-0.11, 0.96"))}, ("ddpm.clamp",), "the clamped x_0"
    ),
    "a wide clamp of starts from noise": Unnamed(
        {FILE: (CLAMP, CLAMP.replace("-1, 1)", "*((-3, 3) if predicts_noise else (-1, 1)))"))},
        ("ddpm.clamp",),
        "the clamped x_0",
    ),
    "a step that is wrong for dark pixels": Unnamed(
        {FILE: (STEP, STEP.replace("mean + std", "mean + (x_start < 0) * 0.2 + std"))},
        ("ddpm.step_back", "ddpm.clamp"),
        "posterior's mean",
    ),
    "a step of zeros": Unnamed(
        {FILE: (STEP, "        return 0 * x_t")}, ("ddpm.step_back", "ddpm.clamp"), "posterior's mean"
    ),
    "arithmetic for few times only": Unnamed(
        {
            FILE: [
                (NOISED, NOISED + " * (self.num_timesteps < 50)"),
                (START, START + " * (self.num_timesteps < 50)"),
                (NOISE, NOISE + " * (self.num_timesteps < 50)"),
            ]
        },
        ("ddpm.noising", "ddpm.start_from_noise", "ddpm.noise_from_start"),
        "",
    ),
    "a loss for small images only": Unnamed(
        {FILE: (LOSS, LOSS + " * (1 + (self.image_size > 20))")}, ("ddpm.noise_loss",), "mean of the weighted squared"
    ),
    "times of the first half": Unnamed(
        {FILE: ("torch.randint(0, self.num_timesteps, (", "torch.randint(0, (self.num_timesteps + 1) // 2, (")},
        ("ddpm.noise_loss",),
        "times are not drawn uniformly",
    ),
    "the same times in each call": Unnamed(
        {
            FILE: (
                "(len(x_start),), device=x_start.device)",
                "(len(x_start),), generator=torch.Generator().manual_seed(1)).to(x_start.device)",
            )
        },
        ("ddpm.noise_loss",),
        "the same times",
    ),
    "a loss without any target": Unnamed(
        {FILE: (LOSS, "        return output.mean()")}, ("ddpm.noise_loss", "ddpm.start_loss"), "weighted squared"
    ),
    "another network in training": Unnamed(
        {
            UNET: (
                "        return self.final_conv(x)\n",
                "        return self.final_conv(2 * x if self.training else x)\n",
            )
        },
        ("ddpm.unet_forward",),
        "in training mode",
    ),
    "no text in training": Unnamed(
        {UNET: ("> self.uncond_prob)", "> 1 + self.uncond_prob)")}, ("ddpm.unet_forward",), "uses no text"
    ),
    "skips without gradients": Unnamed(
        {UNET: (WAY_UP, WAY_UP.replace("skips.pop()", "skips.pop().detach()"))}, ("ddpm.unet_forward",), "gradient"
    ),
    "a context without gradients": Unnamed(
        {UNET: (CONTEXT, CONTEXT.replace("self.time_mlp(time)", "self.time_mlp(time).detach()"))},
        ("ddpm.unet_forward",),
        "gradient",
    ),
    "gradients that are stopped in training, with other names": Unnamed(
        {
            UNET: [
                ("self.g", "self.scale"),
                (
                    "        return self.final_conv(x)\n",
                    "        return self.final_conv(x.detach() if self.training else x)\n",
                ),
            ]
        },
        ("ddpm.unet_forward",),
        "in training mode",
    ),
    "one layer for the whole network": Unnamed(
        {
            UNET: [
                ("            self.downs.append(down_block)\n", "            pass\n"),
                ("            self.ups.append(up_block)\n", "            pass\n"),
                (
                    WAY_UP,
                    "        return 0 * x[:, :1] * sum(each.sum() for each in self.parameters())\n",
                ),
            ]
        },
        ("ddpm.unet_layers", "ddpm.unet_forward"),
        "a level for each number",
    ),
}
