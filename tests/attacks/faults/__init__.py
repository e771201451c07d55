"""Test faults of the machine: grade a class while processes of the grader are killed at random moments.

`python -m tests.attacks.faults --kills 200` grades a class undisturbed, then repeatedly with kills, and continues each
run until it is complete. The final results must be the same, and intermediate ones may at worst say `infra`.
"""
