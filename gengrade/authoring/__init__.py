"""Help people to write a course: create a minimal one, and check that a course gets the results it declares."""

from gengrade.authoring.new import create
from gengrade.authoring.verifying import Finding, verify

__all__ = ["Finding", "create", "verify"]
