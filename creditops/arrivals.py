"""Deliveries that arrived: what places have is fetched, and each book and day with new files is run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from creditops.books import Partition
from creditops.errors import CreditOpsError
from creditops.identity import started_by
from creditops.ingest.land.file_names import Stray
from creditops.ingest.land.landing import deliveries, files_being_written, landed_files
from creditops.ingest.write import ledger, strays
from creditops.places.fetch import fetch
from creditops.places.place import broken_places, load_places
from creditops.runner import INGEST, note_request, start_chain
from creditops.services.airflow_api import AirflowApi
from creditops.sources.contract import load_contracts
from creditops.warehouse.connection import connect


def fetch_all() -> int:
    """Fetch from every place for every book that may; returns the number of files.

    A place that may serve every book serves those that have a folder in the landing zone.

    Raises
    ------
    CreditOpsError: some places failed; what the others had is in the landing zone.
    """
    places = load_places()
    known = {book for book, _ in deliveries()}
    files = 0
    failed: list[str] = []
    for name, place in places.items():
        for book in sorted(place.books or known):
            try:
                files += sum(1 for _ in fetch(book, name))
            except CreditOpsError as error:
                failed.append(f"{name} for book {book}: {error.message}")
    failed += [str(each.error) for each in broken_places()]
    if failed:
        raise CreditOpsError("; ".join(failed), hint="see `creditops places list`")
    return files


def arrived() -> list[Partition]:
    """Books and days with a file that no load has looked at since it came or changed, oldest first.

    A day of which a file is still being written waits for it.
    """
    with connect("loader") as connection:
        looked_at = ledger.last_looks(connection)
    sources = set(load_contracts())
    found = []
    for book, delivery in deliveries():
        strays.note(book, delivery, _new_strays(book, delivery, looked_at))
        for landed in landed_files(book, delivery, sources):
            last = looked_at.get(landed.name)
            if last is None or last < _came(landed.path):
                if not files_being_written(book, delivery):
                    found.append(Partition(book, delivery))
                break
    return found


def _new_strays(book: str, delivery: date, looked_at: Mapping[str, datetime]) -> list[Stray]:
    """Files that are not taken and that the ledger does not name since they came or changed."""
    return [
        each
        for each in strays.landed_strays(book, delivery)
        if (last := looked_at.get(f"{book}/{delivery}/{each.path.name}")) is None or last < _came(each.path)
    ]


def _came(path: Path) -> datetime:
    stat = path.stat()
    return datetime.fromtimestamp(max(stat.st_mtime, stat.st_ctime), UTC)


def start_arrived() -> list[Partition]:
    """Start the chain for what arrived and is not being loaded already; returns what was started."""
    with AirflowApi() as api:
        under_way = {run.partition_key for run in api.dag_runs(dag_ids=[INGEST]) if not run.finished}
        started = [each for each in arrived() if each.key not in under_way]
        for partition in started:
            if started_by() is not None:  # a person had the folders looked through now
                note_request("arrivals", partition)
            start_chain(api, partition)
    return started
