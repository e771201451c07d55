"""The exporters: what they show, what they hide, and that hostile text does nothing to them."""

from __future__ import annotations

import csv
import io
import random
import re
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import openpyxl  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gengrade.console import show_result
from gengrade.engine import Graded, Result
from gengrade.facts import CheckFact, Facts, Figure, Named, Outcome
from gengrade.grade import Grade, score
from gengrade.grading.symptoms import close
from gengrade.marks import Mark
from gengrade.people import Handed, people_of, read_roster
from gengrade.report import write_gradebook, write_index, write_junit, write_report
from gengrade.report.alike import misconceptions, same_evidence
from gengrade.report.github import LARGEST_SUMMARY, command, github_annotations, github_summary, markdown
from gengrade.report.gradebook import as_csv, as_workbook, cell, rows
from gengrade.report.index import index_page
from gengrade.report.junit import junit
from gengrade.report.student import student_page
from gengrade.report.text import LONGEST, SEEMS, duration, headline, length, plain, points, public, sentence
from gengrade.report.view import first_steps, parts
from gengrade.rubric import Rubric
from gengrade.sandbox import Tier
from gengrade.submissions import Submission
from tests.support import marked
from tests.support import report_examples as examples

HOSTILE = (
    "</pre></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\x00\x1b[31mred\x1b]0;title\x07\x07"
    "\r\n::error::forged\n::set-output name=a::b\n##[group]x\u202etxt.exe\ud800]]>"
)
REPLACED = "\ufffd"


def _hostile() -> Facts:
    everything = {"expected": HOSTILE, "got": HOSTILE, "traceback": HOSTILE, "output": HOSTILE}
    figure = Figure(check="vae.kld", caption=HOSTILE, alt=HOSTILE, file="../../etc/passwd", sha256="")
    loss = examples.fact("vae.loss", Outcome.ERROR, HOSTILE, **everything)
    return examples.facts(
        examples.explained(
            examples.fact("vae.kld", Outcome.ERROR, HOSTILE, **everything), Named(name=HOSTILE, sentence=HOSTILE)
        ),
        loss.model_copy(update={"symptoms": {HOSTILE: (1.0, 0.0)}}),
        examples.fact("gan.generator", Outcome.INFRA, HOSTILE, **everything),
        student=f"=cmd|{HOSTILE}",
        figures=(figure,),
        notes=(HOSTILE,),
    )


