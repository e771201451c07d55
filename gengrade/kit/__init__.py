"""Make what a course hands out to its students: a self-check that holds no solution."""
