"""The room's pages and what they send: routes to a `Room` and to the documents that were handed in."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from gengrade.marks import Event, Mark
from gengrade.report.pages import filters
from gengrade.report.text import SEEMS
from gengrade.room.access import Access, marker_of
from gengrade.room.agreement import Agreement
from gengrade.room.aids import Aids, Seen
from gengrade.room.amending import Amending
from gengrade.room.asking import Asking
from gengrade.room.documents import DocumentProblem, Documents, HandedIn, Picture, Place
from gengrade.room.forms import answer_at, number, refused
from gengrade.room.forms import fields as _form
from gengrade.room.forms import only as _one
from gengrade.room.handing import MarkerNameError, Role, marker_name
from gengrade.room.marking import Refused, Room, Saved
from gengrade.room.naming import HIDDEN
from gengrade.room.static import Static
from gengrade.room.work import State, Work
from gengrade.rubric import ManualItem
from gengrade.sandbox import InfraError

_WIDTH: Final = 1300  # pixels, of the pictures of pages
_AHEAD: Final = 3  # pages that are rendered before somebody asks for them
_PAINTING_SECONDS: Final = 0.3  # within which a browser paints a page
_ANOTHERS: Final = "this answer is another marker's"
_UNSHOWN: Final = (DocumentProblem, InfraError, OSError)  # why a file is not shown: its own fault, or ours


class Pages:
    """Answers requests for one room."""

    def __init__(self, room: Room, documents: Documents, invite: Callable[[str], str]) -> None:
        """Create the pages.

        invite: returns the address by which a person of that name enters.
        """
        self._room = room
        self._documents = documents
        self._invite = invite
        self.aids = Aids(room, documents)
        self._asking = Asking(room, self._html)
        self._templates = Environment(
            loader=ChoiceLoader([PackageLoader("gengrade.room"), PackageLoader("gengrade.report")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(
            filters(), address=partial(quote, safe=""), signed=_signed, shown=room.names.shown
        )
        self._templates.filters.update(hidden=room.names.hidden)
        self.static = Static(self._templates)
        self._templates.globals.update(
            State=State, request_id=lambda: secrets.token_urlsafe(12), seems=SEEMS, static=self.static.address
        )

    def application(self, access: Access) -> Starlette:
        """Return the application, in which every request passes `access` first."""
        routes = [
            Route("/", self.overview),
            Route("/question/{question}/next", self.next_answer),
            Route("/answer/{question}/{student}", self.answer),
            Route("/comments/{item}", self.comments),
            Route("/agreement", self.agreement),
            Route("/invite", self.invite, methods=["POST"]),
            Route("/mark", self.mark, methods=["POST"]),
            Route("/undo", self.undo, methods=["POST"]),
            Route("/page/{student}/{file:int}/{page:int}/{width:int}", self.page),
            Route("/picture/{student}/{file:int}/{width:int}", self.picture),
            Route("/cell/{student}/{file:int}/{number:int}", self.cell),
            self.static.route(),
            *Amending(self._room, self._html).routes(),
            *self._asking.routes(),
            *self.aids.routes(),
        ]
        middleware = [Middleware(BaseHTTPMiddleware, dispatch=access.admit)]
        return Starlette(routes=routes, middleware=middleware)

    def _html(self, template: str, marker: str, later: BackgroundTask | None = None, **values: Any) -> HTMLResponse:
        text = self._templates.get_template(template).render(room=self._room, marker=marker, **values)
        return HTMLResponse(text, background=later)

    # --- pages -----------------------------------------------------------------------------------------------------

    def overview(self, request: Request) -> Response:
        """Show what there is to mark in the class, to somebody who has no answer open any more."""
        self._room.handing.leave(marker_of(request))
        return self._overview(request)

    def _overview(self, request: Request, invited: str = "", address: str = "") -> Response:
        heads, handing, marker = self._room.heads(), self._room.handing, marker_of(request)
        return self._html(
            "class.html.j2",
            marker,
            questions=self._room.work.overview(heads),
            asked=self._asking.open_for(marker),
            shares=handing.shares(marker, heads),
            plan=handing.plan,
            invited=invited,
            address=address,
            similar=self.aids.similar(request),
        )

    async def invite(self, request: Request) -> Response:
        """Show the person who opened the room an address for one more marker."""
        form = await _form(request)
        if marker_of(request) != self._room.handing.plan.markers[0]:
            return PlainTextResponse("Only the person who opened the room invites others.", HTTPStatus.FORBIDDEN)
        try:
            name = marker_name(form.get("name", [""])[0], self._room.handing.plan.markers)
        except MarkerNameError as problem:
            return refused(self._html, str(problem), {}, "/", marker_of(request))
        self._room.handing.join(name)
        return await run_in_threadpool(self._overview, request, name, self._invite(name))

    def agreement(self, request: Request) -> Response:
        """Show how well first and second marks agree."""
        found = Agreement.of(self._room.twice_marked(), self._room.work.items)
        return self._html("agreement.html.j2", marker_of(request), agreement=found, plan=self._room.handing.plan)

    def next_answer(self, request: Request) -> Response:
        """Go to the next answer to a question that needs a person, or back to the class if there is none."""
        question, marker = request.path_params["question"], marker_of(request)
        after = self._room.names.student(request.query_params.get("after", ""))
        order = self.aids.order(request, question, self._room.work.order(question, marker))
        student = self._room.handing.next(question, marker, self._room.heads(), after, order)
        target = self._answer_path(question, student) if student else f"/#{quote(question)}"
        return RedirectResponse(target, HTTPStatus.SEE_OTHER)

    def _answer_path(self, question: str, student: str) -> str:
        return answer_at(question, self._room.names.shown(student))

    def answer(self, request: Request) -> Response:
        """Show one student's answer to a question, beside the criteria."""
        question = self._room.work.question(request.path_params["question"])
        student = self._room.names.student(request.path_params["student"])
        entries = self._room.work.entries(student, question.id) if question and student else ()
        if question is None or student is None or not entries:
            return PlainTextResponse("There is no such answer in this class.", HTTPStatus.NOT_FOUND)
        marker, heads, handing = marker_of(request), self._room.heads(student), self._room.handing
        if not handing.may_see(marker, question.id, student, heads):
            return PlainTextResponse(_ANOTHERS, HTTPStatus.FORBIDDEN)
        role = handing.role(marker, question.id, student, heads)
        marks = self._room.marks(student)
        current = self._room.seconds(student, marker) if role is Role.SECOND else marks.items
        standing = (lambda item: current.get(item, ())) if role is Role.SECOND else marks.standing
        order = self.aids.order(request, question.id, self._room.work.order(question.id, marker))
        place = order.index(student)
        files, begins = self._shown_files(student), self._place(student, question.id)
        automatic = any(not isinstance(entry.item, ManualItem) for entry in entries)
        results = {item.id: item for item in self._room.grade(student).items}
        items = [
            _Shown(entry, current.get(entry.id, ()), standing(entry.id), results[entry.id], self._room.work)
            for entry in entries
        ]
        after = order[place + 1] if place + 1 < len(order) else None
        return self._html(
            "answer.html.j2",
            marker,
            later=BackgroundTask(self._after_painting, after, question.id) if after else None,
            question=question,
            student=student,
            items=items,
            files=files,
            place=begins,
            aids=self.aids.shown(Seen(marker, role), question, student, files, begins, automatic=automatic),
            similar=self.aids.similar(request),
            number=place + 1,
            of=len(order),
            before=order[place - 1] if place else None,
            after=after,
            width=_WIDTH,
            notes=self._notes(student),
            role=role,
            second=role is Role.SECOND,
            holder=handing.hold(question.id, student, marker),
        )

    def _shown_files(self, student: str) -> list[dict[str, Any]]:
        """Return the files that were handed in, with what is shown of each."""
        shown = []
        for file in self._files(student):
            view: dict[str, Any] = {"file": file, "problem": file.note, "text": None, "notebook": None, "program": None}
            try:
                if file.kind == "program" and not file.note:
                    view["program"] = self._documents.program(student, file.index)
                elif file.kind == "text" and not file.note:
                    view["text"] = self._room.names.hidden(self._documents.text(student, file.index), student)
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
        marker = self._room.handing.plan.markers[0]
        for question in self._room.work.overview(self._room.heads())[:1]:
            for student in self._room.work.order(question.question.id, marker):
                self._render_ahead(student, question.question.id)

    def _after_painting(self, student: str, question: str) -> None:
        """Render the next answer ahead once the browser has painted this one, with which it would compete."""
        time.sleep(_PAINTING_SECONDS)
        self._render_ahead(student, question)

    def _render_ahead(self, student: str, question: str) -> None:
        """Make what the marker will see first of an answer, so that it is there at once."""
        with self._documents.ahead():
            place = self._place(student, question)
            for file in (view["file"] for view in self._shown_files(student)):
                first = place.page if place and place.index == file.index else 0
                pages = range(first, min(first + _AHEAD, file.pages or 0))
                with suppress(*_UNSHOWN):
                    self._documents.render_ahead(student, file.index, pages, _WIDTH)
                    if file.kind == "picture":
                        self._documents.picture(student, file.index, _WIDTH)

    def comments(self, request: Request) -> Response:
        """Return the comments that were given for an item before.

        Who gives the second mark of an answer must not see the comment on the first one.
        """
        item = request.path_params["item"]
        entry = self._room.work.items.get(item)
        student = self._room.names.student(request.query_params.get("student", ""))
        if entry is None or student is None:
            return JSONResponse([])
        heads = self._room.heads(student)
        second = self._room.handing.role(marker_of(request), entry.question.id, student, heads) is Role.SECOND
        found = self._room.comments(item, without=student if second else "")
        hidden = self._room.names.hidden
        return JSONResponse([{"text": hidden(text), "number": number, "points": mean} for text, number, mean in found])

    # --- pictures --------------------------------------------------------------------------------------------------

    def page(self, request: Request) -> Response:
        """Return a page of a PDF as a picture."""
        student, file, page = self._asked(request), request.path_params["file"], request.path_params["page"]
        if student is None:
            return PlainTextResponse("There is no such page.", HTTPStatus.NOT_FOUND)

        def load() -> Picture:
            shown = self._documents.page(student, file, page, _WIDTH)
            return self._room.names.page(shown, lambda: self._documents.lines(student, file, page), student)

        return self._picture(load)

    def _asked(self, request: Request) -> str | None:
        """Return the student whose picture is asked for; None if there is none, or the marker may not see it."""
        student = self._room.names.student(request.path_params["student"])
        if student is None or request.path_params.get("width", _WIDTH) != _WIDTH:
            return None
        may = self._room.handing.may_read(marker_of(request), student, lambda: self._room.heads(student))
        return student if may else None

    def picture(self, request: Request) -> Response:
        """Return a picture that was handed in, encoded anew."""
        student, file = self._asked(request), request.path_params["file"]
        if student is None:
            return PlainTextResponse("There is no such picture.", HTTPStatus.NOT_FOUND)
        return self._picture(lambda: self._documents.picture(student, file, _WIDTH))

    def cell(self, request: Request) -> Response:
        """Return a picture that a notebook's cell showed."""
        student, where = self._asked(request), request.path_params
        if student is None:
            return PlainTextResponse("There is no such picture.", HTTPStatus.NOT_FOUND)
        return self._picture(lambda: self._documents.cell_picture(student, where["file"], where["number"]))

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
        return await run_in_threadpool(self._marked, form, marker_of(request), _wants_json(request))

    def _marked(self, form: Mapping[str, list[str]], marker: str, wants_json: bool) -> Response:
        try:
            place = self._place_of_change(form, marker)
            seen = [int(id_) for id_ in _one(form, "seen", "").split()]
            mark = self._with_names(_mark(form), place, seen)
            request, read = _one(form, "request"), _one(form, "wording", "")
            saved = self._room.mark(
                place.student, place.item, mark, seen, request, by=marker, role=place.role, wording=read
            )
        except ValueError as problem:  # Refused is one
            return self._refusal(problem, form, marker, wants_json)
        return self._answer_to_change(saved, place, wants_json)

    def _refusal(self, problem: ValueError, form: Mapping[str, list[str]], marker: str, wants_json: bool) -> Response:
        """Say why nothing was stored; to a browser without the script, with what was typed."""
        if wants_json:
            return JSONResponse({"problem": _said(problem)}, HTTPStatus.UNPROCESSABLE_ENTITY)
        sent = {name: form[name][0] for name in ("comment",) if form.get(name)}
        entry, shown = self._room.work.items.get(form.get("item", [""])[0]), form.get("student", [""])[0]
        student = self._room.names.student(shown)
        back = self._answer_path(entry.question.id, student) if entry and student else "/"
        return refused(self._html, _said(problem), sent, back, marker)

    def _with_names(self, mark: Mark | None, place: _Place, seen: Sequence[int]) -> Mark | None:
        """Return the mark with the names that the page hid in its comment. Raises Refused if some stay hidden."""
        if mark is None or not mark.comment or not self._room.names.blind:
            return mark
        earlier = [event.mark.comment for event in self._room.events(place.student, place.item, seen) if event.mark]
        earlier += [text for text, _, _ in self._room.comments(place.item)]
        comment = self._room.names.restored(mark.comment, earlier, place.student)
        if HIDDEN in comment and HIDDEN not in "".join(earlier):
            raise Refused("the comment holds hidden names, which the student would not see: write it without them")
        return mark.model_copy(update={"comment": comment})

    def _place_of_change(self, form: Mapping[str, list[str]], marker: str) -> _Place:
        """Return what a request is about. Raises Refused if there is no such answer, or it is another marker's."""
        student, item = self._room.names.student(_one(form, "student")), _one(form, "item")
        entry = self._room.work.items.get(item)
        if student is None or entry is None:
            raise Refused("there is no such student or item in this class")
        if not self._room.handing.may_see(marker, entry.question.id, student, self._room.heads(student)):
            raise Refused(_ANOTHERS)
        return _Place(student, item, Role(_one(form, "role", Role.FIRST)))

    async def undo(self, request: Request) -> Response:
        """Take back the last change of an item."""
        form = await _form(request)
        return await run_in_threadpool(self._undone, form, marker_of(request), _wants_json(request))

    def _undone(self, form: Mapping[str, list[str]], marker: str, wants_json: bool) -> Response:
        try:
            place = self._place_of_change(form, marker)
            saved = self._room.undo(place.student, place.item, by=marker, role=place.role)
        except ValueError as problem:
            return self._refusal(problem, form, marker, wants_json)
        return self._answer_to_change(saved, place, wants_json)

    def _answer_to_change(self, saved: Saved, place: _Place, wants_json: bool) -> Response:
        later = BackgroundTask(self._room.refresh)
        if wants_json:
            seen = " ".join(str(event.id) for event in saved.standing)
            told = {"heads": [_told(event) for event in saved.heads], "seen": seen, "state": saved.state}
            return JSONResponse(told, background=later)
        target = self._answer_path(self._room.work.items[place.item].question.id, place.student)
        return RedirectResponse(target, HTTPStatus.SEE_OTHER, background=later)


