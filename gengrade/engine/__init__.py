"""A run over a class: submissions in; facts, grades and reports out; as many at a time as there are workers.

    run(options, watch) → Result     the whole run, step by step (`running`)
    Carrier                          who grades: this machine or others (`carriers`)
    Crew                             the workers of several runs, which rest between them (`crew`)
    Options                          what the command line asks for (`options`)
    Progress, Graded, Result         what a run tells while it goes on, and what it leaves (`results`)
    UsageError, OutputError          why a run cannot be carried out (`errors`)
    Interrupted                      a run that was stopped (`errors`)
    graded_class(out)                a class that was graded earlier, for marking (`record`)
    grades_of(class)                 the grades that it has (`rescoring`)
    by_its_marks(class)              the class with its grades by the present marks (`rescoring`)
    rescore(…), rewrite_class_pages  what follows from changed marks (`rescoring`)
    locked(out)                      keeps other commands away from the results (`folder`)
    kept_of_class(…)                 what no file may see while a class is marked (`kept`)
    kept_here()                      what no submission may see of a run in this folder (`kept`)

Of the other modules, `asked`, `planning`, `checks` and `seeds` make the job; `sharing`, `crew`, `workers` and
`processors` share the submissions among worker processes; `grades` and `marks` turn facts into points and pages;
`withdrawing` moves the results of submissions aside that were taken out; `folder` and `signals` keep the folder of
results whole. The package `cluster` grades on several machines.
"""

from gengrade.engine.carriers import Carrier
from gengrade.engine.crew import Crew
from gengrade.engine.errors import Interrupted, OutputError, UsageError
from gengrade.engine.folder import locked
from gengrade.engine.kept import kept_here, kept_of_class
from gengrade.engine.marks import operator
from gengrade.engine.options import Options
from gengrade.engine.record import GradedClass, graded_class
from gengrade.engine.rescoring import by_its_marks, grades_of, rescore, rewrite_class_pages
from gengrade.engine.results import EventKind, Graded, Progress, Result
from gengrade.engine.running import run

__all__ = [
    "Carrier",
    "Crew",
    "EventKind",
    "Graded",
    "GradedClass",
    "Interrupted",
    "Options",
    "OutputError",
    "Progress",
    "Result",
    "UsageError",
    "by_its_marks",
    "graded_class",
    "grades_of",
    "kept_here",
    "kept_of_class",
    "locked",
    "operator",
    "rescore",
    "rewrite_class_pages",
    "run",
]
