"""Notebooks for tests."""

from __future__ import annotations

import json
from collections.abc import Sequence


def notebook(*sources: str | Sequence[str]) -> str:
    """Return a notebook's text with these code cells after one of prose."""
    code: list[dict[str, object]] = [
        {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
        for source in sources
    ]
    prose = {"cell_type": "markdown", "metadata": {}, "source": "def prose(): is not Python"}
    return json.dumps({"cells": [prose, *code], "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
