"""What was handed in: finding the submissions of a class, telling who and how late, and making a clean tree of each.

    discover(path, parts) → Discovery of Submissions      cheap: looks at names, unpacks nothing
    names_in(submission) → its files' names               cheap as well: archives are looked into, not unpacked
    prepare(submission, into, parts) → Prepared            unpacks, finds the parts, copies what matters
    lay_out(folder, into, parts) → Prepared                the same of a folder of ours
    code_flags(tree, shown) → sentences                      what stands out in the code; it costs no points
    signatures(submissions) → a text for each              changes when anything in it is touched
    discard(tree)                                          removes such a tree again

All of these but `lay_out` and `discard` read in a confined process (see `reading`): whatever was handed in, the caller
survives it.

Identity and lateness come from the names that a learning management system gave, never from inside a submission.
"""

from gengrade.parts import Part
from gengrade.submissions.model import Discovery, Prepared, Submission, SubmissionError
from gengrade.submissions.preparing import discard
from gengrade.submissions.reading import code_flags, discover, lay_out, names_in, prepare, signatures

__all__ = [
    "Discovery",
    "Part",
    "Prepared",
    "Submission",
    "SubmissionError",
    "code_flags",
    "discard",
    "discover",
    "lay_out",
    "names_in",
    "prepare",
    "signatures",
]
