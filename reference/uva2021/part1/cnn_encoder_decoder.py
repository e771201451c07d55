"""Encoder and decoder as convolutional networks for images of 28×28 pixels."""

import torch
from torch import nn


class CNNEncoder(nn.Module):
    """Images [B, C, 28, 28] → mean and log standard deviation of q(z|x), each [B, z_dim]."""

    def __init__(self, num_input_channels: int = 1, num_filters: int = 32, z_dim: int = 20) -> None:
        super().__init__()
        c = num_filters
        self.net = nn.Sequential(
            nn.Conv2d(num_input_channels, c, kernel_size=3, padding=1, stride=2),  # 28 → 14
            nn.GELU(),
            nn.Conv2d(c, c, kernel_size=3, padding=1),
            nn.GELU(),
            nn.Conv2d(c, 2 * c, kernel_size=3, padding=1, stride=2),  # 14 → 7
            nn.GELU(),
            nn.Conv2d(2 * c, 2 * c, kernel_size=3, padding=1),
            nn.GELU(),
            nn.Conv2d(2 * c, 2 * c, kernel_size=3, padding=1, stride=2),  # 7 → 4
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(2 * c * 4 * 4, 2 * z_dim),
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, log_std = self.net(x).chunk(2, dim=-1)
        return mean, log_std


class CNNDecoder(nn.Module):
    """Latents [B, z_dim] → logits of the levels of each pixel, [B, 16, 28, 28], by the encoder's layers turned."""

    def __init__(self, num_input_channels: int = 16, num_filters: int = 32, z_dim: int = 20) -> None:
        super().__init__()
        c = num_filters
        self.net = nn.Sequential(
            nn.Linear(z_dim, 2 * c * 4 * 4),
            nn.GELU(),
            nn.Unflatten(-1, (2 * c, 4, 4)),
            nn.ConvTranspose2d(2 * c, 2 * c, kernel_size=3, padding=1, stride=2),  # 4 → 7, hence no output padding
            nn.GELU(),
            nn.Conv2d(2 * c, 2 * c, kernel_size=3, padding=1),
            nn.GELU(),
            nn.ConvTranspose2d(2 * c, c, kernel_size=3, padding=1, stride=2, output_padding=1),  # 7 → 14
            nn.GELU(),
            nn.Conv2d(c, c, kernel_size=3, padding=1),
            nn.GELU(),
            nn.ConvTranspose2d(c, num_input_channels, kernel_size=3, padding=1, stride=2, output_padding=1),  # → 28
        )

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.net(z)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device
