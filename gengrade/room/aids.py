"""What helps a marker beside the answer itself: near answers, shared passages, programs with the machine's facts.

`Pages` asks for all of it in one call, and adds these routes. Nothing here changes a mark.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from gengrade.course import NoSuchCourse, chosen
from gengrade.documents import DocumentError
from gengrade.facts import Facts
from gengrade.grade import ItemKind, score
from gengrade.job.facts_file import facts_in
from gengrade.parts import Part
from gengrade.places import PlaceError
from gengrade.report import view
from gengrade.report.view import ItemView
from gengrade.room.access import marker_of
from gengrade.room.comparing import Comparisons
from gengrade.room.documents import DocumentProblem, Documents, Place, Program
from gengrade.room.forms import fields, firsts
from gengrade.room.handing import Role
from gengrade.room.marking import Room
from gengrade.room.passages import Passage
from gengrade.room.programs import lines_that_matter, listing, of_part
from gengrade.room.work import State
from gengrade.rubric import Question, Rubric
from gengrade.sandbox import InfraError

_MOST_NEAR: Final = 3
_MOST_LISTED: Final = 1_000_000  # characters of all programs on a page; others are shown cut
_COOKIE: Final = "gengrade_order"
_YEAR: Final = 366 * 24 * 3600  # seconds
_SIMILAR: Final = "similar"
_CAUSED: Final = ("message", "expected", "got", "traceback", "output")  # texts of a test that code may have caused
_URI: Final = "data:image/png;base64,"


@dataclass(frozen=True, slots=True)
class MarkedItem:
    """What another answer got for an item: its title, points, the texts of the criteria that are met, the comment."""

    title: str
    points: float | None
    possible: float
    met: tuple[str, ...]
    comment: str


@dataclass(frozen=True, slots=True)
class MarkedAnswer:
    """A near answer that is marked."""

    student: str
    similarity: float
    items: tuple[MarkedItem, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """Who looks at an answer, and what they do with it."""

    marker: str
    role: Role


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown beside an answer.

    may_open: the students named here whose answers the marker may open.
    begins: the id of the page, file or line at which the answer begins, or "".
    at: the height on it, as a fraction.
    """

    near: tuple[MarkedAnswer, ...]
    passages: tuple[Passage, ...]
    may_open: frozenset[str]
    machine: tuple[ItemView, ...]
    begins: str
    at: float


