"""Give students their grades: releases, and the files that learning management systems import.

given(out) → Publishable                  what a class gets, and where its reports lie (`given`, `entries`)
publication(class, system, export, …)     what is to be uploaded, and who is left out (`publishing`)
read, fill, archive                       of each system (`canvas`, `moodle`, `brightspace`, `blackboard`)
read_table(content, path) → Table         an export that is written again byte for byte (`tables`, `numbers`)
find_rows(given, people, system)          whose row is whose (`rows`)
published(out, system), note(…)           what was published before (`published`)
image(course, rubric, settings)           the archive for Gradescope (`gradescope`), and what runs there (`autograder`)
"""
