"""The gates: Great Expectations on what goes in (raw batches) and on what goes out (candidates).

A gate notes every check in ``ops.gate_result``; a failed critical check stops the line with an
error that says what failed, on how many rows, with examples. The publication before stays.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import psycopg

from creditops.books import zone
from creditops.errors import DataRefusedError
from creditops.personal_data import masked
from creditops.quality import data_docs, watch
from creditops.quality.coherence import contradictions, relations_of
from creditops.quality.contract_suite import raw_suites
from creditops.quality.suites import (
    ExpectationSpec,
    Gate,
    Suite,
    load_checkpoint,
    load_suites,
)
from creditops.sources.contract import load_contracts
from creditops.warehouse.connection import connect, url

_EXAMPLES = 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """Rows of a book to validate: a table's suite and the query that selects the batch."""

    book: str
    table: str
    batch_id: str
    query: str


@dataclass(frozen=True)
class CheckResult:
    """What one check found on one batch."""

    table: str
    batch_id: str
    check: str
    severity: str
    passed: bool
    rows_checked: int
    rows_failed: int
    examples: list[Any]

    def sentence(self) -> str:
        """The failure in one line."""
        shown = f", e.g. {', '.join(map(str, self.examples))}" if self.examples else ""
        return f"{self.table}: {self.check} failed on {self.rows_failed} of {self.rows_checked} rows{shown}"


def gate_raw(book: str, as_of: date) -> list[CheckResult]:
    """Validate the batches that were delivered for one book and day; what is unlikely beside the deliveries
    before (:mod:`creditops.quality.watch`) is a warning.

    Raises
    ------
    DataRefusedError: a critical expectation failed.
    """
    with connect("builder") as connection:
        batches = connection.execute(
            "select source, batch_id, delivery_date, rows_read from ops.load_ledger"
            " where book = %s and delivery_date = %s and status = 'loaded' and withdrawn_by is null"
            " order by source, batch_id",
            (book, as_of),
        ).fetchall()
        contracts = load_contracts(book)
        unlikely = [
            CheckResult(
                contracts[source].table,
                str(batch),
                each.check,
                "warning",
                False,
                rows,
                each.rows,
                [each.sentence],
            )
            for source, batch, delivered, rows in batches
            if source in contracts
            for each in watch.of_batch(connection, contracts[source], book, batch, delivered)
        ]
    targets = [
        Target(
            book,
            contracts[source].table,
            str(batch),
            f"select * from raw.{contracts[source].table}"
            f" where book = '{book}' and _batch_id = {batch} and not _deleted",
        )
        for source, batch, _, _ in batches
        if source in contracts
    ]
    return _run("raw", book, as_of, targets, raw_suites(book), role="builder", together=unlikely)


def gate_publication(book: str, as_of: date, publication_id: str) -> list[CheckResult]:
    """Validate a publication candidate: each table by its suite, all of them together by coherence.

    Raises
    ------
    DataRefusedError: a critical expectation failed, or the candidate contradicts itself.
    """
    suites = load_suites(load_checkpoint("publication"))
    if not _has_models(publication_id):
        # A book without a champion is published without scores (creditops.publish.publisher.assemble).
        del suites["customer_scores"]
    targets = [
        Target(
            book,
            table,
            publication_id,
            f"select * from published.{table} where publication_id = '{publication_id}'",
        )
        for table in suites
    ]
    return _run(
        "publication",
        book,
        as_of,
        targets,
        suites,
        role="publisher",
        together=check_coherence(publication_id),
    )


def check_coherence(publication_id: str) -> list[CheckResult]:
    """What a publication says of one customer that must not stand together, as checks of a gate."""
    with connect("publisher", large_joins=True) as connection:
        found = contradictions(connection, relations_of(publication_id))
    return [
        CheckResult(
            "coherence",
            publication_id,
            f"{each.zh} / {each.en}",
            each.severity,
            each.found == 0,
            each.looked_at,
            each.found,
            list(each.examples),
        )
        for each in found
    ]


def _has_models(publication_id: str) -> bool:
    with connect("publisher") as connection:
        row = connection.execute(
            "select jsonb_array_length(models) > 0 from ops.publication_history where publication_id = %s",
            (publication_id,),
        ).fetchone()
    return row is None or bool(row[0])


def _run(
    gate: Gate,
    book: str,
    as_of: date,
    targets: Sequence[Target],
    suites: dict[str, Suite],
    *,
    role: str,
    together: Sequence[CheckResult] = (),
) -> list[CheckResult]:
    covered = [target for target in targets if target.table in suites]
    results = list(_validate(covered, suites, role, (book, gate, as_of))) if covered else []
    results = [
        replace(each, check=masked(each.check), examples=masked(each.examples))
        for each in (*results, *together)
    ]
    with connect(role) as connection:
        connection.execute(
            "delete from ops.gate_result where book = %s and as_of_date = %s and gate = %s",
            (book, as_of, gate),
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into ops.gate_result (book, as_of_date, gate, source, batch_id, check_name, severity,"
                " rows_checked, rows_failed, passed, examples)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    (
                        book,
                        as_of,
                        gate,
                        result.table,
                        result.batch_id,
                        result.check,
                        result.severity,
                        result.rows_checked,
                        result.rows_failed,
                        result.passed,
                        json.dumps(result.examples, ensure_ascii=False, default=str),
                    )
                    for result in results
                ],
            )
    failed = [result for result in results if not result.passed and result.severity == "critical"]
    if failed:
        raise DataRefusedError(
            f"the {gate} gate of {book} {as_of} failed: " + "; ".join(each.sentence() for each in failed),
            hint="the last publication stays; mend the data and run the day again; every check with its rows:"
            f" {data_docs_page(book, gate, as_of) or 'ops.gate_result'}",
        )
    return results


