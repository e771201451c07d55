"""Change an item's criteria, or a comment, for all students at once: see what follows, do it, and take it back.

Four properties are deliberate:

1. The rubric's file is never written. Changed criteria are kept with the marks, and replace those of the file.
2. They do so only while the file's item is the one that they were changed from. If the file contains the same criteria
   itself, nothing is changed any more; if its item has become another one, a sentence says so.
3. Nothing is stored that was not shown before: a plan has a digest of all that it says, and a plan with another digest
   is not carried out.
4. A change and all events that it leads to are one transaction, and are taken back as a whole. Marks in conflict, and
   marks for other wordings, are left as they are.
"""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

import yaml

from gengrade.marks.model import Amendment, Change, Event, EventKind, Mark
from gengrade.marks.store import Store
from gengrade.naming import telling_words, unique
from gengrade.paths import printable
from gengrade.rubric import Criterion, Entry, ManualItem, Rubric, Wording
from gengrade.texts import unwrapped

LONGEST: Final = 1000  # characters of a criterion
CONFLICT: Final = "several marks are in conflict"
EARLIER: Final = "the mark is for another wording"
TWICE: Final = "a second person marked it as well"
LATER: Final = "it was marked since"


class AmendmentError(ValueError):
    """A change cannot be made, or cannot be taken back; the text says why."""


class Stale(Exception):
    """Marks or criteria have changed since a plan was shown; the plan as it is now has to be shown instead."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.plan = plan


class Amended(NamedTuple):
    """A rubric with the criteria that were changed while marking."""

    rubric: Rubric
    items: tuple[str, ...]  # the ids of the items whose criteria are not those of the rubric's file
    unfit: dict[str, str]  # by the item's id, a sentence on changes that do not fit the rubric any more


def amended(rubric: Rubric, amendments: Iterable[Amendment]) -> Amended:
    """Return a rubric, as its file says, with the criteria that were changed while marking."""
    entries = {entry.id: entry for entry in rubric.entries()}
    criteria: dict[str, tuple[Criterion, ...]] = {}
    unfit: dict[str, str] = {}
    for item, changes in _by_item(amendments).items():
        last = next((change for change in reversed(changes) if not _takes_over(change)), None)
        if item not in entries or last is None or last.wording is None or last.wording == last.base:
            continue
        own = entries[item].wording
        if last.base == own and last.wording != own:
            criteria[item] = last.wording.criteria
        elif last.wording != own and not _takes_over(changes[-1]):
            unfit[item] = (
                f'the criteria of "{printable(item)}" were changed while marking, but its item in the rubric has '
                "changed since, so these changes do not count any more: see gengrade marks changes"
            )
    return Amended(rubric.amended(criteria), tuple(criteria), unfit)


def note_taken_over(store: Store, rubric: Rubric, *, by: str, source: str) -> None:
    """Note which changes of criteria the rubric's file contains itself, so that they are not missed in a later file."""
    entries = {entry.id: entry for entry in rubric.entries()}
    with store.transaction():
        for item, changes in _by_item(store.amendments()).items():
            last = changes[-1]
            if item in entries and last.wording == entries[item].wording != last.base:
                store.amend(item, (), criteria=(last.wording, last.wording), by=by, source=source)


def _by_item(amendments: Iterable[Amendment]) -> dict[str, list[Amendment]]:
    """Return the changes of criteria by the item's id."""
    found: dict[str, list[Amendment]] = {}
    for amendment in amendments:
        if amendment.wording is not None:
            found.setdefault(amendment.item, []).append(amendment)
    return found


def _takes_over(amendment: Amendment) -> bool:
    """Return whether an amendment only notes that the rubric's file has the criteria now."""
    return amendment.undoes is None and amendment.wording is not None and amendment.wording == amendment.base


# --- plans ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """What a change does to one student's mark."""

    head: Event
    mark: Mark  # from then on
    by_hand: bool = False  # the points are not the sum of the criteria, since a person gave them; they stay

    @property
    def student(self) -> str:
        return self.head.student

    @property
    def before(self) -> float | None:
        return self.head.mark.points if self.head.mark else None

    @property
    def after(self) -> float | None:
        return self.mark.points