class _Tags(HTMLParser):
    """Collects the tags of a page, and the attributes that could run something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.running: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.running += [name for name, _ in attrs if name.startswith("on") or name == "style"]


def test_report_tells_what_happened(tmp_path: Path) -> None:
    facts = examples.struggling()
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "gan.diversity-0.png").write_bytes(examples.png())
    page = write_report(examples.graded(facts), facts, tmp_path).read_text()
    assert page == (tmp_path / "report.html").read_text()
    for said in (
        '<span id="total">3.75</span>',
        "log_std is a log standard deviation",
        "[3.214, 5.101, 4.437, …]",
        "RuntimeError: mat1 and mat2 shapes cannot be multiplied",
        "Stopped after 20 s: the limit of this check.",
        "Measured 0.55: full points at 0.8 or more",
        "Not judged, because it builds on vae.loss",
        "30 s (74 %), went to vae.train_bpd",
        'alt="A grid of 16 generated digits',
        "This picture could not be read",
        "Reduced isolation",
    ):
        assert said in page
    assert page.count("data:image/png;base64,") == 1


def test_report_hides_what_is_hidden(tmp_path: Path) -> None:
    facts = examples.struggling()
    grade = examples.graded(facts)
    texts = (student_page(grade, facts, tmp_path), junit([grade]), github_annotations([grade]), github_summary([grade]))
    for text in texts:
        assert "secret" not in text
        assert "A hidden check" in text


def test_how_long_a_hidden_check_took_is_hidden_too(tmp_path: Path) -> None:
    """Student code could run longer or shorter to reveal its inputs."""
    pages = []
    for took in (0.1, 70.0):
        facts = examples.struggling()
        stages = {**facts.provenance.stages, "vae.secret": took, "diagnosis": took}
        tests = facts.checks["vae.secret"].tests
        checks = {
            **facts.checks,
            "vae.secret": facts.checks["vae.secret"].model_copy(
                update={"tests": tuple(test.model_copy(update={"seconds": took}) for test in tests)}
            ),
        }
        provenance = facts.provenance.model_copy(update={"stages": stages, "seconds": 40 + took})
        facts = facts.model_copy(update={"provenance": provenance, "checks": checks})
        grade = examples.graded(facts)
        pages.append((student_page(grade, facts, tmp_path), junit([grade])))
    assert pages[0] == pages[1]


def test_report_does_not_show_students_what_broke_on_our_side(tmp_path: Path) -> None:
    facts = examples.struggling()
    assert "the sandbox did not start" not in student_page(examples.graded(facts), facts, tmp_path)
    assert "the sandbox did not start" in index_page([examples.graded(facts)])


def test_report_repeats_no_details_of_a_test_that_serves_two_checks(tmp_path: Path) -> None:
    shared = examples.fact("vae.kld", Outcome.FAILED, "A telling message.")
    facts = examples.facts(shared, shared.model_copy(update={"check": "vae.loss"}))
    page = student_page(examples.graded(facts), facts, tmp_path)
    assert page.count("A telling message.") == 1
    assert "see above" in page


def test_report_says_what_was_not_asked_of_an_answer(tmp_path: Path) -> None:
    asked = examples.fact("vae.kld", Outcome.PASSED)
    facts = examples.facts(asked, examples.fact("vae.loss", Outcome.PASSED, "it takes no ends as arguments"))
    grade = examples.graded(facts)
    page = student_page(grade, facts, tmp_path)
    assert page.count("Not asked here") == 1
    assert "It takes no ends as arguments" in page
    assert [item.message for item in grade.items if item.check == "vae.loss"] == ["it takes no ends as arguments"]
    assert all(item.points == item.possible for item in grade.items if item.check == "vae.loss")


def test_report_shows_a_test_that_asked_something_rather_than_its_twin_that_did_not(tmp_path: Path) -> None:
    idle, asked = (examples.fact("vae.kld", Outcome.PASSED, message) for message in ("nothing to ask", ""))
    facts = examples.facts(idle.model_copy(update={"tests": (*idle.tests, *asked.tests)}))
    assert "Not asked here" not in student_page(examples.graded(facts), facts, tmp_path)


def test_report_shows_a_teachers_comment(tmp_path: Path) -> None:
    facts = examples.facts()
    marks = marked.marks(examples.rubric(), {"1.1-sampling": Mark(points=2, comment="Say <what> z is drawn from.")})
    page = student_page(score(facts, examples.rubric(), marks), facts, tmp_path)
    assert "Say &lt;what&gt; z is drawn from." in page
    assert "Both steps of ancestral sampling" in page  # what the points were for


def test_report_gives_no_answer_away_before_it_is_marked(tmp_path: Path) -> None:
    facts = examples.facts(examples.fact("theory.kl_examples", Outcome.MISSING))
    grade = examples.graded(facts)
    for text in (student_page(grade, facts, tmp_path), junit([grade]), github_summary([grade])):
        assert "ancestral" not in text
        assert "nearly equal" not in text
        assert "Written answer" in text


def test_pages_withstand_hostile_text(tmp_path: Path) -> None:
    facts = _hostile()
    grade = examples.graded(facts)
    twin = grade.model_copy(update={"student": f"{grade.student} again"})
    for page, scripts in ((student_page(grade, facts, tmp_path), 0), (index_page([grade, twin]), 1)):
        tags = _Tags(page)
        assert tags.tags.count("script") == scripts
        assert tags.tags.count("img") == 0
        assert tags.running == []
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", page)
        assert "default-src &#39;none&#39;" in page
        page.encode()


def test_index_and_all_files_are_written(tmp_path: Path) -> None:
    grades = [examples.graded(examples.facts()), examples.graded(examples.struggling()), examples.graded(_hostile())]
    for path in (
        write_index(grades, tmp_path),
        *write_gradebook(grades, examples.rubric(), tmp_path, {}),
        write_junit(grades, tmp_path / "sub" / "junit.xml"),
    ):
        assert path.stat().st_size > 0
    assert "Submissions" in index_page([])


def test_index_counts_totals_in_tenths() -> None:
    grades = [examples.graded(examples.facts()), examples.graded(examples.struggling())]
    page = index_page(grades)
    table = page[page.index("<table") :]
    assert table.index("doejane") < table.index("roejohn")
    assert "Submissions by their share of the settled points: 1 from 20 %, 1 from 90 %." in page
    decided = [grade.model_copy(update={"pending": 0.0, "bonus_pending": 0.0}) for grade in grades]
    assert "Submissions by total: 1 from 10 %, 1 from 90 %." in index_page(decided)
    assert 'href="roejohn/report.html#item-2.3-2"' in page
    assert "skipped part1/data" in page


def test_gradebook_has_a_column_for_each_question() -> None:
    table = rows(
        [examples.graded(examples.struggling()), examples.graded(examples.facts())],
        examples.rubric(),
        {"doejane": "Jane Doe"},
    )
    first, second = list(csv.DictReader(io.StringIO(as_csv(table).removeprefix("\ufeff"))))
    assert [(row["Student"], row["Name"]) for row in (first, second)] == [
        ("doejane", "Jane Doe"),
        ("roejohn", "roejohn"),
    ]
    assert first["1.12 A convolutional VAE (3 bonus)"] == "3"
    assert second["Late"] == "yes"
    sums = ("Settled points", "Penalty", "Possible", "Pending", "Pending bonus")
    assert [second[name] for name in sums] == ["4.17", "0.42", "25", "7", "1"]


def test_what_is_not_decided_is_empty_in_the_gradebook() -> None:
    """A zero, or a sum of what is decided so far, would be published as the student's points."""
    rubric = examples.rubric()
    given = marked.marks(rubric, {entry.id: Mark(points=0) for entry in rubric.entries() if not entry.checks})
    for grade, whole in ((examples.graded(examples.facts()), False), (score(examples.facts(), rubric, given), True)):
        (row,) = csv.DictReader(io.StringIO(as_csv(rows([grade], rubric, {})).removeprefix("\ufeff")))
        assert (row["1.1 Sampling from a latent variable model (3)"] == "0") is whole
        assert (row["1.1 Sampling from a latent variable model (3)"] == "") is not whole
        assert (row["Total"] == f"{grade.total:g}") is whole
        assert (row["Total"] == "") is not whole


