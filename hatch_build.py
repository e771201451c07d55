"""Puts into a wheel what lies beside the package in a checkout: see gengrade/home.py."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BESIDE = ("graders", "courses", "reference", "rubric.yaml")


class Beside(BuildHookInterface):
    """The hook that hatchling calls before it builds a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them to a `standard` wheel."""
        if version == "standard":
            build_data["force_include"].update({name: f"gengrade/home/{name}" for name in BESIDE})
