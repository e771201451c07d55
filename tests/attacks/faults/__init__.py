"""Test faults of the machine: grade a class while processes of the grader are killed at random moments.

`python -m tests.attacks.faults --kills 200` grades a class undisturbed, then again and again with kills, each run gone
on with until it is complete. What comes out in the end must be the same; on the way nothing worse than "our fault" may
stand anywhere.
"""
