"""A run gets all of our code that its probe refers to, in a form that runs, and nothing else."""

from __future__ import annotations

import ast
import builtins
import dis
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest

from gengrade.course import find
from gengrade.sandbox import closure, library
from gengrade.sandbox.closure import ClosureError, closure_of
from gengrade.sandbox.guest import compatibility
from gengrade.sandbox.guest.library import Library, load_apart
from validation.variants import COURSES

_PROJECT = Path(__file__).resolve().parents[1]
COURSE = find("uva2020")


def names(course: str, probe: str) -> set[str]:
    """Return the definitions that a run gets, without those that only find files."""
    finding = (
        "loading",
        "notebooks",
        "programs",
        "devices",
        "calling",
        "own_calls",
        "constants",
        "sizes",
        "members",
        "attempts",
        "passing",
    )
    found = closure_of(find(course), probe).definitions
    return {name for module, name in found if module.rpartition(".")[2] not in finding}


def test_a_run_is_given_what_its_probe_refers_to() -> None:
    contract = {f"FlowContract{method}" for method in ("", ".__init__", ".gaussian")}
    assert names("uva2020", "flow:gaussian_log_prob") == {"gaussian_log_prob", "_log_prob", *contract}
    assert {"Base", "nll"} <= names("uva2020", "flow:nll")


def test_what_stands_in_for_an_answer_is_not_where_the_answer_is_asked_for() -> None:
    for probe in ("draws", "divergence", "surprise", "mode"):
        assert "Gaussian" not in names("mila2023", f"gaussian_vae:{probe}")
    assert "Gaussian" in names("mila2023", "gaussian_vae:forward")
    assert not {"generated", "one_hot"} & names("duke2017", "cgan:generate")
    assert not {"generated", "one_hot"} & names("duke2017", "cgan:generator_input")
    assert "_train_epoch" not in names("uva2020", "flow:training_loop")


def globals_of(code: CodeType) -> Iterator[str]:
    yield from (each.argval for each in dis.get_instructions(code) if each.opname == "LOAD_GLOBAL")
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from globals_of(constant)


def functions_of(module: ModuleType) -> Iterator[FunctionType]:
    for value in vars(module).values():
        if getattr(value, "__module__", None) != module.__name__:
            continue
        for each in (*vars(value).values(), value) if isinstance(value, type) else (value,):
            inner = getattr(each, "__wrapped__", each)
            if isinstance(inner, FunctionType):
                yield inner


def lacking(own: Library) -> set[str]:
    """Return global names that the code of a run uses and that nothing defines."""
    return {
        f"{module.__name__}: {name}"
        for module in own.modules.values()
        for function in functions_of(module)
        for name in globals_of(function.__code__)
        if name not in function.__globals__ and not hasattr(builtins, name)
    }


@pytest.mark.sampled(4)
@pytest.mark.parametrize("course", COURSES)
def test_what_a_run_is_given_is_whole(course: str) -> None:
    """For every probe, no global name and no method of a contract is missing."""
    compatibility.import_torchvision()
    for probe in closure.probes():
        given = closure_of(find(course), probe)
        assert lacking(load_apart(given.code)) == set(), probe
        for place in find(course).adapters.values():
            module, _, contract = place.partition(":")
            body = closure._contract(module, contract).body
            methods = {each.name: each for each in body if isinstance(each, ast.FunctionDef)}
            kept = {name.partition(".")[2] for other, name in given.definitions if other == module and "." in name}
            for method in kept:
                called = closure._methods(methods[method])
                assert called is None or called & methods.keys() <= kept, (probe, method)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("course", COURSES)
def test_what_our_code_imports_is_ready_in_the_zygote(course: str) -> None:
    ready = {*library.preloaded(find(course)), *find(course).on_demand}
    for probe in closure.probes():
        for module, _ in closure_of(find(course), probe).definitions:
            assert set(closure._source(module).foreign()) <= ready


def test_a_program_mentions_a_module_by_its_package(tmp_path: Path) -> None:
    modules = ("matplotlib.pyplot", "torch.utils.tensorboard", "scipy.stats", "IPython.core")
    (tmp_path / "part1").mkdir()
    (tmp_path / "part1" / "a.py").write_text("import torch\nfrom scipy import stats\n")
    (tmp_path / "part1" / "a.txt").write_text("matplotlib")
    assert library.mentioned(tmp_path, modules) == ["scipy.stats"]
    (tmp_path / "b.IPYNB").write_text('{"source": ["from torch.utils import tensorboard"], "name": "ipython"}')
    assert library.mentioned(tmp_path, modules) == ["torch.utils.tensorboard", "scipy.stats", "IPython.core"]


# --- code of other making -------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a copy of the probes and the adapters that may be changed."""
    caches = (closure.closure_of, closure._source, closure._references, closure._cut, closure._whole_modules)
    for folder in ("graders", "courses/uva2020/adapters"):
        shutil.copytree(_PROJECT / folder, tmp_path / folder)
    monkeypatch.setattr(closure, "module_path", lambda name: tmp_path.joinpath(*name.split(".")))
    for cache in (*caches, library.fingerprint):
        cache.cache_clear()
    yield tmp_path
    for cache in (*caches, library.fingerprint):
        cache.cache_clear()


def changed(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    for cache in (closure.closure_of, closure._source, closure._references, closure._cut, library.fingerprint):
        cache.cache_clear()


def test_a_fingerprint_is_of_what_a_run_uses(project: Path) -> None:
    probes = ("vae:kld", "vae:bpd", "flow:density", "flow:gaussian_log_prob")
    before = {probe: library.fingerprint(COURSE, probe) for probe in probes}
    changed(project / "graders/flow/probes.py", "return self.mu + self.sigma", "return self.sigma")
    assert {probe for probe in probes if library.fingerprint(COURSE, probe) != before[probe]} == {"flow:density"}
    before = {probe: library.fingerprint(COURSE, probe) for probe in probes}
    changed(
        project / "courses/uva2020/adapters/vae.py",
        'call(self._function("KLD"), {"mean": mean, "log_std": log_std})',
        "mean",
    )
    assert {probe for probe in probes if library.fingerprint(COURSE, probe) != before[probe]} == {"vae:kld"}
    before = {probe: library.fingerprint(COURSE, probe) for probe in probes}
    changed(project / "graders/adapting/loading.py", "if written else {}", "or {}")
    assert {probe for probe in probes if library.fingerprint(COURSE, probe) != before[probe]} == set(probes)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("from graders.vae.checks import BATCH\n", "a run may not get code of"),
        ("from graders.vae.probes import nothing\n", "graders.vae.probes has no nothing"),
        ("from graders.vae.nowhere_probes import nothing\n", "there is no module"),
        ("def own(package):\n    return [package]\n", "does not name the part of the package"),
    ],
)
def test_what_cannot_be_told_is_refused(project: Path, statement: str, words: str) -> None:
    uses = {"BATCH": "BATCH", "own": "own(package)"}
    used = next((use for name, use in uses.items() if name in statement), "nothing")
    (project / "graders/vae/new_probes.py").write_text(f"{statement}\n\ndef probe(package):\n    return {used}\n")
    with pytest.raises(ClosureError, match=words):
        closure_of(COURSE, "vae.new:probe")


def test_what_is_not_named_is_given_whole(project: Path) -> None:
    (project / "graders/vae/new_probes.py").write_text(
        "from graders.probing import pictures\n\n"
        "def probe(package, which):\n    return getattr(package.vae, which)(), vars(pictures)\n"
    )
    found = names("uva2020", "vae.new:probe")
    assert {"VaeContract.kld", "VaeContract.sample", "picture"} <= found
