"""Who acts: a login, never a free text.

On the command line it is the system user, under the name that setting ``CREDITOPS_ACTORS`` gives; in a task
it is who started the run in Airflow. Acting as somebody else takes that person's password, but for the
service accounts of ``CREDITOPS_SERVICE_ACCOUNTS``, which act for people who logged in to them.
"""

from __future__ import annotations

import hmac
import os
import pwd
import sys
from contextvars import ContextVar
from getpass import getpass
from unicodedata import normalize

from creditops.errors import UsageError
from creditops.people import PEOPLE
from creditops.secrets import get_secret
from creditops.settings import get_settings

AIRFLOW = "airflow"
PASSWORD = "CREDITOPS_PASSWORD"
_TASK: ContextVar[str | None] = ContextVar("creditops_actor", default=None)


def set_task_actor(name: str) -> None:
    """Say who started the run that this process works for."""
    _TASK.set(name)


def started_by() -> str | None:
    """Who started the run in Airflow that this process works for; ``None`` where other runs set it off."""
    return None if _TASK.get() == AIRFLOW else _TASK.get()


def current_actor() -> str:
    """Who acts here: in a task who started its run, else the system user under the platform's name."""
    return _TASK.get() or _names().get(_system_user()) or _system_user()


def acting(claimed: str | None) -> str:
    """The name to act under, where somebody says ``claimed`` (``--actor``); by default :func:`current_actor`.

    Raises
    ------
    UsageError: the claimed person did not log in.
    """
    me = current_actor()
    if claimed in (None, "", me):
        return me
    assert claimed is not None
    claimed = normalize("NFKC", claimed).strip()  # one spelling, so that nobody is a second person
    if _system_user() in _listed(get_settings().service_accounts):
        return claimed
    if claimed in PEOPLE and _knows_password(claimed):
        return claimed
    raise UsageError(
        f"{me} cannot act as {claimed}: that takes {claimed}'s login",
        hint=f"{claimed} runs the command, or gives the password at the prompt or in {PASSWORD}; "
        "CREDITOPS_ACTORS says which system user is who (docs/settings.md)",
    )


def _knows_password(person: str) -> bool:
    given = os.environ.get(PASSWORD)
    if given is None and sys.stdin.isatty():
        given = getpass(f"password of {person}: ")
    return given is not None and hmac.compare_digest(given.encode(), get_secret(f"airflow_{person}").encode())


def _system_user() -> str:
    """By the process's own id: variables like LOGNAME can say anything."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # an id without a name, as in some containers
        return f"uid{os.geteuid()}"


def _names() -> dict[str, str]:
    """The platform's name of each system user, from ``user=name,user=name``."""
    pairs = (each.partition("=") for each in _listed(get_settings().actors))
    return {user.strip(): name.strip() for user, _, name in pairs if name.strip()}


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]
