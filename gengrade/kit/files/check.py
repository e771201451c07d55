"""Check your own solution: python check.py PATH_OF_YOUR_SOLUTION"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".venv"
# Where a package's name is not that of the module that it installs.
MODULES = {"pyyaml": "yaml", "scikit-learn": "sklearn", "ipython": "IPython"}


def missing() -> list[str]:
    """Return the requirements whose modules cannot be found."""
    found = []
    for line in (HERE / "requirements.txt").read_text().splitlines():
        name = line
        for mark in "<>=!~;[ ":
            name = name.partition(mark)[0]
        if name and importlib.util.find_spec(MODULES.get(name.lower(), name.replace("-", "_"))) is None:
            found.append(line)
    return found


def main() -> None:
    """Set up what is missing, and check."""
    if os.name == "nt":
        sys.exit("This needs Linux or macOS. On Windows, run it in the Windows Subsystem for Linux (wsl --install).")
    if sys.version_info < (3, 11):  # noqa: UP036 - a student may have any
        sys.exit(f"This needs Python 3.11 or newer, and this is {sys.version.split()[0]}.")
    needed = missing()
    python = ENVIRONMENT / "bin" / "python"
    if needed and Path(sys.prefix).resolve() != ENVIRONMENT:
        if not python.is_file():
            print(f"Setting up {ENVIRONMENT}, once: {len(needed)} packages are missing.", flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", str(ENVIRONMENT)], check=True)
        os.execv(python, [str(python), str(HERE / "check.py"), *sys.argv[1:]])
    if needed:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *needed]
        if subprocess.run(command, check=False).returncode:
            sys.exit(f"These packages could not be installed: {', '.join(needed)}. Install them, and try again.")
        os.execv(sys.executable, [sys.executable, str(HERE / "check.py"), *sys.argv[1:]])
    sys.path.insert(0, str(HERE))
    from gengrade.self_check_cli import main as check

    check()


if __name__ == "__main__":
    main()
