"""The operators that make mutants, the survey that grades them, and its runs without isolation."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from gengrade.facts import CheckFact, Outcome
from validation import mutants
from validation.journal import Journal
from validation.mutants import Explanation, Result, Summary, summarise, survey
from validation.operators import Mutant, mutants_of
from validation.workbench import REFERENCE, Workbench

UTILS = "uva2020/part1/utils.py"


def changes(source: str) -> set[str]:
    return {mutant.change for mutant in mutants_of(source, "a.py")}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a + b", {"x = a + b → x = a - b", "x = a + b → x = a", "x = a + b → x = b"}),
        ("x = a / b", {"x = a / b → x = b / a", "x = a / b → x = a * b"}),
        ("x = -a", {"x = -a → x = a"}),
        ("x = 1", {"x = 1 → x = 2", "x = 1 → x = 0"}),
        ("x = a < b", {"x = a < b → x = a <= b"}),
        ("x = b if a else c", {"x = b if a else c → x = b", "x = b if a else c → x = c if a else b"}),
        ("x = a.exp()", {"x = a.exp() → x = a.log()", "x = a.exp() → x = a"}),
        ("x = a.sum(dim=1)", {"x = a.sum(dim=1) → x = a.sum()", "x = a.sum(dim=1) → x = a.mean(dim=1)"}),
        ("x = f(a, b)", {"x = f(a, b) → x = f(b, a)", "x = f(a, b) → x = f(a)", "x = f(a, b) → x = a"}),
        ("x = a, b", {"x = (a, b) → x = (b, a)", "x = (a, b) → x = (a,)"}),
        ("x = a[::-1]", {"x = a[::-1] → x = a", "x = a[::-1] → x = a[::1]"}),
        ("def f():\n    a.step()\n", {"a.step() → pass", "a.step() → a.zero_grad()"}),
        ("@once\ndef f():\n    pass\n", {"@once def f(): → def f():"}),
        ("def f(a, b):\n    return a\n", {"return a → return b", "return a → return"}),
        ("if a:\n    b()\n", {"if a: → if not a:", "if a: → if False:"}),
        ("class A:\n  def f(self):\n    self.a = 1\n    self.b = self.a\n", {"self.b = self.a → self.b = self.b"}),
    ],
)  # fmt: skip
def test_each_kind_of_change_is_made(source: str, expected: set[str]) -> None:
    assert expected <= changes(source)


def test_what_says_nothing_about_the_code_is_left_alone() -> None:
    source = '"""Words."""\nimport a\n\n\ndef f(x: int = 3) -> int:\n    """Words."""\n    raise E("words")\n'
    assert not changes(f'{source}\n\nif __name__ == "__main__":\n    f(3)\n')


def test_changes_that_come_to_the_same_are_one_mutant() -> None:
    assert "x = a + a → x = a" in changes("x = a + a")
    sources = [mutant.source for mutant in mutants_of("x = a + a", "a.py")]
    assert len(set(sources)) == len(sources)
    assert sources.count("x = a\n") == 1
    assert "x = a\n" not in {mutant.source for mutant in mutants_of("x = a", "a.py")}


def test_a_change_says_where_it_is() -> None:
    found = mutants_of("class A:\n    def f(self):\n        return 1 + self.x\n", "a.py")
    assert {mutant.definition for mutant in found} == {"A.f"}
    assert not mutants_of("def f():\n    return 1\n", "a.py", skip=lambda definition: definition == "f")


def test_what_is_graded_has_mutants_and_what_is_left_out_has_none() -> None:
    found = list(mutants.mutants("uva2020/part3/train.py"))
    assert {mutant.definition for mutant in found} >= {"train_nf", "step"}
    assert not {"main", "save_picture"} & {mutant.definition for mutant in found}


def test_a_mutant_of_a_notebook_is_the_notebook_with_one_other_cell() -> None:
    file = "duke2017/homework.ipynb"
    reference = json.loads((REFERENCE.parent / file).read_text())
    found = list(mutants.mutants(file))
    assert {"Generator.forward", "interpolate", "generate"} <= {each.definition for each in found}
    for mutant in found[::50]:
        pairs = zip(reference["cells"], json.loads(mutant.source)["cells"], strict=True)
        changed = [(old, new) for old, new in pairs if "".join(old["source"]) != "".join(new["source"])]
        assert [old["cell_type"] for old, _ in changed] == ["code"]


# The survey


@pytest.mark.slow
def test_mutants_are_caught_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [
        next(mutant for mutant in mutants.mutants(UTILS) if mutant.definition == "KLD"),
        Mutant(UTILS, "KLD", "it", "it does not parse", "def KLD(:\n", "1"),
        Mutant(UTILS, "KLD", "it", "it never ends", "while True:\n    pass\n", "2"),
        Mutant(UTILS, "KLD", "it", "it ends the process", "import os\nos._exit(3)\n", "3"),
        Mutant(UTILS, "KLD", "it", "it", (REFERENCE.parent / UTILS).read_text(), "4"),
    ]
    monkeypatch.setattr(mutants, "_CPU_SECONDS", 12)
    journal = tmp_path / "journal.jsonl"
    seen: list[tuple[int, int]] = []
    found = survey(Journal(journal, "code"), 2, lambda done, all_: seen.append((done, all_)), chosen)
    caught = [found.results[mutant].caught for mutant in chosen]
    assert caught[0] == "vae.kld"
    assert str(caught[1]).startswith("vae.")
    assert caught[2:] == ["time", "death", None]
    assert found.survivors == [chosen[4]]
    assert seen[-1] == (5, 5)
    monkeypatch.delattr(mutants, "_grade")
    again = survey(Journal(journal, "code"), 2, lambda done, all_: None, chosen)
    assert again.results == found.results
    assert Journal(journal, "other code").get("1") is None


def test_a_result_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    Journal(journal, "code").put("whole", {"caught": None})
    journal.write_text(journal.read_text() + '{"code": "code", "key": "half", "res')
    assert Journal(journal, "code").get("whole") == {"caught": None}
    assert Journal(journal, "code").get("half") is None


def surveyed(*explanations: Explanation) -> Summary:
    survivor = Mutant("a.py", "f", "a + b", "b + a", "", "1")
    seen = Mutant("a.py", "f", "a + b", "a - b", "", "2")
    return summarise({survivor: Result(None), seen: Result("vae.kld")}, explanations)


def test_survivors_are_explained_or_count() -> None:
    assert [mutant.after for mutant in surveyed().survivors] == ["b + a"]
    assert surveyed().share == 0.5
    summary = surveyed(Explanation("a.py", "f", "equivalent", "A sum.", ("a + b → b + a",)))
    assert not summary.survivors
    assert not summary.stale
    assert summary.share == 1
    assert summary.by_file()["a.py"] == {"all": 2, "caught": 1, "equivalent": 1, "open": 0, "unexplained": 0}


def test_an_explanation_of_no_survivor_is_stale() -> None:
    for file, within, change in (("a.py", "f", "a + b → a - b"), ("a.py", "g", "a + b → b + a")):
        assert surveyed(Explanation(file, within, "open", "…", (change,))).stale == [f"{file}: {within}: {change}"]
    assert not surveyed(Explanation("another.py", "f", "open", "…", ("a + b → a - b",))).stale


def test_a_fault_of_ours_is_neither_caught_nor_explained() -> None:
    mutant = Mutant("a.py", "f", "a", "b", "", "1")
    summary = summarise({mutant: Result(None, "IndexError")}, ())
    assert summary.faults == [f"{mutant}: IndexError"]
    assert not summary.survivors
    assert summary.share == 0


def test_explanations_are_sentences_of_two_kinds() -> None:
    explained = mutants.explained()
    assert all(each.because.endswith(".") and each.changes for each in explained)
    assert {each.kind for each in explained} == {"equivalent", "open"}


@pytest.mark.slow
def test_what_is_explained_can_still_be_made() -> None:
    made = {(mutant.file, mutant.definition, mutant.change) for mutant in mutants.mutants()}
    explained = {(each.file, each.within, change) for each in mutants.explained() for change in each.changes}
    assert explained <= made


# Without a wall


@pytest.mark.parametrize(
    "change",
    [
        ("math.log(4)", "math.log(3)"),
        ("import torch\n", "import torch\nprint('printed')\nimport nonsense\n"),
        ("import torch\n", "import torch\ntorch.set_default_dtype(torch.float64)\n"),
        ("return torch.where", "raise NotImplementedError\n    return torch.where"),
    ],
)
def test_facts_are_the_same_without_a_wall(workbench: Workbench, tmp_path: Path, change: tuple[str, str]) -> None:
    with Workbench(tmp_path, "direct") as direct:
        modules, dtype, finders = set(sys.modules), torch.get_default_dtype(), list(sys.meta_path)
        facts = [bench.failing(bench.variant({"answers.py": change}), "theory.") for bench in (workbench, direct)]
        assert "answers" not in set(sys.modules) - modules
        assert (torch.get_default_dtype(), sys.meta_path) == (dtype, finders)
    assert timeless(facts[0]) == timeless(facts[1])


def timeless(facts: dict[str, CheckFact]) -> list[dict[str, object]]:
    tests = [test for fact in facts.values() for test in fact.tests]
    assert all(fact.outcome is not Outcome.PASSED for fact in facts.values())
    return [test.model_dump(exclude={"seconds"}) for test in tests]
