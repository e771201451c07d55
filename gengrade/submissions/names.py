"""Read who handed in a file, and whether it was late, from the name that a learning management system gave it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from gengrade.archives import stem
from gengrade.paths import safe_name

# What Canvas keeps of a name: letters, digits and marks, such as the vowel signs of Hindi, which `\w` leaves out.
_MARKS = "".join(map(chr, (code for code in range(0x300, 0x3100) if unicodedata.category(chr(code))[0] == "M")))
_WORD = rf"[\w{re.escape(_MARKS)}]"
# canvas-lms, lib/content_zipper.rb: the sortable name (word characters only), LATE, the user's id, the attachment's id,
# the file's name; for text that was typed into Canvas, the user's id and the kind instead of the last two.
_CANVAS = re.compile(
    rf"^(?P<late1>LATE_)?(?:(?P<name>(?!anon_|LATE_){_WORD}+?)_(?P<late2>LATE_)?(?P<id>[1-9]\d+)|(?P<anon>anon_[0-9A-Za-z]+?))"
    r"_(?:(?P<attachment>[1-9]\d+)_(?P<file>.+)|(?P<typed>text|link)\.html)$",
    re.DOTALL,
)
# Further places in a name where Canvas's two ids may be, since a student's own file name may look like ids.
_CANVAS_AGAIN = re.compile(r"(?<=_)(?=[1-9]\d+_(?P<attachment>[1-9]\d+)_.)", re.DOTALL)
# Moodle, mod/assign/classes/downloader.php: a folder for each student, or flat files with the same beginning.
_MOODLE = re.compile(
    r"^(?P<name>[^_].*?)_(?P<id>\d+)_assignsubmission_(?P<kind>file|onlinetext)(?:_(?P<file>.*))?$", re.DOTALL
)
_MOODLE_AGAIN = re.compile(r"_\d+_assignsubmission_(?:file|onlinetext)(?=_|$)")
# Brightspace: "123-456 - Jo Doe - Mar 29, 2018 1205 PM - file.zip", the file missing where it is a folder.
_BRIGHTSPACE = re.compile(
    r"^(?P<id>\d+)-\d+ - (?P<name>.+?) - "
    r"(?P<month>[A-Z][a-z]{2})\w* (?P<day>\d{1,2}), (?P<year>\d{4}) "
    r"(?P<hour>\d{1,2}):?(?P<minute>\d{2}) ?(?P<half>[AP]M)(?: - (?P<file>.+))?$",
    re.DOTALL,
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Blackboard: "Homework 2_jdoe_attempt_2026-11-20-17-05-33_work.zip"; a text of the same name describes the attempt.
# Titles and user names may hold underscores, so that the last word before "attempt" may be only the end of the latter.
_BLACKBOARD = re.compile(
    r"^(?P<before>.+?_(?P<login>[^_]+))_attempt_(?P<time>\d{4}(?:-\d{2}){5})(?:_(?P<file>.+)|(?P<text>\.txt))$",
    re.DOTALL,
)
_RESUBMITTED = re.compile(r"^(?P<base>.*?)-(?P<number>\d{1,3})$", re.DOTALL)
# "part-2" is a file's own name and not a second attempt at "part".
_COUNTED = re.compile(r"(?:part|question|exercise|problem|task|q|ex)$", re.I)
_LONGEST_ID = 80
# Names that no id may have: the class's own files in the results folder, and names of devices on Windows.
_TAKEN = re.compile(
    r"index\.html|gradebook\.(?:csv|xlsx)|marks|releases|publish|withdrawn|(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?",
    re.I | re.DOTALL,
)


CANVAS, MOODLE, BRIGHTSPACE, BLACKBOARD = "canvas", "moodle", "brightspace", "blackboard"
AUTHOR = "author"  # not a system: the students themselves, who put their names into those of their files


@dataclass(frozen=True, slots=True)
class Identity:
    """The contents of a name: equal `key`s belong to one student; the greatest `attempt` at a `file` is the last."""

    key: tuple[str, ...]  # the learning management system, and its name and id of the student
    label: str  # the text that the submission's id is made from
    name: str
    late: bool | None
    file: str  # the file's own name, without the number of a resubmission
    attempt: tuple[int, ...] = ()
    replaces_all: bool = False  # whether an attempt replaces the whole submission, not only this file
    system: str | None = None  # what gave the name, such as a learning management system; None: nothing did
    attachment: int | None = None  # the number that Canvas gave the file
    handed_in: datetime | None = None  # in the time zone of the system

    @property
    def id(self) -> str:
        """The submission's id, unless another submission has the same one."""
        return safe_id(self.label)

    @property
    def from_system(self) -> bool:
        return self.system is not None


def identify(name: str) -> Identity:
    """Return the identity in the name of a file or folder that lies directly in a class's folder.

    A learning management system puts its own ids first and the student's file name last, so that of several patterns
    that fit, the one that ends first is used. `others` returns the rest. Unicode's forms of one name are the same name:
    a Mac writes "ü" as two characters.
    """
    name = unicodedata.normalize("NFC", name)
    found = [_brightspace(name)] if _BRIGHTSPACE.match(name) else [_canvas(name), _moodle(name), _blackboard(name)]
    understood = [each for each in found if each is not None]
    return min(understood, key=lambda each: each[0])[1] if understood else _plain(name)


