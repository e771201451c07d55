"""A submission that searches its run for our code: in memory, by imports, and in files."""

from __future__ import annotations

import base64
import inspect
import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from gengrade.parts import Part
from gengrade.sandbox import Run
from gengrade.sandbox.guest.library import Library

# The body of a class, since a notebook's cells are asked for definitions alone.
SPY: Final = """\
class Spy:
    def look():
        import base64, gc, importlib, json, os, sys, types, zlib

        def ours(name):
            return str(name).partition(".")[0] in ("graders", "courses", "gengrade")

        loaded = {name for name in sys.modules if ours(name)}
        held = [each for each in gc.get_objects() if isinstance(each, (type, types.FunctionType))]
        for name in loaded:
            held += [each for each in vars(sys.modules[name]).values() if isinstance(each, (type, types.FunctionType))]
        given = [each for each in held if str(each.__module__).startswith(("graders", "courses"))]
        found = {(each.__module__, each.__qualname__) for each in given}
        found = {(module, name) for module, name in found if not name.startswith(("__create_fn__", "<"))}
        imported = []
        for name in set(@MODULES@) - loaded:
            try:
                importlib.import_module(name)
            except BaseException:
                continue
            imported.append(name)
        read = set()
        files = [str(getattr(sys.modules[name], "__file__", "")) for name in loaded]
        folders = [os.path.dirname(file) for file in files] + ["/library", *sys.path]
        for folder in {*folders, *map(os.path.dirname, folders)} - {"", os.getcwd()}:
            for name in ("gengrade", "graders", "courses", "child.py", "wire.py", "zygote.py", "adapters", "probes"):
                path = os.path.join(folder, name)
                try:
                    os.listdir(path) if os.path.isdir(path) else open(path).close()
                except OSError:
                    continue
                read.add(path)
        at_the_top = {(module, name.partition(".")[0]) for module, name in found}
        report = json.dumps([sorted(at_the_top), sorted(imported), sorted(read)]).encode()
        # The middle of a long output is not kept.
        print("SPY" + base64.b64encode(zlib.compress(report)).decode() + "SPIED", flush=True)

    look()
"""


def hand_in(folder: Path, parts: Mapping[str, Part], modules: Iterable[str]) -> Path:
    """Hand in the spy as each file of an assignment."""
    source = SPY.replace("@MODULES@", repr(sorted(modules)))
    for part in parts.values():
        for file in part.files:
            path = folder / (part.folder or ".") / file
            path.parent.mkdir(parents=True, exist_ok=True)
            if file == "homework.py":
                cell: dict[str, Any] = {
                    "cell_type": "code",
                    "source": source,
                    "metadata": {},
                    "outputs": [],
                    "execution_count": None,
                }
                notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
                path.with_suffix(".ipynb").write_text(json.dumps(notebook))
            elif file.endswith(".py"):
                path.write_text(source)
    return folder


def report_of(run: Run) -> tuple[set[tuple[str, str]], list[str], list[str]] | None:
    """Return the definitions that a run found, what it could import, and what it could read."""
    _, began, rest = run.output.partition("SPY")
    if not began:
        return None
    found, imported, read = json.loads(zlib.decompress(base64.b64decode(rest.partition("SPIED")[0])))
    return {(module, name) for module, name in found}, imported, read


def inputs_for(own: Library) -> dict[str, Any]:
    """Return a value of the right kind for each parameter of a probe, so that it calls the submission."""
    kinds = {
        "Tensor": np.zeros((4, 2), np.float32),
        "list[Tensor]": [np.zeros((4, 2), np.float32)] * 8,
        "list[float]": [0.1, 0.2, 10.0],
        "list[int]": [1, 2],
        "list[list[int]]": [[1, 2]],
        "int": 1,
        "float": 0.1,
        "bool": True,
        "str": "mlp_encoder",
    }
    parameters = list(inspect.signature(own.probe).parameters.values())[1:]
    return {each.name: kinds.get(str(each.annotation), {}) for each in parameters if each.default is each.empty}
