"""`python -m gengrade`, for where the command is not on the path."""

import os  # which Python has imported itself by now: none of these two is looked for
import sys

# `-m` looks for modules in the working folder first, which may be a submission: its torch.py is not to be imported.
if not sys.flags.safe_path:
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from gengrade.cli import main

main()
