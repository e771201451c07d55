"""Decide who may talk to the room's server, and tell browsers what its pages may do.

Four properties are deliberate:

1. Nobody gets in without an address of their own, which works once and says who they are. The cookie that it leaves
   cannot be read by scripts and is not sent along with requests that other pages cause.
2. The Host header must name this server, so that a name that somebody has pointed at this machine does not reach it.
3. A request that changes something must come from a page of this server.
4. Pages may load nothing but this server's own style, script and pictures, and no other page may show them in a frame.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

HERE: Final = ("127.0.0.1", "localhost", "[::1]")
COOKIE: Final = "gengrade_room"
ENTER: Final = "/enter"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # without any, browsers would hide from which page a form was sent
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SAFE: Final = ("GET", "HEAD")
_OUTSIDE: Final = (
    "This page belongs to a marking room. Open the address that you were given; if it was used, ask for a new one."
)
Next = Callable[[Request], Awaitable[Response]]


class Access:
    """The rules of one server.

    port: on which it listens.
    names: the host names and addresses by which browsers may reach it.
    secure: whether it is reached by TLS.
    """

    def __init__(self, port: int, names: Iterable[str] = HERE, *, secure: bool = False) -> None:
        self._tokens: dict[str, str] = {}  # the marker of each address that was not used yet
        self._cookies: dict[str, str] = {}  # the marker of each browser
        self._hosts = {f"{name}:{port}" for name in names}
        self._scheme = "https" if secure else "http"
        # Servers on other ports of this machine get each other's cookies, so each has a name of its own.
        self._name = f"{COOKIE}_{port}"
        self._lock = threading.Lock()

    def invite(self, marker: str) -> str:
        """Return the path and query of an address by which this person enters, once."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._tokens[token] = marker
        return f"{ENTER}?token={token}"

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
            if origin != f"{self._scheme}://{host}" or site != "same-origin":
                return PlainTextResponse("Another page has sent this.", HTTPStatus.FORBIDDEN)
        if request.url.path == ENTER:
            return None
        marker = self._cookies.get(request.cookies.get(self._name, ""))
        if marker is None:
            return PlainTextResponse(_OUTSIDE, HTTPStatus.FORBIDDEN)
        request.state.marker = marker
        return None

    def _entry(self, request: Request) -> Response | None:
        """Return the answer to somebody who enters; None for any other request."""
        if request.url.path != ENTER:
            return None
        with self._lock:
            marker = self._tokens.pop(request.query_params.get("token", ""), None)
            if marker is None:
                return PlainTextResponse(_OUTSIDE, HTTPStatus.FORBIDDEN)
            cookie = secrets.token_urlsafe(32)
            self._cookies[cookie] = marker
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        secure = self._scheme == "https"
        response.set_cookie(self._name, cookie, httponly=True, samesite="strict", path="/", secure=secure)
        return response


def marker_of(request: Request) -> str:
    """Return who has sent a request that was admitted."""
    return str(request.state.marker)
