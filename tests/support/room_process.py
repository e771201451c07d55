"""Serve a room over given results as a process of its own: `python -m tests.support.room_process RESULTS PORT NAME …`.

It prints the cookies of the markers as one line of JSON, by name, once it listens.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from gengrade.room.handing import Plan
from tests.support.room import graded_class, serving


def main() -> None:
    out, port, *names = sys.argv[1:]
    students = json.loads((Path(out) / "students.json").read_text())
    with serving(graded_class(Path(out), students), Plan(tuple(names)), port=int(port)) as server:
        print(json.dumps({name: server.cookie_of(name) for name in names}), flush=True)
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main()
