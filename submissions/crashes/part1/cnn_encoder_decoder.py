import torch
import torch.nn as nn


class CNNEncoder(nn.Module):
    def __init__(self, num_input_channels: int = 1, num_filters: int = 32, z_dim: int = 20):
        super().__init__()
        c_hid = num_filters
        self.conv1 = nn.Conv2d(num_input_channels, c_hid, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(c_hid, 2 * c_hid, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(2 * c_hid, 2 * c_hid, 3, stride=2, padding=1)
        self.fc_mean = nn.Linear(2 * c_hid * 16, z_dim)
        self.fc_log_std = nn.Linear(2 * c_hid * 16, z_dim)
        self.gelu = nn.GELU()

    def forward(self, x):
        x = self.gelu(self.conv1(x))   # 14x14
        x = self.gelu(self.conv2(x))   # 7x7
        x = self.gelu(self.conv3(x))   # 4x4
        x = x.flatten(1)
        return self.fc_mean(x), self.fc_log_std(x)


class CNNDecoder(nn.Module):
    def __init__(self, num_input_channels: int = 1, num_filters: int = 32, z_dim: int = 20):
        super().__init__()
        c_hid = num_filters
        self.c_hid = c_hid
        self.linear = nn.Sequential(nn.Linear(z_dim, 2 * c_hid * 16), nn.GELU())
        self.net = nn.Sequential(
            nn.ConvTranspose2d(2 * c_hid, 2 * c_hid, 3, stride=2, padding=1, output_padding=0),  # 4 -> 7
            nn.GELU(),
            nn.ConvTranspose2d(2 * c_hid, c_hid, 3, stride=2, padding=1, output_padding=1),      # 7 -> 14
            nn.GELU(),
            nn.ConvTranspose2d(c_hid, num_input_channels, 3, stride=2, padding=1, output_padding=1),  # 14 -> 28
        )

    def forward(self, z):
        h = self.linear(z).reshape(z.shape[0], 2 * self.c_hid, 4, 4)
        return self.net(h)

    @property
    def device(self):
        return next(self.parameters()).device
