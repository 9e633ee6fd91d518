"""The MLflow server with a login and a guard: an app of MLflow's extension point ``mlflow.app``.

Everybody logs in; people read everything and write experiments, runs and their artifacts. The registry
(models, versions, aliases, tags) is written by the platform alone, and nobody may name a place for
artifacts outside the server's own. Runs inside the server's process.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from creditops.people import PEOPLE
from creditops.secrets import get_secret

#: The platform's own user of MLflow, its only administrator; its password is secret ``mlflow_platform``.
PLATFORM = "platform"
#: Where artifacts and models may lie; ``file:``, object stores and plain paths are refused.
LOCATIONS = frozenset({"mlflow-artifacts", "models", "runs"})

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_API = r"/(?:ajax-)?api/(?:2\.0|3\.0)/(?:preview/)?"
# What people may change: runs and their data, experiments, logged models, artifacts; searches are POSTs.
_PEOPLE_WRITE = re.compile(
    rf"(?:{_API}mlflow/(?:experiments|runs|logged-models|metrics|traces)(?:/.*)?"
    rf"|{_API}mlflow-artifacts/(?:artifacts|mpu)/.*"
    rf"|{_API}mlflow/(?:registered-models|model-versions)/search"
    r"|/graphql|/ajax-api/2\.0/mlflow/upload-artifact)"
)
# Fields as `_plain` writes them: MLflow takes artifact_location and artifactLocation for the same.
_NAMES_A_PLACE = frozenset(
    {
        "artifactlocation",
        "artifactroot",
        "artifacturi",
        "defaultartifactroot",
        "source",
        "mlflow.artifactlocation",
    }
)
_NAMES = frozenset({"name", "newname"})
_EXPERIMENT = re.compile(rf"{_API}mlflow/experiments/(?:create|update)")
_OF_THE_PLATFORM = re.compile(r"[^.]+\.[^.]+")
# The query tells this page from the bare address; what follows # never reaches the server.
_FIRST_PAGE = "/?view=models#/models?workflowType=machine_learning"
_LARGEST_MESSAGE = 64 * 2**20

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def create_app() -> App:
    """The server's ASGI application; MLflow's own login app inside the guard."""
    from mlflow.server.auth import create_app as with_login

    application = with_login()
    _ensure_people()
    return Guard(application)


class Guard:
    """Refuses what no role may do before MLflow sees the request.

    The user's name is taken from the request's own credentials; whether they are right is for the
    login inside to say, which refuses the request if they are not.
    """

    def __init__(self, application: App) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 with a reason, or hand the request on."""
        if scope["type"] == "http" and scope["path"] == "/" and not scope["query_string"]:
            await _show_scorecards(send)
            return
        if scope["type"] != "http" or scope["method"] in _READING:
            await self._application(scope, receive, send)
            return
        path = str(scope["path"])
        if user_of(scope) != PLATFORM and not _PEOPLE_WRITE.fullmatch(path):
            await _refuse(send, f"{path}: only the platform writes here; people write experiments and runs")
            return
        if "/mlflow-artifacts/" in path or path.endswith("/upload-artifact"):
            await self._application(scope, receive, send)
            return
        body, again = await _read(receive)
        if body is None:
            await _refuse(send, "a message of over 64 MiB")
            return
        fields = list(_fields(body))
        place = next((v for name, v in fields if name in _NAMES_A_PLACE and _is_foreign(v)), None)
        if place is not None:
            await _refuse(send, f"{place!r} is no place for artifacts; the server keeps them itself")
            return
        taken = next((v for name, v in fields if name in _NAMES and _OF_THE_PLATFORM.fullmatch(v)), None)
        if taken is not None and _EXPERIMENT.fullmatch(path) and user_of(scope) != PLATFORM:
            await _refuse(send, f"{taken!r}: names BOOK.SCORECARD belong to the platform")
            return
        await self._application(scope, again, send)


async def _show_scorecards(send: Send) -> None:
    """Lead the bare address to the models; MLflow's own first page is for language models."""
    headers = [(b"location", _FIRST_PAGE.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 302, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def user_of(scope: Mapping[str, Any]) -> str | None:
    """The user a request claims to come from, by HTTP's basic scheme; ``None`` for none and for two."""
    claims = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
    scheme, _, encoded = (claims[0] if len(claims) == 1 else b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        return b64decode(encoded.strip(), validate=True).decode().partition(":")[0]
    except (NotBase64, UnicodeDecodeError):
        return None


def _fields(body: bytes) -> Iterator[tuple[str, str]]:
    """The text fields of a JSON message, however deep: plain names and values; of tags the key is the name.

    A message may be a JSON text within a JSON text, which MLflow reads as well.
    """
    message: Any = body or b"null"
    while isinstance(message, str | bytes):
        try:
            message = json.loads(message)
        except (ValueError, RecursionError):
            return
    waiting = [message]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            for name, value in found.items():
                if isinstance(value, str):
                    yield _plain(str(name)), value
                waiting.append(value)
            if isinstance(found.get("key"), str) and isinstance(found.get("value"), str):
                yield _plain(found["key"]), found["value"]
        elif isinstance(found, list):
            waiting += found


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _is_foreign(place: str) -> bool:
    parts = urlsplit(place.strip())
    if not place.strip():
        return False
    return parts.scheme.lower() not in LOCATIONS or ".." in parts.path.split("/")


async def _read(receive: Receive) -> tuple[bytes | None, Receive]:
    """The whole body, ``None`` if it is too long, and a ``receive`` that gives it again."""
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        more = message.get("more_body", False)
        if size > _LARGEST_MESSAGE:
            return None, receive
    body = b"".join(chunks)
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return body, again


async def _refuse(send: Send, reason: str) -> None:
    text = json.dumps({"error_code": "PERMISSION_DENIED", "message": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def _ensure_people() -> None:
    """Give each person of the platform a user with the password they have everywhere else."""
    from mlflow.server.auth.config import read_auth_config
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore()
    store.init_db(read_auth_config().database_uri)
    for name, secret in {PLATFORM: "mlflow_platform", **{p: f"airflow_{p}" for p in PEOPLE}}.items():
        password = get_secret(secret)
        if not store.has_user(name):
            store.create_user(name, password, is_admin=name == PLATFORM)
        elif not store.authenticate_user(name, password):
            store.update_user(name, password=password)
