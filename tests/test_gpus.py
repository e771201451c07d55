"""GPUs: who gets which, what runs on them, and that our trainings keep all tensors there."""

from __future__ import annotations

import ast
import os
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from unittest import mock

import numpy as np
import pytest
import torch

from gengrade import gpus, processors
from gengrade.choices import CheckKind, Device
from gengrade.course import courses, find
from gengrade.engine import Options, UsageError
from gengrade.engine.planning import device_of, require_device
from gengrade.engine.sharing import places_of
from gengrade.facts import Outcome
from gengrade.grading import Subject, probes
from gengrade.grading.checks import known
from gengrade.grading.subject import Circumstances
from gengrade.sandbox import Isolation, Limits, Request, Run, Sandbox, choose
from gengrade.sandbox.guest import child, compatibility, gpu
from gengrade.sandbox.tiers import environment
from graders.adapting.devices import _named, replace_devices
from tests.support import elsewhere
from tests.support.examples import ROOT
from validation.workbench import Workbench, reference_of, rubric_of

_ROWS: Final = 96  # of each training's data
_FEW: Final[Mapping[str, int]] = {"steps": 2, "epochs": 1, "batch": 16, "batch_size": 16}
# The hand-out's own loop draws latents without naming a device.
_ON_THE_PROCESSOR: Final = {"gan2018:train"}
_MAKERS: Final = {
    *("zeros", "ones", "empty", "full", "eye", "arange", "linspace", "logspace", "randperm", "rand", "randn"),
    *("randint", "normal", "tril_indices", "triu_indices"),
}
_TO_TORCH, _ENCODE = child._to_torch, child._encode


# Who gets which GPU


def _with_gpus(monkeypatch: pytest.MonkeyPatch, count: int, visible: str | None = None) -> None:
    monkeypatch.setattr("gengrade.gpus.glob.glob", lambda _: [f"/dev/nvidia{index}" for index in range(count)])
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    if visible is not None:
        monkeypatch.setenv(gpus.VISIBLE, visible)


@pytest.mark.parametrize(
    ("count", "visible", "wanted"),
    [
        (0, None, []),
        (2, None, ["0", "1"]),
        (2, "1", ["1"]),
        (4, "3, 1", ["3", "1"]),
        (2, "GPU-8f2e,GPU-1d0c", ["GPU-8f2e", "GPU-1d0c"]),
        (2, "", []),
        (2, "-1", []),
        (0, "0", []),
    ],
)
def test_the_operator_chooses_among_gpus(
    count: int, visible: str | None, wanted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_gpus(monkeypatch, count, visible)
    assert gpus.available() == wanted
    assert device_of(Options(Path(), None)) is (Device.CUDA if wanted else Device.CPU)


def test_slots_are_dealt_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_gpus(monkeypatch, 2)
    monkeypatch.setattr(processors, "available", lambda: list(range(8)))
    job: Any = SimpleNamespace(device=Device.CUDA, gpu_jobs=2)
    assert [place.gpu for place in places_of(job, 0, 100)] == ["0", "1", "0", "1"]
    assert [place.gpu for place in places_of(job, 3, 100)] == ["0", "1", "0"]
    assert [place.gpu for place in places_of(job, 0, 1)] == ["0"]
    assert sorted(core for place in places_of(job, 0, 100) for core in place.cores.split(",")) == list("01234567")
    job.device = Device.CPU
    assert [place.gpu for place in places_of(job, 0, 100)] == [None] * 8


def test_all_slots_of_a_gpu_fit_into_its_memory() -> None:
    for submissions in (1, 2, 4, 16):
        assert submissions * gpus.share_of_memory(submissions) < 1


def test_options_without_a_gpu_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_gpus(monkeypatch, 0)
    with pytest.raises(UsageError, match="there is no GPU"):
        require_device(Options(Path(), None, device=Device.CUDA))
    with pytest.raises(UsageError, match="--gpu-jobs"):
        require_device(Options(Path(), None, gpu_jobs=2))


def test_a_guest_sees_the_gpu_of_its_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gpus.VISIBLE, "3")
    assert environment("/tmp", cuda=True)[gpus.VISIBLE] == "3"
    assert environment("/tmp", cuda=True)[gpus.ORDER] == "PCI_BUS_ID"
    assert environment("/tmp", cuda=False)[gpus.VISIBLE] == ""


