"""No mark is lost, moved or stored twice, although the room's server is killed while two people mark."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import urllib.parse
from pathlib import Path

import pytest

from tests.support.killed import NAMES, STUDENTS, Killed, served
from tests.support.room import graded_class

ITEMS = {"1.1-sampling": 3, "1.9-description": 2}


class Browser:
    """Does as the room's script does: sends one change after the other, each until the server has answered it."""

    def __init__(self, server: Killed, name: str, seed: int) -> None:
        self._server, self._name = server, name
        self._random = random.Random(seed)
        self._seen: dict[tuple[str, str], str] = {}
        self.acknowledged: list[dict[str, str]] = []

    def act(self, number: int) -> None:
        student, item = self._random.choice(STUDENTS), self._random.choice(list(ITEMS))
        request = f"{self._name}-{number}"
        points = str(self._random.randint(0, ITEMS[item]))
        fields = {"student": student, "item": item, "points": points, "comment": f"{request} {student} {item}"}
        fields |= {"seen": self._seen.get((student, item), ""), "request": request}
        told = self._sent(fields)
        self._seen[student, item] = " ".join(str(head["id"]) for head in told["heads"])
        self.acknowledged.append(fields)

    def _sent(self, fields: dict[str, str]) -> dict[str, list[dict[str, object]]]:
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=30)
                headers = {"Cookie": self._server.cookies[self._name], "Accept": "application/json"}
                headers["Origin"] = f"http://127.0.0.1:{self._server.port}"
                connection.request("POST", "/mark", urllib.parse.urlencode(fields), headers)
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
                continue
            if answer.status == 200:
                told: dict[str, list[dict[str, object]]] = json.loads(body)
                return told
            assert answer.status == 403, body  # a server that was started again, and does not know the cookie
            time.sleep(0.05)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("actions", "kills"), [(60, 3), pytest.param(1000, 60, marks=pytest.mark.slow)])
def test_what_was_acknowledged_is_there(tmp_path: Path, actions: int, kills: int) -> None:
    """Two browsers mark at random, and the server is killed at random moments, within a change or between two."""
    chance = random.Random(actions)
    failed: list[BaseException] = []
    with served(tmp_path / "results") as server:
        browsers = [Browser(server, name, seed) for seed, name in enumerate(NAMES)]

        def mark(browser: Browser) -> None:
            try:
                for number in range(actions // 2):
                    browser.act(number)
            except BaseException as problem:
                failed.append(problem)

        threads = [threading.Thread(target=mark, args=(browser,)) for browser in browsers]
        for thread in threads:
            thread.start()
        for kill in range(kills):
            until = (kill + 1) * actions // (kills + 1)
            while sum(len(browser.acknowledged) for browser in browsers) < until and not failed:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.05))
            server.kill()
            server.start()
        for thread in threads:
            thread.join()
    assert failed == []
    sent = [fields for browser in browsers for fields in browser.acknowledged]
    assert len(sent) == actions
    graded = graded_class(tmp_path / "results", STUDENTS)
    with graded.open_marks() as store:
        events = [event for student in STUDENTS for event in store.history(student)]
    found = {event.mark.comment: event for event in events if event.mark is not None}
    assert len(found) == len(events) == actions, "none is lost, and none is there twice"
    for fields in sent:
        event = found[fields["comment"]]
        assert (event.student, event.item) == (fields["student"], fields["item"])
        assert event.mark is not None
        assert event.mark.points == float(fields["points"])
        assert event.by == fields["request"].partition("-")[0]
        assert " ".join(map(str, event.replaces)) == fields["seen"], "it replaces what its author saw, and nothing else"
