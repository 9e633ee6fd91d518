"""Commands on the services: up, down, status, doctor."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from creditops.cli.options import AsJson
from creditops.cli.output import as_json, attention, console, table
from creditops.errors import CreditOpsError, ServiceUnreachableError
from creditops.settings import get_settings


def register(app: typer.Typer) -> None:
    for command in (up, down, status, doctor):
        app.command()(command)


def up() -> None:
    """Start PostgreSQL, MLflow and Airflow, and bring the warehouse up to date; safe to run twice."""
    start()
    _print_addresses()


def start() -> None:
    """Start everything, saying each step."""
    from creditops.schema import initialise
    from creditops.services import lifecycle

    with console.status("starting the services") as spinner:

        def say(sentence: str) -> None:
            spinner.update(sentence)
            console.print(f"  {sentence}", markup=False)

        problems: list[str] = []
        lifecycle.up(progress=say, prepare_warehouse=lambda: problems.extend(initialise(say)))
    attention(problems)


def down(
    clean: Annotated[
        bool,
        typer.Option("--clean", help="Then remove the data home: warehouse, models, landed files, secrets."),
    ] = False,
) -> None:
    """Stop every service this data home started, and nothing else."""
    from creditops.services import home, lifecycle

    stopped = lifecycle.down(progress=lambda sentence: console.print(f"  {sentence}", markup=False))
    console.print(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
    if clean and get_settings().home.exists():
        home.remove()
        console.print(f"removed {get_settings().home}", markup=False)


def status(json_: AsJson = False) -> None:
    """Services, the last run of each DAG, current publications, open quarantine, overdue sources."""
    found = state()
    if json_:
        as_json(found)
        return
    table(found["services"], ("name", "state", "healthy", "address", "problem"), title="services")
    table(found["runs"], ("dag", "partition_key", "state", "started_at", "seconds"), title="last runs")
    table(found["publications"], ("book", "publication_id", "as_of_date", "published_at"), title="published")
    table(found["quarantine"], ("book", "source", "open_rows"), title="open quarantine")
    overdue = ("book", "source", "last_delivery", "age_days", "limit_days")
    table(found["stale"], overdue, title="overdue sources")
    table(found["slow"], ("at", "book", "message"), title="slow models of the last two days")


def doctor(json_: AsJson = False) -> None:
    """Check machine, ports, versions and permissions, and say how to mend what is wrong."""
    from creditops.doctor import diagnose

    findings = [asdict(finding) for finding in diagnose()]
    if json_:
        as_json(findings)
    else:
        table(findings, ("check", "ok", "detail", "remedy"), title="doctor")
    if not all(finding["ok"] for finding in findings):
        raise typer.Exit(1)


def state() -> dict[str, Any]:
    """What ``status`` shows, as plain data; parts whose service is down are empty."""
    from creditops.services import lifecycle

    services = lifecycle.status()
    found: dict[str, Any] = {
        "home": services.home,
        "healthy": services.healthy,
        "services": [asdict(service) for service in services.services],
        "runs": [],
        "publications": [],
        "quarantine": [],
        "stale": [],
        "slow": [],
    }
    try:
        found |= _warehouse_state()
    except ServiceUnreachableError:
        return found
    try:
        from creditops.runner import last_runs

        found["runs"] = last_runs()
    except CreditOpsError:
        pass
    return found


def _warehouse_state() -> dict[str, Any]:
    from psycopg.rows import dict_row

    from creditops.warehouse.connection import connect

    with connect("publisher") as connection:
        cursor = connection.cursor(row_factory=dict_row)
        publications = cursor.execute(
            "select book, publication_id, as_of_date, known_at, published_at, code_version, models"
            " from ops.publication order by book"
        ).fetchall()
        quarantine = cursor.execute(
            "select book, source, count(*) as open_rows from ops.quarantine where status = 'open'"
            " group by book, source order by book, source"
        ).fetchall()
        sources = cursor.execute(
            "select book, source, sum(rows_read) as rows_read, sum(rows_loaded) as rows_loaded,"
            " sum(rows_unchanged) as rows_unchanged, sum(rows_quarantined) as rows_quarantined"
            " from ops.load_ledger where status = 'loaded' and withdrawn_by is null"
            " group by book, source order by book, source"
        ).fetchall()
        stale = cursor.execute(
            "select book, source, last_delivery, age_days, limit_days from ops.freshness as f where stale"
            " and as_of_date = (select max(as_of_date) from ops.freshness where book = f.book"
            " and source = f.source) order by book, source"
        ).fetchall()
        slow = cursor.execute(
            "select at, book, as_of_date, subject, seconds, median_seconds, message"
            " from ops.operations_warning where at > clock_timestamp() - interval '2 days' order by at desc"
        ).fetchall()
        gates = cursor.execute(
            "select book, as_of_date, gate, count(*) as checks, count(*) filter (where passed) as passed,"
            " count(*) filter (where not passed and severity = 'warning') as warnings"
            " from ops.gate_result group by book, as_of_date, gate order by book, as_of_date, gate desc"
        ).fetchall()
    return {
        "publications": publications,
        "quarantine": quarantine,
        "sources": [{k: int(v) if k.startswith("rows") else v for k, v in row.items()} for row in sources],
        "gates": gates,
        "stale": stale,
        "slow": slow,
    }


def page(service: str, address: str) -> str:
    """Where a person opens a service; MLflow shows pages for language models unless told otherwise."""
    return f"{address}/#/models?workflowType=machine_learning" if service == "mlflow" else address


def _print_addresses() -> None:
    from creditops import addresses
    from creditops.services import lifecycle

    endpoints = addresses.read_endpoints()
    for service in lifecycle.status().services:
        if service.address:
            console.print(f"{service.name:<24} {page(service.name, service.address)}", markup=False)
    if endpoints.airflow_url:
        console.print(
            "Airflow's users are admin, modeller and approver; their passwords are in secrets.json of the"
            " data home (readable by you only)",
            soft_wrap=True,
        )
