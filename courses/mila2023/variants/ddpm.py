"""Diffusion processes: the reference's in other spellings, and with mistakes that have no name."""

from __future__ import annotations

from courses.mila2023.variants.ddpm_alternative import ALTERNATIVE_TEXT
from courses.mila2023.variants.ddpm_winter import WINTER_TEXT
from validation.variants import Changes, Unnamed
from validation.workbench import reference_of

FILE = "diffusion_solution.py"
EXTRACT = """    values = a.gather(-1, t.to(a.device)).to(t.device)
    return values.reshape(-1, *[1] * (len(x_shape) - 1))"""
STEP = "p_sample(model, img, t, i, coefficients, None if noise is None else noise[done])"
OWN_STEP = (
    "denoised_mean(model, img, t, coefficients) + (0 if i == 0 else coefficients[3][i].sqrt() * "
    "(torch.randn_like(img) if noise is None else noise[done]))"
)
NOISE = "torch.randn_like(x_start)"
LOSS = "F.smooth_l1_loss(denoise_model(x_noisy, t), noise)"
NOISY = "q_sample(x_start, t, coefficients, noise)"
TIMES = "torch.randint(0, timesteps, (batch_size,), device=device)"
MEAN = "return sqrt_recip_alphas * (x - betas / sqrt_one_minus_alphas_cumprod * model(x, t))"
BETAS = "betas = torch.linspace(beta_start, beta_end, T)"
DRAW = "return mean + extract(coefficients[3], t, x.shape).sqrt() * noise"


def ddpm(*changes: tuple[str, str]) -> Changes:
    return {FILE: list(changes)}


def winter(*changes: tuple[str, str]) -> Changes:
    """Return the process of the hand-out of winter 2023, with some texts replaced."""
    text = WINTER_TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return {FILE: ((reference_of("mila2023") / FILE).read_text(), text)}


