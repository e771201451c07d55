"""Run the command line as `python -m gengrade`, where the `gengrade` command is not on the PATH."""

import os  # Python itself has imported both modules by now, so they are not searched for on sys.path
import sys

# `-m` puts the working folder first on sys.path. That folder may be a submission, whose torch.py must not be imported.
if not sys.flags.safe_path:
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from gengrade.cli import main

main()
