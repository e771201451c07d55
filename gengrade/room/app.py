"""The room's pages and what they send: routes to a `Room` and to the documents that were handed in."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from gengrade.marks import Event, Mark
from gengrade.report.pages import filters, source
from gengrade.room.access import Access
from gengrade.room.amending import Amending
from gengrade.room.asking import Asking
from gengrade.room.documents import DocumentProblem, Documents, HandedIn, Picture, Place
from gengrade.room.forms import fields as _form
from gengrade.room.forms import only as _one
from gengrade.room.marking import Refused, Room, Saved
from gengrade.room.work import State
from gengrade.rubric import ManualItem
from gengrade.sandbox import InfraError

_WIDTH: Final = 1300  # pixels, of the pictures of pages
_AHEAD: Final = 3  # pages that are rendered before somebody asks for them
_STATIC: Final = {"room.css": "text/css", "room.js": "text/javascript"}
_UNSHOWN: Final = (DocumentProblem, InfraError, OSError)  # why a file is not shown: its own fault, or ours


class Pages:
    """Answers requests for one room."""

    def __init__(self, room: Room, documents: Documents) -> None:
        self._room = room
        self._documents = documents
        self._templates = Environment(
            loader=PackageLoader("gengrade.room"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(filters(), address=partial(quote, safe=""), signed=_signed)
        self._templates.globals.update(State=State, request_id=lambda: secrets.token_urlsafe(12))

    def application(self, access: Access) -> Starlette:
        """Return the application, in which every request passes `access` first."""
        routes = [
            Route("/", self.overview),
            Route("/question/{question}/next", self.next_answer),
            Route("/answer/{question}/{student}", self.answer),
            Route("/comments/{item}", self.comments),
            Route("/mark", self.mark, methods=["POST"]),
            Route("/undo", self.undo, methods=["POST"]),
            Route("/page/{student}/{file:int}/{page:int}/{width:int}", self.page),
            Route("/picture/{student}/{file:int}/{width:int}", self.picture),
            Route("/cell/{student}/{file:int}/{number:int}", self.cell),
            Route("/static/{name}", self.static),
            *Amending(self._room, self._html).routes(),
            *Asking(self._room, self._html).routes(),
        ]
        middleware = [Middleware(BaseHTTPMiddleware, dispatch=access.admit)]
        return Starlette(routes=routes, middleware=middleware)

    def _html(self, template: str, later: BackgroundTask | None = None, **values: Any) -> HTMLResponse:
        text = self._templates.get_template(template).render(room=self._room, **values)
        return HTMLResponse(text, background=later)

    # --- pages -----------------------------------------------------------------------------------------------------

    def overview(self, request: Request) -> Response:
        """Show what there is to mark in the class."""
        return self._html("class.html.j2", questions=self._room.work.overview(self._room.heads()))

    def next_answer(self, request: Request) -> Response:
        """Go to the next answer to a question that needs a person, or back to the class if there is none."""
        question = request.path_params["question"]
        after = request.query_params.get("after")
        student = self._room.work.next_open(question, self._room.marker, self._room.heads(), after)
        target = f"/answer/{quote(question, safe='')}/{quote(student, safe='')}" if student else f"/#{quote(question)}"
        return RedirectResponse(target, HTTPStatus.SEE_OTHER)

    def answer(self, request: Request) -> Response:
        """Show one student's answer to a question, beside the criteria."""
        question = self._room.work.question(request.path_params["question"])
        student = request.path_params["student"]
        entries = self._room.work.entries(student, question.id) if question else ()
        if question is None or not entries:
            return PlainTextResponse("There is no such answer in this class.", HTTPStatus.NOT_FOUND)
        current = self._room.current(student)
        order = self._room.work.order(question.id, self._room.marker)
        place = order.index(student)
        results = {item.id: item for item in self._room.grade(student).items}
        items = [_Shown(entry, current.get(entry.id, ()), results[entry.id]) for entry in entries]
        after = order[place + 1] if place + 1 < len(order) else None
        return self._html(
            "answer.html.j2",
            later=BackgroundTask(self._render_ahead, after, question.id) if after else None,
            question=question,
            student=student,
            items=items,
            files=self._shown_files(student),
            place=self._place(student, question.id),
            number=place + 1,
            of=len(order),
            before=order[place - 1] if place else None,
            after=after,
            width=_WIDTH,
            notes=self._notes(student),
        )

    def _shown_files(self, student: str) -> list[dict[str, Any]]:
        """Return the files that were handed in, with what is shown of each."""
        shown = []
        for file in self._files(student):
            view: dict[str, Any] = {"file": file, "problem": file.note, "text": None, "notebook": None}
            try:
                if file.kind in ("program", "text") and not file.note:
                    view["text"] = self._documents.text(student, file.index)
                elif file.kind == "notebook" and not file.note:
                    view["notebook"] = self._documents.notebook(student, file.index)
            except _UNSHOWN as problem:
                view["problem"] = _sentence(problem)
            shown.append(view)
        return shown

    def _files(self, student: str) -> tuple[HandedIn, ...]:
        try:
            return self._documents.files(student)
        except _UNSHOWN as problem:
            return (HandedIn(0, "Nothing can be shown", "other", None, _sentence(problem), 0),)

    def _notes(self, student: str) -> tuple[str, ...]:
        try:
            return self._documents.notes(student)
        except _UNSHOWN:
            return ()

    def _place(self, student: str, question: str) -> Place | None:
        try:
            return self._documents.place(student, question)
        except _UNSHOWN:
            return None  # the pages say why they cannot be shown

    def warm(self) -> None:
        """Render what the marker is going to see first of each answer, in the order in which answers come."""
        for question in self._room.work.overview(self._room.heads())[:1]:
            for student in self._room.work.order(question.question.id, self._room.marker):
                self._render_ahead(student, question.question.id)

    def _render_ahead(self, student: str, question: str) -> None:
        """Render what the marker will see first of the next answer, so that it is there at once."""
        place = self._place(student, question)
        for file in self._files(student):
            first = place.page if place and place.index == file.index else 0
            pages = range(first, min(first + _AHEAD, file.pages or 0))
            with suppress(*_UNSHOWN):
                self._documents.render_ahead(student, file.index, pages, _WIDTH)

    def comments(self, request: Request) -> Response:
        """Return the comments that were given for an item before."""
        item = request.path_params["item"]
        found = self._room.comments(item) if item in self._room.work.items else []
        return JSONResponse([{"text": text, "number": number, "points": points} for text, number, points in found])

    def static(self, request: Request) -> Response:
        """Return the style or the script."""
        name = request.path_params["name"]
        if name not in _STATIC:
            return PlainTextResponse("There is no such file.", HTTPStatus.NOT_FOUND)
        assert self._templates.loader is not None
        text = self._templates.loader.get_source(self._templates, f"{name}.j2")[0]
        if name == "room.css":
            text = source("style.css") + text  # the same look as the reports
        return Response(text, media_type=_STATIC[name])

    # --- pictures --------------------------------------------------------------------------------------------------

    def page(self, request: Request) -> Response:
        """Return a page of a PDF as a picture."""
        where = request.path_params
        student, file, page, width = where["student"], where["file"], where["page"], where["width"]
        if width != _WIDTH or student not in self._room.work.students:
            return PlainTextResponse("There is no such page.", HTTPStatus.NOT_FOUND)
        return self._picture(lambda: self._documents.page(student, file, page, width))

    def picture(self, request: Request) -> Response:
        """Return a picture that was handed in, encoded anew."""
        student, file, width = (request.path_params[name] for name in ("student", "file", "width"))
        if width != _WIDTH or student not in self._room.work.students:
            return PlainTextResponse("There is no such picture.", HTTPStatus.NOT_FOUND)
        return self._picture(lambda: self._documents.picture(student, file, width))

    def cell(self, request: Request) -> Response:
        """Return a picture that a notebook's cell showed."""
        where = request.path_params
        if where["student"] not in self._room.work.students:
            return PlainTextResponse("There is no such picture.", HTTPStatus.NOT_FOUND)
        return self._picture(lambda: self._documents.cell_picture(where["student"], where["file"], where["number"]))

    @staticmethod
    def _picture(load: Callable[[], Picture]) -> Response:
        try:
            return Response(load().png, media_type="image/png")
        except _UNSHOWN as problem:
            return PlainTextResponse(_sentence(problem), HTTPStatus.UNPROCESSABLE_ENTITY)

    # --- changes ---------------------------------------------------------------------------------------------------

    async def mark(self, request: Request) -> Response:
        """Store a mark, and say what the item's marks are now."""
        form = await _form(request)
        return await run_in_threadpool(self._marked, form, _wants_json(request))

    def _marked(self, form: Mapping[str, list[str]], wants_json: bool) -> Response:
        try:
            student, item = _one(form, "student"), _one(form, "item")
            mark = _mark(form)
            seen = [int(id_) for id_ in _one(form, "seen", "").split()]
            saved = self._room.mark(student, item, mark, seen, _one(form, "request"), _one(form, "wording", ""))
        except ValueError as problem:  # Refused is one
            return _refusal(problem)
        return self._answer_to_change(saved, item, form, wants_json)

    async def undo(self, request: Request) -> Response:
        """Take back the last change of an item."""
        form = await _form(request)
        return await run_in_threadpool(self._undone, form, _wants_json(request))

    def _undone(self, form: Mapping[str, list[str]], wants_json: bool) -> Response:
        try:
            item = _one(form, "item")
            saved = self._room.undo(_one(form, "student"), item)
        except ValueError as problem:
            return _refusal(problem)
        return self._answer_to_change(saved, item, form, wants_json)

    def _answer_to_change(self, saved: Saved, item: str, form: Mapping[str, list[str]], wants_json: bool) -> Response:
        later = BackgroundTask(self._room.refresh)
        if wants_json:
            told = {"heads": [_told(event) for event in saved.heads], "state": saved.state}
            return JSONResponse(told, background=later)
        question = self._room.work.items[item].question.id
        target = f"/answer/{quote(question, safe='')}/{quote(_one(form, 'student'), safe='')}"
        return RedirectResponse(target, HTTPStatus.SEE_OTHER, background=later)


