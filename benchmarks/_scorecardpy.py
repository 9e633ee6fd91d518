"""scorecardpy in an environment of its own: it needs libraries older than the platform's.

The environment is made with uv in the data home, only when asked for: ``CREDITOPS_BENCH_ENVIRONMENTS=1``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from creditops.settings import get_settings

PINS = ["scorecardpy==0.1.9.7", "setuptools<81", "pandas<2.2", "numpy<2"]
ASK = "CREDITOPS_BENCH_ENVIRONMENTS"


class Unavailable(Exception):
    """scorecardpy cannot be run here; the message says why."""


def python() -> Path:
    """The interpreter of the environment, which is made first where asked for.

    Raises
    ------
    Unavailable: it is not there and nobody asked for it, or it could not be made.
    """
    folder = get_settings().home / "benchmarks" / "scorecardpy"
    interpreter = folder / "bin" / "python"
    if _works(interpreter):
        return interpreter
    if os.environ.get(ASK) != "1":
        raise Unavailable(f"no environment with scorecardpy; set {ASK}=1 to have one made")
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    for command in (
        [uv, "venv", "--quiet", "--clear", "--python", "3.11", str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(interpreter), *PINS],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"the environment could not be made: {done.stderr.strip()[-300:]}")
    if not _works(interpreter):
        raise Unavailable("scorecardpy does not import in the environment made for it")
    return interpreter


def call(script: str, *arguments: str) -> str:
    """Run Python text in the environment; returns what it printed.

    Raises
    ------
    Unavailable: see :func:`python`; also where the script fails.
    """
    done = subprocess.run(
        [str(python()), "-W", "ignore", "-c", script, *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Unavailable(f"scorecardpy failed: {done.stderr.strip()[-300:]}")
    return done.stdout


def _works(interpreter: Path) -> bool:
    if not interpreter.exists():
        return False
    done = subprocess.run([str(interpreter), "-W", "ignore", "-c", "import scorecardpy"], capture_output=True)
    return done.returncode == 0