# What a run does with its device


def test_a_run_has_its_share_of_memory_and_full_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=8 << 30))
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda share, device: asked.update(share=share, device=device)
    )
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    flags: tuple[tuple[Any, str], ...] = (
        (matmul, "allow_tf32"),
        (cudnn, "allow_tf32"),
        (cudnn, "benchmark"),
        (cudnn, "deterministic"),
    )
    before = [getattr(place, name) for place, name in flags]
    try:
        for place, name in flags:
            setattr(place, name, name != "deterministic")
        gpu.choose("cuda", 0.25, {"memory_mb": 1024})
        assert asked == {"share": 0.125, "device": 0}
        assert [getattr(place, name) for place, name in flags] == [False, False, False, True]
        gpu.choose("cuda", 0.25, {"memory_mb": 4096})
        assert asked["share"] == 0.25
    finally:
        for (place, name), value in zip(flags, before, strict=True):
            setattr(place, name, value)


def test_a_run_on_the_processor_sees_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gpus.VISIBLE, "1")
    monkeypatch.setattr(compatibility, "replace_cuda", lambda: None)
    gpu.choose("cpu", 1.0, {})
    assert os.environ[gpus.VISIBLE] == ""


def test_programs_for_several_gpus_use_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("set_device", "device"):
        monkeypatch.setattr(torch.cuda, name, getattr(torch.cuda, name))
    monkeypatch.setattr(torch, "set_float32_matmul_precision", torch.set_float32_matmul_precision)
    monkeypatch.setattr(torch.nn.DataParallel, "__init__", torch.nn.DataParallel.__init__)
    compatibility._keep_to_one_gpu()
    torch.cuda.set_device(3)
    torch.set_float32_matmul_precision("medium")
    assert torch.get_float32_matmul_precision() == "highest"
    with torch.cuda.device(2):
        model = torch.nn.DataParallel(torch.nn.Linear(2, 1), device_ids=[0, 1, 2], output_device=1)
    assert model(torch.ones(3, 2)).shape == (3, 1)


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("x = x.to(1)", True),
        ("x = torch.zeros(3, device=0)", True),
        ("x = x.cuda(2)", True),
        ("x = x.to('cuda:3')", True),
        ("device = 'cuda' if torch.cuda.is_available() else 'cpu'", False),
        ("x = x.to(device)", False),
        ("x = x.to(True)", False),
    ],
)
def test_programs_that_name_a_device_are_found(source: str, named: bool) -> None:
    assert bool(_named(f"{source}\n".encode())) == named


def test_a_number_of_a_gpu_means_the_device_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("net = net.to(1)\n")
    before = torch._C._len_torch_function_stack()
    try:
        replace_devices(tmp_path)
        assert torch.ones(2).to(1).device.type == "cpu"
        assert torch.zeros(2, device=1).device.type == "cpu"
        assert torch.nn.Linear(2, 1).to(1).weight.device.type == "cpu"
        assert torch.ones(2).sum(0) == 2
    finally:
        while torch._C._len_torch_function_stack() > before:
            torch._C._pop_torch_function_stack()


# Which runs are on a GPU


class _Recording:
    """Answers each request, and keeps its probe with its device; trainings on a GPU end as told."""

    starting = 0.0

    def __init__(self, on_gpu: Outcome) -> None:
        self._on_gpu = on_gpu
        self.asked: list[tuple[str, str]] = []

    def run(self, request: Request) -> Run:
        self.asked.append((request.probe, str(request.device)))
        failed = request.device == Device.CUDA and self._on_gpu is not Outcome.PASSED
        return Run(self._on_gpu if failed else Outcome.PASSED, "")


def _asked(on_gpu: Outcome, *, trains: bool) -> list[tuple[str, str]]:
    runner = _Recording(on_gpu)
    subject = Subject(Path(), "", runner, None, Circumstances(find("uva2020"), "", Device.CUDA, 1, {}))
    subject.begin(lambda: 1, Limits(), trains=trains)
    subject.run(probes.gan.train)
    subject.run(probes.gan.decode)
    return runner.asked


