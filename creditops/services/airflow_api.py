"""A small client of Airflow's REST API: trigger, look, read logs, answer approvals.

Paths and bodies are those of Airflow 3.3 (``/api/v2``); login is that of its simple auth manager
(``POST /auth/token``).
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import httpx
from tenacity import Retrying, retry_if_exception, retry_if_exception_type, stop_after_delay, wait_exponential

from creditops.errors import CreditOpsError, ServiceUnreachableError
from creditops.secrets import get_secret
from creditops.services import addresses

#: States in which a run or a task is over.
FINISHED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
#: A task in one of these waits for a person or an event, not for a worker.
WAITING = frozenset({"deferred", "awaiting_input"})
_PAGE = 100
_RETRY_FOR_SECONDS = 20.0


@dataclass(frozen=True)
class DagRun:
    """One run of a DAG.

    Attributes
    ----------
    state: ``queued``, ``running``, ``success`` or ``failed``.
    run_type: ``manual``, ``asset_triggered``, ``scheduled`` or ``backfill``.
    partition_key: ``book|YYYY-MM-DD``, ``None`` for a run without one.
    """

    dag_id: str
    run_id: str
    partition_key: str | None
    state: str
    run_type: str
    run_after: datetime
    started_at: datetime | None
    ended_at: datetime | None
    triggered_by: str | None
    conf: dict[str, Any]

    @property
    def finished(self) -> bool:
        return self.state in FINISHED

    @property
    def seconds(self) -> float:
        """From start to end, or to now; 0 before the start."""
        return _seconds(self.started_at, self.ended_at)


@dataclass(frozen=True)
class TaskInstance:
    """One task of a run; ``state`` is ``None`` before the scheduler has looked at it."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str | None
    try_number: int
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def finished(self) -> bool:
        return self.state in FINISHED

    @property
    def seconds(self) -> float:
        """From start to end, or to now; 0 before the start."""
        return _seconds(self.started_at, self.ended_at)


