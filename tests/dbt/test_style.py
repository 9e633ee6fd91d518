"""The models keep to the SQL style: sqlfluff with dbt's templater, as ``.sqlfluff`` says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from creditops.settings import PROJECT_ROOT
from creditops.warehouse.connection import address, credentials


@pytest.mark.usefixtures("module_warehouse")
def test_every_model_keeps_to_the_style(tmp_path: Path) -> None:
    where, (user, password) = address(), credentials("builder")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "sqlfluff"), "lint", "--nocolor", "dbt_project/models"],
        cwd=PROJECT_ROOT,
        env={
            **os.environ,
            "CREDITOPS_DBT_HOST": where.host,
            "CREDITOPS_DBT_PORT": str(where.port),
            "CREDITOPS_DBT_DATABASE": where.dbname,
            "CREDITOPS_DBT_USER": user,
            "CREDITOPS_DBT_PASSWORD": password,
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_TARGET_PATH": str(tmp_path / "target"),
            "DBT_LOG_PATH": str(tmp_path / "log"),
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
