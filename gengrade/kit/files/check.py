"""Check your own solution: python check.py PATH_OF_YOUR_SOLUTION"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
READY = ENVIRONMENT / "ready"  # holds Python's version once all packages are installed
VERSION = "{}.{}".format(*sys.version_info[:2])
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


def set_up(needed: list[str]) -> None:
    """Make the environment, unless there is a whole one, and let it use what is installed in the present one."""
    try:
        if not PYTHON.is_file() or not READY.is_file() or READY.read_text() != VERSION:
            said = "1 package is" if len(needed) == 1 else f"{len(needed)} packages are"
            print(f"Setting up {ENVIRONMENT}, once: {said} missing.", flush=True)
            if ENVIRONMENT.is_dir() and not ENVIRONMENT.is_symlink():
                shutil.rmtree(ENVIRONMENT)  # half made, or of another Python
            else:
                ENVIRONMENT.unlink(missing_ok=True)
            ENVIRONMENT.mkdir()
            command = [sys.executable, "-m", "venv", str(ENVIRONMENT)]
            subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        installed = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
        lines = "".join(f"import site; site.addsitedir({path!r})\n" for path in installed)
        (ENVIRONMENT / "lib" / f"python{VERSION}" / "site-packages" / "present.pth").write_text(lines)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(_refusal(error, needed))


def _refusal(error: OSError | subprocess.CalledProcessError, needed: list[str]) -> str:
    """Return why the environment cannot be made, and what to do."""
    if isinstance(error, OSError):
        return f"{ENVIRONMENT} cannot be made ({error.strerror}): copy the folder {HERE.name} to a place of your own."
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    install = " ".join(f"'{each}'" for each in needed)
    return (
        f"{ENVIRONMENT} cannot be made: most often, this Python lacks its modules venv or ensurepip. Install them (on "
        f"Debian and Ubuntu: sudo apt install python3-venv), or install what is missing yourself: pip install {install}"
    )


def install(needed: list[str]) -> None:
    """Install what the environment of this process, the kit's own, lacks."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *needed]
    failed = subprocess.run(command, check=False).returncode
    importlib.invalidate_caches()
    if failed or missing():
        sys.exit(f"These packages could not be installed: {', '.join(needed)}. Install them, and try again.")
    READY.write_text(VERSION)


def main() -> None:
    """Set up what is missing, and check."""
    if os.name == "nt":
        sys.exit("This needs Linux or macOS. On Windows, run it in the Windows Subsystem for Linux (wsl --install).")
    if sys.version_info < (3, 11):  # noqa: UP036 - a student may have any
        sys.exit(f"This needs Python 3.11 or newer, and this is {sys.version.split()[0]}.")
    needed = missing()
    if needed and Path(sys.prefix).resolve() != ENVIRONMENT:
        set_up(needed)
        os.execv(PYTHON, [str(PYTHON), str(HERE / "check.py"), *sys.argv[1:]])
    if needed:
        install(needed)
    sys.path.insert(0, str(HERE))
    from gengrade.self_check_cli import main as check

    check()


if __name__ == "__main__":
    main()
