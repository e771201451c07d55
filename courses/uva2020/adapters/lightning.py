"""Allows using LightningModules without a Trainer: their steps are called directly."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock


def silence() -> None:
    """Give LightningModules a logger and a trainer that accept any call, since steps log and there is no Trainer."""
    import pytorch_lightning as pl

    silent = MagicMock()
    module: Any = pl.LightningModule
    module.log = module.log_dict = lambda *args, **kwargs: None
    module.logger = module.trainer = property(lambda self: silent, lambda self, value: None)
