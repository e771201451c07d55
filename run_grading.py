"""Grade a folder of submissions, or one: `python run_grading.py submissions/`. See `--help`."""

from gengrade.cli import grade_command

if __name__ == "__main__":
    grade_command()
