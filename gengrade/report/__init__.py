"""Reports: grades as pages for people and as files for other programs.

Each exporter is a function from grades to text in a module of its own. Everything that a student may have written goes
through `text.plain` and the escaping of its format; `text.public` takes from hidden items what they would give away.
"""

from gengrade.report.github import github_annotations, github_summary
from gengrade.report.gradebook import write_gradebook
from gengrade.report.index import write_index
from gengrade.report.junit import write_junit
from gengrade.report.student import write_report

__all__ = [
    "github_annotations",
    "github_summary",
    "write_gradebook",
    "write_index",
    "write_junit",
    "write_report",
]
