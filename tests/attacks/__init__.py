"""Attacks on the grader: each a hostile piece in an otherwise honest submission, and what came of it.

For each attack three submissions are graded by the real command: the hostile one, the same without the attack (both
are wrong in the same place), and an honest control of the same shape.
"""