class _Shown:
    """An item on the marking page."""

    def __init__(self, entry: Any, heads: tuple[Event, ...], result: Any) -> None:
        self.entry = entry
        self.item = entry.item
        self.heads = heads
        self.result = result  # the machine's
        only = heads[0] if len(heads) == 1 else None
        self.mark = only.mark if only else None
        self.earlier = only.wording if only and self.mark and only.wording != entry.wording else None
        self.conflict = heads if len(heads) > 1 else ()
        self.criteria = entry.item.criteria if isinstance(entry.item, ManualItem) else ()
        self.seen = " ".join(str(event.id) for event in heads)


def _told(event: Event) -> dict[str, Any]:
    mark = event.mark
    return {
        "id": event.id,
        "by": event.by,
        "points": mark.points if mark else None,
        "criteria": mark.criteria if mark else None,
        "comment": mark.comment if mark else "",
        "withdrawn": mark is None,
    }


def _mark(form: Mapping[str, list[str]]) -> Mark | None:
    """Return the mark in a request; None if it says nothing, which withdraws the mark. Raises Refused."""
    points, comment = _one(form, "points", "").strip(), _one(form, "comment", "").replace("\r\n", "\n").strip()
    # Without a script, a form cannot tell that no criterion is met from that nobody has looked at them.
    met = tuple(form.get("criteria", ())) if "judged" in form or "criteria" in form else None
    try:
        number = float(points) if points else None
    except ValueError:
        hint = f": write {points.replace(',', '.')}" if "," in points else ""
        raise Refused(f"“{points}” is not a number of points{hint}") from None
    if number is not None and not (0 <= number < float("inf") and round(number, 2) == number):
        raise Refused(f"“{points}” are not points: give at least 0, with at most two decimals")
    mark = Mark(points=number, criteria=met, comment=comment)
    return None if mark == Mark() else mark


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def _refusal(problem: ValueError) -> Response:
    text = str(problem) if isinstance(problem, Refused) else "the request cannot be understood"
    return JSONResponse({"problem": text}, HTTPStatus.UNPROCESSABLE_ENTITY)


def _sentence(problem: Exception) -> str:
    """Return why a file is not shown."""
    if isinstance(problem, DocumentProblem):
        return problem.sentence
    return f"Something went wrong on our side, so this cannot be shown: {problem}"


def _signed(points: float) -> str:
    """Return what a criterion adds or takes."""
    return f"{'+' if points > 0 else '−'}{abs(points):g}"
