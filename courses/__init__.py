"""The courses that come with this project, a folder each: see docs/new-course.md for what lies in one."""
