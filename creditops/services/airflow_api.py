"""A small client of Airflow's REST API: trigger, look, read logs, answer approvals.

Paths and bodies are those of Airflow 3.3 (``/api/v2``); login is that of its simple auth manager
(``POST /auth/token``).
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any, Self

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential

from creditops import addresses, clock
from creditops.errors import CreditOpsError, ServiceUnreachableError
from creditops.secrets import get_secret
from creditops.services import airflow_records as records
from creditops.services.airflow_records import FINISHED, WAITING, Approval, DagRun, TaskInstance

__all__ = ["FINISHED", "WAITING", "AirflowApi", "Approval", "DagRun", "TaskInstance"]

_PAGE = 100
_RETRY_FOR_SECONDS = 90.0
_RETRY_500_FOR_SECONDS = 20.0
_PASSING = (500, 502, 503, 504)
_SETTLING_SECONDS = 6.0


def _seal(dag_id: str, name: str) -> str:
    """What only the platform can put behind a run's name: it knows the key."""
    key = get_secret("postgres_publisher").encode()  # no user of Airflow has it
    return hmac.new(key, f"{dag_id}/{name}".encode(), "sha256").hexdigest()[:16]


def started_by_platform(run: str) -> bool:
    """Whether ``dag/run id`` is of :meth:`AirflowApi.trigger`: nobody else can seal an id."""
    dag_id, _, run_id = run.partition("/")
    name, _, seal = run_id.rpartition("__")
    return name.startswith("creditops__") and hmac.compare_digest(seal, _seal(dag_id, name))


class AirflowApi:
    """Airflow as one of its users; a context manager that closes its connections.

    What passes by itself (no answer, a server that has just lost its database) is tried again.
    Every method raises :class:`ServiceUnreachableError` when Airflow does not answer within 90 s,
    or refuses the login; :class:`CreditOpsError` when it refuses a request.

    Parameters
    ----------
    user: name of a user of the simple auth manager; the password is secret ``airflow_<user>``.
    url: address of the api-server, by default :func:`creditops.addresses.airflow_url`.
    """

    def __init__(self, user: str = "admin", url: str | None = None) -> None:
        self._user = user
        self._url = url or addresses.airflow_url()
        place = httpx.URL(self._url)
        local = place.host in ("127.0.0.1", "localhost", "::1")
        self._client = httpx.Client(
            base_url=place, timeout=30, trust_env=not local, verify=place.scheme == "https"
        )
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

    def await_parsed(self, dag_ids: Collection[str], *, patience: float = 60.0) -> None:
        """Wait until all of ``dag_ids`` are parsed.

        Raises
        ------
        ServiceUnreachableError: one is not after ``patience`` seconds, or its file has errors.
        """
        until = time.monotonic() + patience
        while not self.is_ready(dag_ids):
            errors = self.import_errors()
            if errors or time.monotonic() > until:
                found = "; ".join(f"{file}: {text.splitlines()[-1]}" for file, text in errors.items())
                raise ServiceUnreachableError(
                    f"Airflow does not know all DAGs: {found or 'they are not parsed yet'}",
                    hint="see the log of airflow-dag-processor",
                )
            time.sleep(0.3)

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
        name = f"creditops__{clock.now():%Y-%m-%dT%H:%M:%S.%f}"
        run_id = f"{name}__{_seal(dag_id, name)}"
        body = {
            "dag_run_id": run_id,
            "logical_date": None,
            "partition_key": partition_key,
            "conf": conf or {},
        }
        answer = self._request("POST", f"/dags/{dag_id}/dagRuns", json=body, accept=(409,))
        if answer.status_code == 409:  # an earlier attempt arrived, though its answer did not
            answer = self._request("GET", f"/dags/{dag_id}/dagRuns/{run_id}")
        return records.dag_run(answer.json())

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
        runs = [records.dag_run(run) for run in found]
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
        tasks = [records.task_instance(task) for task in found]
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
            records.approval(detail)
            for detail in self._pages("GET", f"{where}/hitlDetails", "hitl_details", **query)
        ]

    def answer(self, approval: Approval, option: str, params: dict[str, Any] | None = None) -> None:
        """Answer a question in the name of this client's user.

        Airflow fails a task that is answered before its scheduler has noticed that it waits
        (apache/airflow issue 66374), so a very early answer is held back for some seconds.

        Raises
        ------
        CreditOpsError: it is answered already, or ``option`` is none of its options.
        """
        path = f"/dags/{approval.dag_id}/dagRuns/{approval.run_id}/taskInstances/{approval.task_id}"
        age = (clock.now() - approval.asked_at).total_seconds()
        time.sleep(max(0.0, _SETTLING_SECONDS - age))
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
        addresses.refuse_strangers(self._url)
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
            if answer.status_code in _PASSING:
                answer.raise_for_status()
            return answer

        began = time.monotonic()

        def is_passing(error: BaseException) -> bool:
            if not isinstance(error, httpx.HTTPStatusError):
                return isinstance(error, httpx.TransportError)
            # A 500 comes where the server has just lost its database, and where it has a fault.
            lasting = error.response.status_code == 500
            return not lasting or time.monotonic() - began < _RETRY_500_FOR_SECONDS

        patience = Retrying(
            retry=retry_if_exception(is_passing),
            wait=wait_exponential(0.1, max=2),
            stop=stop_after_delay(_RETRY_FOR_SECONDS),
            reraise=True,
        )
        try:
            return patience(attempt)
        except httpx.HTTPStatusError as error:
            if error.response.status_code == 500:
                return error.response
            raise _unreachable(self._url, error) from error
        except httpx.HTTPError as error:
            raise _unreachable(self._url, error) from error


def _unreachable(url: str, error: httpx.HTTPError) -> ServiceUnreachableError:
    return ServiceUnreachableError(
        f"Airflow at {url} does not answer: {error or type(error).__name__}",
        hint="see `creditops status`; start the services with `creditops up`",
    )


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("detail", answer.text))
    except ValueError:
        return answer.text[:300]


def _log_line(entry: dict[str, Any] | str) -> str:
    if isinstance(entry, str):
        return entry
    error = entry.get("error_detail")
    text = f"{entry.get('timestamp') or ''} {entry.get('level') or ''} {entry.get('event', '')}".strip()
    if error:
        text += "".join(f"\n{one.get('exc_type')}: {one.get('exc_value')}" for one in error)
    return text
