"""Measures how right the graders are: which mistakes they catch and name, and how often they fail right answers."""
