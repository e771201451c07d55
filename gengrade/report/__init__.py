"""Write grades as HTML pages for people and as files for other programs.

Each exporter is a function from grades to text, in a module of its own. Two properties are deliberate:

1. Every text that a student may have written passes through `text.plain` and the escaping of the format.
2. `text.public` removes from hidden items everything that would reveal what was tested.
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
