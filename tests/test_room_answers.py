"""Texts of answers: where they begin and end, which are near to each other, and which passages two of them share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from gengrade.room import written
from gengrade.room.comparing import Comparisons
from gengrade.room.documents import Cell, HandedIn
from gengrade.room.passages import common_from, shared
from gengrade.room.similarity import compare
from gengrade.rubric import Rubric
from tests.support import report_examples as examples
from tests.support.room import NoDocuments, WrittenDocuments
from tests.support.written import BOUND, BOUND_TOO, COPIED, PRIOR, PRIOR_TOO, own_words

# --- texts of answers -------------------------------------------------------------------------------------------------


def test_an_answer_ends_where_the_next_one_begins_or_after_two_pages(tmp_path: Path) -> None:
    texts = {"1.1": "1.1 First\nof all", "1.3": "1.3 Then\na diver-\ngence", "1.9": "1.9 Last"}
    documents = WrittenDocuments({"ada": {**texts, "x": "more", "y": "and more"}}, tmp_path)
    assert written.answers_of(documents, "ada", ["1.1", "1.3", "1.9", "2.3"], ["1.1", "1.3", "1.9"]) == {
        "1.1": "1.1 First\nof all",
        "1.3": "1.3 Then\na divergence",
        "1.9": "1.9 Last\nmore",
    }


class _Notebooks(NoDocuments):
    """A notebook and a text, whose answers stand below headings."""

    def files(self, student: str) -> tuple[HandedIn, ...]:
        kinds = {"a.ipynb": "notebook", "notes.txt": "text", "code.py": "program"}
        return tuple(HandedIn(place, name, kind, None, "", 1) for place, (name, kind) in enumerate(kinds.items()))

    def cells(self, student: str, index: int) -> tuple[Cell, ...]:
        return (
            Cell("markdown", "# Answers\n## 1.1 Sampling\nFirst z,\nthen x."),
            Cell("code", "# 1.3\nprint('no answer')"),
            Cell("markdown", "**Question 1.3**\nTwo Gaussians."),
        )


def test_answers_below_headings_of_notebooks_and_texts_are_found() -> None:
    documents = _Notebooks("Question 1.9:\nThe curves.\n")
    questions = ["1.1", "1.3", "1.9", "2.3"]
    found = written.answers_of(documents, "ada", questions, questions)
    assert found == {
        "1.1": "1.1 Sampling\nFirst z,\nthen x.",
        "1.3": "Question 1.3\nTwo Gaussians.",
        "1.9": "Question 1.9:\nThe curves.",
    }


# --- similarity -------------------------------------------------------------------------------------------------------

OTHER = "Nothing in common."


def test_similar_answers_are_near_and_come_one_after_the_other() -> None:
    texts = {"a": PRIOR, "b": BOUND, "c": PRIOR_TOO, "d": OTHER, "e": BOUND_TOO}
    found = compare(texts)
    assert sorted(found.order) == sorted(texts)
    place = {student: found.order.index(student) for student in texts}
    assert abs(place["a"] - place["c"]) == abs(place["b"] - place["e"]) == 1
    assert [near.student for near in found.near["a"]] == ["c"]
    assert [near.student for near in found.near["e"]] == ["b"]
    assert "d" not in found.near
    assert compare(dict(reversed(texts.items()))) == found, "the order of the texts does not matter"


def test_headings_alone_are_not_near_to_each_other() -> None:
    assert compare({"a": "Question 1.1", "b": "Question 1.1", "c": PRIOR, "d": PRIOR}).near.keys() == {"c", "d"}


@pytest.mark.parametrize("texts", [{}, {"a": PRIOR}, {"a": "", "b": "∫ ∑"}, {"a": "x", "b": "x"}])
def test_few_or_empty_texts_can_be_compared(texts: Mapping[str, str]) -> None:
    found = compare(texts)
    assert sorted(found.order) == sorted(texts)


# --- passages ---------------------------------------------------------------------------------------------------------

CODE = """
def sample_reparameterize(mean, std):
    assert not (std < 0).any().item(), "The reparameterization trick got a negative std as input"
    z = mean + std * torch.randn_like(mean)
    return z
    train_loader, val_loader, test_loader = get_data(batch_size, num_workers, root, download, shuffle, pin_memory)
