"""The MLflow tracking server: PostgreSQL behind it, artifacts served from the home."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version

from creditops.errors import ServiceUnreachableError
from creditops.secrets import get_secret
from creditops.services import databases, supervision
from creditops.services.addresses import postgres_address
from creditops.services.program import Program
from creditops.settings import get_settings

NAME = "mlflow"


def program(port: int) -> Program:
    """The server on ``port``: one worker, no job runner (it would add 1 GB), no telemetry."""
    settings = get_settings()
    folder = settings.home / "mlflow"
    return Program(
        NAME,
        [sys.executable, "-m", "mlflow", "server"],
        directory=folder,
        environment={
            "MLFLOW_BACKEND_STORE_URI": databases.service_url("mlflow"),
            "MLFLOW_ARTIFACTS_DESTINATION": str(folder / "artifacts"),
            "MLFLOW_HOST": settings.bind_host,
            "MLFLOW_PORT": str(port),
            "MLFLOW_WORKERS": "1",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
        priority=20,
    )


def upgrade_if_needed(progress: Callable[[str], None]) -> None:
    """Bring a database that an older MLflow made up to the installed version.

    An empty database is set up by the server itself.

    Raises
    ------
    ServiceUnreachableError: the upgrade failed.
    """
    marker = get_settings().home / "mlflow" / "schema.json"
    installed = {"mlflow": version("mlflow")}
    made_by = json.loads(marker.read_text()) if marker.exists() else None
    if made_by != installed and databases.migration_head("mlflow") is not None:
        progress(f"mlflow: upgrading its database to {installed['mlflow']}")
        host, port = postgres_address()
        log = supervision.log_file("mlflow-upgrade")
        with log.open("w") as output:
            done = subprocess.run(
                # Without the password: other users can read a command line.
                [
                    sys.executable,
                    "-m",
                    "mlflow",
                    "db",
                    "upgrade",
                    f"postgresql+psycopg2://mlflow@{host}:{port}/mlflow",
                ],
                env=supervision.service_environment() | {"PGPASSWORD": get_secret("postgres_mlflow")},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        if done.returncode != 0:
            raise ServiceUnreachableError("the upgrade of MLflow's database failed", hint=f"see {log}")
    marker.write_text(json.dumps(installed))