def test_only_trainings_run_on_a_gpu() -> None:
    assert _asked(Outcome.PASSED, trains=True) == [("gan:train", "cuda"), ("gan:decode", "cpu")]
    assert _asked(Outcome.PASSED, trains=False) == [("gan:train", "cpu"), ("gan:decode", "cpu")]


def test_a_training_that_fails_on_a_gpu_is_repeated_on_the_processor() -> None:
    for outcome in (Outcome.ERROR, Outcome.MEMORY, Outcome.TIMEOUT):
        assert _asked(outcome, trains=True) == [("gan:train", "cuda"), ("gan:train", "cpu"), ("gan:decode", "cpu")]


# Our trainings keep their tensors on the device


class _Elsewhere:
    """Carries trainings out on the stand-in for a GPU, briefly, and everything as another runner does."""

    starting = 0.0

    def __init__(self, runner: Any) -> None:
        self._runner = runner
        self.trained: dict[str, Run] = {}

    @property
    def ours(self) -> _Elsewhere:
        return self

    def close(self) -> None:
        """Do nothing, since there is nothing to release."""

    def run(self, request: Request) -> Run:
        if request.probe.endswith(f":{gpus.TRAINING}"):
            request = replace(request, inputs=_shrunk(request.inputs))
        if request.device != Device.CUDA:
            return self._runner.run(request)  # type: ignore[no-any-return]
        with (
            mock.patch.object(child, "_to_torch", lambda value, _: elsewhere.there(_TO_TORCH(value, "cpu"))),
            mock.patch.object(child, "_encode", lambda evidence, cap: _ENCODE(elsewhere.back(evidence), cap)),
            mock.patch.object(gpu, "choose"),
            elsewhere.another_device(),
        ):
            run: Run = self._runner.run(request)
        self.trained[request.probe] = run
        return run


def _shrunk(value: Any, name: str = "") -> Any:
    """The inputs of a training, with few steps and little data."""
    if isinstance(value, Mapping):
        return {key: _shrunk(item, key) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value[:_ROWS]
    return min(value, _FEW[name]) if name in _FEW and isinstance(value, int) else value


def _trainings(course: str) -> list[str]:
    """The course's checks that train."""
    asked = rubric_of(course).checks()
    return [id_ for id_, check in known().items() if check.kind is CheckKind.TRAIN and id_ in asked]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("course", [name for name in courses() if _trainings(name)])
def test_trainings_keep_all_tensors_on_the_device(course: str, tmp_path: Path) -> None:
    with Workbench(tmp_path, "direct", course, Device.CUDA) as bench:
        runner = _Elsewhere(bench.sandbox)
        bench.sandbox = runner
        bench.observe(reference_of(course), *_trainings(course))
    failed = {probe: run.message for probe, run in runner.trained.items() if run.outcome is not Outcome.PASSED}
    assert runner.trained or course == "uva2021"
    assert {probe: message for probe, message in failed.items() if probe not in _ON_THE_PROCESSOR} == {}


def test_the_classifier_keeps_all_tensors_on_the_device(tmp_path: Path) -> None:
    images = np.zeros((_ROWS, 1, 28, 28), dtype=np.uint8)
    with Workbench(tmp_path, "direct") as bench, mock.patch("graders.common.classifier_probes.STEPS", 2):
        runner = _Elsewhere(bench.sandbox)
        subject = Subject(bench.reference, "", runner, None, Circumstances(find("uva2020"), "", Device.CUDA, 1, {}))
        subject.begin(lambda: 1, Limits(), trains=True)
        subject.run(probes.common.classifier.train, images=images, labels=np.arange(_ROWS) % 10)
    assert runner.trained["common.classifier:train"].outcome is Outcome.PASSED


def test_the_stand_in_notices_tensors_of_two_devices() -> None:
    with elsewhere.another_device():
        there = elsewhere.there(torch.ones(3))
        assert there.device == torch.zeros(3, device="cuda").device
        for mixed in (lambda: there + torch.ones(3), lambda: torch.ones(3)[there.long()]):
            with pytest.raises(RuntimeError, match="processor"):
                mixed()
        assert (there[torch.arange(2)] + 1).device == there.device


def _made_without_a_device(source: str) -> Iterator[str]:
    """The calls in functions called `train` that make a tensor and neither name a device nor read the tensor at once.

    Functions that move their data to the processor first are left out.
    """
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef) or function.name not in {gpus.TRAINING, "batches", "rolled"}:
            continue
        inside = list(ast.walk(function))
        if any(isinstance(node, ast.Attribute) and node.attr == "cpu" for node in inside):
            continue
        read = {id(node.value) for node in inside if isinstance(node, ast.Attribute) and node.attr == "tolist"}
        for node in inside:
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr=name), keywords=keywords):
                    if name in _MAKERS and id(node) not in read and all(each.arg != "device" for each in keywords):
                        yield ast.unparse(node)