def test_the_gradebook_has_a_row_for_each_person() -> None:
    due = datetime(2026, 11, 20, 18)
    roster = read_roster(
        b"id,name,group,extension,free_days\n=1,Jane,Blue,,\n2,Jim,Blue,2,\n3,Kim,,,1\n4,Ada,,,\n",
        Path("r.csv"),
    )
    handed = {name: Handed(name=name, at=due + timedelta(hours=30)) for name in ("Jane", "Kim", "stray")}
    people = people_of(handed, roster.people, due).people
    rubric = Rubric.parse(examples.RUBRIC.replace("penalty: 0.1", "penalty: 0.01, per: hour"), Path("rubric.yaml"))
    grades = [score(examples.facts(student=name), rubric, standing=people.standing(name)) for name in handed]
    table = list(csv.DictReader(io.StringIO(as_csv(rows(grades, rubric, {}, people)).removeprefix("\ufeff"))))
    chosen = (
        "Student",
        "Name",
        "Group",
        "Submission",
        "Status",
        "Late",
        "Late by (hours)",
        "Free days used",
        "Penalty",
    )
    assert [tuple(row[name] for name in chosen) for row in table] == [
        ("2", "Jim", "Blue", "Jane", "graded", "no", "0", "0", "0"),
        ("3", "Kim", "", "Kim", "graded", "yes", "30", "1", "1.44"),  # 6 hours, each a hundredth of 24 points
        ("4", "Ada", "", "", "nothing handed in", "", "", "", ""),
        ("'=1", "Jane", "Blue", "Jane", "graded", "yes", "30", "0", "7.2"),
        ("", "stray", "", "stray", "not in the roster", "yes", "30", "0", "7.2"),
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1, "1 min"),
        (60, "1 min"),
        (61, "2 min"),
        (3_600, "1 h"),
        (12_000, "3 h 20 min"),
        (90_000, "1 day 1 h"),
        (172_800, "2 days"),
        (86_400 + 1_800, "1 day 30 min"),
        (2 * 86_400 + 3 * 3_600 + 1_800, "2 days 3 h"),
    ],
)
def test_lengths_of_time_are_said_in_two_units(seconds: float, said: str) -> None:
    assert length(seconds) == said


