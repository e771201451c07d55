from torch import nn


class CNNEncoder(nn.Module):
    def __init__(self, num_input_channels: int = 1, num_filters: int = 32, z_dim: int = 20):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(num_input_channels, num_filters, 3, padding=1, stride=2), nn.ReLU(),
            nn.Conv2d(num_filters, 2 * num_filters, 3, padding=1, stride=2), nn.ReLU(), nn.Flatten(),
        )
        self.mean = nn.Linear(2 * num_filters * 49, z_dim)
        self.log_std = nn.Linear(2 * num_filters * 49, z_dim)

    def forward(self, x):
        x = self.body(x.float() / 15 * 2.0 - 1.0)
        return self.mean(x), self.log_std(x)


class CNNDecoder(nn.Module):
    def __init__(self, num_input_channels: int = 16, num_filters: int = 32, z_dim: int = 20):
        super().__init__()
        self.start = nn.Sequential(nn.Linear(z_dim, 2 * num_filters * 49), nn.ReLU())
        self.body = nn.Sequential(
            nn.ConvTranspose2d(2 * num_filters, num_filters, 4, padding=1, stride=2), nn.ReLU(),
            nn.ConvTranspose2d(num_filters, num_input_channels, 4, padding=1, stride=2),
        )

    def forward(self, z):
        x = self.start(z)
        return self.body(x.reshape(len(x), -1, 7, 7))

    @property
    def device(self):
        return next(self.parameters()).device
