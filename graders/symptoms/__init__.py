"""What in the evidence of a probe tells of a mistake, and not of a student's free choices.

Only probes whose evidence depends on such choices (an architecture, the order of random draws) need a function here;
of all others every number counts.
"""
