"""Fuzz the host's side of the wire: `python -m tests.attacks.fuzzing --seconds 1800 --inputs 10000000 --jobs 1`.

An input is what a hostile run sends, or what a damaged store holds. It goes through the code that reads it in earnest:
`_Conversation`, `wire.decode`, `read_answer`, the accessors of `Evidence`, and `EvidenceStore`. Inputs that reach a new
pair of lines are kept, and changed further; half of all are frames of the right form with a few mistakes in them.

Faults are: any exception but those that the code promises, an outcome that it does not, evidence that changes on its
way through the store, an input that takes seconds, and one that takes much memory. Full-size inputs that aim at one
cost each are measured first (`costs.WORST`).

A sixth of the time goes to what is handed in (`handing_in`): classes of trees, archives, programs and notebooks.

The loop is our own. atheris would do as well on one platform; but its wheel takes 35 MB, exists for few platforms, and
sees no more than this: the parsers beneath are C and Rust, which neither instruments.
"""