@dataclass(frozen=True, slots=True)
class Left:
    """A student whose mark a change leaves as it is, and why."""

    student: str
    reason: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A criterion that somebody wants to add, to change or to remove.

    criterion: the id of the criterion to change or to remove; "" adds one.
    remove: whether to remove it; text and points then say nothing.
    """

    item: str
    criterion: str
    text: str = ""
    points: float = 0.0
    remove: bool = False


@dataclass(frozen=True, slots=True)
class CommentProposal:
    """A comment that somebody wants to replace wherever an item has exactly that comment."""

    item: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a proposal leads to.

    criteria: the wording in the rubric's file, the present one, and the one from then on; None if a comment is changed.
    comments: the comment before and after; None if criteria are changed.
    """

    item: str
    criteria: tuple[Wording, Wording, Wording] | None
    comments: tuple[str, str] | None
    rows: tuple[Row, ...]
    left: tuple[Left, ...]

    @property
    def criterion(self) -> tuple[Criterion | None, Criterion | None]:
        """The criterion that is changed, as it is now and as it becomes; None where it is not there."""
        if self.criteria is None:
            return None, None
        _, now, then = self.criteria
        return next(iter(set(now.criteria) - set(then.criteria)), None), next(
            iter(set(then.criteria) - set(now.criteria)), None
        )

    @property
    def digest(self) -> str:
        """A hash of all that the plan says."""
        said = [
            self.item,
            [each.fingerprint for each in self.criteria or ()],
            self.comments,
            [[row.head.id, row.mark.model_dump(), row.by_hand] for row in self.rows],
            [[left.student, left.reason] for left in self.left],
        ]
        return hashlib.sha256(json.dumps(said).encode("utf-8", "surrogatepass")).hexdigest()


def planned(store: Store, rubric: Rubric, proposal: Proposal | CommentProposal) -> Plan:
    """Return what a proposal leads to; nothing is stored.

    rubric: the rubric as its file says.

    Raises AmendmentError.
    """
    return _comment_plan(store, proposal) if isinstance(proposal, CommentProposal) else _plan(store, rubric, proposal)


def apply(
    store: Store,
    rubric: Rubric,
    proposal: Proposal | CommentProposal,
    *,
    digest: str,
    by: str,
    source: str,
    request: str | None = None,
) -> int:
    """Carry a plan out, and return the amendment's id.

    rubric: the rubric as its file says.
    digest: that of the plan that was shown.
    by: the person who decided it.
    request: a text that is the same when a browser repeats the request, which is carried out once.

    Raises AmendmentError, and Stale if the plan that was shown is not what would happen now.
    """
    with store.transaction():
        done = store.amendment_of(request) if request else None
        if done is not None:
            return done
        plan = planned(store, rubric, proposal)
        if plan.digest != digest:
            raise Stale(plan)
        kind = EventKind.CONFIRMATION if plan.criteria else EventKind.MARK
        changes = [
            Change(
                row.student,
                plan.item,
                row.mark,
                plan.criteria[2] if plan.criteria else row.head.wording,
                (row.head.id,),
                kind,
                row.head.content,
            )
            for row in plan.rows
        ]
        return store.amend(
            plan.item,
            changes,
            criteria=(plan.criteria[0], plan.criteria[2]) if plan.criteria else None,
            comments=plan.comments,
            by=by,
            source=source,
            request=request,
        )


def _plan(store: Store, rubric: Rubric, proposal: Proposal) -> Plan:
    own, entry = _entries(store, rubric, proposal.item)
    assert isinstance(entry.item, ManualItem)
    wording = entry.wording.model_copy(update={"criteria": _proposed(entry, entry.item, proposal)})
    item = entry.item.model_copy(update={"criteria": wording.criteria})
    rows, left = [], []
    twice = store.seconded(entry.id)  # their two marks would not agree any more if only the first one changed
    for student, heads in store.marked(entry.id).items():
        (head, mark) = (heads[0], heads[0].mark) if len(heads) == 1 else (None, None)
        if head is None:
            left.append(Left(student, CONFLICT))
        elif mark is None:
            continue  # it was withdrawn
        elif head.wording != entry.wording:
            left.append(Left(student, EARLIER))
        elif student in twice:
            left.append(Left(student, TWICE))
        else:
            summed = mark.criteria is not None and mark.points == entry.item.sum(mark.criteria)
            there = {criterion.id for criterion in item.criteria}
            met = None if mark.criteria is None else tuple(each for each in mark.criteria if each in there)
            points = item.sum(met or ()) if summed else mark.points
            now = mark.model_copy(update={"points": points, "criteria": met})
            rows.append(Row(head, now, by_hand=mark.points is not None and not summed))
    rows.sort(key=lambda row: (row.before == row.after and not row.by_hand, row.by_hand, row.student))
    return Plan(entry.id, (own.wording, entry.wording, wording), None, tuple(rows), tuple(_sorted(left)))