@pytest.mark.parametrize("id_", ["00123456", "1e5", "2024-03-05", "=1+1", "TRUE", "1,5", "http://a.example/"])
def test_ids_stay_text_in_the_workbook(id_: str) -> None:
    grade = examples.graded(examples.facts(student=id_))
    book = openpyxl.load_workbook(io.BytesIO(as_workbook(rows([grade], examples.rubric(), {}))))
    headings, row = book.active.iter_rows()
    assert [cell.value for cell in headings][:6] == ["Student", "Name", "Group", "Submission", "Status", "Late"]
    assert (row[0].value, row[0].data_type, row[0].hyperlink) == (id_, "s", None)
    assert row[-2].value == grade.pending
    assert isinstance(row[-2].value, int | float)


@given(st.text())
def test_no_cell_is_a_formula_or_a_second_row(text: str) -> None:
    content = cell(text)
    assert not content.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert len(content.splitlines()) <= 1


def test_junit_counts_and_survives_hostile_text() -> None:
    root = ET.fromstring(junit([examples.graded(examples.struggling()), examples.graded(_hostile())]).encode())
    suite = root[0]
    assert suite.attrib["tests"] == str(len(suite.findall("testcase"))) == "12"
    for tag, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert suite.attrib[attribute] == str(len(suite.findall(f"testcase/{tag}")))
    assert all(len(case) <= 1 for case in root.iter("testcase"))
    properties = {each.attrib["name"]: each.attrib["value"] for each in suite.iter("property")}
    assert (properties["total"], properties["pending"], properties["isolation"]) == ("3.75", "7", "process")
    kinds = {case.attrib["name"].split(":")[0]: case[0].attrib["type"] for case in suite.iter("testcase") if len(case)}
    assert kinds["vae.kld"] == "failed"
    assert kinds["gan.alternation"] == "timeout"
    assert kinds["vae.train_bpd"] == "blocked"
    assert kinds["gan.interpolate"] == "infra"
    assert kinds["1.1-sampling"] == "pending"


@pytest.mark.parametrize(
    "outcomes",
    [
        ("missing", "blocked"),
        ("missing", "missing"),
    ],
)
def test_a_bonus_that_was_not_handed_in_is_left_out(outcomes: tuple[str, str]) -> None:
    question = examples.graded(examples.struggling()).questions[0]

    def left_out(*outcomes: str, bonus: bool = True) -> frozenset[str]:
        items = [
            question.items[0].model_copy(update={"id": f"{place}", "bonus": bonus, "outcome": Outcome(outcome)})
            for place, outcome in enumerate(outcomes)
        ]
        return question.model_copy(update={"items": tuple(items)}).left_out

    assert left_out(*outcomes) == {"0", "1"}
    assert left_out(*outcomes, bonus=False) == set()
    assert left_out(*outcomes, "passed") == set(), "a part of it was handed in"
    assert left_out(*outcomes, "failed") == set()


