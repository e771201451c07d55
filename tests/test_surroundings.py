"""What runs on its author's machine runs in the sandbox, whatever files, libraries, devices and displays it uses."""
# ruff: noqa: E501

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import pytest

from gengrade.facts import Outcome
from gengrade.sandbox import Tier
from tests.support.sandboxed import SandboxHarness, sandboxed


# The guest's side is the same in both tiers; what differs, the private copy of a tree, is tested for all of them in
# test_sandbox.py.
@pytest.fixture(scope="module", params=[Tier.SANDBOX, pytest.param(Tier.LANDLOCK, marks=pytest.mark.slow)])
def harness(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxHarness]:
    with sandboxed(request.param, tmp_path_factory.mktemp("trees")) as harness:
        yield harness


# For each kind: statements before the function, and the function's body.
PROGRAMS = {
    # The tree can be written to, and the working folder is the file's own.
    "folder beside the file": ("os.makedirs(os.path.join(os.path.dirname(__file__), 'logs'))", "return mean"),
    "folder of results": ("os.mkdir('results'); torch.save({}, 'results/a.pt')", "return torch.load('results/a.pt')"),
    "folder that was not handed in": (
        "import matplotlib.pyplot as plt, numpy as np; from pathlib import Path; from torchvision.utils import save_image",
        "save_image(torch.rand(1, 3, 4, 4), 'images/a/0.png'); plt.figure(); plt.savefig('plots/a.pdf'); np.save('arrays/a', mean.numpy())\n"
        "torch.save({}, 'weights/a.pt'); Path('logs/a.txt').write_text('1') if Path('logs').mkdir() else open('texts/a', 'w').close()\n"
        "Path('words/a').open('a').close(); assert not os.path.exists('nothing')\n"
        "try: open('nothing/a')\nexcept FileNotFoundError: return torch.load('weights/a.pt')",
    ),
    "own file overwritten": ("open(__file__, 'a').write('# used')", "return mean"),
    "file beside it": ("import json; SIZE = json.load(open('config.json'))['size']", "return SIZE"),
    "file beside it, in a folder": ("", "return open('deep/a.txt').read()"),
    "file beside it, by its path": ("", "return open(os.path.dirname(os.path.abspath(__file__)) + '/deep/a.txt').read()"),
    "module beside it": ("import helper", "return helper.NUMBER"),
    "a large file is not there twice": ("", "return os.path.getsize('large.pt')"),
    "a log": ("import logging; logging.basicConfig(filename='train.log', level=logging.INFO)", "logging.info('x'); return mean"),
    # Nothing of ours shows.
    "argv": ("", "assert sys.argv == [os.path.abspath(__file__)], sys.argv\nreturn sys.orig_argv"),
    "process": ("", "words = open('/proc/self/cmdline').read()\nassert 'gengrade' not in words and 'zygote' not in words, words\nreturn mean"),
    # Libraries.
    "numpy names": (
        "import numpy as np",
        "return [np.float(1), np.int(2), np.bool(1) and 1, np.Inf > 1, float(np.product([2, 3])), np.float_(1) + 0.5 > 1,"
        " bool(np.alltrue([1])), np.asscalar(np.ones(1)), float(np.trapz([1, 1]))]",
    ),
    "scipy.misc": ("from scipy.misc import imsave, logsumexp", "imsave('a.png', mean.numpy()); return float(logsumexp([0.0, 0.0]))"),
    "scipy.misc, dotted": ("import scipy.misc", "scipy.misc.imresize(mean.numpy(), (4, 4)); return mean"),
    "collections": ("from collections import Iterable, Mapping", "return isinstance([], Iterable)"),
    "time.clock": ("import time", "return time.clock() >= 0"),
    "torch._six": ("from torch._six import inf, container_abcs", "return inf > 1"),
    "linspace of tensors": (
        "import numpy as np",
        "rows = np.linspace(mean[0], mean[1], 5)\nreturn torch.from_numpy(rows).float()",
    ),
    "linspace of tensors, as an array": ("import numpy as np", "return np.linspace(mean[0], mean[1], 5).astype(np.float32).sum()"),
    "Variable": ("from torch.autograd import Variable", "return Variable(mean, requires_grad=True).sum().item()"),
    "a pickled model": ("", "torch.save(torch.nn.Linear(2, 2), 'm.pt'); return torch.load('m.pt')(torch.ones(1, 2)).shape[1]"),
    "compiled": ("@torch.compile\ndef f(x): return x + 1", "return f(mean)"),
    "compiled with options": ("@torch.compile(mode='max-autotune')\ndef f(x): return x + 1", "return f(mean)"),
    "compiled model": ("net = torch.compile(torch.nn.Linear(3, 1)); net2 = torch.nn.Linear(3, 1); net2.compile()", "return net2(net.weight)"),
    # Displays.
    "TkAgg": ("import matplotlib; matplotlib.use('TkAgg'); import matplotlib.pyplot as plt; plt.ion()", "plt.plot([1]); plt.show(); return mean"),
    "Qt5Agg later": ("import matplotlib.pyplot as plt", "plt.switch_backend('Qt5Agg'); plt.figure(); plt.savefig('a.png'); return mean"),
    "use after pyplot": ("import matplotlib.pyplot as plt, matplotlib; matplotlib.use('Qt5Agg')", "plt.figure(); return mean"),
    "styles of seaborn": ("import matplotlib.pyplot as plt; plt.style.use('seaborn-whitegrid')", "plt.style.use(['seaborn', 'ggplot']); return mean"),
    "colormaps": ("from matplotlib import cm; import matplotlib.pyplot as plt", "return [len(cm.get_cmap('jet', 5)(range(5))), plt.cm.get_cmap('viridis').N]"),
    "range of a grid": (
        "from torchvision.utils import make_grid, save_image",
        "save_image(torch.rand(4, 1, 3, 3), 'a.png', normalize=True, range=(0, 1)); return make_grid(torch.rand(4, 1, 3, 3), normalize=True, range=(0, 1)).dim()",
    ),
    "transforms": ("from torchvision import transforms; scale = transforms.Compose([transforms.Scale(4), transforms.ToTensor()])", "return transforms.RandomSizedCrop(4).size[0]"),
    "normalisation of three channels": (
        "from torchvision import transforms\nscale = transforms.Normalize((0.5, 0.4, 0.3), (0.5, 0.5, 0.5))",
        "return scale(torch.ones(1, 2, 2)).flatten()",
    ),
    "schedulers": (
        "from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR\nstep = torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), 0.5)",
        "ReduceLROnPlateau(step, 'min', verbose=True).step(1.0); StepLR(step, 3, verbose=False); return step.param_groups[0]['lr']",
    ),
    "next of a loader": ("from torch.utils.data import DataLoader", "return iter(DataLoader(mean, batch_size=1)).next()"),
    # Devices.
    "mps": ("device = 'mps'", "return mean.to(device) + torch.zeros(3, device=device)"),
    "cuda:1": ("device = torch.device('cuda:1')", "return torch.nn.Linear(3, 2).to(device)(mean.to(device))"),
    "numbers": ("net = torch.nn.Linear(3, 2).to(1)", "return net(mean.to(0)) + torch.zeros(2, device=1)"),
    ".cuda()": ("net = torch.nn.Linear(3, 2).cuda()", "return net(mean.cuda()).mean()"),
    "cuda tensors": ("Tensor = torch.cuda.FloatTensor", "return Tensor(2, 3).fill_(1) + mean"),
    "cuda types": ("torch.set_default_tensor_type('torch.cuda.FloatTensor')", "return mean.type('torch.cuda.DoubleTensor').sum()"),
    "cuda functions": ("torch.cuda.set_device(0)", "torch.cuda.synchronize(); torch.cuda.empty_cache(); return mean"),
    "pinned": ("", "return mean.pin_memory().cuda(non_blocking=True)"),
    "within a device": ("", "with torch.device('cuda'):\n    return torch.ones(2) + 1"),
    # Packages for logging and progress.
    "tensorboardX": ("from tensorboardX import SummaryWriter\nwriter = SummaryWriter('runs')", "writer.add_scalar('a', 1, 2); return mean"),
    "wandb": (
        "import wandb\nwandb.init(project='a', config={'lr': 0.5})\nconfig = wandb.config\nconfig.size = 3",
        "wandb.log({'a': 1}); wandb.watch(torch.nn.Linear(1, 1)); wandb.Image(mean); return config.lr * config['size']",
    ),
    "wandb, its record": ("import wandb\nwith wandb.init(config=dict(lr=1)) as run:\n    pass", "run.log({}); run.finish(); return mean"),
    "progress": ("from alive_progress import alive_it\nfrom progressbar import progressbar as bar", "return sum(bar(alive_it([1, 2])))"),
    "a decorator": ("from memory_profiler import profile\n@profile\ndef f(): return 3", "return f()"),
    "colab": ("from google.colab import drive\ndrive.mount('/content/drive')", "return mean"),
    "submodules": ("import wandb.sdk.data as d, plotly.graph_objects as go\nfrom torchsummary import summary", "summary(1); go.Figure(); return mean"),
    "a base class": ("from visdom import Visdom\nclass Mine(Visdom):\n    def size(self): return 4", "return Mine(port=1).size()"),
}  # fmt: skip


