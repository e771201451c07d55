"""Read the forms that the room's pages send, and answer those that cannot be carried out."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, quote

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gengrade.room.marking import Refused

Form = Mapping[str, list[str]]
_MOST_BYTES: Final = 1 << 18  # of a request: a comment and a few ids
_MOST_FIELDS: Final = 200


class Render(Protocol):
    """Renders a template as a page."""

    def __call__(
        self, template: str, marker: str, later: BackgroundTask | None = None, **values: Any
    ) -> HTMLResponse: ...


async def fields(request: Request) -> dict[str, list[str]]:
    """Return the fields of a request's form; those of a request that is too long, or has too many, are left out."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            return {}
    try:
        return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}


def only(form: Form, name: str, default: str | None = None) -> str:
    """Return the value of a field that a form has once. Raises Refused if it has none, or several."""
    if not form:
        raise Refused("the request cannot be understood: it is empty, too long, or has too many fields")
    values = form.get(name, [] if default is None else [default])
    if len(values) != 1:
        raise Refused(f"the request does not say which {name}, or is too long")
    return values[0]


def firsts(form: Form) -> dict[str, str]:
    """Return the first value of each field."""
    return {name: values[0] for name, values in form.items()}


def number(text: str) -> float:
    """Return a number of points that somebody typed. Raises Refused."""
    try:
        return float(text)
    except ValueError:
        hint = f": write {text.replace(',', '.')}" if "," in text else ""
        raise Refused(f"“{text}” is not a number of points{hint}") from None


def answer_at(question: str, shown: str) -> str:
    """Return the address of an answer. `shown`: what markers read in place of the student's id."""
    return f"/answer/{quote(question, safe='')}/{quote(shown, safe='')}"


def refused(render: Render, problem: str, sent: Mapping[str, str], back: str, marker: str) -> Response:
    """Return the page that says why nothing was stored, with what was typed.

    sent: the fields to show again.
    back: the address that the page leads back to.
    """
    response = render("refused.html.j2", marker, problem=problem, sent=sent, back=back)
    response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    return response
