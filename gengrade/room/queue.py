"""A thread that carries out tasks one after the other: first those that somebody waits for, then those made ahead."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final, TypeVar

_T = TypeVar("_T")
_NOW: Final = 0
_LATER: Final = 1


class Queue:
    """Tasks of one thread. Of tasks that are equally urgent, the first comes first."""

    def __init__(self, name: str) -> None:
        """Set the name of the thread, which starts with the first task."""
        self._name = name
        self._tasks: list[tuple[int, int, Future[Any], Callable[[], Any]]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._caller = threading.local()

    @contextmanager
    def later(self) -> Iterator[None]:
        """Make what this thread submits within the context less urgent than what others submit."""
        before = getattr(self._caller, "urgency", _NOW)
        self._caller.urgency = _LATER
        try:
            yield
        finally:
            self._caller.urgency = before

    def submit(self, task: Callable[[], _T]) -> Future[_T]:
        """Have a task carried out. Raises RuntimeError after `close`."""
        future: Future[_T] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("the queue is closed")
            urgency = getattr(self._caller, "urgency", _NOW)
            heapq.heappush(self._tasks, (urgency, next(self._numbers), future, task))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()
        return future

    def close(self) -> None:
        """Cancel the tasks that have not begun, and wait for the one that has."""
        with self._changed:
            self._closed = True
            cancelled, self._tasks = self._tasks, []
            self._changed.notify()
        for _, _, future, _ in cancelled:
            future.cancel()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._tasks and not self._closed:
                    self._changed.wait()
                if not self._tasks:
                    return
                _, _, future, task = heapq.heappop(self._tasks)
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(task())
            except BaseException as error:  # the caller's, who waits for it
                future.set_exception(error)
