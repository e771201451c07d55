"""Serve a marking room on this machine until it is stopped."""

from __future__ import annotations

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


def serve(out: Path, *, port: int, marker: str, isolation: Isolation, announce: Callable[[str], object]) -> None:
    """Serve the room of a class until Ctrl-C, then write its pages.

    out: the folder of results.
    port: the port to listen on; 0 takes a free one.
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
        listening(port) as here,
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


def listening(port: int) -> socket.socket:
    """Return a socket that listens on this machine only. Raises UsageError if the port is taken."""
    here = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    here.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        here.bind((_HERE, port))
        here.listen()
    except OSError as error:
        here.close()
        raise UsageError(f"port {port}: {error.strerror}; give another --port") from None
    return here