@dataclass(frozen=True)
class Approval:
    """A task that waits, or waited, for a person's answer (Airflow's human-in-the-loop detail).

    Attributes
    ----------
    options: what may be chosen, e.g. ``("Approve", "Reject")``.
    params: values the person may fill in, with their defaults.
    chosen, answered_by, answered_at: the answer; empty while it is open.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    subject: str
    body: str | None
    options: tuple[str, ...]
    params: dict[str, Any]
    chosen: tuple[str, ...]
    answered_by: str | None
    answered_at: datetime | None

    @property
    def open(self) -> bool:
        return not self.chosen


class AirflowApi:
    """Airflow as one of its users; a context manager that closes its connections.

    Every method raises :class:`ServiceUnreachableError` when Airflow does not answer within
    20 s, refuses the login, or fails; :class:`CreditOpsError` when it refuses a request.

    Parameters
    ----------
    user: name of a user of the simple auth manager; the password is secret ``airflow_<user>``.
    url: address of the api-server, by default :func:`creditops.services.addresses.airflow_url`.
    """

    def __init__(self, user: str = "admin", url: str | None = None) -> None:
        self._user = user
        self._url = url or addresses.airflow_url()
        local = httpx.URL(self._url).host in ("127.0.0.1", "localhost", "::1")
        self._client = httpx.Client(base_url=self._url, timeout=30, trust_env=not local)
        self._authorised = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def dag_ids(self) -> set[str]:
        """DAGs Airflow knows and has parsed."""
        return {dag["dag_id"] for dag in self._pages("GET", "/dags", "dags", exclude_stale=True)}

    def import_errors(self) -> dict[str, str]:
        """Error by file, of DAG files that cannot be imported."""
        found = self._pages("GET", "/importErrors", "import_errors")
        return {error["filename"]: error["stack_trace"] for error in found}

    def is_ready(self, dag_ids: Collection[str]) -> bool:
        """Whether all of ``dag_ids`` are parsed, so that events for them are not lost.

        An asset event that comes before a consumer is parsed, or while it is paused, is never
        delivered to it.
        """
        return set(dag_ids) <= self.dag_ids()

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run ``dag_id``."""
        self._request("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, partition_key: str | None, conf: dict[str, Any] | None = None) -> DagRun:
        """Start a run of ``dag_id`` for a partition.

        The run's id is chosen here, so that a repeated request cannot start two runs.

        Raises
        ------
        CreditOpsError: no such DAG, or its file has import errors.
        """
        now = datetime.now(UTC)
        run_id = f"creditops__{now:%Y-%m-%dT%H:%M:%S.%f}__{secrets.token_hex(3)}"
        body = {
            "dag_run_id": run_id,
            "logical_date": None,
            "partition_key": partition_key,
            "conf": conf or {},
        }
        answer = self._request("POST", f"/dags/{dag_id}/dagRuns", json=body, accept=(409,))
        if answer.status_code == 409:  # an earlier attempt arrived, though its answer did not
            answer = self._request("GET", f"/dags/{dag_id}/dagRuns/{run_id}")
        return _dag_run(answer.json())

    def dag_runs(
        self,
        partition_key: str | None = None,
        *,
        dag_ids: Collection[str] | None = None,
        since: datetime | None = None,
        limit: int = 1000,
    ) -> list[DagRun]:
        """Runs, newest first.

        Parameters
        ----------
        partition_key: only runs for exactly this key.
        dag_ids: only runs of these DAGs.
        since: only runs due at or after this moment (with time zone).
        limit: most runs to look at, before the key is compared.
        """
        body: dict[str, Any] = {"order_by": "-run_after"}
        if dag_ids is not None:
            body["dag_ids"] = sorted(dag_ids)
        if since is not None:
            body["run_after_gte"] = since.isoformat()
        found = self._pages("POST", "/dags/~/dagRuns/list", "dag_runs", limit=limit, body=body)
        runs = [_dag_run(run) for run in found]
        return [run for run in runs if partition_key is None or run.partition_key == partition_key]

    def last_run(self, dag_id: str) -> DagRun | None:
        """The newest run of a DAG."""
        return next(iter(self.dag_runs(dag_ids=[dag_id], limit=1)), None)

    def task_instances(self, *runs: DagRun) -> list[TaskInstance]:
        """Tasks of some runs, those that started first in front."""
        if not runs:
            return []
        body = {
            "dag_ids": sorted({run.dag_id for run in runs}),
            "dag_run_ids": sorted({run.run_id for run in runs}),
        }
        wanted = {(run.dag_id, run.run_id) for run in runs}
        found = self._pages("POST", "/dags/~/dagRuns/~/taskInstances/list", "task_instances", body=body)
        tasks = [_task_instance(task) for task in found]
        late = datetime.max.replace(tzinfo=UTC)
        return sorted(
            (task for task in tasks if (task.dag_id, task.run_id) in wanted),
            key=lambda task: (task.started_at or late, task.dag_id, task.task_id, task.map_index),
        )

    def task_log(self, task: TaskInstance, try_number: int | None = None) -> list[str]:
        """Log lines of one try of a task, the latest by default."""
        path = f"/dags/{task.dag_id}/dagRuns/{task.run_id}/taskInstances/{task.task_id}/logs"
        number = task.try_number if try_number is None else try_number
        parameters = {"map_index": task.map_index, "full_content": True}
        answer = self._request("GET", f"{path}/{number}", params=parameters).json()
        return [_log_line(entry) for entry in answer["content"]]

    def approvals(self, run: DagRun | None = None, *, only_open: bool = True) -> list[Approval]:
        """Questions to people, of one run or of all."""
        where = f"/dags/{run.dag_id}/dagRuns/{run.run_id}" if run else "/dags/~/dagRuns/~"
        query: dict[str, Any] = {"response_received": False} if only_open else {}
        return [
            _approval(detail)
            for detail in self._pages("GET", f"{where}/hitlDetails", "hitl_details", **query)
        ]

    def answer(self, approval: Approval, option: str, params: dict[str, Any] | None = None) -> None:
        """Answer a question in the name of this client's user.

        Raises
        ------
        CreditOpsError: it is answered already, or ``option`` is none of its options.
        """
        path = f"/dags/{approval.dag_id}/dagRuns/{approval.run_id}/taskInstances/{approval.task_id}"
        body = {"chosen_options": [option], "params_input": params or {}}
        self._request("PATCH", f"{path}/{approval.map_index}/hitlDetails", json=body)

    def _pages(
        self,
        method: str,
        path: str,
        items: str,
        *,
        limit: int = 10_000,
        body: dict[str, Any] | None = None,
        **query: Any,
    ) -> Iterator[dict[str, Any]]:
        seen = 0
        while seen < limit:
            size = min(_PAGE, limit - seen)
            if body is None:
                answer = self._request(method, path, params=query | {"limit": size, "offset": seen})
            else:
                page = {"page_limit": size, "page_offset": seen}
                answer = self._request(method, path, json=body | page)
            found = answer.json()
            yield from found[items]
            seen += len(found[items])
            if len(found[items]) < size:
                return

    def _request(
        self, method: str, path: str, *, accept: Collection[int] = (), **arguments: Any
    ) -> httpx.Response:
        if not self._authorised:
            self._login()
        answer = self._send(method, f"/api/v2{path}", **arguments)
        if answer.status_code == 401:  # the token has run out
            self._login()
            answer = self._send(method, f"/api/v2{path}", **arguments)
        if answer.is_success or answer.status_code in accept:
            return answer
        raise CreditOpsError(
            f"Airflow refused {method} {path}: {answer.status_code} {_detail(answer)}",
            hint="see `creditops status`" if answer.status_code < 500 else "see the api-server's log",
        )

    def _login(self) -> None:
        who = {"username": self._user, "password": get_secret(f"airflow_{self._user}")}
        answer = self._send("POST", "/auth/token", json=who)
        if not answer.is_success:
            raise ServiceUnreachableError(
                f"Airflow at {self._url} refused user {self._user}: {_detail(answer)}",
                hint=f"set CREDITOPS_SECRET_AIRFLOW_{self._user.upper()} to the user's password",
            )
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        self._authorised = True

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        def attempt() -> httpx.Response:
            answer = self._client.request(method, path, **arguments)
            if answer.status_code in (502, 503, 504):
                answer.raise_for_status()
            return answer

        patience = Retrying(
            retry=retry_if_exception_type(httpx.TransportError) | retry_if_exception(_is_status_error),
            wait=wait_exponential(0.1, max=2),
            stop=stop_after_delay(_RETRY_FOR_SECONDS),
            reraise=True,
        )
        try:
            return patience(attempt)
        except httpx.HTTPError as error:
            raise ServiceUnreachableError(
                f"Airflow at {self._url} does not answer: {error or type(error).__name__}",
                hint="see `creditops status`; start the services with `creditops up`",
            ) from error


def _is_status_error(error: BaseException) -> bool:
    return isinstance(error, httpx.HTTPStatusError)


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("detail", answer.text))
    except ValueError:
        return answer.text[:300]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _seconds(start: datetime | None, end: datetime | None) -> float:
    return ((end or datetime.now(UTC)) - start).total_seconds() if start else 0.0


