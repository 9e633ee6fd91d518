"""The command line: help everywhere, exit codes, errors without tracebacks."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from creditops import __version__
from creditops.secrets import get_secret
from creditops.settings import get_settings

PROGRAM = str(Path(sys.executable).parent / "creditops")
COMMANDS = ("up", "down", "status", "doctor", "simulate", "ingest", "run", "backfill", "quarantine", "ledger",
            "models", "warnings", "publish", "query", "report", "demo")  # fmt: skip


def creditops(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CREDITOPS_")}
    return subprocess.run(
        [PROGRAM, *arguments], env={**environment, "CREDITOPS_HOME": str(home)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_every_command_is_listed_and_explained(tmp_path: Path) -> None:
    shown = creditops(tmp_path, "--help")
    assert shown.returncode == 0
    for command in COMMANDS:
        assert command in shown.stdout
    assert creditops(tmp_path, "--version").stdout.strip() == __version__


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("query", "select 1"), 4, "PostgreSQL is not running"),
        (("run", "all", "--as-of", "yesterday"), 2, "is no date"),
        (("build", "--as-of", "2026-06-30", "--known-at", "today"), 2, "is no date"),
        (("build", "--as-of", "2026-06-30", "--prefix", "Asof"), 2, "is no schema prefix"),
        (("run", "nothing", "--as-of", "2026-06-30"), 2, "there is no DAG"),
        (("ingest", "Demo", "."), 2, "no book name"),
        (("ingest", "demo", "/no/such/file.csv"), 2, "does not exist"),
        (("ingest", "demo", ".", "--adapter", "nobody"), 2, "there is no adapter"),
        (("query", "select 1", "--as", "root"), 2, "unknown role"),
        (("report", "--lang", "fr"), 2, "use zh or en"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_an_error_says_what_is_wrong_without_a_traceback(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = creditops(tmp_path, *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_of_an_unknown_source_is_refused_with_the_sources_there_are(tmp_path: Path) -> None:
    stranger = tmp_path / "loans.csv"
    stranger.write_text("a,b\n1,2\n")
    done = creditops(tmp_path / "home", "ingest", "demo", str(stranger))
    assert done.returncode == 3
    assert "loans" in done.stderr
    assert "facilities" in done.stderr


def test_secrets_are_made_once_and_readable_by_their_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDITOPS_HOME", str(tmp_path))
    get_settings.cache_clear()
    first = get_secret("pii_key")
    assert get_secret("pii_key") == first
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    monkeypatch.setenv("CREDITOPS_SECRET_PII_KEY", "from elsewhere")
    assert get_secret("pii_key") == "from elsewhere"
    get_settings.cache_clear()
