"""Bureau reports come page by page from a real HTTP server, within its rate, over its failures."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from creditops.errors import DataRefusedError, ServiceUnreachableError, UsageError
from creditops.ingest.land.landing import landed_files
from creditops.places.fetch import fetch
from creditops.places.fetched import Fetched
from tests.places.conftest import BureauApi, HttpServer

DAY = date(2026, 6, 30)
Declare = Callable[..., None]
ROWS = [
    {
        "source": "bureau_reports",
        "columns": {"report_id": "id", "customer_id": "subject.customer", "bureau_score": "score"},
    },
    {
        "source": "bureau_tradelines",
        "each": "accounts",
        "columns": {"report_id": "^.id", "tradeline_id": "no", "balance": "balance"},
    },
]
CURSOR = {"kind": "cursor", "parameter": "cursor", "next": "meta.next"}


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUREAU_TOKEN", "Bearer secret-token")


def declare_bureau(
    declare: Declare, server: HttpServer, *, place: dict[str, Any] | None = None, **request: Any
) -> None:
    declare(
        "bureau",
        **{
            "kind": "http",
            "base_url": server.url,
            "headers_env": {"Authorization": "BUREAU_TOKEN"},
            "requests_per_second": 200,
            "backoff_seconds": 0.01,
            "requests": [
                {
                    "path": "/v1/reports",
                    "params": {"day": "{day}", "book": "{book}"},
                    "items": "data.items",
                    "paging": CURSOR,
                    "rows": ROWS,
                    **request,
                }
            ],
            **(place or {}),
        },
    )


def fetch_day() -> list[Fetched]:
    return list(fetch("demo", "bureau", DAY))


def landed(source: str) -> list[dict[str, Any]]:
    (file,) = landed_files("demo", DAY, {source})
    return [json.loads(line) for line in file.path.read_text().splitlines()]


PAGING = [
    ("/v1/reports", CURSOR),
    ("/v1/reports", {"kind": "page", "parameter": "page", "size": 10, "size_parameter": "size"}),
    ("/v1/linked", {"kind": "link"}),
]


@pytest.mark.parametrize(("path", "paging"), PAGING, ids=["cursor", "page", "link"])
def test_every_page_is_fetched_and_rows_are_told_apart(
    declare: Declare, http_server: HttpServer, home: Path, path: str, paging: dict[str, Any]
) -> None:
    declare_bureau(declare, http_server, path=path, paging=paging)
    fetched = {each.source: each.rows for each in fetch_day()}
    assert fetched == {"bureau_reports": 25, "bureau_tradelines": sum(n % 3 for n in range(25))}
    assert landed("bureau_reports")[24] == {"report_id": "R24", "customer_id": "C24", "bureau_score": 624}
    assert landed("bureau_tradelines")[0] == {
        "report_id": "R1",
        "tradeline_id": "A1.0",
        "balance": "1234567890.1",
    }
    assert http_server.api.seen[0][1]["day"] == "2026-06-30"
    asked = len(http_server.api.seen)
    assert fetch_day() == []
    assert len(http_server.api.seen) == asked
    assert not list((home / "fetching").rglob("*.json"))


def test_failures_are_tried_again_and_the_api_is_waited_for(
    declare: Declare, http_server: HttpServer
) -> None:
    declare_bureau(declare, http_server)
    http_server.api.failing = [(503, {}), (429, {"Retry-After": "0.2"}), (500, {})]
    assert sum(each.rows or 0 for each in fetch_day()) > 25
    times = [at for *_, at in http_server.api.seen]
    assert times[2] - times[1] >= 0.2


def test_the_rate_is_never_passed(declare: Declare, http_server: HttpServer) -> None:
    declare_bureau(declare, http_server, place={"requests_per_second": 20})
    fetch_day()
    times = [at for *_, at in http_server.api.seen]
    assert len(times) == 3
    assert times[-1] - times[0] > 1 / 20  # two intervals, less what the server's own clock may be late
    assert all(later > earlier for earlier, later in pairwise(times))


def test_a_fetch_that_was_cut_off_goes_on_after_the_last_whole_page(
    declare: Declare, http_server: HttpServer
) -> None:
    declare_bureau(declare, http_server, place={"attempts": 2})
    http_server.api.dead_from = 20
    with pytest.raises(ServiceUnreachableError, match="answers 503 after 2 attempts"):
        fetch_day()
    assert landed_files("demo", DAY, {"bureau_reports", "bureau_tradelines"}) == []
    http_server.api.dead_from = None
    http_server.api.seen.clear()
    assert {each.source: each.rows for each in fetch_day()}["bureau_reports"] == 25
    assert [query["cursor"] for _, query, *_ in http_server.api.seen] == ["20"]
    assert [row["report_id"] for row in landed("bureau_reports")] == [f"R{n}" for n in range(25)]


def test_a_wrong_token_and_a_wrong_form_are_told(
    declare: Declare, http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare_bureau(declare, http_server, items="data.rows")
    with pytest.raises(DataRefusedError, match=r"data\.rows is no list"):
        fetch_day()
    monkeypatch.setenv("BUREAU_TOKEN", "Bearer other")
    declare_bureau(declare, http_server)
    with pytest.raises(UsageError, match="answers 401") as refused:
        fetch_day()
    assert "other" not in str(refused.value)
    declare_bureau(declare, http_server, place={"base_url": "http://127.0.0.1:1", "attempts": 2})
    with pytest.raises(ServiceUnreachableError, match="ConnectError"):
        fetch_day()


def test_a_next_page_elsewhere_never_sees_the_token(declare: Declare, http_server: HttpServer) -> None:
    declare_bureau(declare, http_server, path="/v1/linked", paging={"kind": "link"})
    http_server.api.linked_host = http_server.url.replace("127.0.0.1", "localhost") + "/v1/linked"
    with pytest.raises(DataRefusedError, match="the next page is at localhost"):
        fetch_day()
    assert len(http_server.api.seen) == 1


METADATA = "http://169.254.169.254/latest"
PACKED = gzip.compress(bytes(300 << 20))
HOSTILE: dict[str, tuple[int, dict[str, str], bytes, str]] = {
    "a redirection to the metadata of the machine": (302, {"Location": METADATA}, b"", "answers 302"),
    "a redirection to a file": (307, {"Location": "file:///etc/passwd"}, b"", "answers 307"),
    "gigabytes in kilobytes": (200, {"Content-Encoding": "gzip"}, PACKED, "a page of over"),
    "nested too deeply": (200, {}, b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
    "a page that leads to itself": (
        200, {}, b'{"data": {"items": []}, "meta": {"next": "again"}}', "names itself as the next",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_an_answer_made_to_do_harm_is_refused(declare: Declare, what: str) -> None:
    status, headers, body, says = HOSTILE[what]
    asked: list[str] = []

    def hostile(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        asked.append(environ["PATH_INFO"])
        start(f"{status} Said", [*headers.items(), ("Content-Length", str(len(body)))])
        return [body]

    server = make_server("127.0.0.1", 0, hostile, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        declare_bureau(declare, HttpServer(f"http://127.0.0.1:{server.server_port}", BureauApi()))
        with pytest.raises((DataRefusedError, UsageError), match=says):
            fetch_day()
    finally:
        server.shutdown()
        thread.join(10)
    assert 1 <= len(asked) <= 2


@pytest.mark.parametrize("address", ["file:///etc", "ftp://127.0.0.1/"])
def test_a_place_is_asked_by_http_alone(declare: Declare, http_server: HttpServer, address: str) -> None:
    declare_bureau(declare, http_server, place={"base_url": address, "attempts": 1})
    with pytest.raises(ServiceUnreachableError, match="UnsupportedProtocol"):
        fetch_day()
