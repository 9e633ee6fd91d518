"""Alerts: what people should hear of without looking for it.

An alert is a row of ``ops.alert``, told once per subject, and where ``CREDITOPS_ALERT_URL`` is set a
message to that address. Alerting fails no run: what could not be sent goes with the next alert.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from http.client import HTTPException
from typing import Literal
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import psycopg

from creditops.settings import get_settings
from creditops.warehouse.connection import connect

Kind = Literal["overdue_source", "failed_step", "tampered_model"]

_SECONDS = 10
_MOST_AT_ONCE = 50
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alert:
    """What happened to what; ``subject`` tells one cause from another, ``message`` is for people."""

    kind: Kind
    subject: str
    message: str


def raise_alerts(book: str, as_of: date, alerts: Iterable[Alert], *, role: str = "publisher") -> int:
    """Note the alerts that are new, and send what has not been sent; returns how many are new.

    Parameters
    ----------
    role: warehouse role of the caller.
    """
    try:
        with connect(role) as connection:
            new = sum(
                connection.execute(
                    "insert into ops.alert (book, as_of_date, kind, subject, message)"
                    " values (%s, %s, %s, %s, %s) on conflict (book, kind, subject) do nothing",
                    (book, as_of, each.kind, each.subject, each.message),
                ).rowcount
                for each in alerts
            )
            connection.commit()
            _send_waiting(connection)
    except psycopg.Error as error:
        _log.warning("alerts of book %s could not be noted: %s", book, str(error).splitlines()[0])
        return 0
    return new


def _send_waiting(connection: psycopg.Connection) -> None:
    """Send every alert that has not been; of two processes at once one sends it."""
    settings = get_settings()
    if settings.alert_url is None:
        return
    waiting = connection.execute(
        "select alert_id, book, message from ops.alert where sent_at is null"
        " order by alert_id limit %s for update skip locked",
        (_MOST_AT_ONCE,),
    ).fetchall()
    for alert_id, book, message in waiting:
        problem = _post(settings.alert_url.get_secret_value(), f"creditops, book {book}: {message}")
        if problem is not None:
            _log.warning("the alert %r could not be sent: %s", message, problem)
            return
        connection.execute(
            "update ops.alert set sent_at = clock_timestamp() where alert_id = %s", (alert_id,)
        )


def _post(url: str, text: str) -> str | None:
    """Post a message; why it was not taken. The address usually holds a token, so nothing shows it:
    not by httpx, which logs the addresses that it asks.
    """
    body = get_settings().alert_body.replace("{text}", json.dumps(text, ensure_ascii=False)[1:-1])
    request = Request(url, data=body.encode(), headers={"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=_SECONDS):
            return None
    except HTTPError as error:
        return f"status {error.code}"
    except URLError as error:
        return f"no connection ({type(error.reason).__name__})"
    except (OSError, HTTPException) as error:
        return type(error).__name__