class Aids:
    """The aids of one room."""

    def __init__(self, room: Room, documents: Documents) -> None:
        self._room = room
        self._documents = documents
        students = room.work.students
        people = [
            question.id
            for question in room.graded.rubric.questions()
            if any(room.work.entries(student, question.id) for student in students)
        ]
        self._parts = _parts(room.graded.rubric)
        self.comparisons = Comparisons(documents, students, room.graded.rubric, people)

    def routes(self) -> list[Route]:
        """Return the routes of the aids."""
        return [
            Route("/place", self.correct, methods=["POST"]),
            Route("/order", self.choose_order, methods=["POST"]),
            Route("/figure/{question}/{student}/{number:int}", self.figure),
        ]

    def order(self, request: Request, question: str, students: Sequence[str]) -> tuple[str, ...]:
        """Return the students in the order that this browser's marker has chosen. `students`: in their usual order."""
        return self.comparisons.order(question, students) if self.similar(request) else tuple(students)

    @staticmethod
    def similar(request: Request) -> bool:
        """Return whether the marker wants similar answers one after the other."""
        return request.cookies.get(_cookie(request)) == _SIMILAR

    def shown(
        self,
        seen: Seen,
        question: Question,
        student: str,
        files: Sequence[dict[str, Any]],
        place: Place | None,
        *,
        automatic: bool,
    ) -> Shown:
        """Return what is shown beside an answer, and give each program among the files its `listing`.

        seen: who looks at it.
        files: what is shown of each file, with its `program` if it is one.
        place: where the answer begins, if that is known.
        automatic: whether one of the items to mark is a check's, so that its program matters more than the place.
        """
        self.comparisons.notice(student)
        checks = list(dict.fromkeys(check for entry in self._entries(question.id) for check in entry.checks))
        facts = self._facts(student) if checks else None
        self._hide(files, student)
        first_line = _list_programs(files, checks, facts, self._parts)
        begins, at = "", 0.0
        if place is not None:
            page = any(each["file"].index == place.index and each["file"].pages is not None for each in files)
            begins, at = f"page-{place.index}-{place.page}" if page else f"file-{place.index}", place.y
        if first_line and (automatic or not begins):
            begins, at = first_line, 0.0
        passages = tuple(
            replace(each, quoted=self._room.names.hidden(each.quoted, student))
            for each in self.comparisons.passages(question.id, student)
        )
        may_open = frozenset(
            each.other
            for each in passages
            if self._room.handing.may_see(seen.marker, question.id, each.other, self._room.heads(each.other))
        )
        machine = self._machine(question.id, student, facts) if facts else ()
        return Shown(self._near(seen, question.id, student), passages, may_open, machine, begins, at)

    def _hide(self, files: Sequence[dict[str, Any]], student: str) -> None:
        """Hide names in programs; blocks in their place leave all colours where they are."""
        for each in files:
            if each.get("program") is not None:
                text = self._room.names.hidden(each["program"].text, student)
                each["program"] = replace(each["program"], text=text)

    def _entries(self, question: str) -> list[Any]:
        return [entry for entry in self._room.graded.rubric.entries() if entry.question.id == question]

    # --- near answers ----------------------------------------------------------------------------------------------

    def _near(self, seen: Seen, question: str, student: str) -> tuple[MarkedAnswer, ...]:
        """Return the nearest answers that are marked and that the marker may open.

        Whoever gives a second mark is shown only answers that they marked themselves.
        """
        found: list[MarkedAnswer] = []
        work, handing = self._room.work, self._room.handing
        for near in self.comparisons.near(question, student):
            heads = self._room.heads(near.student)
            current = [heads.get((near.student, entry.id), ()) for entry in work.entries(near.student, question)]
            firsts = {head.by for some in current for head in some if head.settles and not head.second}
            if not firsts or (seen.role is Role.SECOND and firsts != {seen.marker}):
                continue
            if not handing.may_see(seen.marker, question, near.student, heads):
                continue
            if handing.role(seen.marker, question, near.student, heads) is Role.SECOND:
                continue  # its first mark is hidden from this marker
            items = self._marked_items(question, near.student)
            if items:
                found.append(MarkedAnswer(near.student, near.similarity, items))
            if len(found) == _MOST_NEAR:
                break
        return tuple(found)

    def _marked_items(self, question: str, student: str) -> tuple[MarkedItem, ...]:
        """Return what an answer got, or () while it is not marked."""
        current = self._room.current(student)
        state = {(student, item): [event.head for event in events] for item, events in current.items()}
        if self._room.work.state(student, question, state) is not State.MARKED:
            return ()
        found = []
        for entry in self._room.work.entries(student, question):
            mark = next((event.mark for event in current.get(entry.id, ()) if event.mark), None)
            if mark is None:
                continue
            criteria = getattr(entry.item, "criteria", ())
            met = tuple(each.text for each in criteria if each.id in (mark.criteria or ()))
            title = entry.item.title or entry.id
            comment = self._room.names.hidden(mark.comment, student)
            found.append(MarkedItem(title, mark.points, entry.item.points, met, comment))
        return tuple(found)

    # --- the machine's facts ---------------------------------------------------------------------------------------

    def _facts(self, student: str) -> Facts | None:
        graded = self._room.graded
        facts = facts_in(graded.out / student, student, graded.seal)
        return facts if facts is None or not self._room.names.blind else self._nameless(facts, student)

    def _nameless(self, facts: Facts, student: str) -> Facts:
        """Return facts with names hidden in every text that the student's code may have caused."""

        def hidden(text: str | None) -> str | None:
            return None if text is None else self._room.names.hidden(text, student)

        checks = {}
        for name, fact in facts.checks.items():
            tests = [
                test.model_copy(update={key: hidden(getattr(test, key)) for key in _CAUSED}) for test in fact.tests
            ]
            checks[name] = fact.model_copy(update={"tests": tuple(tests)})
        return facts.model_copy(update={"checks": checks})

    def _machine(self, question: str, student: str, facts: Facts) -> tuple[ItemView, ...]:
        """Return the automatic items of a question as the report shows them, with addresses of their figures."""
        found, number = [], 0
        for item in self._views(question, student, facts):
            pictures = []
            for picture in item.pictures:
                shown = quote(self._room.names.shown(student), safe="")
                address = f"/figure/{quote(question, safe='')}/{shown}/{number}"
                pictures.append(replace(picture, uri=address if picture.uri else None))
                number += 1
            found.append(replace(item, pictures=tuple(pictures)))
        return tuple(found)

    def _views(self, question: str, student: str, facts: Facts) -> list[ItemView]:
        """Return the automatic items of a question by the facts alone, without marks."""
        grade = score(facts, self._room.graded.rubric)
        graded = next(each for each in grade.questions if each.id == question)
        shown = view.question(graded, facts, self._room.graded.out / student)
        return [item for item in shown.items if item.grade.kind is not ItemKind.MANUAL]

    def figure(self, request: Request) -> Response:
        """Return a figure that a check drew, by its number among those of the question."""
        question, number = request.path_params["question"], request.path_params["number"]
        student = self._asked(request, question, request.path_params["student"])
        facts = self._facts(student) if student else None
        pictures = []
        if student and facts:
            pictures = [each for item in self._views(question, student, facts) for each in item.pictures]
        uri = pictures[number].uri if number < len(pictures) else None
        if uri is None:
            return PlainTextResponse("There is no such figure.", HTTPStatus.NOT_FOUND)
        return Response(base64.b64decode(uri.removeprefix(_URI)), media_type="image/png")

    # --- changes ---------------------------------------------------------------------------------------------------

    async def choose_order(self, request: Request) -> Response:
        """Remember in the marker's browser in which order answers come."""
        form = firsts(await fields(request))
        value = _SIMILAR if form.get("order") == _SIMILAR else "own"
        script = "application/json" in request.headers.get("accept", "")
        response = JSONResponse({"order": value}) if script else RedirectResponse("/", HTTPStatus.SEE_OTHER)
        secure = request.url.scheme == "https"
        name = _cookie(request)
        response.set_cookie(name, value, max_age=_YEAR, httponly=True, samesite="strict", path="/", secure=secure)
        return response

    async def correct(self, request: Request) -> Response:
        """Remember where a question is answered."""
        return await run_in_threadpool(self._corrected, request, firsts(await fields(request)))

    def _asked(self, request: Request, question: str, shown: str) -> str | None:
        """Return the student whose answer a request is about; None if the marker may not see it."""
        student = self._room.names.student(shown)
        if student is None or not self._room.work.entries(student, question):
            return None
        heads = self._room.heads(student)
        return student if self._room.handing.may_see(marker_of(request), question, student, heads) else None

    def _corrected(self, request: Request, form: Mapping[str, str]) -> Response:
        question = form.get("question", "")
        student = self._asked(request, question, form.get("student", ""))
        problem = ""
        try:
            place = Place(int(form.get("file", "")), int(form.get("page", "")), float(form.get("y", "")))
            if student is None:
                raise DocumentProblem("There is no such answer in this class.")
            self._documents.correct(student, question, place)
            self.comparisons.read_again(student)
        except DocumentProblem as error:
            problem = error.sentence
        except (InfraError, OSError, PlaceError) as error:
            problem = f"Something went wrong on our side: {error}"
        except ValueError:
            problem = "the request cannot be understood"
        if problem:
            return JSONResponse({"problem": problem}, HTTPStatus.UNPROCESSABLE_ENTITY)
        return JSONResponse({"place": [place.index, place.page, place.y]})


