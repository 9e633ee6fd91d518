"""``docker/make-env.sh``: random secrets, closed to others, safe to run again."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

from dotenv import dotenv_values

from creditops.settings import PROJECT_ROOT

SCRIPT = PROJECT_ROOT / "docker" / "make-env.sh"


def _make(file: Path) -> None:
    subprocess.run([SCRIPT, file], check=True, capture_output=True)


def test_the_file_is_closed_to_others_and_every_value_is_its_own(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    _make(file)
    values = list(dotenv_values(file).values())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(set(values)) == len(values) > 10
    assert all(value and len(value) == 48 and value.isalnum() for value in values)


def test_two_deployments_share_no_secret(tmp_path: Path) -> None:
    _make(tmp_path / "one")
    _make(tmp_path / "two")
    one, two = dotenv_values(tmp_path / "one"), dotenv_values(tmp_path / "two")
    assert one.keys() == two.keys()
    assert not set(one.values()) & set(two.values())


def test_running_again_keeps_values_and_adds_missing_ones(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    _make(file)
    first = dotenv_values(file)
    kept = {name: value for name, value in first.items() if name != "CREDITOPS_SECRET_PII_KEY"}
    # No end of line after the last value, and a setting of the site's own.
    lines = [*(f"{name}={value}" for name, value in kept.items()), "CREDITOPS_TIMEZONE=Asia/Tokyo"]
    file.write_text("\n".join(lines), encoding="utf-8")
    file.chmod(0o644)
    _make(file)
    again = dotenv_values(file)
    assert again.items() >= kept.items()
    assert again["CREDITOPS_TIMEZONE"] == "Asia/Tokyo"
    assert again["CREDITOPS_SECRET_PII_KEY"] not in (None, "", first["CREDITOPS_SECRET_PII_KEY"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
