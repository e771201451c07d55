"""What was handed in: finding the submissions of a class, telling who and how late, and making a clean tree of each.

    discover(path, parts) → Discovery of Submissions      cheap: looks at names, unpacks nothing
    names_in(submission) → its files' names               cheap as well: archives are looked into, not unpacked
    prepare(submission, into, parts) → Prepared            unpacks, finds the parts, copies what matters
    discard(tree)                                          removes such a tree again

Identity and lateness come from the names that a learning management system gave, never from inside a submission.
"""

from gengrade.submissions.discovery import discover, names_in
from gengrade.submissions.model import Discovery, Part, Prepared, Submission, SubmissionError
from gengrade.submissions.oddities import oddities
from gengrade.submissions.preparing import discard, prepare

__all__ = [
    "Discovery",
    "Part",
    "Prepared",
    "Submission",
    "SubmissionError",
    "discard",
    "discover",
    "names_in",
    "oddities",
    "prepare",
]
