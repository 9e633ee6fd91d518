"""Whoever acts has logged in: the system user, or a person whose password was given."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator
from contextvars import copy_context
from pathlib import Path

import pytest

from creditops import identity
from creditops.errors import UsageError
from creditops.secrets import get_secret
from creditops.settings import get_settings

ME = pwd.getpwuid(os.geteuid()).pw_name
Set = Callable[..., None]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Set]:
    def apply(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"CREDITOPS_{name.upper()}", value)
        get_settings.cache_clear()

    for name in ("ACTORS", "SERVICE_ACCOUNTS", "PASSWORD"):
        monkeypatch.delenv(f"CREDITOPS_{name}", raising=False)
    apply(home=str(tmp_path))
    yield apply
    get_settings.cache_clear()


def test_the_system_user_acts_whatever_its_environment_says(
    settings: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "approver")
    assert identity.current_actor() == ME
    assert identity.acting(None) == ME
    assert identity.acting(ME) == ME


def test_a_setting_says_which_system_user_is_who(settings: Set) -> None:
    settings(actors=f"somebody=admin, {ME}=approver")
    assert identity.acting(None) == "approver"
    assert identity.acting("approver") == "approver"


@pytest.mark.parametrize("password", [None, "", "wrong"])
def test_nobody_acts_as_another_without_the_password(settings: Set, password: str | None) -> None:
    if password is not None:
        settings(password=password)
    with pytest.raises(UsageError, match="cannot act as approver"):
        identity.acting("approver")


def test_the_password_of_one_person_is_not_that_of_another(settings: Set) -> None:
    settings(password=get_secret("airflow_approver"))
    assert identity.acting("approver") == "approver"
    with pytest.raises(UsageError, match="cannot act as admin"):
        identity.acting("admin")
    with pytest.raises(UsageError, match="cannot act as pii_key"):
        identity.acting("pii_key")


def test_a_service_account_acts_for_people(settings: Set) -> None:
    settings(service_accounts=f"other, {ME}")
    assert identity.acting("li.ming") == "li.ming"


def test_in_a_task_acts_who_started_the_run(settings: Set) -> None:
    def task() -> str:
        identity.set_task_actor("modeller")
        return identity.current_actor()

    assert copy_context().run(task) == "modeller"
    assert identity.current_actor() == ME


@pytest.mark.parametrize("name", ["\u0430pprover", "APPROVER", "approver\u200b", "ap\u00adprover"])
def test_a_name_that_looks_like_another_is_nobodys(settings: Set, name: str) -> None:
    settings(password=get_secret("airflow_approver"))
    with pytest.raises(UsageError, match="cannot act as"):
        identity.acting(name)


def test_a_person_has_one_spelling(settings: Set) -> None:
    settings(service_accounts=ME)
    assert identity.acting(" \uff4dodeller\u3000") == identity.acting("modeller") == "modeller"