def _dag_run(found: dict[str, Any]) -> DagRun:
    return DagRun(
        dag_id=found["dag_id"],
        run_id=found["dag_run_id"],
        partition_key=found["partition_key"],
        state=found["state"],
        run_type=found["run_type"],
        run_after=datetime.fromisoformat(found["run_after"]),
        started_at=_moment(found["start_date"]),
        ended_at=_moment(found["end_date"]),
        triggered_by=found["triggering_user_name"],
        conf=found["conf"] or {},
    )


def _task_instance(found: dict[str, Any]) -> TaskInstance:
    return TaskInstance(
        dag_id=found["dag_id"],
        run_id=found["dag_run_id"],
        task_id=found["task_id"],
        map_index=found["map_index"],
        state=found["state"],
        try_number=found["try_number"],
        started_at=_moment(found["start_date"]),
        ended_at=_moment(found["end_date"]),
    )


def _approval(found: dict[str, Any]) -> Approval:
    task = found["task_instance"]
    return Approval(
        dag_id=task["dag_id"],
        run_id=task["dag_run_id"],
        task_id=task["task_id"],
        map_index=task["map_index"],
        subject=found["subject"],
        body=found["body"],
        options=tuple(found["options"]),
        params={name: value["value"] for name, value in found["params"].items()},
        chosen=tuple(found["chosen_options"] or ()),
        answered_by=(found["responded_by_user"] or {}).get("name"),
        answered_at=_moment(found["responded_at"]),
    )


def _log_line(entry: dict[str, Any] | str) -> str:
    if isinstance(entry, str):
        return entry
    error = entry.get("error_detail")
    text = f"{entry.get('timestamp') or ''} {entry.get('level') or ''} {entry.get('event', '')}".strip()
    if error:
        text += "".join(f"\n{one.get('exc_type')}: {one.get('exc_value')}" for one in error)
    return text
