"""Fetches rows from an HTTP API that answers in JSON: pages, rate limit, retries, resume.

Every page is kept in ``<home>/fetching`` as it comes; a fetch that was cut off goes on after the last
whole page, and only a complete answer lands, as one JSON-lines file per source. What was asked and
completed for a day is not asked again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from creditops.books import today
from creditops.errors import DataRefusedError, ServiceUnreachableError, UsageError
from creditops.places.credentials import airflow_connection, from_environment
from creditops.places.fetched import Fetched, known_fingerprints, landed_name, landing_file, remember
from creditops.places.pages import Pages
from creditops.places.place import HttpApi, Request, Rows
from creditops.settings import get_settings
from creditops.sources.contract import load_contract

_MOST_WAIT = 60.0
_MOST_PAGES, _LARGEST_PAGE = 1_000_000, 256 << 20


@dataclass
class _Pace:
    """Keeps to a rate: each request waits for its turn."""

    interval: float
    next_turn: float = 0.0

    def wait(self) -> None:
        now = time.monotonic()
        if self.next_turn > now:
            time.sleep(self.next_turn - now)
        self.next_turn = max(now, self.next_turn) + self.interval


def fetch_pages(place: HttpApi, book: str, day: date | None) -> Iterator[Fetched]:
    """Ask every request of the place for a day, default today, that has not been answered whole.

    Raises
    ------
    ServiceUnreachableError: it does not answer, after all attempts; the pages so far are kept.
    DataRefusedError: an answer is not what the place's file says.
    UsageError: a secret is not set, or the API refuses the request itself (4xx).
    """
    delivery = day or today(book)
    base = place.base_url or from_environment(place.base_url_env, f"place {place.place}")
    base = base or airflow_connection(place.connection).uri
    if base is None:
        raise UsageError(f"place {place.place} names no address", hint="add `base_url` or `base_url_env`")
    headers = {
        name: from_environment(variable, f"place {place.place}") or ""
        for name, variable in place.headers_env.items()
    }
    known = known_fingerprints(book, place.place)
    pace = _Pace(1 / place.requests_per_second)
    with httpx.Client(
        base_url=base, headers=headers, timeout=place.timeout_seconds, follow_redirects=False
    ) as client:
        for number, request in enumerate(place.requests):
            item = f"{number}:{request.method} {request.path}"
            if (item, delivery.isoformat()) not in known:
                yield from _fetch_request(client, place, request, item, book, delivery, pace)


def _fetch_request(
    client: httpx.Client, place: HttpApi, request: Request, item: str, book: str, delivery: date, pace: _Pace
) -> Iterator[Fetched]:
    started = time.perf_counter()
    for rows in request.rows:
        load_contract(rows.source, book)
    pages = Pages(place, item, book, delivery)
    for _ in range(_MOST_PAGES):
        if pages.complete:
            break
        answer = _ask(client, place, request, pages.following, book, delivery, pace)
        items = _items(answer, request, place)
        pages.keep(items, _next(answer, request, pages.following, items, client))
    landed = list(_land(pages, place, request, item, book, delivery, started))
    for fetched in landed:
        remember(fetched)
    pages.forget()
    yield from landed


def _ask(
    client: httpx.Client,
    place: HttpApi,
    request: Request,
    following: str | None,
    book: str,
    delivery: date,
    pace: _Pace,
) -> httpx.Response:
    words = {"book": book, "day": delivery.isoformat()}
    params: dict[str, Any] = {name: _fill(value, words) for name, value in request.params.items()}
    url = _fill(request.path, words)
    paging = request.paging
    if paging is not None:
        if paging.size_parameter and paging.size:
            params[paging.size_parameter] = paging.size
        if paging.kind == "link" and following is not None:
            url, params = _same_origin(client, following, place), {}
        elif paging.kind == "page":
            params[paging.parameter or "page"] = following or paging.first
        elif following is not None:
            params[paging.parameter or "cursor"] = following
    body = None if request.body is None else json.loads(_fill(json.dumps(request.body), words))
    where = f"place {place.place}: {request.method} {request.path}"

    def send() -> httpx.Response:
        pace.wait()
        with client.stream(request.method, url, params=params or None, json=body) as response:
            if response.status_code == 429 or response.status_code >= 500:
                response.raise_for_status()
            return _whole(response, where)

    try:
        response = Retrying(
            stop=stop_after_attempt(place.attempts),
            wait=lambda state: _pause(state, place.backoff_seconds),
            retry=retry_if_exception(
                lambda error: isinstance(error, httpx.TransportError | httpx.HTTPStatusError)
            ),
            reraise=True,
        )(send)
    except httpx.HTTPError as error:
        raise ServiceUnreachableError(
            f"{where}: {_reason(error)} after {place.attempts} attempts",
            hint="the pages so far are kept: fetch again and it goes on",
        ) from error
    if not response.is_success:  # redirections are not followed: they may lead anywhere
        raise UsageError(
            f"{where}: the API answers {response.status_code}", hint="check path, parameters and secrets"
        )
    return response


def _whole(response: httpx.Response, where: str) -> httpx.Response:
    """The answer with all of its content, unpacked, up to a bound."""
    content = bytearray()
    for block in response.iter_bytes():
        content += block
        if len(content) > _LARGEST_PAGE:
            raise DataRefusedError(
                f"{where}: a page of over {_LARGEST_PAGE >> 20} MB",
                hint="ask for smaller pages: `paging.size`",
            )
    headers = {name: value for name, value in response.headers.items() if name in ("link", "content-type")}
    return httpx.Response(response.status_code, headers=headers, content=bytes(content))


def _same_origin(client: httpx.Client, link: str, place: HttpApi) -> str:
    """A link to the next page, which must not lead the secrets of the headers elsewhere."""
    base, target = client.base_url, client.base_url.join(link)
    if (target.scheme, target.host, target.port) != (base.scheme, base.host, base.port):
        raise DataRefusedError(
            f"place {place.place}: the next page is at {target.host}, not at {base.host}",
            hint="the API must page on its own host, or `base_url` names the wrong one",
        )
    return str(target)


def _pause(state: RetryCallState, first: float) -> float:
    """As long as the API asks for, else twice as long each time."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, httpx.HTTPStatusError):
        asked = error.response.headers.get("Retry-After", "")
        if asked.replace(".", "", 1).isdigit():
            return min(float(asked), _MOST_WAIT)
    return min(first * 2.0 ** (state.attempt_number - 1), _MOST_WAIT)


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"the API answers {error.response.status_code}"
    return f"{type(error).__name__}: {error}"


