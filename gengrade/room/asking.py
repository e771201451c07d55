"""The room's pages on which students' questions about their marks are entered and answered."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gengrade.marks.model import Asked
from gengrade.marks.questions import QuestionError, answer, ask, found, withdraw
from gengrade.room.access import marker_of
from gengrade.room.forms import Form, Render, answer_at, fields, firsts, only, refused
from gengrade.room.handing import Role
from gengrade.room.marking import SOURCE, Refused, Room


class Asking:
    """Answers the requests of these pages for one room."""

    def __init__(self, room: Room, render: Render) -> None:
        self._room = room
        self._render = render

    def routes(self) -> list[Route]:
        """Return the routes of these pages."""
        return [
            Route("/questions", self.questions),
            Route("/questions/ask", partial(self._sent, act=self._ask), methods=["POST"]),
            Route("/questions/answer", partial(self._sent, act=self._answer), methods=["POST"]),
            Route("/questions/withdraw", partial(self._sent, act=self._withdraw), methods=["POST"]),
        ]

    def open_for(self, marker: str) -> int:
        """Return how many questions nobody has answered yet, of those that this marker may read."""
        waiting = [each for each in self._room.questions() if each.answer is None]
        return sum(self._may_read(marker, each.student, each.item) for each in waiting)

    async def _sent(self, request: Request, act: Callable[[Form, str], tuple[str, str]]) -> Response:
        """Answer a form: `act` is given its fields and who sent it, and returns the student and the item."""
        marker, form = marker_of(request), {}
        try:
            form = await fields(request)
            student, item = await run_in_threadpool(act, form, marker)
        except (Refused, QuestionError) as problem:
            return self._refused(str(problem), form, marker)
        except ValueError:
            return self._refused("the request cannot be understood", form, marker)
        self._room.changed([student])
        later = BackgroundTask(self._room.refresh)
        return RedirectResponse(self._place(student, item), HTTPStatus.SEE_OTHER, background=later)

    def _ask(self, form: Form, marker: str) -> tuple[str, str]:
        shown, item, text, request = (only(form, name) for name in ("student", "item", "question", "request"))
        student = self._room.names.student(shown)
        if student is None or not self._may_read(marker, student, item):
            raise Refused("there is no such student or item in this class, or it is another marker's")
        points = self._points(student, item)
        with self._room.stored() as store:
            ask(store, student, item, text, points, by=marker, source=SOURCE, request=request)
        return student, item

    def _answer(self, form: Form, marker: str) -> tuple[str, str]:
        number, text, request = int(only(form, "number")), only(form, "answer"), only(form, "request")
        asked = self._found(number, marker)
        points = self._points(asked.student, asked.item)
        with self._room.stored() as store:
            answer(store, number, text, points, by=marker, source=SOURCE, request=request)
        return asked.student, asked.item

    def _withdraw(self, form: Form, marker: str) -> tuple[str, str]:
        asked = self._found(int(only(form, "number")), marker)
        with self._room.stored() as store:
            withdraw(store, asked.id, by=marker, source=SOURCE)
        return asked.student, asked.item

    def _found(self, number: int, marker: str) -> Asked:
        """Return a question that this marker may read. Raises Refused and QuestionError."""
        with self._room.stored() as store:
            asked = found(store, number)
        if not self._may_read(marker, asked.student, asked.item):
            raise Refused("this question is about another marker's answer")
        return asked

    def _may_read(self, marker: str, student: str, item: str) -> bool:
        """Return whether a marker may read what a student asked: it tells points, which second markers must not see."""
        entry = self._room.work.items.get(item)
        if student not in self._room.work.students or entry is None:
            return entry is not None and marker == self._room.handing.plan.markers[0]
        heads, handing = self._room.heads(student), self._room.handing
        question = entry.question.id
        may = handing.may_see(marker, question, student, heads)
        return may and handing.role(marker, question, student, heads) is Role.FIRST

    def _points(self, student: str, item: str) -> float | None:
        """Return the points that a student has for an item now; None while they are pending."""
        self._room.refresh()  # the last mark may have been saved a moment ago
        if student not in self._room.work.students:
            return None
        result = next((each for each in self._room.grade(student).items if each.id == item), None)
        return None if result is None or result.pending else result.points

    def _place(self, student: str, item: str) -> str:
        """Return the address of the answer that a question is about; that of all questions if there is none."""
        entry = self._room.work.items.get(item)
        if entry is None or student not in self._room.work.students:
            return "/questions"
        return answer_at(entry.question.id, self._room.names.shown(student))

    def _refused(self, problem: str, form: Form, marker: str) -> Response:
        return refused(self._render, problem, firsts(form), "/questions", marker)

    def questions(self, request: Request) -> Response:
        """List the students' questions, those that nobody has answered first."""
        marker = marker_of(request)
        mine = [each for each in self._room.questions() if self._may_read(marker, each.student, each.item)]
        asked = sorted(mine, key=lambda each: (each.answer is not None, each.id))
        return self._render(
            "questions.html.j2",
            marker,
            asked=[(each, self._place(each.student, each.item), self._named(each.student)) for each in asked],
        )

    def _named(self, student: str) -> str:
        return self._room.names.shown(student) if student in self._room.work.students else "not in this class"
