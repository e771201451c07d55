"""Fuzz the host's side of the wire: `python -m tests.attacks.fuzzing --seconds 1800 --inputs 10000000 --jobs 1`.

An input is what a hostile run sends, or what a damaged store holds. It is read by the code that reads real ones:
`Conversation`, `wire.decode`, `read_answer`, the accessors of `Evidence`, and `EvidenceStore`. Inputs that reach a new
pair of lines are kept, and changed further; half of all are well-formed frames with a few mistakes in them.

Faults are undocumented exceptions and outcomes, evidence that the store changes, and inputs that take seconds or much
memory. Inputs of full size that each aim at one cost are measured first (`costs.WORST`).

A sixth of the time is spent on submissions (`handing_in`): classes of trees, archives, programs and notebooks.

The loop is our own. atheris is available on few platforms, takes 35 MB, and would see no more than this loop, since
neither instruments the parsers in C and Rust.
"""