WINTER_DRAW = "noise = torch.randn_like(x_start)\n    x_noisy"
WINTER_STD = "extract(posterior_variance, t, x.shape).sqrt()"
RIGHT: dict[str, Changes] = {
    "noisy images in place of the clean ones": ddpm(
        (
            "    return signal * x_start + spread * noise\n",
            "    x_start *= signal\n    x_start += spread * noise\n    return x_start\n",
        )
    ),
    "winter 2023": winter(),
    "winter 2023, with numbers in the schedule's function": winter(
        ("beta_schedule(beta_start, beta_end, timesteps):", "beta_schedule(timesteps):\n    start, end = 0.0001, 0.02"),
        ("linspace(beta_start, beta_end, timesteps)", "linspace(start, end, timesteps)"),
        ("beta_schedule(beta_start, beta_end, T)", "beta_schedule(timesteps=1000)"),
        (
            "betas * (1 - alphas_cumprod_prev) / (1 - alphas_cumprod)\n",
            "betas * (1 - alphas_cumprod_prev) / (1 - alphas_cumprod)\nspread = posterior_variance.sqrt()\n",
        ),
        (WINTER_STD, "extract(spread, t, x.shape)"),
        ("range(timesteps)", "range(T)"),
    ),
    "winter 2023, with everything written out": winter(
        (WINTER_DRAW, "noise = torch.empty_like(x_start).normal_()\n    x_noisy"),
        (
            "x_noisy = q_sample(x_start, t, noise)",
            "signal = alphas_cumprod[t].view(-1, 1, 1, 1)\n"
            "    x_noisy = signal.sqrt() * x_start + (1 - signal).sqrt() * noise",
        ),
        ("* torch.randn_like(x)\n", "* torch.distributions.Normal(torch.zeros_like(x), 1.0).sample()\n"),
        ("q_sample(x_start, t, noise=None):\n    if noise is None:\n        noise", "q_sample(x_start, t):\n    noise"),
    ),
    "winter 2023, with a step within the loop": winter(
        (
            "img = p_sample(model=model, x=img, t=t, t_index=i)",
            "img = (img - betas[i] / (1 - alphas_cumprod[i]) ** 0.5 * model(img, t)) / alphas[i].sqrt()\n"
            "            img = img + (torch.randn(shape) * posterior_variance[i].sqrt() if i else 0)",
        )
    ),
    "extract by indexing": ddpm((EXTRACT, "    return a[t.cpu()].view(len(t), *(1 for _ in x_shape[1:]))")),
    "sequences in double precision": ddpm(
        (BETAS, "betas = torch.linspace(beta_start, beta_end, T, dtype=torch.float64)"),
        ("torch.cat([torch.ones(1), ", "torch.cat([betas.new_ones(1), "),
    ),
    "sequences by numpy": ddpm(
        (
            BETAS,
            "import numpy as np\n    betas = torch.from_numpy(np.linspace(beta_start, beta_end, T, dtype=np.float32))",
        )
    ),
    "the sequence before by padding": ddpm(
        ("torch.cat([torch.ones(1), alphas_cumprod[:-1]])", "F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)")
    ),
    "products by logarithms": ddpm(("alphas.cumprod(dim=0)", "alphas.log().cumsum(0).exp()")),
    "Huber loss by its own name": ddpm((LOSS, "F.huber_loss(denoise_model(x_noisy, t), noise)")),
    "Huber loss as a module": ddpm((LOSS, "torch.nn.SmoothL1Loss()(noise, denoise_model(x_noisy, t))")),
    "Huber loss by hand": ddpm(
        (
            LOSS,
            "(lambda r: torch.where(r.abs() < 1, 0.5 * r**2, r.abs() - 0.5).mean())(denoise_model(x_noisy, t) - noise)",
        )
    ),
    "noising written out in the loss": ddpm(
        (
            NOISY,
            "extract(coefficients[0], t, x_start.shape) * x_start + extract(coefficients[1], t, x_start.shape) * noise",
        )
    ),
    "arguments of q_sample by name": ddpm(
        (NOISY, "q_sample(x_start=x_start, t=t, noise=noise, coefficients=coefficients)")
    ),
    "q_sample with other names": ddpm(
        ("def q_sample(x_start, t, coefficients, noise=None):", "def q_sample(x0, ts, coefs, eps=None):"),
        (
            """    if noise is None:
        noise = torch.randn_like(x_start)
    sqrt_alphas_cumprod""",
            """    x_start, t, coefficients = x0, ts, coefs
    noise = torch.randn(x0.shape) if eps is None else eps
    sqrt_alphas_cumprod""",
        ),
    ),
    "noise by a distribution": ddpm(
        (
            "        noise = torch.randn_like(x_start)\n    sqrt",
            "        noise = torch.distributions.Normal(0.0, 1.0).sample(x_start.shape)\n    sqrt",
        )
    ),
    "one step written out in the loop": ddpm(
        (
            STEP,
            """denoised_mean(model, img, t, coefficients)
        if i > 0:
            eps = torch.randn_like(img) if noise is None else noise[done]
            img = img + coefficients[3][i].sqrt() * eps""",
        )
    ),
    "a loop of all T steps": ddpm(
        (
            "def p_sample_loop(model, shape, timesteps, T, coefficients",
            "def p_sample_loop(model, shape, T, coefficients",
        ),
        ("reversed(range(timesteps))", "reversed(range(T))"),
    ),
    "a step that goes by its times alone": ddpm(
        ("def p_sample(model, x, t, t_index, coefficients", "def p_sample(model, x, t, coefficients"),
        ("if t_index == 0:", "if t[0] == 0:"),
        (STEP, STEP.replace(" i, ", " ")),
    ),
    "noise of the loop taken backwards": ddpm(("noise[done])", "noise[i + 1])")),
    "the last of the noise for the start": ddpm(("noise[done])", "noise[i] if i else noise[-1])")),
    "noise drawn by the loop": ddpm(("None if noise is None", "torch.randn_like(img) if noise is None")),
    "the device of the parameters": ddpm(("device=model.device", "device=next(model.parameters()).device")),
    "the time by its name": ddpm(
        ("model(x, t))", "model(x, time=t))"), ("denoise_model(x_noisy, t)", "denoise_model(x_noisy, time=t)")
    ),
    "one time for the batch": ddpm(("model(x, t))", "model(x, t[:1]))")),
    "arrays of images": ddpm(
        ("imgs.append(img.cpu())", "imgs.append(img.cpu().numpy())"),
        ("return torch.stack(imgs)", "import numpy as np\n\n    return np.stack(imgs)"),
    ),
    "a list of arrays": ddpm(
        ("imgs.append(img.cpu())", "imgs.append(img.cpu().numpy())"), ("torch.stack(imgs)", "imgs")
    ),
    "a list of images": ddpm(("return torch.stack(imgs)", "return imgs")),
    "times as a product with ones": ddpm(
        ("t = torch.full((shape[0],), i, dtype=torch.long, device=img.device)", "t = i * torch.ones(shape[0]).long()")
    ),
    "one step by way of the image": ddpm(
        (
            MEAN,
            """alphas, products = 1 - betas, 1 - sqrt_one_minus_alphas_cumprod**2
    start = (x - sqrt_one_minus_alphas_cumprod * model(x, t)) / products.sqrt()
    before = products / alphas
    return (before.sqrt() * betas * start + alphas.sqrt() * (1 - before) * x) / (1 - products)""",
        )
    ),
    "reciprocal worked out": ddpm((MEAN, MEAN.replace("sqrt_recip_alphas *", "(1 - betas) ** -0.5 *"))),
    "variance by its logarithm": ddpm((DRAW, DRAW.replace(".sqrt()", ".clamp(min=1e-20).log().mul(0.5).exp()"))),
    "times by a product": ddpm(
        (TIMES, "(timesteps * torch.rand(batch_size, device=device, dtype=torch.float64)).long()")
    ),
    "times of a distribution": ddpm((TIMES, "torch.multinomial(torch.ones(timesteps), batch_size, replacement=True)")),
    "times as 32-bit numbers": ddpm((TIMES, "torch.randint(timesteps, size=(batch_size,), dtype=torch.int32)")),
}

