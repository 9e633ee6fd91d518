"""Closes Airflow's own backfills: they start runs past a DAG's limits, for any range of days.

Airflow authorises a backfill as it does a single run. Past days are run by ``creditops backfill``, month by
month and in turn.
"""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

_READING = ("GET", "HEAD", "OPTIONS")
_REFUSAL = b'{"detail": "backfills are closed here: use `creditops backfill BOOK --from DAY --to DAY`"}'


class NoBackfills:
    """Answers 403 to whatever would make or change a backfill (ASGI)."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on, or refuse."""
        closed = scope["type"] == "http" and scope["method"] not in _READING
        if not closed or "backfills" not in scope["path"].lower().split("/"):
            await self.app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_REFUSAL)).encode())]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": _REFUSAL})


class NoBackfillsPlugin(AirflowPlugin):
    """Puts the refusal before Airflow's server."""

    name = "no_backfills"
    fastapi_root_middlewares: ClassVar[list[Any]] = [{"middleware": NoBackfills, "name": "no backfills"}]
