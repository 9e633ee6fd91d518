"""`doctor` finds what is wrong and says how to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from creditops.doctor import Finding, diagnose
from creditops.services import lifecycle, postgres
from creditops.settings import get_settings


def _finding(check: str) -> Finding:
    (found,) = [finding for finding in diagnose() if finding.check == check]
    return found


def test_a_machine_before_the_first_start_is_fine(home: Path) -> None:
    findings = diagnose()
    assert [finding for finding in findings if not finding.ok] == []
    assert not home.exists()
    assert {"python", "packages", "disk", "memory", "postgresql", "time zones", "clock"} <= {
        finding.check for finding in findings
    }


def test_running_services_are_looked_at(server_home: Path) -> None:
    assert _finding("postgres").ok
    assert _finding("secrets").ok
    stopped = _finding("mlflow")
    assert not stopped.ok
    assert "mlflow.log" in stopped.remedy


def test_open_secrets_and_a_stale_lock_file_are_found(home: Path) -> None:
    lifecycle.up(only={"postgres"})
    lifecycle.down()
    (home / "secrets.json").chmod(0o644)
    lock = postgres.data_directory() / "postmaster.pid"
    lock.write_text(f"1\n{postgres.data_directory()}\n")
    secrets, left = _finding("secrets"), _finding("left behind")
    assert not secrets.ok
    assert secrets.remedy.startswith(f"chmod 600 {home / 'secrets.json'}")
    assert not left.ok
    assert str(lock) in left.detail


def test_an_unknown_time_zone_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITOPS_TIMEZONE", "Mars/Olympus")
    get_settings.cache_clear()
    assert not _finding("time zones").ok