ALTERNATIVE: Changes = {FILE: ((reference_of("mila2023") / FILE).read_text(), ALTERNATIVE_TEXT)}

UNNAMED: dict[str, Unnamed] = {
    "winter 2023, with a little too much noise": Unnamed(
        winter((WINTER_STD, f"1.1 * {WINTER_STD}")), ("ddpm.p_sample",), "x_{t−1}"
    ),
    "winter 2023, with half of the loss": Unnamed(
        winter(("return F.smooth_l1_loss", "return 0.5 * F.smooth_l1_loss")), ("ddpm.p_losses",), "Huber"
    ),
    "winter 2023, with a schedule of other ends": Unnamed(
        winter(("linear_beta_schedule(beta_start, beta_end, T)", "torch.linspace(0, 0.5, T)")),
        ("ddpm.schedule",),
        "betas",
    ),
    "winter 2023, with the sequence before not shifted": Unnamed(
        winter(("alphas_cumprod.roll(1, 0)", "alphas_cumprod.clone()")), ("ddpm.schedule",), "alphas_cumprod_prev"
    ),
    "winter 2023, with one noise for all images of a step": Unnamed(
        winter(("* torch.randn_like(x)\n", "* torch.randn_like(x[:1])\n")), ("ddpm.p_sample",), "x_{t−1}"
    ),
    "a cosine schedule": Unnamed(
        ddpm((BETAS, "betas = 1 - torch.cos(torch.linspace(beta_start, beta_end, T))")), ("ddpm.schedule",), "betas"
    ),
    "seven sequences": Unnamed(
        ddpm(("        alphas_cumprod_prev,\n        posterior", "        posterior")),
        ("ddpm.schedule",),
        "8 sequences",
    ),
    "a sequence of one step more": Unnamed(
        ddpm(
            ("torch.cat([torch.ones(1), alphas_cumprod[:-1]])", "torch.cat([torch.ones(1), alphas_cumprod])[1:] * 1.01")
        ),
        ("ddpm.schedule",),
        "alphas_cumprod_prev",
    ),
    "half of the noise": Unnamed(
        ddpm(("+ spread * noise", "+ 0.5 * spread * noise")), ("ddpm.q_sample",), "noisy image"
    ),
    "noise of one seed": Unnamed(
        ddpm(
            (
                "noise = torch.randn_like(x_start)\n    sqrt",
                "torch.manual_seed(0)\n        noise = torch.randn_like(x_start)\n    sqrt",
            )
        ),
        ("ddpm.q_sample",),
        "same noise",
    ),
    "one image of the batch in the loss": Unnamed(
        ddpm((LOSS, "F.smooth_l1_loss(denoise_model(x_noisy, t)[:1], noise[:1])")),
        ("ddpm.p_losses",),
        "the loss is not",
    ),
    "black images in the loss": Unnamed(
        ddpm((f"x_noisy = {NOISY}", f"x_noisy = {NOISY.replace('x_start', '0 * x_start')}")),
        ("ddpm.p_losses",),
        "the images that q_sample is given",
    ),
    "pixels cut off at two": Unnamed(ddpm((MEAN, f"{MEAN}.clamp(-2, 2)")), ("ddpm.p_sample",), "x_{t−1}"),
    "a little too much noise": Unnamed(ddpm((DRAW, f"{DRAW} * 1.1")), ("ddpm.p_sample",), "posterior variance"),
    "two noises for the model": Unnamed(
        ddpm((MEAN, MEAN.replace("model(x, t)", "model(x + 0.1, t)"))), ("ddpm.p_sample",), "the model is given"
    ),
    "noise of the loop from another law": Unnamed(
        ddpm(("None if noise is None", "torch.rand_like(img) if noise is None")),
        ("ddpm.p_sample_loop",),
        "not drawn from N(0, I)",
    ),
    "noise of the loop for two steps": Unnamed(
        ddpm(
            ("    imgs = []\n", "    imgs, own = [], torch.randn(timesteps, *shape)\n"),
            ("None if noise is None", "own[i // 2] if noise is None"),
        ),
        ("ddpm.p_sample_loop",),
        "another step",
    ),
    "coefficients in another order": Unnamed(
        ddpm((STEP, STEP.replace("coefficients", "coefficients[::-1]"))), ("ddpm.p_sample_loop",), "four coefficients"
    ),
    "a step without a model": Unnamed(
        ddpm((STEP, STEP.replace("model", "None"))), ("ddpm.p_sample_loop",), "not given the model"
    ),
    "times that are no integers": Unnamed(
        ddpm(("dtype=torch.long, device=img", "dtype=torch.float, device=img")), ("ddpm.p_sample_loop",), "torch.long"
    ),
    "a model without times": Unnamed(
        ddpm((MEAN, MEAN.replace("model(x, t)", "model(x)"))), ("ddpm.p_sample",), "without times"
    ),
    "every second step": Unnamed(
        ddpm(("reversed(range(timesteps))", "reversed(range(0, timesteps, 2))")),
        ("ddpm.p_sample_loop",),
        "one step for each time",
    ),
    "noise of its own in steps of its own": Unnamed(
        ddpm((STEP, OWN_STEP.replace("noise[done]", "torch.randn_like(img)"))), ("ddpm.p_sample_loop",), "given noise"
    ),
    "images of nothing beside a wrong step": Unnamed(
        ddpm((STEP, "0 * img"), (DRAW, f"{DRAW} * 1.1")), ("ddpm.p_sample_loop", "ddpm.p_sample"), "given noise"
    ),
    "a step of its own without noise": Unnamed(
        ddpm((STEP, "denoised_mean(model, img, t, coefficients)")), ("ddpm.p_sample_loop",), "given noise"
    ),
    "a Huber loss with another bend": Unnamed(
        ddpm((LOSS, "F.huber_loss(denoise_model(x_noisy, t), noise, delta=0.7)")), ("ddpm.p_losses",), "Huber"
    ),
    "a loss that is halved for large images": Unnamed(
        ddpm((LOSS, f"{LOSS} / (1 + (x_start.shape[-1] > 20))")), ("ddpm.p_losses",), "Huber"
    ),
    "few times only": Unnamed(
        ddpm(("torch.randint(0, timesteps, (", "torch.randint(0, min(timesteps, 99), (")),
        ("ddpm.t_sample",),
        "never drawn",
    ),
    "half of the loss": Unnamed(ddpm((LOSS, f"{LOSS} / 2")), ("ddpm.p_losses",), "Huber"),
    "late times more often": Unnamed(
        ddpm((TIMES, "(timesteps * torch.rand(batch_size).sqrt()).long()")), ("ddpm.t_sample",), "the time 0"
    ),
    "noise for half of the batch": Unnamed(
        ddpm(
            (
                "noise = torch.randn_like(x_start)\n    sqrt",
                "noise = torch.randn_like(x_start[::2]).repeat(2, 1, 1, 1)\n    sqrt",
            )
        ),
        ("ddpm.q_sample",),
        "repeat the noise of others",
    ),
}
