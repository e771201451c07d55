"""The marks that people give: their history in one SQLite file per assignment, and the files they are typed in.

Mark, Marks, Event, Change       what a person gave, and the history of it (`model`)
amendments                       what is changed for all students at once
questions                        what students ask about their marks, and the answers
opened(folder, assignment)       the store of an assignment's marks (`store`)
files, table                     one student's marks as YAML, a class's as CSV
importing                        what was typed into files becomes events
"""

from gengrade.marks.files import MarksError
from gengrade.marks.model import Change, Event, EventKind, Mark, Marks
from gengrade.marks.store import Store, StoreError, opened

__all__ = ["Change", "Event", "EventKind", "Mark", "Marks", "MarksError", "Store", "StoreError", "opened"]
