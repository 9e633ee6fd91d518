"""Alerts: overdue sources and failed steps reach people once, over a real HTTP server."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from creditops import books, chain
from creditops.books import Partition
from creditops.errors import DataRefusedError
from creditops.ingest.check.freshness import watch
from creditops.settings import Settings, get_settings
from tests.ingest.files import deliver, select

JUNE, OCTOBER, NOVEMBER = date(2026, 6, 30), date(2026, 10, 31), date(2026, 11, 30)
OVERDUE = (
    "2026-10-31: industry_series: last delivered 2026-06-30, 123 days before; its contract expects one every"
    " 100 days"
)


@dataclass
class Chat:
    """A chat's incoming webhook."""

    url: str = ""
    status: int = 200
    heard: list[str] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        if self.status == 200:
            assert request.content_type == "application/json"
            self.heard.append(json.loads(request.get_data())["text"]["content"])
        return Response("", status=self.status)(environ, start_response)


@pytest.fixture
def chat(module_warehouse: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    found = Chat()
    server = make_server("127.0.0.1", 0, found, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}/hook?token=very-secret"
    monkeypatch.setenv("CREDITOPS_ALERT_URL", found.url)
    monkeypatch.setenv("CREDITOPS_ALERT_BODY", '{"msgtype": "text", "text": {"content": "{text}"}}')
    get_settings.cache_clear()
    yield found
    server.shutdown()
    thread.join(10)
    get_settings.cache_clear()


@pytest.fixture
def book(module_warehouse: str, tmp_path: Path) -> str:
    """A book that delivered a series in June."""
    name = f"b{uuid.uuid4().hex[:10]}"
    row = {"series_id": "PMI", "period": "2026-05-31", "value": "50.1", "published_on": "2026-06-01"}
    deliver(tmp_path, "industry_series", [row], day=JUNE, book=name)
    return name


def _ingest(book: str, day: date) -> None:
    chain.run_step("ingest_reference", Partition(book, day).key)


def test_an_overdue_source_is_told_once_per_gap(
    chat: Chat, book: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "today", lambda book: date(2027, 5, 1))
    _ingest(book, JUNE)
    assert chat.heard == []
    _ingest(book, OCTOBER)
    _ingest(book, NOVEMBER)
    assert chat.heard == [f"creditops, book {book}: {OVERDUE}"]
    row = {"series_id": "PMI", "period": "2026-10-31", "value": "50.2", "published_on": "2026-11-01"}
    deliver(tmp_path, "industry_series", [row], day=NOVEMBER, book=book)
    _ingest(book, OCTOBER)
    _ingest(book, NOVEMBER)
    assert len(chat.heard) == 1, "a past day is silent about what has come since"
    _ingest(book, date(2027, 4, 30))
    assert "last delivered 2026-11-30" in chat.heard[1]


def test_a_source_is_missed_also_where_no_run_is_started(chat: Chat, book: str) -> None:
    def night(text: str) -> int:
        return watch(datetime.fromisoformat(text)) and len([each for each in chat.heard if book in each])

    assert night("2026-10-31T02:30:00+08:00") == 1
    assert night("2026-11-01T02:30:00+08:00") == 1, "told once"
    chat.heard.clear()
    assert watch(datetime.fromisoformat("2030-01-01T02:30:00+08:00")) == 0, "a book at rest"
    assert chat.heard == []


def test_what_could_not_be_sent_goes_with_the_next_run(
    chat: Chat, book: str, caplog: pytest.LogCaptureFixture
) -> None:
    chat.status = 503
    with caplog.at_level(logging.DEBUG):
        _ingest(book, OCTOBER)
    said = [record.getMessage() for record in caplog.records if record.name != "werkzeug"]
    assert any("could not be sent: status 503" in each for each in said)
    assert not any("very-secret" in each for each in said)
    assert select("select sent_at from ops.alert where book = %s", book) == [(None,)]
    chat.status = 200
    _ingest(book, OCTOBER)
    _ingest(book, OCTOBER)
    assert chat.heard == [f"creditops, book {book}: {OVERDUE}"]


def test_a_dead_address_fails_no_run(
    chat: Chat, book: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CREDITOPS_ALERT_URL", "http://127.0.0.1:9/hook?token=very-secret")
    get_settings.cache_clear()
    with caplog.at_level(logging.DEBUG):
        _ingest(book, OCTOBER)
    assert "could not be sent: no connection (ConnectionRefusedError)" in caplog.text
    assert "very-secret" not in caplog.text


def test_a_refused_delivery_is_told_without_its_rows(chat: Chat, book: str, tmp_path: Path) -> None:
    row = {"series_id": "PMI", "period": "31.05.2026", "value": "50.1", "published_on": "2026-06-01"}
    with pytest.raises(DataRefusedError):
        deliver(tmp_path, "macro_series", [row], day=NOVEMBER, book=book)
    with pytest.raises(DataRefusedError):
        _ingest(book, NOVEMBER)
    (told,) = [each for each in chat.heard if book in each]
    assert told == (
        f"creditops, book {book}: step ingest_reference for 2026-11-30 refused data;"
        " the task's log and ops.failure say why (run local)"
    )


def test_an_address_is_one_of_the_web_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITOPS_ALERT_URL", "")
    assert Settings().alert_url is None
    monkeypatch.setenv("CREDITOPS_ALERT_URL", "file:///etc/passwd")
    with pytest.raises(ValueError, match="is no web address"):
        Settings()
