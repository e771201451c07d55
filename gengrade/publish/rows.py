"""Find the row of each person in an exported table: exactly or not at all.

Four properties are deliberate:

1. Ids are compared first, then other numbers, then logins and addresses, then whole names. Where two of these point at
   different rows, or where a row with the right number has quite another name, nothing is decided.
2. What a submission's name says is used only where it is of the same system, and of the person alone: the members of a
   group share what one of them handed in.
3. The numbers that Canvas and Moodle count their users with are believed only beside a name, or if the system itself
   wrote them into the submission's name: a folder "17" may be named after anything.
4. Two people never get one row: then neither of them does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gengrade.people import Person
from gengrade.people.matching import any_of, by_key, narrowed, sortable_forms
from gengrade.people.words import key, names_of, squeezed
from gengrade.publish.entries import Entry
from gengrade.publish.model import Given, LeftOut, Placed, System
from gengrade.submissions.names import BLACKBOARD, BRIGHTSPACE, CANVAS, MOODLE
from gengrade.texts import listed

_NAMED = 4  # rows in a sentence
_ORIGINS: Mapping[System, str] = {
    System.CANVAS: CANVAS,
    System.MOODLE: MOODLE,
    System.BRIGHTSPACE: BRIGHTSPACE,
    System.BLACKBOARD: BLACKBOARD,
}
_COUNTED = (System.CANVAS, System.MOODLE)  # whose ids are numbers of their own


def find_rows(
    given: Sequence[Given], people: Sequence[Person], system: System
) -> tuple[tuple[Placed, ...], tuple[LeftOut, ...]]:
    """Return what people get with their rows, and who has none.

    given: what people get.
    people: the rows of the export.
    system: the system that exported it.
    """
    index = _Index(people, system)
    found: dict[int, list[Given]] = {}
    left: list[LeftOut] = []
    for each in given:
        rows = index.rows(each.entry)
        if not rows:
            left.append(LeftOut(each.entry.name, "there is no row for this person"))
        elif len(rows) > 1:
            which = listed([people[row].row for row in sorted(rows)], _NAMED)
            left.append(LeftOut(each.entry.name, f"the row may be {which}: {_remedy(each.entry)}"))
        elif not index.agree(each.entry, *rows):
            which = people[next(iter(rows))].row
            reason = f"the number or login is that of {which}, whose name is different: {_remedy(each.entry)}"
            left.append(LeftOut(each.entry.name, reason))
        else:
            found.setdefault(next(iter(rows)), []).append(each)
    placed = []
    for row, claims in found.items():
        if len(claims) == 1:
            placed.append(Placed(claims[0], people[row]))
        else:
            for each in claims:
                others = listed([other.entry.id for other in claims if other is not each], _NAMED)
                reason = f"{people[row].row} is the row of {others} as well: {_remedy(each.entry)}"
                left.append(LeftOut(each.entry.name, reason))
    return tuple(placed), tuple(left)


def _remedy(entry: Entry) -> str:
    if entry.listed:
        return "correct the id and the name in the roster"
    return "grade with --roster, which says who is who"


class _Index:
    """The rows of an export by ids, numbers, logins and names."""

    def __init__(self, people: Sequence[Person], system: System) -> None:
        self._people = people
        self._system = system
        self._ids = by_key({key(each.id)} for each in people)
        self._numbers = by_key(set(map(key, each.numbers)) for each in people)
        self._logins = by_key(set(map(key, each.logins)) for each in people)
        self._names = by_key(_names(each.name, *each.sortable) for each in people)
        self._sortable = by_key(sortable_forms(each) for each in people)

    def rows(self, entry: Entry) -> frozenset[int]:
        """Return the places of the rows that an entry may belong to: one, if it is sure."""
        name, number = _origin(entry, self._system)
        ids = {key(entry.id)} if entry.listed or _called(entry) or self._system not in _COUNTED else set()
        if self._system in _COUNTED:
            ids.add(key(number))  # Brightspace exports other numbers, and Blackboard none
        logins = {key(entry.id), *map(key, entry.logins)}
        if self._system is System.BLACKBOARD and name:
            words = name.split("_")  # a title, and a user name that may hold underscores as well
            logins |= {key("_".join(words[place:])) for place in range(1, len(words))}
        names = any_of(self._names, _names(*_called(entry), name))
        if self._system is System.CANVAS and name:
            names |= any_of(self._sortable, {squeezed(name)})
        levels = [
            any_of(self._ids, ids),
            any_of(self._numbers, {key(entry.id), *map(key, entry.numbers)}),
            any_of(self._logins, logins),
            names,
        ]
        return narrowed(levels)

    def agree(self, entry: Entry, row: int) -> bool:
        """Return whether nothing speaks against a row: its name and that of the entry have a word in common.

        Where one of them has no name, a number or login has to be the person's own.
        """
        person = self._people[row]
        name, number = _origin(entry, self._system)
        ours = [*_called(entry), *([name] if name and self._system is not System.BLACKBOARD else [])]
        if not person.name:
            return True
        if not ours:
            own = {key(text) for text in (entry.id, *entry.numbers, *entry.logins)}
            held = {key(text) for text in (*person.numbers, *person.logins)}
            by_system = bool(number) and key(number) == key(person.id)
            return self._system not in _COUNTED or by_system or bool(own & held)
        if self._system is System.CANVAS and {squeezed(text) for text in ours} & sortable_forms(person):
            return True
        return bool(_words(ours) & _words((person.name, *person.sortable)))


def _called(entry: Entry) -> tuple[str, ...]:
    """Return the names of an entry; the id stands in the place of a missing one, and is none."""
    if entry.name == entry.id or (entry.origin and entry.name == entry.origin[-1] and len(entry.origin) > 2):
        return ()
    return (entry.name, *entry.sortable)


def _origin(entry: Entry, system: System) -> tuple[str, str]:
    """Return what the submission's name says of its owner in this system: name and number; "" where it says nothing."""
    kind, name, number = (*entry.origin, "", "", "")[:3]
    if kind != _ORIGINS[system] or entry.group:
        return "", ""
    return name, number


def _names(*texts: str) -> set[str]:
    return {form for text in texts for form in names_of(text)}


def _words(texts: Iterable[str]) -> set[str]:
    return {squeezed(word) for text in texts for word in key(text).replace(",", " ").replace("-", " ").split()} - {""}