def _entries(store: Store, rubric: Rubric, item: str) -> tuple[Entry, Entry]:
    """Return a manual item as the rubric's file has it, and as it is now. Raises AmendmentError if there is none."""

    def find(where: Rubric) -> Entry | None:
        return next((each for each in where.entries() if each.id == item and isinstance(each.item, ManualItem)), None)

    own, entry = find(rubric), find(amended(rubric, store.amendments(item)).rubric)
    if own is None or entry is None:
        raise AmendmentError(f'there is no item "{item}" whose points people give')
    return own, entry


def _proposed(entry: Entry, item: ManualItem, proposal: Proposal) -> tuple[Criterion, ...]:
    """Return an item's criteria as they become. Raises AmendmentError."""
    there = {criterion.id: criterion for criterion in item.criteria}
    if proposal.criterion and proposal.criterion not in there:
        raise AmendmentError(f'"{entry.id}" has no criterion "{proposal.criterion}" any more: load the page again')
    if proposal.remove:
        criteria = tuple(each for id_, each in there.items() if id_ != proposal.criterion)
    else:
        new = _written(proposal, there)
        criteria = tuple((there | {new.id: new}).values())
    changed = item.model_copy(update={"criteria": criteria})
    if there and criteria and _adds(item) != _adds(changed):
        reason = (
            "a criterion that deducts them, with negative points"
            if _adds(changed)
            else "at least one criterion that adds to them, with positive points"
        )
        start = "begin with all points" if _adds(changed) else "begin with no points"
        raise AmendmentError(f'the criteria of "{entry.id}" {start}: give {reason}')
    if not criteria:
        raise AmendmentError(
            f'"{entry.id}" would have no criterion any more: change this one, or add another one first'
        )
    most = changed.sum([each.id for each in criteria if each.points > 0])
    if most < item.points:
        raise AmendmentError(
            f'the criteria of "{entry.id}" would add up to {most:g} points, and the item has {item.points:g}: '
            "give more points, or add another criterion first"
        )
    return tuple(each.model_copy(update={"text": unwrapped(each.text)}) for each in criteria)


def _written(proposal: Proposal, there: Mapping[str, Criterion]) -> Criterion:
    """Return the criterion that is proposed. Raises AmendmentError.

    there: the item's criteria, by their ids.
    """
    text, points = unwrapped(proposal.text), proposal.points
    if not text:
        raise AmendmentError("a criterion needs a text: say what to look for")
    if len(text) > LONGEST or any(unicodedata.category(letter) == "Cc" for letter in text):
        raise AmendmentError(f"a criterion's text has at most {LONGEST} visible characters: write a shorter one")
    if not math.isfinite(points) or round(points, 2) != points or points == 0:
        raise AmendmentError("a criterion has points with at most two decimals, negative ones to deduct, and not 0")
    id_ = proposal.criterion or unique("-".join(telling_words(text)) or "criterion", there)
    new = Criterion(id=id_, text=text, points=points)
    if proposal.criterion and new == there[id_].model_copy(update={"text": unwrapped(there[id_].text)}):
        raise AmendmentError("nothing was changed: write another text, or other points")
    return new


def _adds(item: ManualItem) -> bool:
    """Return whether the sum of an item's criteria begins at 0, and not at the item's points."""
    return any(criterion.points > 0 for criterion in item.criteria)


