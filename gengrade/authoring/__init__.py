"""Help people to write a course: create a minimal one, add ids, and check that a course gets its declared results."""

from gengrade.authoring.ids import add_ids
from gengrade.authoring.new import create
from gengrade.authoring.verifying import Finding, verify

__all__ = ["Finding", "add_ids", "create", "verify"]
