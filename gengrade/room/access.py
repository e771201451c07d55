"""Decide who may talk to the room's server, and tell browsers what its pages may do.

Four properties are deliberate:

1. Nobody gets in without the address that the command printed, which works once. The cookie that it leaves cannot be
   read by scripts and is not sent along with requests that other pages cause.
2. The Host header must name this server, so that a name that somebody has pointed at this machine does not reach it.
3. A request that changes something must come from a page of this server.
4. Pages may load nothing but this server's own style, script and pictures, and no other page may show them in a frame.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

COOKIE: Final = "gengrade_room"
ENTER: Final = "/enter"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # forms would otherwise be sent with the origin "null"
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SAFE: Final = ("GET", "HEAD")
_OUTSIDE: Final = (
    "This page belongs to a marking room. Open the address that the command printed, or start the command again."
)
Next = Callable[[Request], Awaitable[Response]]


class Access:
    """The rules of one server, which listens on `port` of this machine."""

    def __init__(self, port: int) -> None:
        self._token: str | None = secrets.token_urlsafe(32)
        self._cookie = secrets.token_urlsafe(32)
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        # Servers on other ports of this machine get each other's cookies, so each has a name of its own.
        self._name = f"{COOKIE}_{port}"

    @property
    def address(self) -> str:
        """The path and query of the address by which somebody enters, once."""
        return f"{ENTER}?token={self._token}"

    async def admit(self, request: Request, proceed: Next) -> Response:
        """Answer a request, or refuse it, and give every answer the headers that say what its page may do."""
        response = self._refusal(request) or self._entry(request) or await proceed(request)
        for name, value in _HEADERS.items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _refusal(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if host not in self._hosts:
            return PlainTextResponse("This server does not have that name.", HTTPStatus.MISDIRECTED_REQUEST)
        if request.method not in _SAFE:
            origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "same-origin")
            if origin != f"http://{host}" or site != "same-origin":
                return PlainTextResponse("Another page has sent this.", HTTPStatus.FORBIDDEN)
        cookie = request.cookies.get(self._name, "")
        if request.url.path != ENTER and not secrets.compare_digest(cookie.encode(), self._cookie.encode()):
            return PlainTextResponse(_OUTSIDE, HTTPStatus.FORBIDDEN)
        return None

    def _entry(self, request: Request) -> Response | None:
        """Return the answer to somebody who enters; None for any other request."""
        if request.url.path != ENTER:
            return None
        token = request.query_params.get("token", "")
        if self._token is None or not secrets.compare_digest(token.encode(), self._token.encode()):
            return PlainTextResponse(_OUTSIDE, HTTPStatus.FORBIDDEN)
        self._token = None
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        response.set_cookie(self._name, self._cookie, httponly=True, samesite="strict", path="/")
        return response
