"""A place, declared in ``places/<name>.yml`` of the data home or of ``CREDITOPS_SOURCES_PATH``.

A declaration holds no secret: it names environment variables (``password_env``) or a connection
(``connection: bank_sftp`` is ``AIRFLOW_CONN_BANK_SFTP``, Airflow's own form, read without Airflow).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from creditops.books import check_book
from creditops.errors import UsageError
from creditops.sources.contract import user_folders
from creditops.sources.document import line_of, names_in, place, read_mapping
from creditops.texts import Text


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Place(_Part):
    """What every place has.

    Attributes
    ----------
    books: books that may fetch from here; empty for every book.
    connection: name of an Airflow connection with host, port, login, password and extras.
    """

    place: str
    description: Text | None = None
    books: tuple[str, ...] = ()
    connection: str | None = None


class _Files(_Place):
    """Files below a path.

    Attributes
    ----------
    path: folder, or ``bucket/prefix``; files below it are found at any depth.
    patterns: name patterns, each with the source it holds; default the contracts' own names.
    day_pattern: regular expression with three groups (year, month, day), searched in the path;
        where it finds nothing the delivery is today's.
    marker: suffix of a file that must stand beside a file before it is fetched, like ``.done``.
    settled_seconds: how long a file must not have changed.
    """

    path: str
    patterns: dict[str, str] = {}
    day_pattern: str = r"(20\d\d)[-_/]?(\d\d)[-_/]?(\d\d)"
    marker: str | None = None
    settled_seconds: float = Field(0, ge=0)

    @field_validator("day_pattern")
    @classmethod
    def _three_groups(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from error
        if groups != 3:
            raise ValueError("needs three groups: year, month and day")
        return value

    def day_of(self, path: str) -> date | None:
        """The delivery day that a path names."""
        for found in re.finditer(self.day_pattern, path):
            try:
                return date(*map(int, found.groups()))
            except ValueError:
                continue
        return None


class Folder(_Files):
    """A folder that this machine sees."""

    kind: Literal["folder"]


class Sftp(_Files):
    """A server's files over SSH. ``known_hosts``: file with the server's key; checked always."""

    kind: Literal["sftp"]
    host: str | None = None
    port: int = 22
    username: str | None = None
    password_env: str | None = None
    private_key_env: str | None = None
    known_hosts: str | None = None


class S3(_Files):
    """An S3-compatible store."""

    kind: Literal["s3"]
    endpoint_url: str | None = None
    region: str | None = None
    access_key_env: str | None = None
    secret_key_env: str | None = None


class Query(_Part):
    """A statement whose rows are one source's.

    Attributes
    ----------
    query: a select; ``:watermark`` is the greatest value of the column ``watermark`` fetched so
        far, at first ``start``. With ``>=`` rows of the last moment are read again, and found unchanged.
    """

    source: str
    query: str
    watermark: str | None = None
    start: str | None = None

    @field_validator("query")
    @classmethod
    def _reads(cls, value: str) -> str:
        if not re.match(r"\s*(select|with)\b", value, re.IGNORECASE):
            raise ValueError("must be a select")
        return value


class Database(_Place):
    """A SQL database, by SQLAlchemy URL in the variable ``url_env`` or by connection."""

    kind: Literal["sql"]
    url_env: str | None = None
    queries: tuple[Query, ...] = Field(min_length=1)
    chunk_rows: int = Field(20_000, ge=1)


class Paging(_Part):
    """How a response leads to the next page.

    ``cursor``: the value at ``next`` goes into ``parameter``; ``page``: ``parameter`` counts from
    ``first`` until a page is empty or shorter than ``size``; ``link``: the URL at ``next``, or of
    the header Link with rel=next.
    """

    kind: Literal["cursor", "page", "link"]
    parameter: str | None = None
    next: str | None = None
    size_parameter: str | None = None
    size: int | None = Field(None, ge=1)
    first: int = 1


class Rows(_Part):
    """Rows of one source in each item of a response.

    Attributes
    ----------
    each: dotted path of a list inside the item; default the item itself is one row.
    columns: contract column -> dotted path in the row; ``^.`` leads to the item around it. Default
        every value of the row under its own name.
    """

    source: str
    each: str | None = None
    columns: dict[str, str] = {}


class Request(_Part):
    """A request and what its answer holds. ``{book}`` and ``{day}`` are filled in everywhere."""

    path: str
    method: Literal["GET", "POST"] = "GET"
    params: dict[str, str] = {}
    body: dict[str, Any] | None = None
    items: str = ""
    paging: Paging | None = None
    rows: tuple[Rows, ...] = Field(min_length=1)


class HttpApi(_Place):
    """An HTTP API that answers in JSON, as credit bureaus' do.

    Attributes
    ----------
    headers_env: request header -> environment variable with its value.
    requests_per_second: rate that is never passed.
    attempts: how often a request is tried that fails by connection, 429 or 5xx.
    """

    kind: Literal["http"]
    base_url: str | None = None
    base_url_env: str | None = None
    headers_env: dict[str, str] = {}
    requests: tuple[Request, ...] = Field(min_length=1)
    requests_per_second: float = Field(5, gt=0)
    attempts: int = Field(6, ge=1)
    timeout_seconds: float = Field(30, gt=0)
    backoff_seconds: float = Field(1, ge=0)


Place = Annotated[Folder | Sftp | S3 | Database | HttpApi, Field(discriminator="kind")]
AnyPlace = Folder | Sftp | S3 | Database | HttpApi
_ADAPTER: TypeAdapter[AnyPlace] = TypeAdapter(Place)


@dataclass(frozen=True)
class BrokenPlace:
    """A place that is left out because its file is at fault.

    Attributes
    ----------
    place: its name, by that of the file.
    books: those that may fetch from it, as far as can be read; empty for every book.
    error: what is wrong with the file; names line and remedy.
    """

    path: Path
    place: str
    books: tuple[str, ...]
    error: UsageError


def load_places(book: str | None = None) -> dict[str, AnyPlace]:
    """Places by name, those of one book only if it is named; without :func:`broken_places`."""
    return {name: each for name, each in _read()[0].items() if _serves(each.books, book)}


def broken_places(book: str | None = None) -> list[BrokenPlace]:
    """Places that are left out because of a fault, by path; those of one book only if it is named."""
    return [each for each in _read()[1] if _serves(each.books, book)]


def _serves(books: tuple[str, ...], book: str | None) -> bool:
    return book is None or not books or book in books


def _read() -> tuple[dict[str, AnyPlace], list[BrokenPlace]]:
    found: dict[str, AnyPlace] = {}
    broken: list[BrokenPlace] = []
    for path in (path for folder in place_folders() for path in sorted(folder.glob("*.yml"))):
        try:
            each = read_place(path)
            if each.place in found:
                raise UsageError(
                    f"{path}: the place {each.place!r} is declared twice", hint="remove one file"
                )
        except UsageError as error:
            broken.append(BrokenPlace(path, path.stem, names_in(path, "books"), error))
        else:
            found[each.place] = each
    return dict(sorted(found.items())), broken


def place_folders() -> list[Path]:
    """Folders with declarations of places."""
    *named, contracts = user_folders()
    return [*(folder / "places" for folder in named), contracts.parent / "places"]


def read_place(path: Path) -> AnyPlace:
    """The place declared in one YAML file.

    Raises
    ------
    UsageError: the file is faulty; names file, line and remedy.
    """
    text, document = read_mapping(path)
    try:
        found = _ADAPTER.validate_python(document)
        for book in found.books:
            check_book(book)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        kinds = ("folder", "sftp", "s3", "sql", "http")
        steps = [step for step in first["loc"] if isinstance(step, str | int)]
        steps = steps[1:] if steps and steps[0] in kinds else steps
        problem = first["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"{path}: {line_of(text, steps)}{place(document, steps)}: {problem}",
            hint="mend the place's file at that line; see docs/sources.md",
        ) from error
    if found.place != path.stem:
        raise UsageError(
            f"{path}: place: {found.place!r} is not the name of the file", hint=f"write `place: {path.stem}`"
        )
    return found
