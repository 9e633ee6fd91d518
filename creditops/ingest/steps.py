"""The steps of an ingest run: list the landed files, load them unit by unit, account for all of them.

Airflow maps the second step over what the first one lists; ``run --local`` does all three in one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from creditops.books import Partition
from creditops.sources.contract import Domain
from creditops.warehouse.run_log import step as logged

Outcome = Mapping[str, Any]

_COUNTED = ("rows_read", "rows_loaded", "rows_unchanged", "rows_quarantined")
_log = logging.getLogger(__name__)


def ingest(partition: Partition, domain: Domain) -> Outcome:
    """Load what was landed for one domain and day: :func:`list_files`, :func:`load_files` and
    :func:`account_files` in one.
    """
    loads = [load_files(partition, domain, names) for names in list_files(partition, domain)]
    return account_files(partition, domain, loads)


def list_files(partition: Partition, domain: Domain) -> list[list[str]]:
    """Files landed for one domain and day, in units of which each is worth a task of its own."""
    from creditops.ingest.land.units import landed_units

    with logged(f"ingest.{domain}", book=partition.book, as_of=partition.as_of, role="loader"):
        return [unit.names for unit in landed_units(partition.book, partition.as_of, domain)]


def load_files(partition: Partition, domain: Domain, files: Sequence[str]) -> Outcome:
    """Load one unit of files; the outcome has a line per file.

    Raises
    ------
    DataRefusedError: a file was refused; the others of the unit are loaded.
    """
    from creditops.ingest.land.units import unit_files
    from creditops.ingest.write.loader import load_files as load

    with logged(f"ingest.{domain}", book=partition.book, as_of=partition.as_of, role="loader") as step:
        results = load(unit_files(partition.book, partition.as_of, files))
        step.rows = sum(result.rows_loaded for result in results)
    lines = [
        {name: getattr(each, name) for name in ("file", "source", "status", *_COUNTED)} for each in results
    ]
    for line in lines:
        _log.info("%s: %s", line["file"], ", ".join(f"{name} {line[name]}" for name in ("status", *_COUNTED)))
    return {"loads": lines}


def account_files(partition: Partition, domain: Domain, loads: Iterable[Outcome]) -> Outcome:
    """Sum up what the units loaded, and look whether the domain's sources are overdue.

    Nothing landed is an outcome, not an error. The outcome has the sums, a line per file, and a
    sentence per source that is overdue; people are alerted to those.
    """
    from creditops.ingest.check.freshness import alert_to_overdue, check_freshness
    from creditops.ingest.write import strays

    lines = [line for each in loads for line in each["loads"]]
    with logged(f"ingest.{domain}", book=partition.book, as_of=partition.as_of, role="loader"):
        ages = check_freshness(partition.book, partition.as_of, domain)
        alert_to_overdue(partition.book, partition.as_of, ages)
        book, day = partition.book, partition.as_of
        not_taken = strays.note(book, day, strays.landed_strays(book, day))
    return {
        "files": len(lines),
        **{name: sum(line[name] for line in lines) for name in _COUNTED},
        "loads": lines,
        "stale": [age.sentence() for age in ages if age.stale],
        "not_taken": [each.sentence() for each in not_taken],
    }
