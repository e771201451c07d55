"""Know the people of a class: who handed in what, how late it is for them, and who handed in nothing.

    read_roster(content, path) → Roster            the rows of a table, and all of its mistakes (`roster`)
    matched(roster, handed) → Matching             which submission belongs to which row (`matching`)
    people_of(handed, roster, deadline) → People   both together, with the lateness of each (`whole`)

Nothing here runs code or opens a submission: a changed roster only scores again.
"""

from gengrade.people.model import NOBODY, Handed, Member, People, Person, Standing, Status
from gengrade.people.roster import Roster, RosterError, read_roster
from gengrade.people.whole import Found, people_of

__all__ = [
    "NOBODY",
    "Found",
    "Handed",
    "Member",
    "People",
    "Person",
    "Roster",
    "RosterError",
    "Standing",
    "Status",
    "people_of",
    "read_roster",
]
