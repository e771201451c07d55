"""Read what a class handed in: find its submissions and their authors, and make a clean tree of files of each.

    opened(path, parts) → Discovery of Submissions        the same as discover, also for a packed class
    discover(path, parts) → Discovery of Submissions      cheap: looks at names, unpacks nothing
    names_in(submission) → its files' names               cheap as well: lists archives without unpacking them
    prepare(submission, into, parts) → Prepared           unpacks, finds the parts, copies the files that matter
    lay_out_documents(submission, into) → LaidOut         unpacks, and copies all files that people may read
    lay_out(folder, into, parts) → Prepared               does the same with one of our own folders
    targets(folder, parts)                                the paths that its files get there
    code_flags(tree, shown) → sentences                   names unusual code for teachers; it costs no points
    signatures(submissions) → a text for each             changes when a file of the submission changes
    content(submission) → a hash                          of the files as they were handed in
    discard(tree)                                         removes a tree that one of these made

Two properties are deliberate:

1. All of these but `lay_out`, `targets` and `discard` read in a confined process (see `reading`), so that no
   submission can crash the caller.
2. Identity, lateness and times come from the names that a learning management system gave, and never from inside a
   submission.
"""

from gengrade.parts import Part
from gengrade.submissions.model import Discovery, LaidOut, Prepared, Submission, SubmissionError
from gengrade.submissions.packed import opened
from gengrade.submissions.preparing import DOCUMENTS, discard
from gengrade.submissions.reading import (
    code_flags,
    content,
    discover,
    lay_out,
    lay_out_documents,
    names_in,
    prepare,
    signatures,
    targets,
)

__all__ = [
    "DOCUMENTS",
    "Discovery",
    "LaidOut",
    "Part",
    "Prepared",
    "Submission",
    "SubmissionError",
    "code_flags",
    "content",
    "discard",
    "discover",
    "lay_out",
    "lay_out_documents",
    "names_in",
    "opened",
    "prepare",
    "signatures",
    "targets",
]
