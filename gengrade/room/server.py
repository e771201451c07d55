"""Serve a marking room on this machine until it is stopped."""

from __future__ import annotations

import errno
import hashlib
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette

from gengrade.course import chosen
from gengrade.engine import UsageError, by_its_marks, graded_class, kept_of_class, locked
from gengrade.places import ROOM, WORK
from gengrade.room.access import HERE, Access
from gengrade.room.app import Pages
from gengrade.room.certificate import Certificate, given, made
from gengrade.room.documents import Documents, tidy
from gengrade.room.handing import Plan
from gengrade.room.marking import Room
from gengrade.sandbox import Isolation, choose
from gengrade.submissions import opened

_HERE: Final = "127.0.0.1"
_END_SECONDS: Final = 3
_FIRST_PORT, _PORTS = 20_000, 10_000  # below the ports that systems give away by themselves


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a server listens.

    port: 0 takes the usual port of the results or, if another program has it, a free one.
    host: an address of this machine at which others reach it; "": only programs of this machine do.
    certificate: for TLS, which is needed where others reach it.
    """

    port: int = 0
    host: str = ""
    certificate: Certificate | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The host names by which browsers may reach the server."""
        if self.certificate is None:
            return HERE
        return tuple(f"[{name}]" if ":" in name else name for name in (self.host, *self.certificate.names))

    def origin(self, port: int) -> str:
        """Return the beginning of the server's addresses."""
        scheme = "http" if self.certificate is None else "https"
        return f"{scheme}://{self.names[0]}:{port}"

    def socket(self, out: Path) -> socket.socket:
        """Return a socket that listens. Raises UsageError if the port is taken, or the address is another machine's."""
        assert self.certificate is not None or not self.host, "others may only come by TLS"
        address = self.host or _HERE
        return _bound(address, self.port or usual_port(out), None if self.port else 0)


def listening_to(out: Path, port: int, host: str, chain: Path | None, key: Path | None) -> Listening:
    """Return where a server listens, with a new certificate if others reach it and none is given.

    Raises UsageError and CertificateError.
    """
    if (chain is None) != (key is None):
        raise UsageError("give --certificate and --key together")
    if not host:
        if chain is not None:
            raise UsageError("--certificate is for --host: without it, only this machine reaches the room")
        return Listening(port)
    if chain is not None and key is not None:
        return Listening(port, host, given(chain, key))
    graded_class(out)  # nothing is written into a folder without results
    return Listening(port, host, made(out.resolve() / WORK / ROOM, [host]))


def serve(
    out: Path,
    plan: Plan,
    *,
    listening: Listening,
    isolation: Isolation,
    announce: Callable[[Mapping[str, str]], object],
) -> None:
    """Serve the room of a class until Ctrl-C, then write its pages.

    out: the folder of results.
    plan: who marks, and how the work is divided.
    listening: where the server listens.
    isolation: how documents are read; as for student code.
    announce: called with the address to open for each marker, by name, once the server listens.

    Raises UsageError, InputError and DocumentError before it starts.
    """
    graded = graded_class(out)
    by_its_marks(graded)  # a room that was killed may not have written what follows from its marks
    course, _ = chosen(None, graded.rubric.path)
    tier = choose(isolation, single=False)
    with (
        opened(graded.graded, course.parts) as discovery,
        locked(graded.out, "room-lock", "another marking room shows this class"),
        graded.open_marks() as store,
        listening.socket(out) as here,
    ):
        room = Room(graded, store, plan)
        if not room.work.students:
            raise UsageError(f"{out}: nobody was graded here yet")
        tidy(graded.out)
        kept = kept_of_class(graded, course, discovery.submissions)
        port = here.getsockname()[1]
        access = Access(port, listening.names, secure=listening.certificate is not None)

        def invite(marker: str) -> str:
            return f"{listening.origin(port)}{access.invite(marker)}"

        try:
            with Documents(graded.out, {each.id: each for each in discovery.submissions}, tier, kept) as documents:
                pages = Pages(room, documents, invite)
                application = pages.application(access)
                config = configured(application, listening.certificate)
                for act in (pages.warm, pages.aids.comparisons.run):
                    threading.Thread(target=_quietly, args=(act,), daemon=True).start()
                announce({marker: invite(marker) for marker in plan.markers})
                uvicorn.Server(config).run(sockets=[here])
        finally:
            room.close()


def configured(application: Starlette, certificate: Certificate | None) -> uvicorn.Config:
    """Return how uvicorn serves an application, by TLS if there is a certificate."""
    return uvicorn.Config(
        application,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_END_SECONDS,  # browsers keep their connections open, by TLS for half a minute
        ssl_certfile=certificate.chain if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
    )


def _quietly(act: Callable[[], object]) -> None:
    """Do something ahead of its time. If it fails, whoever needs it later is told; here nobody is waiting for it."""
    with suppress(Exception):
        act()


def usual_port(out: Path) -> int:
    """Return the port on which the room of these results usually listens.

    It is the same each time: what a browser keeps for a page that has lost its server belongs to the server's port.
    """
    digest = hashlib.sha256(str(out.resolve()).encode("utf-8", "surrogateescape")).digest()
    return _FIRST_PORT + int.from_bytes(digest[:4], "big") % _PORTS


def _bound(address: str, port: int, otherwise: int | None) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio sends small answers at once only over sockets that say their protocol; others wait 40 ms for the browser.
    here = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    here.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        here.bind((address, port))
        here.listen()
    except OSError as error:
        here.close()
        if otherwise is not None and error.errno == errno.EADDRINUSE:
            return _bound(address, otherwise, None)
        raise UsageError(f"{address}, port {port}: {error.strerror}; give another --port or --host") from None
    return here
