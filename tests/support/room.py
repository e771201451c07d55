"""A class that was graded, without grading it, and a marking room's server over it in a thread."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from gengrade.atomic import write_whole
from gengrade.authenticity import Seal
from gengrade.engine import GradedClass
from gengrade.facts import Outcome
from gengrade.grade import score
from gengrade.places import Owners
from gengrade.room.access import Access
from gengrade.room.app import Pages
from gengrade.room.certificate import Certificate
from gengrade.room.corrections import Corrected, Corrections
from gengrade.room.documents import DocumentProblem, Documents, HandedIn, Line, Picture, Place, Program
from gengrade.room.handing import Plan
from gengrade.room.marking import Room
from gengrade.room.server import Listening, configured
from gengrade.rubric import Rubric
from tests.support import report_examples as examples

CRITERIA = "criteria: [{id: prior, text: the prior, points: 1}, {id: decoder, text: the decoder, points: 2}]"
STUDENTS = ("ada", "bob", "cyd")
ALONE = Plan(("Tim",))


class NoDocuments(Documents):
    """Stands for a class in which nobody handed in anything but a text."""

    def __init__(self, text: str = "The <b>answer</b>.") -> None:
        self.content = text

    def ahead(self) -> AbstractContextManager[None]:
        return nullcontext()

    def files(self, student: str) -> tuple[HandedIn, ...]:
        return (HandedIn(0, "answer.txt", "text", None, "", len(self.content)),)

    def notes(self, student: str) -> tuple[str, ...]:
        return ()

    def text(self, student: str, index: int) -> str:
        return self.content

    def page(self, student: str, index: int, page: int, width: int) -> Picture:
        raise DocumentProblem("There is no such page.")

    def place(self, student: str, question: str) -> Place | None:
        return self.places(student, [question])[question]

    def program(self, student: str, index: int) -> Program:
        return Program(self.content)

    def sha256(self, student: str) -> str:
        return "same"

    def places(self, student: str, questions: Sequence[str]) -> dict[str, Place | None]:
        return dict.fromkeys(questions)


class WrittenDocuments(NoDocuments):
    """Stands for a class in which everybody handed in a PDF with some answers, and perhaps a program.

    answers: for each student the text of each answered question, each on a page of its own.
    folder: where corrected places are kept.
    program: what everybody handed in as `part1/utils.py`; None: nobody did.
    hash_: of each submission.
    """

    def __init__(
        self, answers: Mapping[str, Mapping[str, str]], folder: Path, program: Program | None = None, hash_: str = "a"
    ) -> None:
        super().__init__()
        self.answers = answers
        self.hash = hash_
        self._program = program
        self._corrected = Corrections(folder / "places", Owners.of(folder))

    def sha256(self, student: str) -> str:
        return self.hash

    def files(self, student: str) -> tuple[HandedIn, ...]:
        report = HandedIn(0, "report.pdf", "pdf", max(len(self.answers.get(student, {})), 1), "", 1)
        return (report,) if self._program is None else (report, HandedIn(1, "part1/utils.py", "program", None, "", 1))

    def pages(self, student: str, index: int) -> tuple[tuple[Line, ...], ...]:
        texts = self.answers.get(student, {}).values()
        return tuple(
            tuple(Line(line, 0.1, 0.1 + 0.02 * place, 0.8, 0.015) for place, line in enumerate(text.split("\n")))
            for text in texts
        )

    def places(self, student: str, questions: Sequence[str]) -> dict[str, Place | None]:
        found: dict[str, Place | None] = dict.fromkeys(questions)
        for page, question in enumerate(self.answers.get(student, {})):
            if question in found:
                found[question] = Place(0, page, 0.1)
        for question, said in self._corrected.of(student, self.hash).items():
            if question in found:
                found[question] = Place(0 if said.file == "report.pdf" else 1, said.page, said.y)
        return found

    def correct(self, student: str, question: str, place: Place) -> None:
        if not 0 <= place.index < len(self.files(student)):
            raise DocumentProblem("There is no such file.")
        said = Corrected(self.files(student)[place.index].name, place.page, place.y)
        self._corrected.add(student, self.hash, question, said)

    def program(self, student: str, index: int) -> Program:
        assert self._program is not None
        return self._program


def graded_class(
    folder: Path,
    students: Sequence[str] = STUDENTS,
    wording: str = "in the right order",
    *,
    pending: bool = False,
    content: str | None = None,
) -> GradedClass:
    """Write results of these students into a folder, as a run leaves them.

    wording: the end of the first item's text.
    pending: whether the check `vae.kld` is undecided, so that a person marks it as well.
    content: the hash of what each student handed in; None: unknown.
    """
    text = examples.RUBRIC.replace('in the right order", points: 3', f'{wording}", points: 3, {CRITERIA}')
    write_whole(folder / "rubric.yaml", text)
    rubric = Rubric.load(folder / "rubric.yaml")
    seal = Seal(bytes(32))
    for student in students:
        undecided = [examples.fact("vae.kld", Outcome.UNDECIDED, "einops is not installed")] if pending else []
        facts = examples.facts(*undecided, student=student)
        facts = facts.model_copy(update={"provenance": facts.provenance.model_copy(update={"content": content})})
        sealed = seal.sealed_json("facts", student, facts.model_dump_json(indent=1))
        write_whole(folder / student / "facts.json", sealed)
        write_whole(folder / student / "grade.json", score(facts, rubric).to_json())
    names = {student: student for student in students}
    known = dict.fromkeys(students, content) if content else {}
    return GradedClass(folder, folder.parent / "class", rubric, names, seal, content=known)


@dataclass
class Server:
    """A running room, and a client of it that may be anybody."""

    room: Room
    access: Access
    port: int
    pages: Pages
    cookie: str = ""
    _cookies: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, path: str, fields: object = None, headers: dict[str, str] | None = None, method: str = "", by: str = ""
    ) -> tuple[int, str, dict[str, str]]:
        """Return status, body and headers of the answer.

        fields: sent as a form.
        by: who asks; they enter first.
        """
        if by and by not in self._cookies:
            self._cookies[by] = self.cookie_of(by)
        cookie = self._cookies.get(by, self.cookie)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {"Cookie": cookie, "Origin": self.address, "Accept": "application/json", **(headers or {})}
        body = None if fields is None else urllib.parse.urlencode(fields, doseq=True)  # type: ignore[arg-type]
        connection.request(method or ("GET" if fields is None else "POST"), path, body, sent)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        return answer.status, text, {name.lower(): value for name, value in answer.getheaders()}

    def enter(self) -> None:
        """Open the address that the command prints, and keep the cookie."""
        self.cookie = self.cookie_of(self.marker)

    def address_for(self, marker: str) -> str:
        """Return a new address by which this person enters."""
        self.room.handing.join(marker)
        return self.access.invite(marker)

    def cookie_of(self, marker: str) -> str:
        """Let a person enter, and return the cookie that they get."""
        status, _, headers = self.ask(self.address_for(marker))
        assert status == 303
        return headers["set-cookie"].partition(";")[0]

    @property
    def marker(self) -> str:
        """The person who opened the room."""
        return self.room.handing.plan.markers[0]


@contextmanager
def serving(
    graded: GradedClass,
    plan: Plan = ALONE,
    documents: Documents | None = None,
    port: int | None = None,
    certificate: Certificate | None = None,
) -> Iterator[Server]:
    """Serve a room for as long as the context lasts. `port`: None takes a free one."""
    with (
        graded.open_marks() as store,
        Listening(port or 0).socket(graded.out) as here,
    ):
        room = Room(graded, store, plan)
        names = Listening(certificate=certificate, host="127.0.0.1").names
        access = Access(here.getsockname()[1], names, secure=certificate is not None)
        pages = Pages(room, documents or NoDocuments(), access.invite)
        application = pages.application(access)
        server = uvicorn.Server(configured(application, certificate))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [here]})
        thread.start()
        deadline = time.monotonic() + 60
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        try:
            yield Server(room, access, here.getsockname()[1], pages)
        finally:
            server.should_exit = True
            thread.join()
            room.refresh()