def as_json(results: Iterable[CheckResult]) -> list[dict[str, Any]]:
    """Results as plain mappings, for ``ops.publication.gates``."""
    return [asdict(result) for result in results]


def data_docs_page(book: str, gate: Gate, as_of: date) -> str | None:
    """Address of the Data Docs of a gate's last run for a day, if there are any."""
    page = data_docs.site_folder(book, gate, as_of) / "index.html"
    return page.as_uri() if page.is_file() else None


def _validate(
    targets: Sequence[Target], suites: dict[str, Suite], role: str, run: tuple[str, Gate, date]
) -> Iterable[CheckResult]:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx
    from great_expectations.expectations.metadata_types import FailureSeverity
    from great_expectations.expectations.registry import get_expectation_impl

    logging.getLogger("great_expectations").setLevel(logging.WARNING)  # the import set a level of its own
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    page = data_docs.add_site(context, *run)
    source = context.data_sources.add_postgres(
        "warehouse", connection_string=url(role, driver="postgresql+psycopg2", large_joins=True)
    )
    for target in targets:
        suite = suites[target.table]
        name = f"{target.table} {target.batch_id}"
        asset = source.add_query_asset(name, query=target.query)
        collected = gx.ExpectationSuite(name=name)
        for spec in suite.expectations:
            collected.add_expectation(
                get_expectation_impl(spec.type)(
                    **_arguments(spec, target),
                    severity=FailureSeverity(spec.severity),
                    meta={"check": spec.name},
                )
            )
        definition = gx.ValidationDefinition(
            name=name,
            data=asset.add_batch_definition_whole_table("all"),
            suite=context.suites.add(collected),
        )
        context.validation_definitions.add(definition)
        outcome = definition.run(
            result_format={"result_format": "SUMMARY", "partial_unexpected_count": _EXAMPLES}
        )
        by_name = {spec.name: spec for spec in suite.expectations}
        total = _count(target, role)
        for result in outcome.results:
            assert result.expectation_config is not None
            spec = by_name[result.expectation_config.meta["check"]]
            yield _check_result(target, spec, result, total, role)
    _log.info("data docs of the %s gate: %s", run[1], data_docs.build(context, page).as_uri())


def _arguments(spec: ExpectationSpec, target: Target) -> dict[str, Any]:
    """Arguments of an expectation; in a query ``{batch_id}`` is the batch's number and ``{time_zone}`` the
    name of the book's time zone.
    """
    query = spec.kwargs.get("unexpected_rows_query")
    if query is None:
        return spec.kwargs
    query = query.replace("{batch_id}", target.batch_id).replace("{time_zone}", zone(target.book).key)
    return {**spec.kwargs, "unexpected_rows_query": query}


def _count(target: Target, role: str) -> int:
    with connect(role) as connection:
        row = connection.execute(f"select count(*) from ({target.query}) as batch").fetchone()  # type: ignore[call-overload]
    assert row is not None
    return int(row[0])


def _check_result(target: Target, spec: ExpectationSpec, result: Any, total: int, role: str) -> CheckResult:
    found = result.result or {}
    failed = found.get("unexpected_count")
    observed = found.get("observed_value")
    examples: list[Any] = []
    for value in found.get("partial_unexpected_list") or []:
        if value not in examples:
            examples.append(value)
    if spec.type == "unexpected_rows_expectation":
        failed = observed if isinstance(observed, int) else 0
        examples = [] if result.success else _unexpected_rows(target, spec, role)
    elif failed is None:
        failed = 0 if result.success else total
        if not result.success and observed is not None:
            examples = [f"observed {observed}"]
    raised = [] if result.success else list(_messages(result.exception_info or {}))
    if raised:
        examples = [f"it cannot be evaluated: {raised[0]}"]
    return CheckResult(
        target.table,
        target.batch_id,
        spec.name,
        spec.severity,
        bool(result.success),
        int(found.get("element_count") or total),
        int(failed),
        [_plain(value) for value in examples],
    )


def _unexpected_rows(target: Target, spec: ExpectationSpec, role: str) -> list[Any]:
    """First rows of a failed query, which the library counts but does not keep."""
    query = _arguments(spec, target)["unexpected_rows_query"].format(batch=f"({target.query}) as batch_rows")
    with connect(role) as connection:
        try:
            cursor = connection.execute(f"select * from ({query}) as unexpected limit {_EXAMPLES}")
        except psycopg.Error:
            return []  # the query itself is faulty; the library's message says how
        assert cursor.description is not None
        names = [column.name for column in cursor.description]
        return [", ".join(f"{n}={v}" for n, v in zip(names, row, strict=True)) for row in cursor]


def _messages(exception_info: dict[str, Any]) -> Iterable[str]:
    """Exception messages, which the library nests by metric."""
    message = exception_info.get("exception_message")
    if isinstance(message, str):
        yield message.splitlines()[0]
    for nested in exception_info.values():
        if isinstance(nested, dict):
            yield from _messages(nested)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value if isinstance(value, int | float | str | bool | None) else str(value)
