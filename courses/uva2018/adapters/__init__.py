"""What probes ask of a submission, in the names of this course. Only guests import these: they run student code."""
