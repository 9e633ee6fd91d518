"""Airflow's four programs, their configuration, and its metadata database.

Airflow is never imported here: it is configured through ``AIRFLOW__*`` variables and run as
programs of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256, sha512
from importlib.metadata import version
from pathlib import Path

from creditops.errors import ServiceUnreachableError
from creditops.files import read_note, replace
from creditops.people import PEOPLE
from creditops.secrets import get_secret
from creditops.services import databases, supervision
from creditops.services.program import Program
from creditops.settings import PROJECT_ROOT, get_settings

API_SERVER = "airflow-api-server"
#: Program name to the component's name in Airflow's health report.
COMPONENTS = {
    API_SERVER: "metadatabase",
    "airflow-scheduler": "scheduler",
    "airflow-dag-processor": "dag_processor",
    "airflow-triggerer": "triggerer",
}


def programs(port: int) -> list[Program]:
    """The api-server on ``port``, scheduler, dag-processor and triggerer."""
    configuration = environment(port)
    # The log servers of scheduler and triggerer would listen on all addresses on a fixed port;
    # on one machine the api-server reads the files.
    arguments = {
        "airflow-scheduler": ["creditops.services.scheduler", "--skip-serve-logs"],
        "airflow-triggerer": ["airflow", "triggerer", "--skip-serve-logs"],
    }
    return [
        Program(
            name,
            [sys.executable, "-m", *arguments.get(name, ["airflow", name.removeprefix("airflow-")])],
            directory=get_settings().home / "airflow",
            environment=configuration,
            priority=30,
            stop_seconds=10,
        )
        for name in COMPONENTS
    ]


def environment(port: int) -> dict[str, str]:
    """Configuration of every component and of each task, as ``AIRFLOW__*`` variables.

    ``AIRFLOW__CORE__DAGS_FOLDER`` of the caller is honoured; otherwise DAGs are read from the
    project's ``dags/``. Tasks find the home in ``CREDITOPS_HOME``, and in it where MLflow listens.
    """
    settings = get_settings()
    home = settings.home / "airflow"
    local = f"http://127.0.0.1:{port}"
    values = {
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "4",
        "CORE__MAX_ACTIVE_TASKS_PER_DAG": "4",
        "CORE__DAGS_FOLDER": os.environ.get("AIRFLOW__CORE__DAGS_FOLDER") or str(PROJECT_ROOT / "dags"),
        "CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "dags" / "plugins"),
        "CORE__LOAD_EXAMPLES": "False",
        # An event for a paused DAG is lost for good, so a new DAG must not start paused.
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__EXECUTION_API_SERVER_URL": f"{local}/execution/",
        "CORE__FERNET_KEY": _key("airflow_fernet"),
        "CORE__AUTH_MANAGER": "people_auth.PeopleAuthManager",  # dags/plugins/people_auth.py
        "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in PEOPLE.items()),
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords_file()),
        # The default asks name servers, which may take seconds.
        "CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "DATABASE__SQL_ALCHEMY_CONN": databases.service_url("airflow"),
        "DATABASE__SQL_ALCHEMY_CONN_ASYNC": databases.service_url("airflow", "postgresql+asyncpg"),
        "API__HOST": settings.bind_host,
        "API__PORT": str(port),
        "API__BASE_URL": local,
        "API__WORKERS": "1",
        "API__WORKER_TIMEOUT": "60",
        "API__SECRET_KEY": _key("airflow_api"),
        "API_AUTH__JWT_SECRET": sha512(get_secret("airflow_jwt").encode()).hexdigest(),
        # How long the scheduler rests when it finds nothing to do: what a run waits between tasks.
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        # How soon tasks of a scheduler or a worker that died are given to the next one; until then
        # their runs stand in the way of others.
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
        # The same for a task that was handed to a worker which died before it began.
        "SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
        "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "15",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "DAG_PROCESSOR__PARSING_PROCESSES": "2",
        "LOGGING__BASE_LOG_FOLDER": str(settings.logs / "airflow"),
        "LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(settings.logs / "airflow-dag-processor"),
        "LOGGING__COLORED_CONSOLE_LOG": "False",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    return {f"AIRFLOW__{name}": value for name, value in values.items()} | {"AIRFLOW_HOME": str(home)}


def passwords_file() -> Path:
    """Airflow's own file of passwords, mode 0600."""
    return get_settings().home / "airflow" / "simple_auth_manager_passwords.json.generated"


def write_passwords() -> None:
    """Give each of :data:`PEOPLE` the password kept as secret ``airflow_<name>``."""
    values = {name: get_secret(f"airflow_{name}") for name in PEOPLE}
    replace(passwords_file(), json.dumps(values))


def migrate_if_needed(port: int, progress: Callable[[str], None]) -> None:
    """Make or upgrade Airflow's metadata database, unless this version has done so already.

    Raises
    ------
    ServiceUnreachableError: `airflow db migrate` failed.
    """
    marker = get_settings().home / "airflow" / "schema.json"
    done = read_note(marker)
    installed = version("apache-airflow")
    head = databases.migration_head("airflow")
    if head is None or done != {"airflow": installed, "head": head, "ours": None}:
        progress("airflow: preparing its database")
        _migrate(port)
        _take_back_what_was_ours()
        head = databases.migration_head("airflow")
        replace(marker, json.dumps({"airflow": installed, "head": head, "ours": None}))


def _migrate(port: int) -> None:
    log = supervision.log_file("airflow-migrate")
    with log.open("w") as output:
        migrated = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=supervision.service_environment() | environment(port),
            cwd=get_settings().home / "airflow",
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if migrated.returncode != 0:
        last = "\n".join(log.read_text().splitlines()[-3:])
        raise ServiceUnreachableError(f"`airflow db migrate` failed: {last}", hint=f"see {log}")


def _take_back_what_was_ours() -> None:
    """Drop a trigger that earlier versions of creditops put on one of Airflow's tables."""
    with databases.connect("airflow", get_secret("postgres_airflow"), "airflow") as connection:
        connection.execute("drop function if exists creditops_one_event_at_a_time() cascade")


def _key(secret: str) -> str:
    """32 bytes derived from a secret, in the url-safe form that Fernet asks for."""
    return urlsafe_b64encode(sha256(get_secret(secret).encode()).digest()).decode()
