"""Serve a marking room on this machine until it is stopped."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import uvicorn

from gengrade.course import chosen
from gengrade.engine import UsageError, graded_class, kept_of_class, locked, operator
from gengrade.marks import opened as opened_marks
from gengrade.room.access import Access
from gengrade.room.app import Pages
from gengrade.room.documents import Documents, tidy
from gengrade.room.marking import Room
from gengrade.sandbox import Isolation, choose
from gengrade.submissions import opened

_HERE: Final = "127.0.0.1"
_FIRST_PORT, _PORTS = 20_000, 10_000  # below the ports that systems give away by themselves


def serve(out: Path, *, port: int, marker: str, isolation: Isolation, announce: Callable[[str], object]) -> None:
    """Serve the room of a class until Ctrl-C, then write its pages.

    out: the folder of results.
    port: the port to listen on; 0 takes the usual one of these results or, if another program has it, a free one.
    marker: the name of the person who marks; "" takes the user of this machine.
    isolation: how documents are read; as for student code.
    announce: called with the address to open, once the server listens.

    Raises UsageError, InputError and DocumentError before it starts.
    """
    graded = graded_class(out)
    course, _ = chosen(None, graded.rubric.path)
    tier = choose(isolation, single=False)
    with (
        opened(graded.graded, course.parts) as discovery,
        locked(graded.out, "room-lock", "another marking room shows this class"),
        opened_marks(graded.marks, graded.rubric.assignment) as store,
        listening(port) if port else listening(usual_port(out), 0) as here,
    ):
        room = Room(graded, store, marker or operator())
        if not room.work.students:
            raise UsageError(f"{out}: nobody was graded here yet")
        tidy(graded.out)
        kept = kept_of_class(graded, course, discovery.submissions)
        access = Access(here.getsockname()[1])
        try:
            with Documents(graded.out, {each.id: each for each in discovery.submissions}, tier, kept) as documents:
                pages = Pages(room, documents)
                application = pages.application(access)
                config = uvicorn.Config(application, log_level="error", access_log=False, server_header=False)
                threading.Thread(target=_quietly, args=(pages.warm,), daemon=True).start()
                announce(f"http://{_HERE}:{here.getsockname()[1]}{access.address}")
                uvicorn.Server(config).run(sockets=[here])
        finally:
            room.close()


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


def listening(port: int, otherwise: int | None = None) -> socket.socket:
    """Return a socket that listens on this machine only.

    otherwise: the port to take if this one is taken; None: there is none. 0 takes a free one.

    Raises UsageError if the port is taken.
    """
    here = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    here.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        here.bind((_HERE, port))
        here.listen()
    except OSError as error:
        here.close()
        if otherwise is not None:
            return listening(otherwise)
        raise UsageError(f"port {port}: {error.strerror}; give another --port") from None
    return here