@pytest.mark.parametrize("file", [*ROOT.glob("graders/*/*probes.py"), ROOT / "graders" / "probing" / "batches.py"])
def test_trainings_name_the_device_of_what_they_make(file: Path) -> None:
    assert list(_made_without_a_device(file.read_text())) == []


def test_a_tensor_without_a_device_is_found() -> None:
    lines = ("torch.zeros(3)", "torch.ones(3, device=x.device)", "torch.rand(2).tolist()")
    assert list(_made_without_a_device("\n    ".join(["def train(x):", *lines]))) == [lines[0]]


# With a GPU


def _on_gpu(tmp_path: Path, body: str, *, device: str = "cuda", share: float = 1.0, memory_mb: int = 4096) -> Run:
    """Return a run of a function with that body, in a sandbox whose runs may use a GPU."""
    if not gpus.available():
        pytest.skip("there is no CUDA device")
    tree = tmp_path / "trees" / "student"
    (tree / "vae").mkdir(parents=True)
    (tree / "vae" / "utils.py").write_text(f"import torch\ndef KLD(mean, log_std):\n{textwrap.indent(body, '    ')}\n")
    inputs = {"mean": np.ones((2, 3), dtype=np.float32), "log_std": np.ones((2, 3), dtype=np.float32)}
    limits = Limits(seconds=60, memory_mb=memory_mb)
    tier = choose(Isolation.AUTO, single=False)
    with Sandbox(tier, find("uva2020"), tmp_path / "trees", device="cuda", gpu_share=share) as sandbox:
        return sandbox.run(Request("vae:kld", tree, inputs, 1, limits, device=device))


@pytest.mark.gpu
@pytest.mark.parametrize(
    "body",
    [
        "return (mean @ mean.T).device.type",
        "return mean.to('cuda:1').device.type",
        "return torch.zeros(2, device=3).device.type",
        "torch.cuda.set_device(1)\nreturn mean.cuda(2).device.type",
        "import os\nos.environ['CUDA_VISIBLE_DEVICES'] = '7'\nreturn mean.cuda().device.type",
        "return torch.nn.DataParallel(torch.nn.Linear(3, 1).cuda(), device_ids=[0, 1])(mean).device.type",
    ],
)
def test_programs_run_on_the_gpu_of_their_slot(body: str, tmp_path: Path) -> None:
    run = _on_gpu(tmp_path, body)
    assert (run.outcome, run.evidence) == (Outcome.PASSED, "cuda"), run.message


@pytest.mark.gpu
def test_float32_is_exact_on_a_gpu(tmp_path: Path) -> None:
    body = "a = torch.rand(256, 256, device=mean.device)\nreturn float((a @ a - (a.double() @ a.double())).abs().max())"
    run = _on_gpu(tmp_path, body)
    assert run.outcome is Outcome.PASSED, run.message
    assert run.evidence < 1e-3, "TF32 would be wrong by about 0.03"


@pytest.mark.gpu
def test_memory_of_a_gpu_is_limited(tmp_path: Path) -> None:
    body = "return float(torch.ones(300 << 18, device=mean.device).sum())"  # 300 MB
    assert _on_gpu(tmp_path / "enough", body).outcome is Outcome.PASSED
    run = _on_gpu(tmp_path / "little", body, memory_mb=256)
    assert (run.outcome, run.evidence) == (Outcome.MEMORY, None), run.message


@pytest.mark.gpu
def test_other_runs_see_no_gpu(tmp_path: Path) -> None:
    run = _on_gpu(tmp_path, "return [torch.cuda.is_available(), mean.cuda().device.type]", device="cpu")
    assert (run.outcome, run.evidence) == (Outcome.PASSED, [False, "cpu"]), run.message
