"""The style and the script of the room's pages, at addresses that change with their content."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Final

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gengrade.report.pages import source

_TYPES: Final = {"room.css": "text/css", "room.js": "text/javascript"}
_CONTINUED: Final = {"room.css": "aids.css", "room.js": "aids.js"}
_FOR_EVER: Final = "private, max-age=31536000, immutable"


class Static:
    """Serves both files. Browsers keep them, since another content has another address.

    templates: in which their sources are found.
    """

    def __init__(self, templates: Environment) -> None:
        assert templates.loader is not None
        self._texts = {}
        for name in _TYPES:
            named = (f"{each}.j2" for each in (name, _CONTINUED[name]))
            self._texts[name] = "".join(templates.loader.get_source(templates, each)[0] for each in named)
        self._texts["room.css"] = source("style.css") + self._texts["room.css"]  # the same look as the reports
        self._versions = {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in self._texts.items()}

    def address(self, name: str) -> str:
        """Return the address of a file, by its name."""
        return f"/static/{self._versions[name]}/{name}"

    def route(self) -> Route:
        """Return the route to both files."""
        return Route("/static/{version}/{name}", self._serve)

    def _serve(self, request: Request) -> Response:
        name, version = request.path_params["name"], request.path_params["version"]
        if name not in _TYPES or version != self._versions[name]:
            return PlainTextResponse("There is no such file.", HTTPStatus.NOT_FOUND)
        return Response(self._texts[name], media_type=_TYPES[name], headers={"Cache-Control": _FOR_EVER})
