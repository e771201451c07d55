"""The room's pages on which criteria and comments are changed for all students at once, and changed back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gengrade.marks.amendments import (
    AmendmentError,
    CommentProposal,
    Plan,
    Proposal,
    Stale,
    apply,
    planned,
    told,
    undo,
    undoing,
)
from gengrade.room.access import marker_of
from gengrade.room.forms import Form, Render, answer_at, fields, firsts, number, only, refused
from gengrade.room.marking import SOURCE, Refused, Room
from gengrade.room.naming import HIDDEN

_NOT_YOURS: Final = "only the person who opened this room changes anything for all students, and sees what they got"
_STALE: Final = "Marks or criteria have changed meanwhile. This is what the change does now."


class Amending:
    """Answers the requests of these pages for one room."""

    def __init__(self, room: Room, render: Render) -> None:
        self._room = room
        self._render = render

    def routes(self) -> list[Route]:
        """Return the routes of these pages."""
        return [
            Route("/criteria/preview", partial(self._sent, act=self._preview), methods=["POST"]),
            Route("/criteria/apply", partial(self._sent, act=self._apply), methods=["POST"]),
            Route("/comment/preview", partial(self._sent, act=self._preview), methods=["POST"]),
            Route("/comment/apply", partial(self._sent, act=self._apply), methods=["POST"]),
            Route("/comments/{item}/change", self.comment),
            Route("/changes", self.changes),
            Route("/changes/{number:int}", self.change),
            Route("/changes/undo", partial(self._sent, act=self._undo), methods=["POST"]),
        ]

    async def _sent(self, request: Request, act: Callable[[Form, str], Response]) -> Response:
        """Answer a form: `act` is given its fields and who sent it."""
        marker, form = marker_of(request), {}
        try:
            form = await fields(request)
            if not self._room.may_amend(marker):
                raise Refused(_NOT_YOURS)
            return await run_in_threadpool(act, form, marker)
        except (Refused, AmendmentError) as problem:
            return self._refused(str(problem), form, marker)
        except ValueError:
            return self._refused("the request cannot be understood", form, marker)

    # --- criteria and comments -------------------------------------------------------------------------------------

    def _preview(self, form: Form, marker: str) -> Response:
        """Show what a change would do; nothing is stored."""
        proposal = self._proposal(form)
        with self._room.stored() as store:
            plan = planned(store, self._room.rubric, proposal)
        return self._shown(plan, proposal, form, marker)

    def _apply(self, form: Form, marker: str) -> Response:
        """Make a change that was shown, and go to the page that tells what it did."""
        proposal = self._proposal(form)
        digest, request = only(form, "digest"), only(form, "request")
        try:
            with self._room.stored() as store:
                number = apply(
                    store,
                    self._room.rubric,
                    proposal,
                    digest=digest,
                    by=marker,
                    source=SOURCE,
                    request=request,
                )
                self._room.changed(store.marked(proposal.item))
        except Stale as stale:
            return self._shown(stale.plan, proposal, form, marker, _STALE, HTTPStatus.CONFLICT)
        return self._done(number, form)

    def _proposal(self, form: Form) -> Proposal | CommentProposal:
        """Return what a form asks for. Raises Refused."""
        item = only(form, "item")
        if "comment" in form:
            after = only(form, "comment")
            known = {_hash(text): text for text, _, _ in self._room.comments(item)}
            if only(form, "before") not in known:
                raise Refused("nobody has this comment any more: choose another one")
            before = known[only(form, "before")]
            after = self._room.names.restored(after, [before], None)
            if HIDDEN in after and HIDDEN not in before:
                raise Refused("the comment holds hidden names, which students would not see: write it without them")
            return CommentProposal(item, before, after)
        if "remove" in form:
            return Proposal(item, only(form, "criterion"), remove=True)
        return Proposal(
            item,
            only(form, "criterion", ""),
            only(form, "text"),
            number(only(form, "points").strip().replace("−", "-")),
        )

    def _shown(
        self,
        plan: Plan,
        proposal: Proposal | CommentProposal,
        form: Form,
        marker: str,
        notice: str = "",
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Response:
        """Show what a plan does, with the form that carries it out."""
        sent = {name: values[0] for name, values in form.items() if name not in ("digest", "request")}
        response = self._render(
            "plan.html.j2",
            marker,
            item=self._room.work.items[plan.item],
            plan=plan,
            sent=sent,
            action="/comment/apply" if isinstance(proposal, CommentProposal) else "/criteria/apply",
            notice=notice,
            named=self._named,
            back=self._back(plan.item, only(form, "student", "")),
        )
        response.status_code = status
        return response

    def _refused(self, problem: str, form: Form, marker: str) -> Response:
        """Say why a change cannot be made, with the form to correct it."""
        sent = firsts(form)
        return refused(self._render, problem, sent, self._back(sent.get("item", ""), sent.get("student", "")), marker)

    def _done(self, number: int, form: Form) -> Response:
        """Go to the page that tells what a change did; reports follow by themselves."""
        target = f"/changes/{number}?student={quote(only(form, 'student', ''), safe='')}"
        return RedirectResponse(target, HTTPStatus.SEE_OTHER, background=BackgroundTask(self._room.refresh))

    def _back(self, item: str, student: str) -> str:
        """Return the address of the answer that somebody came from; that of the class if there is none.

        student: what markers read in place of the student's id.
        """
        entry = self._room.work.items.get(item)
        if entry is None or self._room.names.student(student) is None:
            return "/"
        return answer_at(entry.question.id, student)

    def _named(self, student: str) -> str:
        """Return what markers read in place of a student's id, who may have left the class."""
        if student in self._room.work.students:
            return self._room.names.shown(student)
        return "somebody who is not in this class" if self._room.names.blind else student

    def comment(self, request: Request) -> Response:
        """Show the comments of an item, to choose the one that is changed."""
        item, student = request.path_params["item"], request.query_params.get("student", "")
        entry, marker, names = self._room.work.items.get(item), marker_of(request), self._room.names
        if entry is None or not self._room.may_amend(marker):
            return self._refused("there is no such item" if entry is None else _NOT_YOURS, {}, marker)
        id_ = names.student(student)
        heads = self._room.current(id_).get(item, ()) if id_ else ()
        here = next((head.mark.comment for head in heads if head.mark), "")
        found = [{"key": _hash(text), "text": text, "number": number} for text, number, _ in self._room.comments(item)]
        return self._render(
            "comment.html.j2",
            marker,
            item=entry,
            found=found,
            chosen=_hash(here),
            text=here if names.hidden(here) == here else "",
            student=student,
            back=self._back(item, student),
        )

    # --- what was changed ------------------------------------------------------------------------------------------

    def changes(self, request: Request) -> Response:
        """List what was changed for all students, the newest first."""
        item, student = request.query_params.get("item", ""), request.query_params.get("student", "")
        marker = marker_of(request)
        if not self._room.may_amend(marker):
            return self._refused(_NOT_YOURS, {}, marker)
        with self._room.stored() as store:
            amendments = store.amendments()
        said = told(amendments)
        shown = [(each, said[each.id]) for each in reversed(amendments) if item in ("", each.item)]
        return self._render(
            "changes.html.j2", marker, item=item, student=student, shown=shown, back=self._back(item, student)
        )

    def change(self, request: Request) -> Response:
        """Show what a change did, and what taking it back would do."""
        number, student = request.path_params["number"], request.query_params.get("student", "")
        marker = marker_of(request)
        if not self._room.may_amend(marker):
            return self._refused(_NOT_YOURS, {}, marker)
        with self._room.stored() as store:
            amendments = store.amendments()
            found = next((each for each in amendments if each.id == number), None)
            if found is None:
                return self._refused("there is no such change", {}, marker)
            events = [(event, store.event(event.replaces[0])) for event in store.amended_events(number)]
            try:
                plan, stays = undoing(store, number), ""
            except AmendmentError as problem:
                plan, stays = None, str(problem)
            others = store.marked(found.item)
        changed = {event.student for event, _ in events}
        left = [
            self._named(other)
            for other, heads in sorted(others.items())
            if other not in changed and any(head.mark for head in heads) and found.wording is not None
        ]
        return self._render(
            "change.html.j2",
            marker,
            named=self._named,
            change=found,
            said=told(amendments)[number],
            events=events,
            left=left,
            plan=plan,
            stays=stays,
            undone=next((each.id for each in amendments if each.undoes == number), None),
            student=student,
            back=self._back(found.item, student),
        )

    def _undo(self, form: Form, marker: str) -> Response:
        """Take a change back as a whole."""
        number, request = int(only(form, "number")), only(form, "request")
        with self._room.stored() as store:
            done = undo(store, self._room.rubric, number, by=marker, source=SOURCE, request=request)
            item = next(each.item for each in store.amendments() if each.id == done)
            self._room.changed(store.marked(item))
        return self._done(done, form)


def _hash(text: str) -> str:
    """Return by what a form names a comment, since browsers change line ends in texts that they send."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