# The elements and attributes of the schema that Jenkins and pytest ("xunit2") share, as far as we use them.
XUNIT2 = {
    "testsuites": {"name", "time", "tests", "failures", "disabled", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "time", "classname", "group"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
}


def test_junit_keeps_to_its_schema() -> None:
    root = ET.fromstring(junit([examples.graded(examples.struggling()), examples.graded(_hostile())]).encode())
    for element in root.iter():
        assert set(element.attrib) <= XUNIT2[element.tag], element.tag
    for suite in root:
        assert [child.tag for child in suite] == sorted(
            (child.tag for child in suite), key=lambda tag: tag != "properties"
        )
        assert all(float(case.attrib["time"]) >= 0 for case in suite.iter("testcase"))


@pytest.mark.parametrize(
    ("traceback", "code"),
    [
        ('File "part1/utils.py", line 3, in KLD\n    a / 0\nFile "part1/help.py", line 12', ("part1/help.py", 12)),
        ('File "a,b:c%.py", line 4, in f', ("a,b:c%.py", 4)),
        ("no frame", None),
        (None, None),
    ],
)
def test_an_error_leads_to_its_line(traceback: str | None, code: tuple[str, int] | None) -> None:
    raised = examples.fact("vae.kld", Outcome.ERROR, "ZeroDivisionError: division by zero")
    test = raised.tests[0].model_copy(update={"traceback": traceback})
    grade = examples.graded(examples.facts(raised.model_copy(update={"tests": (test,)})))
    (item,) = [item for item in grade.items if item.check == "vae.kld"]
    assert item.code == code
    (line,) = [line for line in github_annotations([grade]).splitlines() if "vae.kld" in line]
    (case,) = [
        case for case in ET.fromstring(junit([grade])).iter("testcase") if case.attrib["name"].startswith("vae.kld")
    ]
    if code is None:
        assert line.startswith("::error title=")
        assert case[0].text is None
        return
    escaped = code[0].replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    assert line.startswith(f"::error file={escaped},line={code[1]},title=")
    assert case[0].text == f"{code[0]}:{code[1]}"
    (secret,) = [public(each) for each in [item.model_copy(update={"hidden": True})]]
    assert secret.code is None


def test_annotations_are_one_line_each_and_never_forged() -> None:
    lines = github_annotations([examples.graded(_hostile())]).splitlines()
    assert all(re.fullmatch(r"::(error|warning|notice) title=[^:,]*::.*", line) for line in lines)
    assert [line.split(" ")[0] for line in lines] == ["::error", "::error", "::warning", "::notice"]
    assert all("##[" not in line for line in lines)


def test_annotations_keep_githubs_limit() -> None:
    failed = [examples.fact(check, Outcome.FAILED, "No.") for check in examples.TITLES]
    grades = [examples.graded(examples.facts(*failed, measures={}, student=f"student{number}")) for number in range(30)]
    rows = github_annotations(grades).splitlines()
    assert sum(row.startswith("::error") for row in rows) <= 10
    assert rows[0].startswith("::error title=")
    assert "30 of 30 submissions" in rows[0]


@given(st.text(), st.text())
def test_a_command_stays_one_command(title: str, message: str) -> None:
    line = command("error", title, message)
    assert len(line.splitlines()) == 1
    assert re.fullmatch(r"::error title=[^:,]*::.*", line)
    line.encode()


def test_summary_is_escaped_and_limited() -> None:
    summary = github_summary([examples.graded(_hostile())])
    assert "<script" not in summary
    assert "<img" not in summary
    many = [examples.graded(examples.struggling())] * 3000
    summary = github_summary(many)
    assert len(summary.encode()) < 1_048_576
    assert len(summary.encode()) > LARGEST_SUMMARY // 2
    assert "This summary is full; " in summary


def test_markdown_is_text() -> None:
    assert markdown("a|b\n*c* <b> @me [x](y) `z`") == r"a\|b \*c\* &lt;b&gt; &#64;me \[x\]\(y\) \`z\`"


# Misconceptions ------------------------------------------------------------------------------------------------------

SENTENCE = examples.LOG_VARIANCE.sentence


def _failed(check: str, message: str = "No.") -> CheckFact:
    return examples.fact(check, Outcome.FAILED, message)


def _named(name: str) -> Named:
    return Named(name=name, sentence=f"You did {name}.")


def _class(*students: list[CheckFact]) -> list[Grade]:
    return [examples.graded(examples.facts(*changed, student=f"student{i}")) for i, changed in enumerate(students)]


def test_report_names_a_misconception_once(tmp_path: Path) -> None:
    facts = examples.struggling()
    page = student_page(examples.graded(facts), facts, tmp_path)
    assert page.count(SENTENCE) == 1
    assert page.index(SEEMS) < page.index(SENTENCE) < page.index("The KL divergence differs from the closed form")
    assert 'the same mistake as <a href="#item-1.9-1">vae.kld</a>' in page
    assert "What was observed" in page
    assert "If your code does not make this mistake" in page


def test_report_without_a_misconception_does_not_speak_of_it(tmp_path: Path) -> None:
    facts = examples.facts(_failed("vae.kld"))
    page = student_page(examples.graded(facts), facts, tmp_path)
    assert SEEMS.rstrip(":") not in page
    assert "What was observed" not in page


def test_one_misconception_is_one_thing_to_mend() -> None:
    named = [examples.explained(_failed(check)) for check in ("vae.kld", "gan.generator")]
    steps = first_steps(examples.graded(examples.facts(*named, _failed("vae.loss"), _failed("gan.alternation"))))
    assert [(step.item.check, step.lost, step.items) for step in steps] == [
        ("vae.kld", 5, 2),
        ("vae.loss", 4, 1),
        ("gan.alternation", 3, 1),
    ]


def test_two_items_that_read_one_check_tell_its_misconception_once(tmp_path: Path) -> None:
    facts = examples.facts(examples.explained(_failed("vae.kld")))
    grade = examples.graded(facts)
    question = next(each for each in grade.questions if each.id == "1.9")
    twice = question.model_copy(
        update={"items": (question.items[0], question.items[0].model_copy(update={"id": "again", "hidden": True}))}
    )
    open_, hidden = parts(grade.model_copy(update={"questions": (twice,)}), facts, tmp_path)[0].questions[0].items
    assert (open_.mistake, open_.told) == (examples.LOG_VARIANCE, None)
    assert (hidden.mistake, hidden.told) == (None, None)
    twice = question.model_copy(
        update={"items": (question.items[0], question.items[0].model_copy(update={"id": "again"}))}
    )
    _, second = parts(grade.model_copy(update={"questions": (twice,)}), facts, tmp_path)[0].questions[0].items
    assert second.told == question.items[0]


def test_a_teacher_who_gives_all_points_has_the_last_word(tmp_path: Path) -> None:
    facts = examples.facts(examples.explained(_failed("vae.kld")))
    for earned, shown in ((2, False), (1, True)):
        marks = marked.marks(examples.rubric(), {"vae.kld": Mark(points=earned, comment="Seen.")})
        grade = score(facts, examples.rubric(), marks)
        texts = student_page(grade, facts, tmp_path), junit([grade]), github_summary([grade])
        assert [SEEMS in text for text in texts] == [shown] * 3


def test_what_is_hidden_keeps_its_misconception_and_its_symptoms() -> None:
    secret = examples.explained(_failed("vae.secret"), examples.SECRET)
    item = public(next(item for item in examples.graded(examples.facts(secret)).items if item.check == "vae.secret"))
    assert (item.misconception, item.symptoms, item.expected, item.got) == (None, {}, None, None)
    secret = examples.unexplained(_failed("vae.secret"), secret=1.0)
    item = next(item for item in examples.graded(examples.facts(secret)).items if item.check == "vae.secret")
    assert item.symptoms
    assert public(item).symptoms == {}


def test_short_reports_name_the_misconception() -> None:
    grade = examples.graded(examples.struggling())
    cases = {case.attrib["name"].split(":")[0]: case for case in ET.fromstring(junit([grade])).iter("testcase")}
    assert cases["vae.kld"][0].attrib["message"] == f"{SEEMS} {SENTENCE}", "and no guess why"
    assert SENTENCE in github_annotations([grade])
    summary = github_summary([grade])
    assert summary.count("You treated") == 1
    assert "The same mistake as in `vae.kld`" in summary
    error = examples.explained(examples.fact("vae.kld", Outcome.ERROR, "TypeError: no"))
    for text in (
        junit([examples.graded(examples.facts(error))]),
        github_annotations([examples.graded(examples.facts(error))]),
    ):
        assert f"{SENTENCE} TypeError: no" in text


def test_annotations_of_a_class_do_not_take_one_for_all() -> None:
    grades = [
        examples.graded(examples.struggling()),
        examples.graded(examples.facts(_failed("vae.kld", "It differs."))),
    ]
    lines = github_annotations(grades)
    assert "2 of 2 submissions" in lines
    assert SENTENCE not in lines


@pytest.mark.parametrize("single", [True, False])
def test_the_terminal_tells_a_student_what_was_recognised(tmp_path: Path, single: bool) -> None:
    graded = Graded(
        Submission("roe", "roe", None, tmp_path), examples.graded(examples.struggling()), tmp_path, tmp_path / "r"
    )
    console = Console(file=io.StringIO(), width=80)
    show_result(console, Result((graded,), tmp_path, single, Tier.SANDBOX, ()))
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert (f"  vae.kld, vae.loss: Not right yet, 6 points\n    {SEEMS} {SENTENCE}" in said) is single
    assert "secret" not in said


def test_index_counts_students_by_misconception() -> None:
    both = [examples.explained(_failed("vae.kld")), examples.explained(_failed("vae.loss"))]
    other = [examples.explained(_failed("gan.generator"), _named("generator.tanh"))]
    grades = _class(other, both, both, [examples.explained(_failed("vae.loss"))], [])
    first, second = misconceptions(grades)
    assert (first.named, first.checks) == (examples.LOG_VARIANCE, ("vae.kld", "vae.loss"))
    assert [case.grade.student for case in first.cases] == ["student1", "student2", "student3"]
    assert [case.item.check for case in first.cases] == ["vae.kld", "vae.kld", "vae.loss"]
    assert [case.grade.student for case in second.cases] == ["student0"]
    page = index_page(grades)
    page = page[page.index("<main") :].replace("<wbr>", "")
    assert page.index("Recognised mistakes") < page.index(SENTENCE) < page.index("You did generator.tanh.")
    assert page.index("You did generator.tanh.") < page.index("Wrong in the same way") < page.index(">Students<")
    assert 'kld.log_std_as_log_variance <span class="quiet">3 of 5</span>' in page
    assert "Seen in vae.kld, vae.loss." in page
    assert 'href="student3/report.html#item-1.9-2"' in page


def test_index_says_when_there_is_nothing_to_say() -> None:
    page = index_page(_class([], []))
    assert "no known misconception explains a failed check" in page
    assert "no two submissions gave the same unexplained wrong answer" in page


def test_index_shows_the_most_frequent_first_and_folds_the_rest() -> None:
    grades = _class(*([examples.explained(_failed("vae.kld"), _named(f"kld.m{i}"))] for i in range(9)))
    page = index_page(grades)
    assert "<summary>4 more</summary>" in page
    assert page.index("kld.m4") < page.index("4 more") < page.index("kld.m5")


def test_submissions_with_the_same_evidence_are_grouped() -> None:
    def student(value: float, message: str = "It differs.", check: str = "vae.kld") -> list[CheckFact]:
        fact = examples.fact(check, Outcome.FAILED, message, expected="1", got=f"{value}")
        return [examples.unexplained(fact, mean=value, first=3.0)]

    named = [examples.explained(_failed("vae.kld"))]
    more = [examples.unexplained(_failed("vae.kld"), mean=1.0, first=3.0, last=2.0)]
    grades = _class(
        student(1.0), student(2.0), student(1.005), more, named, student(9.0), student(0.996), student(2.001), []
    )
    first, second = same_evidence(grades)
    assert [case.grade.student for case in first.cases] == ["student0", "student2", "student6"]
    assert [case.grade.student for case in second.cases] == ["student1", "student7"]
    assert first.checks == second.checks == ("vae.kld",)
    page = index_page(grades).replace("<wbr>", "")
    assert 'vae.kld <span class="quiet">3 of 9</span>' in page
    assert page.count("<dt>Got</dt>") == 2
    assert 'href="student7/report.html#item-1.9-1"' in page
    assert same_evidence(_class(student(1.0), student(1.0, check="vae.loss"))) == ()


def test_checks_that_failed_for_one_reason_are_one_group() -> None:
    def broken(*checks: str) -> list[CheckFact]:
        return [examples.unexplained(_failed(check, "SyntaxError"), raised=0.0) for check in checks]

    grades = _class(broken("vae.kld", "vae.loss"), broken("vae.loss", "vae.kld"), broken("gan.generator"))
    (group,) = same_evidence(grades)
    assert group.checks == ("vae.kld", "vae.loss")
    assert len(group.cases) == 2


def test_a_chain_of_small_steps_is_no_group() -> None:
    grades = _class(*([examples.unexplained(_failed("vae.kld"), mean=0.008 * i)] for i in range(100)))
    for group in same_evidence(grades):
        values = [case.item.symptoms["mean"][0] for case in group.cases]
        assert max(values) - min(values) <= 0.01 + 1e-3


def test_the_order_of_students_changes_no_group() -> None:
    dice = random.Random(0)
    grades = _class(
        *([examples.unexplained(_failed("vae.kld"), a=dice.choice([1, 2, 3]), b=dice.random())] for _ in range(60))
    )

    def members(grades: list[Grade]) -> set[frozenset[str]]:
        return {frozenset(case.grade.student for case in group.cases) for group in same_evidence(grades)}

    found = members(grades)
    assert found
    dice.shuffle(grades)
    assert members(grades) == found


numbers = st.floats() | st.sampled_from([0.0, 1.0, 1e300, -1e300, 1.7e308])


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", HOSTILE]), st.tuples(numbers, numbers)), max_size=6))
def test_any_symptoms_can_be_grouped(all_symptoms: list[dict[str, tuple[float, float]]]) -> None:
    items = [_failed("vae.kld").model_copy(update={"symptoms": symptoms}) for symptoms in all_symptoms]
    grades = _class(*([item] for item in items))
    groups = same_evidence([Grade.model_validate_json(grade.to_json()) for grade in grades])
    students = [case.grade.student for group in groups for case in group.cases]
    assert len(students) == len(set(students))
    assert all(len(group.cases) >= 2 for group in groups)


def test_a_large_class_is_grouped_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All submissions fail the same check, each in another way, which only the last number shows."""
    compared = 0

    def counted(left: float, right: float, tolerance: float) -> bool:
        nonlocal compared
        compared += 1
        return close(left, right, tolerance)

    monkeypatch.setattr("gengrade.report.alike.close", counted)
    same = {f"n{i}": 1.0 for i in range(50)}
    grades = _class(*([examples.unexplained(_failed("vae.kld"), **same, z=float(i))] for i in range(500)))
    assert same_evidence(grades) == ()
    assert compared < 51 * 500


# Texts ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a\r\nb\rc\td", "a\nb\nc\td"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil\x07link\x1b]8;;\x07", "link"),
        ("\x00\x7f\u202e\ud800", REPLACED * 4),
        ("žluť ✓ 数", "žluť ✓ 数"),
    ],
)
def test_plain_text(given: str, shown: str) -> None:
    assert plain(given) == shown


def test_plain_text_is_of_limited_length() -> None:
    assert len(plain("x" * 10_000_000)) < LONGEST + 100


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0"), (-0.0, "0"), (3.0, "3"), (61.5, "61.5"), (0.25, "0.25"), (10, "10")]
)
def test_points_have_no_needless_zeros(value: float, shown: str) -> None:
    assert points(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.04, "0.0 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s")]
)
def test_durations(value: float, shown: str) -> None:
    assert duration(value) == shown


def test_headline() -> None:
    said = headline(examples.graded(examples.facts(), late=True))
    assert (
        said == "21.6 of 25 points, 4 of them bonus, after a deduction of 2.4 for lateness; 5 more are not decided yet."
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the KL divergence is not right", "The KL divergence is not right"),
        ("stopped after 20 s: the limit of this check", "Stopped after 20 s: the limit of this check"),
        ("elbo_to_bpd should give one value", "elbo_to_bpd should give one value"),
        ("z holds NaN", "z holds NaN"),
        ("", ""),
    ],
)
def test_messages_begin_like_sentences(text: str, shown: str) -> None:
    assert sentence(text) == shown
