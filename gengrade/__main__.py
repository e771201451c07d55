"""`python -m gengrade`, for where the command is not on the path."""

from gengrade.cli import main

main()
