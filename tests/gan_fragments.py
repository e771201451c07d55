"""The places in the reference's GAN where students differ: texts that variants replace."""

from __future__ import annotations

Changes = dict[str, list[tuple[str, str]]]  # by file of part2: texts and their replacements

# models.py
LAYER = "nn.Linear(size_in, size_out), nn.Dropout(dp_rate), nn.LeakyReLU(NEGATIVE_SLOPE)"
GENERATOR_DIMS = "        dims = [z_dim, *hidden_dims]\n"
GENERATOR_LAYERS = "            *hidden_layers(dims, dp_rate),\n"
GENERATOR_LAST = "            nn.Linear(dims[-1], math.prod(self.output_shape)),\n            nn.Tanh(),\n"
GENERATOR_FORWARD = "        return self.net(z).view(-1, *self.output_shape)"
DISCRIMINATOR_DIMS = "        dims = [input_dims, *hidden_dims]\n"
DISCRIMINATOR_NET = "self.net = nn.Sequential(*hidden_layers(dims, dp_rate), nn.Linear(dims[-1], 1))"
DISCRIMINATOR_FORWARD = "        return self.net(torch.flatten(x, start_dim=1))"

# train_torch.py
NOISE = "torch.randn(batch_size, self.z_dim, device=self.device)"
SAMPLE = "return self.generator(self.draw_latents(batch_size))"
START = "        start = self.draw_latents(batch_size).unsqueeze(1)\n"
END = "        end = self.draw_latents(batch_size).unsqueeze(1)\n"
WEIGHTS = "torch.linspace(0, 1, interpolation_steps + 2, device=self.device)"
LERP = "        z = torch.lerp(start, end, weight)  # [B, steps + 2, z_dim]\n"
DECODED = "        x = self.generator(z.flatten(0, 1))\n        return x.unflatten(0, z.shape[:2])\n"
GENERATOR_SCORES = "logits_fake = self.discriminator(self.generator(self.draw_latents(x_real.shape[0])))"
GENERATOR_LOSS = "        loss = F.binary_cross_entropy_with_logits(logits_fake, torch.ones_like(logits_fake))\n"
FAKES = "        x_fake = self.sample(x_real.shape[0])\n"
SCORES = "self.discriminator(x_real), self.discriminator(x_fake)"
REAL_LOSS = "        loss_real = F.binary_cross_entropy_with_logits(logits_real, torch.ones_like(logits_real))\n"
FAKE_LOSS = "        loss_fake = F.binary_cross_entropy_with_logits(logits_fake, torch.zeros_like(logits_fake))\n"
SUM = "        loss = loss_real + loss_fake\n"
GENERATOR_UPDATE = """        optimizer_gen.zero_grad()
        loss, logging_dict = model.generator_step(x_real)
        loss.backward()
        optimizer_gen.step()
        logger_gen.add_values(logging_dict)
"""
DISCRIMINATOR_UPDATE = """        optimizer_disc.zero_grad()
        loss, logging_dict = model.discriminator_step(x_real)
        loss.backward()
        optimizer_disc.step()
        logger_disc.add_values(logging_dict)
"""
