"""Calls of students' functions: renamed, reordered and added parameters, and what their own main blocks pass."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from gengrade.parts import Part
from gengrade.sandbox.guest.blank_data import blank_data, loaders
from gengrade.sandbox.guest.compatibility import import_torchvision
from gengrade.sandbox.guest.errors import Missing, Undecided
from graders.adapting.calling import answered, call
from graders.adapting.loading import Modules
from graders.adapting.passing import noted
from tests.support.imported import nothing_stays

LOOP = {"model": "M", "train_loader": "L", "optimizer": "O"}  # the hand-out's parameters, in its order


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    import_torchvision()
    with nothing_stays({"train", "models"}):
        yield


def train(folder: Path, program: str, notebook: bool = False, **others: str) -> Any:
    """The function `train` of a program, or of a notebook with one cell for each paragraph."""
    if notebook:
        cells: list[dict[str, Any]] = [
            {"cell_type": "code", "source": cell, "metadata": {}, "outputs": [], "execution_count": None}
            for cell in program.split("\n\n")
        ]
        written = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
        (folder / "train.ipynb").write_text(json.dumps(written))
    else:
        (folder / "train.py").write_text(program)
    for name, text in others.items():
        (folder / f"{name}.py").write_text(text)
    modules = Modules(folder, Part(folder=None, files=("train.py",)))
    for name in others:
        modules.load(name)
    return modules.find("train", "train")


@pytest.mark.parametrize(
    "signature",
    [
        "model, train_loader, optimizer",
        "train_loader, optimizer, model",
        "net, loader, opt",
        "epoch, net, loader, optim",
        "vae, data_loader, optim, epoch, device",
        "loader, network, optimizer",
        "optimizer, loader, net",
        "model, train_loader, optimizer, epoch=0, writer=None",
        "step, model, dataloader, optimizer, writer",
        "model, optimizer, train_iter",
        "model, trainloader, optimizer, log_dir, verbose",
    ],
)
def test_the_hand_outs_arguments_reach_their_parameters(tmp_path: Path, signature: str) -> None:
    names = [each.partition("=")[0].strip() for each in signature.split(",")]
    function = train(tmp_path, f"def train({signature}):\n    return [{', '.join(names)}]\n")
    got = dict(zip(names, call(function, LOOP, {"device": "cpu"}), strict=True))
    loader = next(name for name in names if "load" in name or "iter" in name)
    optimizer = next(name for name in names if "opt" in name)
    network = next(name for name in names if name in {"model", "net", "vae", "network"})
    assert (got[network], got[loader], got[optimizer]) == ("M", "L", "O")


def test_arguments_that_have_no_name_left_go_to_stars(tmp_path: Path) -> None:
    assert call(train(tmp_path, "def train(*args): return args\n"), LOOP) == ("M", "L", "O")


def test_named_stars_take_the_rest(tmp_path: Path) -> None:
    assert call(train(tmp_path, "def train(model, **others): return sorted(others)\n"), LOOP) == [
        "optimizer",
        "train_loader",
    ]


# For each kind: a program whose `train` returns what its added parameter was, and the value.
ADDED = {
    "in the main block": (
        "def train(model, train_loader, optimizer, game): return game\n"
        "if __name__ == '__main__':\n    game = 'minimax'\n    train(1, 2, 3, game)\n",
        "minimax",
    ),
    "by its name": (
        "def train(model, train_loader, optimizer, game): return game\n"
        "if __name__ == '__main__':\n    train(1, 2, game='max' + 'min', optimizer=3)\n",
        "maxmin",
    ),
    "in main": (
        "import math\ndef train(model, train_loader, optimizer, weight): return weight\n"
        "def main():\n    data = open('nothing').read()\n    unit = math.log(2)\n    weight = 3 * unit\n"
        "    for epoch in range(100):\n        train(data, 2, 3, weight)\n"
        "if __name__ == '__main__':\n    main()\n",
        3 * 0.6931471805599453,
    ),
    "from a parser": (
        "import argparse\ndef train(model, train_loader, optimizer, k): return k\n"
        "def main(args):\n    train(1, 2, 3, args.critic_steps)\n"
        "if __name__ == '__main__':\n    parser = argparse.ArgumentParser()\n"
        "    parser.add_argument('--critic_steps', type=int, default=5)\n"
        "    args = parser.parse_args()\n    main(args)\n",
        5,
    ),
    "from a parser in the call": (
        "import argparse\ndef train(model, train_loader, optimizer, k): return k\n"
        "def main(opt, k=1):\n    train(1, 2, 3, opt.k + k)\n"
        "if __name__ == '__main__':\n    p = argparse.ArgumentParser()\n    p.add_argument('--k', default=5)\n"
        "    main(p.parse_args())\n",
        6,
    ),
    "from a class of its own": (
        "class Config:\n    size = 7\ndef train(model, train_loader, optimizer, cfg): return cfg.size\n"
        "def main():\n    cfg = Config()\n    cfg.size = 9\n    train(1, 2, 3, cfg)\n",
        9,
    ),
    "in a branch": (
        "def train(model, train_loader, optimizer, kind): return kind\n"
        "def main(fast=True):\n    if fast:\n        kind = 'a'\n    else:\n        kind = 'b'\n"
        "    train(1, 2, 3, kind)\n",
        "a",
    ),
    "in a method": (
        "def train(model, train_loader, optimizer, kind): return kind\n"
        "class Runner:\n    def run(self):\n        kind = 'a'\n        train(1, 2, 3, kind=kind)\n",
        "a",
    ),
    "from a batch of the data": (
        "import torch\nfrom torchvision import datasets, transforms as T\n"
        "def train(model, train_loader, optimizer, shape): return tuple(shape)\n"
        "def main():\n    data = datasets.MNIST('data', download=True, transform=T.ToTensor())\n"
        "    loader = torch.utils.data.DataLoader(data, batch_size=32, shuffle=True)\n"
        "    shape = next(iter(loader))[0].shape\n    train(1, 2, 3, shape[1:])\n",
        (1, 28, 28),
    ),
    "at the top level": (
        "def train(model, train_loader, optimizer, kind): return kind\nKIND = 'c'\n"
        "try:\n    train(0, 0, 0, KIND)\nfinally:\n    pass\n",
        "c",
    ),
}


@pytest.mark.parametrize("notebook", [False, True], ids=["program", "notebook"])
@pytest.mark.parametrize("kind", ADDED)
def test_an_added_parameter_gets_what_the_students_own_calls_pass(tmp_path: Path, kind: str, notebook: bool) -> None:
    program, value = ADDED[kind]
    assert call(train(tmp_path, program, notebook), LOOP) == value


def test_the_call_may_stand_in_another_file(tmp_path: Path) -> None:
    function = train(
        tmp_path,
        "def train(model, train_loader, optimizer, kind): return kind\n",
        models="from train import train\nif __name__ == '__main__':\n    train(1, 2, 3, 'd')\n",
    )
    assert call(function, LOOP) == "d"


def test_a_loss_that_main_makes_is_passed(tmp_path: Path) -> None:
    function = train(
        tmp_path,
        "from torch import nn\ndef train(loader, D, G, opt_G, opt_D, adversarial_loss): return adversarial_loss\n"
        "def main():\n    criterion = nn.BCELoss()\n    train(1, 2, 3, 4, 5, criterion)\n",
    )
    asked = {"dataloader": 1, "discriminator": 2, "generator": 3, "optimizer_G": 4, "optimizer_D": 5}
    assert isinstance(call(function, asked), nn.BCELoss)


@pytest.mark.parametrize("name", ["writer", "summaryWriter", "epoch", "save_path", "verbose", "device", "batch"])
def test_what_no_call_passes_is_guessed_by_its_name(tmp_path: Path, name: str) -> None:
    function = train(tmp_path, f"def train(model, train_loader, optimizer, {name}): return True\n")
    assert call(function, LOOP, {"args": Namespace(batch=3)}) is True


def test_what_nothing_tells_is_undecided(tmp_path: Path) -> None:
    function = train(tmp_path, "def train(model, train_loader, optimizer, kappa): return kappa\n")
    with pytest.raises(Undecided, match="train requires kappa"):
        call(function, LOOP)
    function = train(
        tmp_path, "def train(model, train_loader, optimizer, kappa): return kappa\ntrain(1, 2, 3, unknown)\n"
    )
    with pytest.raises(Undecided):
        call(function, LOOP)


def test_blank_images_are_there_for_arguments_alone(tmp_path: Path) -> None:
    function = train(
        tmp_path,
        "from torchvision.datasets import FashionMNIST\n"
        "def train(model, train_loader, optimizer, images): return images, len(FashionMNIST('data'))\n"
        "def main():\n    train(1, 2, 3, len(FashionMNIST('data')))\n",
    )
    with pytest.raises(RuntimeError, match="Dataset not found"):
        call(function, LOOP)


@pytest.mark.parametrize("labelled", [False, True])
def test_loaders_of_a_hand_out_are_blank_for_arguments_alone(labelled: bool) -> None:
    data = loaders("mnist.py was not handed in", labelled=labelled)
    with blank_data(), blank_data():
        train, _, _ = data(root="data", batch_size=32, download=True)
    batch = next(iter(train))
    assert (batch[0] if labelled else batch).shape == (32, 1, 28, 28)
    with pytest.raises(Missing, match=r"mnist\.py was not handed in"):
        data()


def test_nothing_of_main_runs_but_what_is_needed(tmp_path: Path) -> None:
    function = train(
        tmp_path,
        "def train(model, train_loader, optimizer, kind): return kind\n"
        "def main():\n    open('ran', 'w').write('x')\n    kind = 'a'\n    loss.backward()\n    train(1, 2, 3, kind)\n",
    )
    assert call(function, LOOP) == "a"
    assert not (tmp_path / "ran").exists()
    assert not Path("ran").exists()


def test_renamed_arguments_keep_their_order_whatever_their_names_suit() -> None:
    """ "log" is also what suits a writer that a student added; here, all that is required is what the hand-out has."""

    def train(net, batches, log_g, log_d, opt_g, opt_d):  # type: ignore[no-untyped-def]
        return net, batches, log_g, log_d, opt_g, opt_d

    names = ("model", "train_loader", "logger_gen", "logger_disc", "optimizer_gen", "optimizer_disc")
    assert call(train, {name: place for place, name in enumerate(names)}) == (0, 1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("    loss = None\n    return loss\n", "has it been filled in?"),
        ("    pass\n", "has it been filled in?"),
        ("    loss = logits.mean()\n", "as a function without return does"),
        ("    loss = logits.mean()\n    return\n", "as a function without return does"),
    ],
)
def test_a_function_that_returns_none_is_told_why(body: str, says: str) -> None:
    space: dict[str, Any] = {}
    exec(f"def loss(logits):\n{body}", space)
    with pytest.raises(Missing, match=re.escape(says)):
        answered(None, "loss", space["loss"])


def test_arguments_are_noted_by_the_students_names_alone() -> None:
    space: dict[str, Any] = {}
    exec("def model(zdim, widths, base, rate=0.1): widths.append(9)", space)
    with noted() as passed:
        call(space["model"], {"z_dim": 7, "widths": [3, 4], "base": object()})
    assert passed == {"zdim": "7", "widths": "[3, 4]"}
