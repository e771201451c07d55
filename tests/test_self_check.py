"""What a student reads in the terminal: what to mend, in which order, and what passed."""

from __future__ import annotations

import io

from rich.console import Console

from gengrade.facts import CheckFact, Outcome
from gengrade.grade import Grade, score
from gengrade.marks import Mark
from gengrade.self_check import show_self_check
from tests.support import report_examples as examples
from tests.support.marked import marks

SENTENCE = examples.LOG_VARIANCE.sentence


def shown(grade: Grade) -> list[str]:
    console = Console(file=io.StringIO(), width=400)
    show_self_check(console, grade)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def graded(*facts: CheckFact) -> Grade:
    return score(examples.facts(*facts), examples.rubric())


def test_what_costs_most_comes_first_and_a_mistake_comes_once() -> None:
    lines = shown(
        graded(
            examples.fact("gan.generator", Outcome.FAILED, "Its range is wrong.", expected="[-1, 1]", got="[0, 1]"),
            examples.fact("vae.loss", Outcome.PASSED),
            examples.explained(examples.fact("vae.kld", Outcome.FAILED, "It differs.")),
            examples.fact("gan.alternation", Outcome.ERROR, "NameError: name 'opt' is not defined"),
            examples.fact("gan.interpolate", Outcome.FAILED, "It bends."),
        )
    )
    at = {
        text: next(place for place, line in enumerate(lines) if text in line) for text in (SENTENCE, "range", "bends")
    }
    assert lines[at[SENTENCE] - 1] == "  vae.kld: Not right yet, 2 points"
    assert lines.index("Variational auto-encoders") < at[SENTENCE] < lines.index("Generative adversarial networks")
    assert lines[at["range"] - 1] == "  gan.generator: Not right yet, 3 points"
    assert lines[at["range"] + 1] == "    expected [-1, 1], got [0, 1]"
    assert at["range"] < lines.index("    NameError: name 'opt' is not defined") < at["bends"]
    assert lines[at["bends"] - 1] == "  gan.interpolate: Not right yet, 1 point of bonus"


def test_the_same_error_in_several_checks_is_told_once() -> None:
    error = "SyntaxError: invalid syntax"
    lines = shown(
        graded(
            examples.fact("gan.generator", Outcome.ERROR, f"{error} (in a network that was built with z_dim=4)"),
            examples.fact("gan.alternation", Outcome.ERROR, f"{error} (in a network that was built with z_dim=16)"),
        )
    )
    assert sum(error in line for line in lines) == 1
    assert "  gan.generator, gan.alternation: Error, 6 points" in lines


def test_the_same_error_at_several_places_names_each() -> None:
    error = "NotImplementedError"
    places = {"gan.generator": 12, "gan.alternation": 40, "gan.interpolate": 12}
    lines = shown(
        graded(
            *(
                examples.fact(check, Outcome.ERROR, error, traceback=f'File "part2/models.py", line {line}, in f')
                for check, line in places.items()
            )
        )
    )
    at = lines.index(f"    {error}")
    assert lines[at + 1 : at + 3] == [
        "    in part2/models.py, line 12 (gan.generator, gan.interpolate)",
        "    in part2/models.py, line 40 (gan.alternation)",
    ]


def test_what_builds_on_something_wrong_is_no_mistake_of_its_own() -> None:
    lines = shown(graded(examples.fact("vae.loss", Outcome.FAILED, "The sign is wrong.")))
    blocked = next(line for line in lines if "vae.train_bpd" in line)
    assert blocked == "  Not judged until what it builds on is right: vae.train_bpd, 3 points"
    assert lines.index("    The sign is wrong.") < lines.index(blocked)


def test_sums_say_what_a_machine_gave_and_what_waits() -> None:
    lines = shown(graded())
    grade = graded()
    settled = sum(item.possible for item in grade.items if item.settled and not item.bonus)
    assert any(f"{settled:g} of the {settled:g} points that were checked here" in line for line in lines)
    assert any("; 5 wait for a teacher." in line for line in lines)
    assert not any("Not right yet" in line for line in lines)
    passed = next(line for line in lines if line.startswith("Passed: "))
    assert "vae.kld" in passed
    assert "gan.generator" in passed


def test_what_a_teacher_gave_is_added() -> None:
    rubric = examples.rubric()
    given = marks(rubric, {"1.1-sampling": Mark(points=2), "1.9-description": Mark(points=1)})
    grade = score(examples.facts(), rubric, given)
    assert f"With what a teacher gave: {grade.total:g} of 25 points." in shown(grade)


def test_hidden_checks_and_teachers_words_stay_out() -> None:
    secret = examples.explained(examples.fact("vae.secret", Outcome.ERROR, "on hidden inputs"), examples.SECRET)
    text = "\n".join(shown(graded(secret)))
    assert "A hidden check: Not right yet, 1 point" in text
    assert "secret" not in text
    assert "on hidden inputs" not in text


def test_a_fault_of_ours_sends_a_student_to_the_file_that_tells_of_it() -> None:
    facts = examples.facts(examples.fact("gan.generator", Outcome.INFRA, "the disk is full"))
    theirs = facts.model_copy(update={"provenance": facts.provenance.model_copy(update={"kit": True})})
    for some, words in (
        (facts, "; a teacher will look at it."),
        (theirs, "faults.log that lies beside the report."),
    ):
        (line,) = [line for line in shown(score(some, examples.rubric())) if line.startswith("  gan.generator: ")]
        assert "went wrong on our side. That is not your fault and costs no points" in line
        assert words in line


def test_what_cannot_be_decided_costs_nothing_and_is_said() -> None:
    lines = shown(graded(examples.fact("gan.generator", Outcome.UNDECIDED, "einops is not installed")))
    assert any(line.startswith("  gan.generator: Undecided. einops is not installed") for line in lines)
    assert any("3 were not decided here" in line for line in lines)
