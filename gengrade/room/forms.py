"""Read the forms that the room's pages send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request

from gengrade.room.marking import Refused

_MOST_BYTES: Final = 1 << 18  # of a request: a comment and a few ids


async def fields(request: Request) -> dict[str, list[str]]:
    """Return the fields of a request's form; those of a request that is too long are left out."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            return {}
    return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=200)


def only(form: Mapping[str, list[str]], name: str, default: str | None = None) -> str:
    """Return the value of a field that a form has once. Raises Refused if it has none, or several."""
    values = form.get(name, [] if default is None else [default])
    if len(values) != 1:
        raise Refused(f"the request does not say which {name}, or is too long")
    return values[0]