@dataclass(frozen=True, slots=True)
class _Place:
    """What a change is about, and what its author does there."""

    student: str
    item: str
    role: Role


class _Shown:
    """An item on the marking page."""

    def __init__(
        self, entry: Any, heads: tuple[Event, ...], standing: tuple[Event, ...], result: Any, work: Work
    ) -> None:
        """`heads`: the events that are shown; `standing`: those that a mark replaces, with agreeing second marks."""
        self.entry = entry
        self.item = entry.item
        self.heads = heads
        self.result = result  # the machine's
        only = heads[0] if len(heads) == 1 else None
        self.mark = only.mark if only else None
        self.earlier = only.wording if only and self.mark and only.wording != entry.wording else None
        self.other_files = bool(only and self.mark and work.is_for_other_files(only.student, only.content))
        self.conflict = heads if len(heads) > 1 else ()
        self.criteria = entry.item.criteria if isinstance(entry.item, ManualItem) else ()
        self.agreeing = tuple(event for event in standing if event not in heads)
        self.seen = " ".join(str(event.id) for event in standing)


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
    given = number(points) if points else None
    if given is not None and not (0 <= given < float("inf") and round(given, 2) == given):
        raise Refused(f"“{points}” are not points: give at least 0, with at most two decimals")
    mark = Mark(points=given, criteria=met, comment=comment)
    return None if mark == Mark() else mark


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def _said(problem: ValueError) -> str:
    return str(problem) if isinstance(problem, Refused) else "the request cannot be understood"


def _sentence(problem: Exception) -> str:
    """Return why a file is not shown."""
    if isinstance(problem, DocumentProblem):
        return problem.sentence
    return f"Something went wrong on our side, so this cannot be shown: {problem}"


def _signed(points: float) -> str:
    """Return what a criterion adds or takes."""
    return f"{'+' if points > 0 else '−'}{abs(points):g}"
