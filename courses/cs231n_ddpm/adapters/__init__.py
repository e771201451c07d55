"""Adapters that offer a submission of this course to the probes. Only guests import them: they run student code."""
