"""``creditops demo``: the whole chain on a simulated book, from nothing."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import typer

from creditops.books import Partition, parse_day
from creditops.cli.output import console, table
from creditops.cli.runs import follow_run
from creditops.cli.services import page, start, state
from creditops.settings import get_settings

BOOK = "demo"


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    customers: Annotated[int, typer.Option(help="Customers in all.", min=24)] = 2400,
    months: Annotated[int, typer.Option(help="Months of history.", min=18)] = 36,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 7,
    as_of: Annotated[str, typer.Option("--as-of", help="The day, YYYY-MM-DD.")] = "2026-06-30",
) -> None:
    """Start the services, simulate a book, run the whole chain on it and sum up."""
    started = time.perf_counter()
    day = parse_day(as_of)
    console.rule("services and source files")
    with ThreadPoolExecutor(1) as pool:
        landing = pool.submit(_simulate_and_land, customers, months, seed, day)
        start()
        files = landing.result()
    console.print(f"  {files} source files landed for {BOOK} {day}")
    console.rule("the chain")
    follow_run("all", Partition(BOOK, day), local=False, quiet=False)
    console.rule("summary")
    _summarise(day)
    console.print(f"done in {time.perf_counter() - started:.0f} s")


def _simulate_and_land(customers: int, months: int, seed: int, day: Any) -> int:
    from creditops.ingest.land.landing import land
    from creditops.simulate import simulate

    out = get_settings().home / "simulated" / BOOK
    shutil.rmtree(out, ignore_errors=True)
    simulate(out, book=BOOK, customers=customers, months=months, seed=seed, as_of=day)
    return len(land(BOOK, [out], day))


def _summarise(day: Any) -> None:
    found = state()
    table(
        [row for row in found["sources"] if row["book"] == BOOK],
        ("source", "rows_read", "rows_loaded", "rows_unchanged", "rows_quarantined"),
        title="rows per source",
    )
    table(
        [row for row in found["gates"] if row["book"] == BOOK and row["as_of_date"] == day],
        ("gate", "checks", "passed", "warnings"),
        title="gates",
    )
    (publication,) = [row for row in found["publications"] if row["book"] == BOOK]
    for model in publication["models"]:
        console.print(
            f"scorecard {model['scorecard']} version {model['version']}: "
            f"{json.dumps(model.get('metrics', {}))}",
            markup=False,
            soft_wrap=True,
        )
    console.print(f"publication {publication['publication_id']}", markup=False)
    for service in found["services"]:
        if service["address"] and str(service["address"]).startswith("http"):
            console.print(
                f"{service['name']} {page(service['name'], service['address'])}", markup=False, soft_wrap=True
            )
    for path in sorted(get_settings().reports.glob(f"{BOOK}*{day}*.html")):
        console.print(f"report {path}", markup=False, soft_wrap=True)