"""


def test_a_shared_passage_is_told_to_both_as_each_wrote_it() -> None:
    ada = f"{own_words(1)}. {COPIED} {own_words(2)}"
    bob = f"{own_words(3)} {COPIED.upper().replace(' ', chr(10)).replace(',', ' ;')} {own_words(4)}"
    found = shared({"ada": ada, "bob": bob, "cyd": own_words(5)}, 30)
    assert set(found) == {"ada", "bob"}
    (of_ada,), (of_bob,) = found["ada"], found["bob"]
    assert (of_ada.other, of_bob.other) == ("bob", "ada")
    assert of_ada.words == of_bob.words == len(COPIED.replace("-", " ").split())
    assert of_ada.quoted.startswith("Since the Kullback-Leibler divergence can never")
    assert of_bob.quoted.startswith("SINCE THE KULLBACK-LEIBLER DIVERGENCE")
    assert len(of_ada.quoted) <= 160


def test_fewer_than_25_words_are_no_passage() -> None:
    words = COPIED.replace("-", " ").split()
    for count in (24, 25):
        texts = {name: f"{own_words(seed)} {' '.join(words[:count])}" for seed, name in enumerate(("ada", "bob"))}
        assert bool(shared(texts, 30)) is (count == 25)


def test_what_all_may_quote_is_no_passage() -> None:
    question = f"Explain in your own words: {COPIED}"
    texts = {name: f"{COPIED} {own_words(seed)}" for seed, name in enumerate(("ada", "bob"))}
    assert shared(texts, 30)
    assert shared(texts, 30, [question]) == {}
    half = " ".join(COPIED.split()[:20])
    and_more = "so we always start by sampling the latent code from its prior and continue with pixels"
    texts = {name: f"{half} {and_more} {own_words(seed)}" for seed, name in enumerate(("ada", "bob"))}
    assert shared(texts, 30)
    assert shared(texts, 30, [question]) == {}, "a quotation does not make the words after it a passage"


@pytest.mark.parametrize(("size", "least"), [(3, 3), (4, 4), (5, 5), (25, 5), (26, 6), (500, 101)])
def test_what_much_of_the_class_has_is_no_passage(size: int, least: int) -> None:
    assert common_from(size) == least
    for having in (least - 1, least):
        texts = {f"s{n:03}": f"{CODE if n < having else ''} {own_words(n, 40)}" for n in range(size)}
        found = shared(texts, size)
        assert bool(found) is (having < least)
        assert all(len(passages) <= 3 for passages in found.values())


def test_a_copy_that_holds_common_words_is_still_seen() -> None:
    texts = {f"s{n}": f"{CODE} {own_words(n)}" for n in range(10)}
    for name in ("s3", "s7"):
        texts[name] = f"{CODE} {COPIED} {own_words(int(name[1:]))}"
    found = shared(texts, 10)
    assert set(found) == {"s3", "s7"}


def test_formulas_are_no_passages() -> None:
    line = "log p(x) = log ∫ p(x|z) p(z) dz ≥ E_q [log p(x|z)] − KL(q(z|x) || p(z)) = L exp(μ σ) dz log \\frac{x}{z} "
    texts = {name: f"{line * 8} {own_words(seed)}" for seed, name in enumerate(("ada", "bob"))}
    assert shared(texts, 30) == {}


def test_empty_texts_share_nothing() -> None:
    assert shared({}, 3) == {}
    assert shared({"ada": "", "bob": "  ", "cyd": "word"}, 3, ["", "one"]) == {}


# --- in the background ------------------------------------------------------------------------------------------------


def test_changed_texts_are_compared_again(tmp_path: Path) -> None:
    rubric = Rubric.parse(examples.RUBRIC, Path("rubric.yaml"))
    answers = {name: {"1.1": f"1.1 {COPIED} {own_words(seed)}"} for seed, name in enumerate(("ada", "bob"))}
    answers["cyd"] = {"1.1": f"1.1 {own_words(7)}"}
    documents = WrittenDocuments(answers, tmp_path)
    comparisons = Comparisons(documents, ("ada", "bob", "cyd", "dan"), rubric, ["1.1", "1.9"])
    assert comparisons.of("1.1") is None
    assert comparisons.order("1.1", ("cyd", "ada")) == ("cyd", "ada")
    comparisons.catch_up()
    assert [each.other for each in comparisons.passages("1.1", "ada")] == ["bob"]
    assert comparisons.order("1.1", ("dan", "ada", "bob", "cyd"))[-1] == "dan", "who has no text comes last"
    documents.answers = {**answers, "bob": {"1.1": f"1.1 {own_words(9)}"}}
    comparisons.notice("bob")
    comparisons.catch_up()
    assert comparisons.passages("1.1", "ada"), "nothing has told that bob's submission has changed"
    documents.hash = "b"
    comparisons.notice("bob")
    comparisons.catch_up()
    assert comparisons.passages("1.1", "ada") == ()


def test_the_text_of_the_question_is_known(tmp_path: Path) -> None:
    text = examples.RUBRIC.replace("Both steps of ancestral sampling, in the right order", COPIED.replace(":", ""))
    rubric = Rubric.parse(text, Path("rubric.yaml"))
    answers = {name: {"1.1": f"1.1 {COPIED} {own_words(seed)}"} for seed, name in enumerate(("ada", "bob"))}
    comparisons = Comparisons(WrittenDocuments(answers, tmp_path), ("ada", "bob"), rubric, ["1.1"])
    comparisons.catch_up()
    assert comparisons.of("1.1") is not None
    assert comparisons.passages("1.1", "ada") == ()
