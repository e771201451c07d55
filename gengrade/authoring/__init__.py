"""For who writes a course: the smallest one that grades, and the proof that one keeps its word."""

from gengrade.authoring.new import create
from gengrade.authoring.verifying import Finding, verify

__all__ = ["Finding", "create", "verify"]
