"""Find out which submission belongs to which row of a roster: exactly or not at all.

Three properties are deliberate:

1. A row's own `submission` decides. Otherwise ids are compared, then logins, then names; where two of these point at
   different rows, nothing is decided.
2. A submission counts for one row, or for the rows of one group, and a row has one submission at most.
3. Whatever is not decided is listed, with what to write into the roster. Nothing is lost, and no order matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gengrade.documents import suggestion
from gengrade.people.model import Handed, Person
from gengrade.people.words import key, names_of, sortable_names_of, squeezed
from gengrade.submissions.names import BLACKBOARD, BRIGHTSPACE, CANVAS, MOODLE
from gengrade.texts import listed

_SYSTEMS: Final = (CANVAS, MOODLE, BRIGHTSPACE)
_NAMED: Final = 5  # rows or submissions in a sentence
_Rows = frozenset[int]  # places in the roster


@dataclass(frozen=True, slots=True)
class Matching:
    """Which submission each row has, and what is not decided.

    submissions: the submission's id by the row's place in the roster.
    unlisted: submissions that belong to no row.
    doubtful: submissions that may belong to several rows, or that share a row with others.
    undecided: the rows that these may belong to.
    replaced: submissions in whose place their row names another one.
    unclear: a sentence on each doubt.
    notes: a sentence on each submission that is replaced.
    problems: sentences on rows that name a submission which is not there.
    """

    submissions: dict[int, str]
    unlisted: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    undecided: _Rows = frozenset()
    replaced: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def matched(roster: Sequence[Person], handed: Mapping[str, Handed]) -> Matching:
    """Return which submission belongs to whom.

    roster: the rows.
    handed: for each submission's id, what its name says.
    """
    units = _units(roster)
    members = _members(units)
    settled, problems = _named_by_rows(roster, units, handed)
    taken = set(settled.values())
    index = _Index(roster)
    claims: dict[int, list[str]] = {}
    unlisted: list[str] = []
    doubtful: list[str] = []
    undecided: set[int] = set()
    unclear: list[str] = []
    replaced: dict[str, str] = {}
    for id_ in sorted(handed.keys() - taken):
        rows = index.rows(id_, handed[id_])
        owners = {units[row] for row in rows}
        if not owners:
            unlisted.append(id_)
        elif len(owners) > 1:
            doubtful.append(id_)
            undecided |= {row for owner in owners for row in members[owner]}
            unclear.append(_two_rows(id_, sorted(rows), roster))
        elif owners <= settled.keys():
            (owner,) = owners
            replaced[id_] = _replaced(id_, settled[owner], sorted(rows), roster)
        else:
            claims.setdefault(owners.pop(), []).append(id_)
    found = dict(settled)
    for owner, ids in claims.items():
        if len(ids) == 1:
            found[owner] = ids[0]
        else:
            doubtful += ids
            undecided |= set(members[owner])
            unclear.append(_two_submissions(ids, members[owner], roster))
    submissions = {row: found[unit] for row, unit in enumerate(units) if unit in found}
    return Matching(
        submissions,
        tuple(unlisted),
        tuple(sorted(doubtful)),
        frozenset(undecided - submissions.keys()),
        tuple(replaced),
        tuple(unclear),
        tuple(replaced.values()),
        tuple(problems),
    )


def _units(roster: Sequence[Person]) -> list[int]:
    """Return for each row the first row of its group, or the row itself: those with one value share a submission."""
    first: dict[str, int] = {}
    return [first.setdefault(key(each.group), row) if each.group else row for row, each in enumerate(roster)]


def _members(units: Sequence[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for row, unit in enumerate(units):
        found.setdefault(unit, []).append(row)
    return found


def _named_by_rows(
    roster: Sequence[Person], units: Sequence[int], handed: Mapping[str, Handed]
) -> tuple[dict[int, str], list[str]]:
    """Return the submissions that rows name, by unit, and a sentence on each that is not there."""
    ids = {key(id_): id_ for id_ in handed}
    settled: dict[int, str] = {}
    problems = []
    for row, person in enumerate(roster):
        if not person.submission:
            continue
        id_ = person.submission if person.submission in handed else ids.get(key(person.submission))
        if id_ is None:
            hint = suggestion(person.submission, handed)
            problems.append(f'line {person.line}: there is no submission "{person.submission}"{hint}: correct it')
        elif id_ not in settled.values() or settled.get(units[row]) == id_:
            settled.setdefault(units[row], id_)
    return settled, problems


class _Index:
    """The rows of a roster by their ids, logins and names."""

    def __init__(self, roster: Sequence[Person]) -> None:
        self._ids = by_key({key(each.id)} for each in roster)
        self._numbers = by_key(set(map(key, each.numbers)) for each in roster)
        self._logins = by_key(set(map(key, each.logins)) for each in roster)
        self._names = by_key(_names(each) for each in roster)
        self._nameless = frozenset(row for row, each in enumerate(roster) if not each.name)
        self._sortable = by_key(sortable_forms(each) for each in roster)

    def rows(self, id_: str, handed: Handed) -> _Rows:
        """Return the rows that a submission may belong to: one, if it is sure."""
        system, name, number = (*handed.origin, "", "", "")[:3]
        if system == BLACKBOARD:
            words = name.split("_")  # a title, and a user name that may hold underscores as well
            return any_of(self._logins, {key("_".join(words[place:])) for place in range(1, len(words))})
        if system in _SYSTEMS:
            own = {key(number), key(id_)}
            names = any_of(self._names, names_of(name))
            if system == CANVAS:
                names |= any_of(self._sortable, {squeezed(name)})
            ids = any_of(self._ids, own)
            if system == BRIGHTSPACE:  # its own numbers are others than those that it exports
                return narrowed([names, ids]) if names else ids & self._nameless
            return narrowed([ids, names])
        own = {key(text) for text in (id_, handed.name, *handed.origin[-1:])}
        levels = [any_of(each, own) for each in (self._ids, self._numbers, self._logins)]
        called = {form for text in (id_, handed.name, *handed.origin[-1:]) for form in names_of(text)}
        return narrowed([*levels, any_of(self._names, called)])


def by_key(keys: Iterable[set[str]]) -> dict[str, set[int]]:
    """Return for each key the places of the rows that have it."""
    found: dict[str, set[int]] = {}
    for row, each in enumerate(keys):
        for one in each - {""}:
            found.setdefault(one, set()).add(row)
    return found


def any_of(index: Mapping[str, set[int]], keys: Iterable[str]) -> _Rows:
    """Return the places of the rows that have one of these keys."""
    return frozenset(row for each in keys for row in index.get(each, ()))


def _names(person: Person) -> set[str]:
    return {form for text in (person.name, *person.sortable) for form in names_of(text)}


def sortable_forms(person: Person) -> set[str]:
    """Return the forms of a person's name that begin with the family name, as that of "Doe, Jane"."""
    return {form for text in person.sortable or (person.name,) for form in sortable_names_of(text)}


def narrowed(levels: Sequence[_Rows]) -> _Rows:
    """Return the rows of the strongest kind of match, narrowed by weaker kinds of match as far as these agree."""
    found: _Rows = frozenset()
    for level in levels:
        if not found or not level:
            found = found or level
        elif found & level:
            found &= level
        else:
            return found | level
    return found


def _two_rows(id_: str, rows: Sequence[int], roster: Sequence[Person]) -> str:
    who = listed([roster[row].row for row in rows], _NAMED)
    return f'{id_} may belong to {who}: write "{id_}" into the column "submission" of the right one'


def _two_submissions(ids: Sequence[str], rows: Sequence[int], roster: Sequence[Person]) -> str:
    who = listed([roster[row].row for row in rows], _NAMED)
    whose = f"the group {who}" if len(rows) > 1 else who
    line = roster[rows[0]].line
    return (
        f"{listed(list(ids), _NAMED)} are all of {whose}: write the one that counts into the column "
        f'"submission" of line {line}'
    )


def _replaced(id_: str, other: str, rows: Sequence[int], roster: Sequence[Person]) -> str:
    return f"{id_} does not count, since {roster[rows[0]].row} or its group has the submission {other} in the roster"
