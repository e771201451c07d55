"""Logging, and lines between latents."""

from collections import defaultdict

import torch


def straight_lines(start, end, points):
    """The evenly spaced points of the lines between latents [B, z_dim], both ends included: [B, points, z_dim]."""
    weight = torch.linspace(0, 1, points, device=start.device).view(1, -1, 1)
    return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), weight)


class TensorBoardLogger:
    """Writes each logged value to TensorBoard as its average over a window of steps."""

    def __init__(self, summary_writer, avg_window=50, name=None):
        self.summary_writer = summary_writer
        self.avg_window = avg_window
        self.prefix = "" if name is None else f"{name}/"
        self.pending = defaultdict(list)
        self.global_step = 0

    def add_values(self, log_dict):
        """Takes one step's values: a dictionary from name to a tensor of one element."""
        self.global_step += 1
        for key, value in log_dict.items():
            window = self.pending[key]
            window.append(value.item())
            if len(window) >= self.avg_window:
                self.summary_writer.add_scalar(self.prefix + key, sum(window) / len(window), self.global_step)
                window.clear()
