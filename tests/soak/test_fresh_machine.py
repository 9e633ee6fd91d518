"""`make demo` on a machine that has nothing yet, for root and for others, in a folder of mode 0700."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.soak.conftest import Shown, clone_into

pytestmark = pytest.mark.soak
SYSTEM_PYTHON = Path("/usr/bin/python3")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of mode 0700 that is reached by everybody."""
    place = Path(tempfile.mkdtemp(prefix="creditops-fresh-"))
    yield place
    shutil.rmtree(place, ignore_errors=True)


def _own_python(folder: Path) -> tuple[Path, dict[str, str]]:
    """An interpreter below ``folder``, with the environment it needs."""
    base = Path(sys.base_prefix)
    version = f"python{sysconfig.get_python_version()}"
    place = folder / "python"
    (place / "bin").mkdir(parents=True)
    shutil.copy((base / "bin" / version).resolve(), place / "bin" / version)
    skipped = shutil.ignore_patterns("site-packages", "dist-packages", "test", "__pycache__", "config-*")
    shutil.copytree(sysconfig.get_path("stdlib"), place / "lib" / version, ignore=skipped)
    for library in (base / "lib").glob(f"lib{version}*.so*"):
        shutil.copy(library, place / "lib" / library.name)
    return place / "bin" / version, {"LD_LIBRARY_PATH": str(place / "lib")}


@pytest.mark.parametrize("whose", ["system's", "own"])
@pytest.mark.parametrize("user", ["root", "ordinary"])
def test_the_demo_runs_from_nothing_in_a_closed_folder(
    folder: Path, user: str, whose: str, shown: Shown
) -> None:
    root = os.geteuid() == 0
    if user == "root" and not root:
        pytest.skip("needs root")
    if whose == "system's" and not SYSTEM_PYTHON.exists():
        pytest.skip(f"no {SYSTEM_PYTHON}")
    checkout = clone_into(folder)
    python, environment = (SYSTEM_PYTHON, {}) if whose == "system's" else _own_python(folder)
    switch: dict[str, object] = {}
    if user == "ordinary" and root:
        account = pwd.getpwnam("nobody")
        switch = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        for above, folders, files in os.walk(folder):
            for name in ("", *folders, *files):
                os.chown(Path(above, name), account.pw_uid, account.pw_gid, follow_symlinks=False)
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
    kept |= {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"} | environment

    def make(target: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", target, f"PYTHON={python}"],
            cwd=checkout,
            env=kept,
            capture_output=True,
            text=True,
            **switch,  # type: ignore[call-overload]
        )

    started = time.monotonic()
    done = make("demo")
    seconds = time.monotonic() - started
    try:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        assert "publication " in done.stdout
        assert (checkout / ".creditops").stat().st_mode & 0o077 == 0
    finally:
        cleaned = make("clean")
    assert cleaned.returncode == 0, cleaned.stdout + cleaned.stderr
    assert not (checkout / ".creditops").exists()
    left = [
        one for one in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(one.info["cmdline"] or [])
    ]
    assert left == []
    shown(f"`make demo` from nothing in a folder of mode 0700, {user} user, {whose} Python", 1, seconds)
