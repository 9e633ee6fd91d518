"""The MLflow tracking server: PostgreSQL behind it, artifacts served from the home, a login before it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from configparser import ConfigParser
from importlib.metadata import version
from io import StringIO
from pathlib import Path

from creditops.errors import ServiceUnreachableError
from creditops.files import read_note, replace
from creditops.secrets import get_secret
from creditops.services import databases, mlflow_app, supervision
from creditops.services.addresses import postgres_address
from creditops.services.program import Program
from creditops.settings import get_settings

NAME = "mlflow"


def program(port: int) -> Program:
    """The server on ``port``: one worker, no job runner (it would add 1 GB), no telemetry, a login.

    See :mod:`creditops.services.mlflow_app` for who may do what.
    """
    settings = get_settings()
    folder = settings.home / "mlflow"
    return Program(
        NAME,
        [sys.executable, "-m", "mlflow", "server", "--app-name", "creditops"],
        directory=folder,
        environment={
            "MLFLOW_BACKEND_STORE_URI": databases.service_url("mlflow"),
            "MLFLOW_ARTIFACTS_DESTINATION": str(folder / "artifacts"),
            "MLFLOW_HOST": settings.bind_host,
            "MLFLOW_PORT": str(port),
            "MLFLOW_WORKERS": "1",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_AUTH_CONFIG_PATH": str(_auth_configuration()),
            "MLFLOW_AUTH_ADMIN_USERNAME": mlflow_app.PLATFORM,
            "MLFLOW_AUTH_ADMIN_PASSWORD": get_secret("mlflow_platform"),
            "MLFLOW_FLASK_SERVER_SECRET_KEY": get_secret("mlflow_sessions"),
            "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
        },
        priority=20,
    )


def _auth_configuration() -> Path:
    """Write the login app's settings (mode 0600: they hold the database's password); returns the file."""
    path = get_settings().home / "mlflow" / "login.ini"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    parser = ConfigParser(interpolation=None)
    parser["mlflow"] = {
        "default_permission": "READ",
        "database_uri": databases.service_url("mlflow"),
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        "auth_cache_ttl_seconds": "60",
    }
    text = StringIO()
    parser.write(text)
    replace(path, text.getvalue())
    return path


def upgrade_if_needed(progress: Callable[[str], None]) -> None:
    """Bring a database that an older MLflow made up to the installed version.

    An empty database is set up by the server itself.

    Raises
    ------
    ServiceUnreachableError: the upgrade failed.
    """
    marker = get_settings().home / "mlflow" / "schema.json"
    installed = {"mlflow": version("mlflow")}
    made_by = read_note(marker)
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
    replace(marker, json.dumps(installed))