def others(name: str) -> tuple[tuple[str, int | None], ...]:
    """Return the other ways to read a name, one of which is right if `identify` read the student's own text as ids.

    Each is the name of the system and, for Canvas, the attachment's number.
    """
    name = unicodedata.normalize("NFC", name)
    first = identify(name)
    found: list[tuple[str, int | None]] = []
    canvas = _CANVAS.match(name)
    if canvas:
        start = canvas.start("attachment") if first.system == CANVAS and canvas["attachment"] else 0
        found += [(CANVAS, int(again["attachment"])) for again in _CANVAS_AGAIN.finditer(name, start)]
    moodle = list(_MOODLE_AGAIN.finditer(name))
    found += [(MOODLE, None)] * (len(moodle) - (first.system == MOODLE))
    return tuple(found)


def separate(name: str, late: bool | None) -> Identity:
    """Return an identity for a file that is graded as a separate submission, although its name may contain ids."""
    label = stem(unicodedata.normalize("NFC", name))
    return Identity(("", name), label, safe_name(label), late, name, system="")


def by_author(file: str, author: str) -> Identity:
    """Return the identity of a file into whose name its author put their own."""
    return Identity((AUTHOR, author.casefold()), author, safe_name(author), None, file, system=AUTHOR)


def safe_id(text: str) -> str:
    """Return the text as a folder's name for every system: word characters, dots and hyphens, at most 80 bytes."""
    cleaned = re.sub(r"[^\w.-]+", "_", safe_name(text)).strip("._-") or "submission"
    cleaned = f"_{cleaned}" if _TAKEN.fullmatch(cleaned) else cleaned
    if len(cleaned.encode()) <= _LONGEST_ID:
        return cleaned
    tail = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    return cleaned.encode()[: _LONGEST_ID - 9].decode(errors="ignore") + f"-{tail}"


def _canvas(name: str) -> tuple[int, Identity] | None:
    """Return where the student's own file name begins, and the identity; None if Canvas cannot have given the name."""
    match = _CANVAS.match(name)
    if not match:
        return None
    id_ = match["anon"] or match["id"]
    student = match["name"].rstrip("_") if match["name"] else ""
    label = "_".join(filter(None, [student, id_]))
    key, shown, late = (CANVAS, student, id_), student or id_, bool(match["late1"] or match["late2"])
    if match["typed"]:
        return len(name), Identity(key, label, shown, late, f"{match['typed']}.html", system=CANVAS)
    file, number = _without_number(match["file"])
    attachment = int(match["attachment"])
    identity = Identity(key, label, shown, late, file, (number,), system=CANVAS, attachment=attachment)
    return match.start("file"), identity


def _without_number(file: str) -> tuple[str, int]:
    """Return ("work.zip", 2) for "work-2.zip": Canvas numbers files that are handed in again under the same name."""
    base = stem(file)
    suffix = file[len(base) :]
    if not suffix:
        base, dot, extension = file.rpartition(".")
        base, suffix = (base, dot + extension) if base else (file, "")
    match = _RESUBMITTED.match(base)
    if not match or _COUNTED.search(match["base"]):
        return file, 0
    return match["base"] + suffix, int(match["number"])


def _moodle(name: str) -> tuple[int, Identity] | None:
    match = _MOODLE.match(name)
    if not match:
        return None
    file = match["file"] or ("" if match["kind"] == "file" else "onlinetext.html")
    key = (MOODLE, match["name"], match["id"])
    return match.end("kind"), Identity(key, f"{match['name']}_{match['id']}", match["name"], None, file, system=MOODLE)


def _brightspace(name: str) -> tuple[int, Identity] | None:
    match = _BRIGHTSPACE.match(name)
    if not match:
        return None
    month = _MONTHS.index(match["month"]) + 1 if match["month"] in _MONTHS else 0
    hour = int(match["hour"]) % 12 + (12 if match["half"] == "PM" else 0)
    time = (int(match["year"]), month, int(match["day"]), hour, int(match["minute"]))
    key, label = (BRIGHTSPACE, match["name"], match["id"]), f"{match['name']}_{match['id']}"
    file = match["file"] or ""
    identity = Identity(key, label, match["name"], None, file, time, True, BRIGHTSPACE, handed_in=_time(*time))
    return match.end("half"), identity


def _blackboard(name: str) -> tuple[int, Identity] | None:
    match = _BLACKBOARD.match(name)
    if not match:
        return None
    time = tuple(map(int, match["time"].split("-")))
    key, login = (BLACKBOARD, match["before"], match["login"]), match["login"]
    file = match["file"] or "attempt.txt"
    identity = Identity(key, login, login, None, file, time, True, BLACKBOARD, handed_in=_time(*time))
    return match.end("time"), identity


def _time(year: int, month: int, day: int, hour: int, minute: int, second: int = 0) -> datetime | None:
    try:
        return datetime(year, month, day, hour, minute, second)  # in the time zone of the system
    except ValueError:
        return None


def _plain(name: str) -> Identity:
    return Identity(("", stem(name)), stem(name), safe_name(stem(name)), None, name)