def _comment_plan(store: Store, proposal: CommentProposal) -> Plan:
    before, after = proposal.before, proposal.after.replace("\r\n", "\n").strip()
    if not after:
        raise AmendmentError("write the new comment: without one, a mark that differs from its criteria has no reason")
    if after == before:
        raise AmendmentError("nothing was changed: write another comment")
    rows, left = [], []
    for student, heads in store.marked(proposal.item).items():
        marks = [event.mark for event in heads if event.mark is not None and event.mark.comment == before]
        if marks and len(heads) > 1:
            left.append(Left(student, CONFLICT))
        elif marks and heads[0].second:
            left.append(Left(student, TWICE))
        elif marks:
            rows.append(Row(heads[0], marks[0].model_copy(update={"comment": after})))
    if not rows:
        raise AmendmentError("nobody has this comment any more: choose another one")
    rows.sort(key=lambda row: row.student)
    return Plan(proposal.item, None, (before, after), tuple(rows), tuple(_sorted(left)))


# --- taking back ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Undoing:
    """What taking an amendment back leads to: the changes of marks, and the students whose marks stay."""

    amendment: Amendment
    changes: tuple[Change, ...]
    left: tuple[Left, ...]


def undoing(store: Store, amendment: int) -> Undoing:
    """Return what taking an amendment back leads to; nothing is stored. Raises AmendmentError if it cannot be."""
    all_ = store.amendments()
    found = next((each for each in all_ if each.id == amendment), None)
    if found is None:
        raise AmendmentError(f"there is no change {amendment}")
    if found.undoes is not None:
        raise AmendmentError(f"change {amendment} takes change {found.undoes} back: make that change again instead")
    if any(each.undoes == amendment for each in all_):
        raise AmendmentError(f"change {amendment} was taken back already")
    if found.wording is not None and found != _newest(all_, found.item):
        reason = f'the criteria of "{found.item}" were changed again after change {amendment}'
        raise AmendmentError(f"{reason}: take the newest change back first")
    made = {event.id: event for event in store.amended_events(amendment)}
    twice = store.seconded(found.item) if found.wording else set()
    changes, left = [], []
    for student, heads in sorted(store.marked(found.item).items()):
        origin = _origin(store, heads[0]) if len(heads) == 1 else None
        if student in twice and len(heads) == 1:
            left.append(Left(student, TWICE))
        elif origin in made:
            (before,) = (store.event(id_) for id_ in made[origin].replaces)
            replaced = (heads[0].id,)
            changes.append(
                Change(student, found.item, before.mark, before.wording, replaced, EventKind.UNDO, before.content)
            )
        elif any(event.mark for event in heads) and (found.wording or student in {e.student for e in made.values()}):
            reason = EARLIER if found.wording and heads[0].wording != found.wording else LATER
            left.append(Left(student, CONFLICT if len(heads) > 1 else reason))
    return Undoing(found, tuple(changes), tuple(left))


def undo(store: Store, rubric: Rubric, amendment: int, *, by: str, source: str, request: str | None = None) -> int:
    """Take an amendment back as a whole, and return the id of the amendment that does so.

    rubric: the rubric as its file says.

    A mark is taken back where it is still the one that the change made. Raises AmendmentError.
    """
    with store.transaction():
        done = store.amendment_of(request) if request else None
        if done is not None:
            return done
        plan = undoing(store, amendment)
        found = plan.amendment
        add: Callable[..., int] = partial(
            store.amend, found.item, plan.changes, undoes=amendment, by=by, source=source, request=request
        )
        if found.comments is not None:
            return add(comments=found.comments[::-1])
        own = next((entry.wording for entry in rubric.entries() if entry.id == found.item), None)
        assert found.base is not None
        if own is None:
            raise AmendmentError(f'the rubric has no item "{found.item}" any more')
        if found.base != own == found.wording:
            raise AmendmentError("the rubric's file has these criteria itself now: change them there")
        return add(criteria=(own, _before(store, found) if found.base == own else own))


def not_alone(store: Store, student: str, item: str) -> str:
    """Return why the last change of a student's item cannot be taken back by itself; "" if it can."""
    number = store.amendment_behind(student, item)
    if number is None:
        return ""
    return f"change {number} for all students was the last one: take that back as a whole, or give another mark"


