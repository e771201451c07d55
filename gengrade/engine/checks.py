"""Which checks a run carries out, and which of them need others."""

from __future__ import annotations

from gengrade.choices import CheckKind, Profile
from gengrade.engine.errors import UsageError
from gengrade.engine.options import Options
from gengrade.grading.checks import known, with_needs
from gengrade.rubric import CheckItem, ManualItem, MeasureItem, Rubric


def checks_to_run(options: Options, rubric: Rubric) -> tuple[str, ...]:
    """Return the rubric's checks that the profile, the part and the audience ask for, and all that these need."""
    named: set[str] = set()
    for entry in rubric.entries():
        if isinstance(entry.item, ManualItem) or (options.public and entry.item.hidden):
            continue
        if isinstance(entry.item, CheckItem | MeasureItem):
            named.update(entry.checks)
    families = {id_.partition(".")[0] for id_ in named}
    if options.part is not None:
        if options.part not in families:
            raise UsageError(
                f"--part {options.part}: the rubric has no such part; it has {', '.join(sorted(families))}"
            )
        named = {id_ for id_ in named if id_.startswith(f"{options.part}.")}
    wanted = with_needs(named) - (rubric.hidden_checks() if options.public else set())
    return tuple(
        sorted(id_ for id_ in wanted if options.profile is Profile.SMOKE or known()[id_].kind is CheckKind.UNIT)
    )


def needs_of_checks(rubric: Rubric) -> dict[str, tuple[str, ...]]:
    """Return, for each check, the needs that all its rubric items share.

    A check is run as long as one of its items needs nothing that has failed.
    """
    needs: dict[str, set[str]] = {}
    for entry in rubric.entries():
        if not isinstance(entry.item, ManualItem):
            own = set(entry.item.needs)
            needs[entry.item.subject] = needs.get(entry.item.subject, own) & own
    return {check: tuple(sorted(needed)) for check, needed in needs.items() if needed}
