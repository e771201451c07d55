"""Attacks on the grader: hostile code in otherwise honest submissions, graded by the real command.

For each attack three submissions are graded by the real command: the hostile one, the same without the attack (both
are wrong in the same place), and an honest control of the same shape.
"""
