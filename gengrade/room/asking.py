"""The room's pages on which students' questions about their marks are entered and answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gengrade.marks.questions import QuestionError, answer, ask, found, withdraw
from gengrade.room.amending import Render
from gengrade.room.forms import fields, only
from gengrade.room.marking import SOURCE, Refused, Room

Form = Mapping[str, list[str]]


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

    @staticmethod
    def _marker(room: Room, request: Request) -> str:
        """Return who sent a request."""
        return room.marker

    async def _sent(self, request: Request, act: Callable[[Form, str], tuple[str, str]]) -> Response:
        """Answer a form: `act` is given its fields and who sent it, and returns the student and the item."""
        marker, form = self._marker(self._room, request), {}
        try:
            form = await fields(request)
            student, item = await run_in_threadpool(act, form, marker)
        except (Refused, QuestionError) as problem:
            return self._refused(str(problem), form)
        except ValueError:
            return self._refused("the request cannot be understood", form)
        self._room.changed([student])
        later = BackgroundTask(self._room.refresh)
        return RedirectResponse(self._place(student, item), HTTPStatus.SEE_OTHER, background=later)

    def _ask(self, form: Form, marker: str) -> tuple[str, str]:
        student, item, text, request = (only(form, name) for name in ("student", "item", "question", "request"))
        if student not in self._room.work.students or item not in self._room.work.items:
            raise Refused("there is no such student or item in this class")
        points = self._points(student, item)
        with self._room.stored() as store:
            ask(store, student, item, text, points, by=marker, source=SOURCE, request=request)
        return student, item

    def _answer(self, form: Form, marker: str) -> tuple[str, str]:
        number, text, request = int(only(form, "number")), only(form, "answer"), only(form, "request")
        with self._room.stored() as store:
            asked = found(store, number)
        points = self._points(asked.student, asked.item)
        with self._room.stored() as store:
            answer(store, number, text, points, by=marker, source=SOURCE, request=request)
        return asked.student, asked.item

    def _withdraw(self, form: Form, marker: str) -> tuple[str, str]:
        with self._room.stored() as store:
            asked = found(store, int(only(form, "number")))
            withdraw(store, asked.id, by=marker, source=SOURCE)
        return asked.student, asked.item

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
        return f"/answer/{quote(entry.question.id, safe='')}/{quote(student, safe='')}"

    def _refused(self, problem: str, form: Form) -> Response:
        sent = {name: values[0] for name, values in form.items()}
        response = self._render("refused.html.j2", problem=problem, sent=sent, back="/questions")
        response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
        return response

    def questions(self, request: Request) -> Response:
        """List the students' questions, those that nobody has answered first."""
        asked = sorted(self._room.questions(), key=lambda each: (each.answer is not None, each.id))
        return self._render("questions.html.j2", asked=[(each, self._place(each.student, each.item)) for each in asked])