def _parts(rubric: Rubric) -> Mapping[str, Part]:
    """Return the parts of the rubric's course; none if the course is not there any more."""
    try:
        return chosen(None, rubric.path)[0].parts
    except (DocumentError, NoSuchCourse, OSError):
        return {}


def _list_programs(
    files: Sequence[dict[str, Any]], checks: Sequence[str], facts: Facts | None, parts: Mapping[str, Part]
) -> str:
    """Give each program its `listing`, and return the id of the first line or file that matters, or ""."""
    known = [facts.checks[check] for check in checks if check in facts.checks] if facts else []
    first, file, left = "", "", _MOST_LISTED
    for each in files:
        program: Program | None = each.get("program")
        each["listing"], each["matters"] = None, False
        if program is None:
            continue
        left -= len(program.text)
        if left < 0:
            each["text"] = program.text
            continue
        marked = lines_that_matter(program, each["file"].name, known)
        asked = of_part(each["file"].name, checks, parts)
        each["listing"], each["matters"] = listing(program, each["file"].index, marked), bool(marked) or asked
        if marked and not first:
            first = f"line-{each['file'].index}-{min(marked)}"
        if asked and not file:
            file = f"file-{each['file'].index}"
    return first or file


def _cookie(request: Request) -> str:
    """Return the name of the cookie: servers on other ports of this machine get each other's."""
    return f"{_COOKIE}_{request.url.port}"