def _items(response: httpx.Response, request: Request, place: HttpApi) -> list[Any]:
    where = f"place {place.place}: {request.method} {request.path}"
    try:
        answer = json.loads(response.text, parse_float=str, parse_int=_whole_number)
    except json.JSONDecodeError as error:
        raise DataRefusedError(
            f"{where}: the answer is no JSON (line {error.lineno}, column {error.colno})",
            hint="check the path",
        ) from error
    except RecursionError:
        raise DataRefusedError(f"{where}: the answer is nested too deeply", hint="check the path") from None
    items = _dig(answer, request.items) if request.items else answer
    if not isinstance(items, list):
        raise DataRefusedError(
            f"{where}: {request.items or 'the answer'} is no list", hint="mend `items` in the place's file"
        )
    return items


def _whole_number(text: str) -> int | str:
    """A number, as text where it has more digits than any amount or count."""
    return int(text) if len(text) < 19 else text


def _next(
    response: httpx.Response, request: Request, following: str | None, items: list[Any], client: httpx.Client
) -> str | None:
    paging = request.paging
    if paging is None:
        return None
    if paging.kind == "page":
        if not items or (paging.size is not None and len(items) < paging.size):
            return None
        return str(int(following or paging.first) + 1)
    if paging.kind == "link" and not paging.next:
        return response.links.get("next", {}).get("url")
    found = _dig(json.loads(response.text, parse_int=_whole_number), paging.next or "next")
    if found == following and found is not None:
        raise DataRefusedError(
            f"the page {following!r} names itself as the next", hint="the API must lead to an end"
        )
    return str(found) if found not in (None, "") else None


def _land(
    pages: Pages, place: HttpApi, request: Request, item: str, book: str, delivery: date, started: float
) -> Iterator[Fetched]:
    """One JSON-lines file per source, all written before the first is noted."""
    written: dict[str, list[Any]] = {}
    with ExitStack() as stack:
        for rows in request.rows:
            if rows.source not in written:
                name = landed_name(rows.source, place.place, item, delivery.isoformat(), ".jsonl")
                stream, target = stack.enter_context(landing_file(book, delivery, name))
                written[rows.source] = [stream, target, 0]
        for each in pages.items():
            for rows in request.rows:
                for row in _rows(each, rows):
                    line = json.dumps(row, ensure_ascii=False) + "\n"
                    written[rows.source][0].write(line.encode())
                    written[rows.source][2] += 1
        sizes = {source: found[0].tell() for source, found in written.items()}
    for source, (_, target, count) in written.items():
        yield Fetched(
            book=book,
            place=place.place,
            item=item,
            fingerprint=delivery.isoformat(),
            source=source,
            delivery=delivery,
            file=str(target.relative_to(get_settings().landing)),
            bytes=sizes[source],
            seconds=time.perf_counter() - started,
            rows=count,
        )


def _rows(item: Any, rows: Rows) -> Iterator[dict[str, Any]]:
    found = [item] if rows.each is None else (_dig(item, rows.each) or [])
    for row in found:
        if not rows.columns:
            yield dict(row)
        else:
            yield {
                column: _dig(item, path[2:]) if path.startswith("^.") else _dig(row, path)
                for column, path in rows.columns.items()
            }


def _dig(value: Any, path: str) -> Any:
    """The value at a dotted path; ``None`` where there is none."""
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _fill(text: str, words: dict[str, str]) -> str:
    for name, value in words.items():
        text = text.replace("{" + name + "}", value)
    return text
