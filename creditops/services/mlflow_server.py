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

from psycopg import sql

from creditops.addresses import postgres_address
from creditops.errors import ServiceUnreachableError
from creditops.files import read_note, replace
from creditops.secrets import get_secret
from creditops.services import databases, mlflow_app, supervision
from creditops.services.mlflow_app import LOCATIONS
from creditops.services.program import Program
from creditops.settings import get_settings

NAME = "mlflow"
#: Where MLflow keeps places of artifacts: table, column, and what else holds.
_PLACES = (
    ("experiments", "artifact_location", "true"),
    ("runs", "artifact_uri", "true"),
    ("logged_models", "artifact_location", "true"),
    ("model_versions", "source", "true"),
    ("model_versions", "storage_location", "true"),
    ("trace_tags", "value", "key = 'mlflow.artifactLocation'"),
)
_FOREIGN = " where {rule} and {column} <> '' and ({column} !~ %s or {column} ~ %s)"


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
    withdraw_foreign_places(progress)


def withdraw_foreign_places(progress: Callable[[str], None]) -> int:
    """Point what an older home let clients place outside the server's own artifacts to nowhere; how many.

    The server would read there with the platform's rights. What stood there is kept in the log.
    """
    foreign = (rf"^({'|'.join(sorted(LOCATIONS))}):", r"(^|[/:])\.\.(/|$)")
    found: list[str] = []
    with databases.connect(NAME, get_secret("postgres_mlflow"), NAME) as connection:
        for table, column, rule in _PLACES:
            there = connection.execute("select to_regclass(%s)", (table,)).fetchone()
            if there is None or there[0] is None:
                continue
            names = {"table": sql.Identifier(table), "column": sql.Identifier(column), "rule": sql.SQL(rule)}
            rows = connection.execute(
                sql.SQL("select {column} from {table}" + _FOREIGN).format(**names), foreign
            ).fetchall()
            found += [f"{table}.{column} {place}" for (place,) in rows]
            withdrawn = "update {table} set {column} = 'mlflow-artifacts:/withdrawn/' || md5({column})"
            connection.execute(sql.SQL(withdrawn + _FOREIGN).format(**names), foreign)
    if found:
        log = supervision.log_file("mlflow-withdrawn")
        with log.open("a") as output:
            output.writelines(f"{each}\n" for each in found)
        progress(f"mlflow: {len(found)} places of artifacts outside its own were withdrawn; see {log}")
    return len(found)