def undoable(amendments: Sequence[Amendment]) -> set[int]:
    """Return the ids of the amendments that can be taken back, of all amendments."""
    undone = {each.undoes for each in amendments}
    newest = {item: _newest(amendments, item) for item in _by_item(amendments)}
    return {
        each.id
        for each in amendments
        if each.undoes is None and each.id not in undone and (each.comments is not None or each == newest[each.item])
    }


def _newest(amendments: Sequence[Amendment], item: str) -> Amendment | None:
    """Return the newest change of an item's criteria that was not taken back."""
    undone = {each.undoes for each in amendments}
    changes = _by_item(each for each in amendments if each.item == item).get(item, [])
    left = [each for each in changes if each.undoes is None and each.id not in undone and not _takes_over(each)]
    return left[-1] if left else None


def _before(store: Store, amendment: Amendment) -> Wording:
    """Return the wording that an item had before its criteria were changed."""
    assert amendment.base is not None
    earlier = [each for each in store.amendments(amendment.item) if each.wording and each.id < amendment.id]
    before = earlier[-1] if earlier else None
    return before.wording if before and before.wording and before.base == amendment.base else amendment.base


def _origin(store: Store, event: Event) -> int:
    """Return the event whose mark stands again where changes after it were taken back; else the event itself."""
    while event.kind is EventKind.UNDO and len(event.replaces) == 1:
        undone = store.event(event.replaces[0])
        if store.amendment_that_led_to(event.id) is not None:
            # A change for all was taken back, whose mark may have stood again after a later change was taken back.
            undone = store.event(_origin(store, undone))
        if len(undone.replaces) != 1:
            break
        event = store.event(undone.replaces[0])
    return event.id


def _sorted(left: Iterable[Left]) -> list[Left]:
    return sorted(left, key=lambda each: each.student)


# --- for people ----------------------------------------------------------------------------------------------------


def described(amendment: Amendment, before: Wording | None) -> str:
    """Return in one sentence what an amendment changed.

    before: the item's wording before it.
    """
    if amendment.comments is not None:
        return f"the comment “{amendment.comments[0]}” became “{amendment.comments[1]}”"
    assert amendment.wording is not None
    if _takes_over(amendment):
        return "the rubric's file has these criteria itself now"
    old = {each.id: each for each in before.criteria} if before else {}
    new = {each.id: each for each in amendment.wording.criteria}
    said = [f"“{each.text}” ({each.points:+g}) was added" for id_, each in new.items() if id_ not in old]
    said += [f"“{each.text}” ({each.points:+g}) was removed" for id_, each in old.items() if id_ not in new]
    for id_ in old.keys() & new.keys():
        then, now = old[id_], new[id_]
        if then != now:
            said.append(f"“{then.text}” ({then.points:+g}) became “{now.text}” ({now.points:+g})")
    return "; ".join(said) or "the criteria stay as they are"


def told(amendments: Sequence[Amendment]) -> Mapping[int, str]:
    """Return for each amendment, by its id, what it changed; all amendments of a store have to be given."""
    last: dict[str, Amendment] = {}
    said = {}
    for each in amendments:
        before = last.get(each.item)
        same = before is not None and before.base == each.base
        what = described(each, before.wording if before and same else each.base)
        said[each.id] = what if each.undoes is None else f"change {each.undoes} was taken back: {what}"
        if each.wording is not None:
            last[each.item] = each
    return said


def to_yaml(rubric: Rubric, items: Iterable[str]) -> str:
    """Return the criteria of these items as YAML: for each item's id, the lines to paste into the rubric's item."""
    lines = []
    for entry in rubric.entries():
        if entry.id in items and isinstance(entry.item, ManualItem):
            lines += [f"{json.dumps(entry.id)}:", "  criteria:"]
            lines += [f"    - {_flow(criterion)}" for criterion in entry.item.criteria]
    return "".join(f"{line}\n" for line in lines)


def _flow(criterion: Criterion) -> str:
    """Return a criterion as YAML on one line."""
    points = int(criterion.points) if criterion.points.is_integer() else criterion.points
    readable = criterion.text.isprintable()  # what cannot be seen is escaped
    said = {"id": criterion.id, "text": criterion.text, "points": points}
    return yaml.safe_dump(
        said, allow_unicode=readable, sort_keys=False, default_flow_style=True, width=float("inf")
    ).strip()