# For each kind: statements before the function, its body, and the message.
UNDECIDED = {
    "used in the function": ("import kornia", "return kornia.rearrange(mean, 'a b -> b a')", "kornia"),
    "imported in the function": ("", "import pandas as pd\nreturn mean", "pandas"),
    "a name of it": ("from datasets import load_dataset", "return load_dataset('mnist')", "datasets"),
    "a part of it": ("import skimage.io as io", "return io.imread('a')", "skimage"),
    "a class": ("import kornia\nclass Net(kornia.layers.Rearrange): pass", "return Net()", "kornia"),
    "a constant of it": ("import cv2\nMODE = cv2.INTER_LINEAR", "return MODE", "cv2"),
    "another version": ("from torch.optim.lr_scheduler import NoSuchScheduler", "return NoSuchScheduler()", "another version of torch.optim.lr_scheduler"),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNDECIDED)
def test_what_needs_an_absent_package_is_undecided(harness: SandboxHarness, kind: str) -> None:
    before, body, name = UNDECIDED[kind]
    run = harness.run(body, before=before)
    assert run.outcome is Outcome.UNDECIDED, run.message
    assert run.message.startswith(f"your code needs {name}")


# Mistakes that look like what is undecided.
MISTAKES = {
    "a file that is broken": ("import broken", "return broken.f()", Outcome.ERROR),
    "a name that a file lacks": ("from helper import nothing", "return nothing", Outcome.ERROR),
    "a name that nothing defines": ("", "return nothing", Outcome.ERROR),
    "a data file that is not there": ("SIZE = len(open('data.txt').read())", "return SIZE", Outcome.ERROR),
    "a gap of the hand-out": ("", "raise NotImplementedError", Outcome.MISSING),
    "a gap of the hand-out, below": ("def f(): raise NotImplementedError('later')", "return f()", Outcome.MISSING),
    "what torch has not implemented": ("", "return torch.nn.Module()(mean)", Outcome.ERROR),
    "what a distribution has not implemented": ("", "return torch.distributions.Distribution(validate_args=False).entropy()", Outcome.ERROR),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_no_absent_package(harness: SandboxHarness, kind: str) -> None:
    before, body, outcome = MISTAKES[kind]
    tree = harness.tree(f"import torch\n{before}\ndef KLD(mean, log_std):\n    {body}\n")
    (tree / "vae" / "helper.py").write_text("NUMBER = 3")
    (tree / "vae" / "broken.py").write_text("def f(:")
    run = harness.call(tree)
    assert run.outcome is outcome, run.message


def test_a_name_whose_definition_failed_gives_the_error_of_its_definition(harness: SandboxHarness) -> None:
    run = harness.run("return SIZE", before="SIZE = len(open('data.txt').read())")
    assert run.message == "FileNotFoundError: [Errno 2] No such file or directory: 'data.txt'"


TEMPLATE = "import torch\n{}\nclass VAE(torch.nn.Module): pass\ndef train_vae(): pass\ndef sample(): pass\n"


@pytest.mark.parametrize("names", ["KLD", "KLD as kld", "*"])
def test_a_file_that_is_asked_for_and_absent_is_named(harness: SandboxHarness, names: str) -> None:
    tree = harness.tree("")
    (tree / "vae" / "utils.py").unlink()
    (tree / "vae" / "train_pl.py").write_text(TEMPLATE.format(f"from utils import {names}"))
    (tree / "gan").mkdir()
    (tree / "gan" / "utils.py").write_text("KLD = 1\n")  # a helper of another part, which is called the same
    run = harness.call(tree)
    assert run.outcome is Outcome.MISSING, run.message
    assert run.message.startswith("part1/utils.py was not handed in")


@pytest.mark.parametrize(
    "line", ["from mlp_encoder_decoder import MLPEncoder", "from part1.mlp_encoder_decoder import *"]
)
def test_a_function_that_uses_an_absent_file_names_it(harness: SandboxHarness, line: str) -> None:
    run = harness.run("return MLPEncoder(mean)", before=f"{line}\nfrom os import *")
    assert run.outcome is Outcome.MISSING
    assert run.message == "part1/mlp_encoder_decoder.py was not handed in, and your code imports it"


def test_a_helper_of_ones_own_that_is_absent_is_undecided(harness: SandboxHarness) -> None:
    run = harness.run("return divergence(mean)", before="from helpers import *")
    assert run.outcome is Outcome.UNDECIDED
    assert run.message.startswith("your code needs helpers, which is neither among your files nor installed here")
    run = harness.call(harness.tree("from helpers import *\n"))
    assert run.outcome is Outcome.UNDECIDED, run.message


def test_an_error_in_a_file_whose_names_are_all_imported_is_told_where_it_is(harness: SandboxHarness) -> None:
    tree = harness.tree("from helper import *\ndef KLD(mean, log_std):\n    return divergence(mean)\n")
    (tree / "vae" / "helper.py").write_text("def divergence(mean)\n    return mean\n")
    run = harness.call(tree)
    assert run.outcome is Outcome.ERROR
    assert run.message == "SyntaxError: expected ':'"
    assert (run.frames[-1].file, run.frames[-1].line) == ("vae/helper.py", 1)


def test_a_function_in_another_file_of_the_part_is_found(harness: SandboxHarness) -> None:
    tree = harness.tree("def bits(): return 1\n")
    for name, text in {"divergence.py": "def KLD(mean, log_std): return 5\n", "broken.py": "def KLD(:\n"}.items():
        (tree / "vae" / name).write_text(text)
    assert harness.call(tree).evidence == 5
    (tree / "vae" / "second.py").write_text("class KLD: pass\n")  # which of them is meant is not known
    assert harness.call(tree).outcome is Outcome.MISSING


def test_a_module_of_another_part_is_found(harness: SandboxHarness) -> None:
    tree = harness.tree("from part2.models import A\nimport models\ndef KLD(mean, log_std):\n    return A + models.A\n")
    (tree / "gan").mkdir()
    (tree / "gan" / "models.py").write_text("A = 2\n")
    run = harness.call(tree)
    assert (run.outcome, run.evidence) == (Outcome.PASSED, 4), run.message


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_program_runs_as_on_its_authors_machine(harness: SandboxHarness, kind: str) -> None:
    before, body = PROGRAMS[kind]
    tree = harness.tree(f"import os, sys, torch\n{before}\ndef KLD(mean, log_std):\n{textwrap.indent(body, '    ')}\n")
    beside = {"config.json": '{"size": 3}', "helper.py": "NUMBER = 3", "deep/a.txt": "text"}
    for name, text in beside.items():
        (tree / "vae" / name).parent.mkdir(exist_ok=True)
        (tree / "vae" / name).write_text(text)
    if "large" in kind:
        (tree / "vae" / "large.pt").write_bytes(bytes(33 << 20))
    for path in tree.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    run = harness.call(tree)
    assert run.outcome is Outcome.PASSED, f"{run.message}\n{run.output}"
    assert run.evidence is not None
    assert (tree / "vae" / "utils.py").read_text().endswith(body.splitlines()[-1].strip() + "\n")
