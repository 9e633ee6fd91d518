"""Every setting of the platform, in one place.

Settings come from ``CREDITOPS_*`` environment variables or a ``.env`` file in the project root.
Everything that a run creates lives below :attr:`Settings.home`; two homes run side by side.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, PostgresDsn, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from creditops.errors import UsageError

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Settings with their defaults; see ``docs/settings.md`` for the guide."""

    model_config = SettingsConfigDict(env_prefix="CREDITOPS_", env_file=PROJECT_ROOT / ".env", extra="ignore")

    home: Path = Field(PROJECT_ROOT / ".creditops", description="Folder that holds all state.")
    timezone: str = Field("Asia/Shanghai", description="Calendar of books that name none.")
    currency: str = Field(
        "CNY", pattern="^[A-Z]{3}$", description="Currency (ISO 4217) of books that name none."
    )
    book_currencies: dict[str, str] = Field(
        default_factory=dict,
        description='Currency of books that have another one, as JSON: {"mybook": "USD"}.',
    )
    bind_host: str = Field("127.0.0.1", description="Address the services listen on.")
    postgres_port: int = Field(5432, description="Preferred port; the next free one is taken.")
    mlflow_port: int = Field(5000, description="Preferred port; the next free one is taken.")
    airflow_port: int = Field(8080, description="Preferred port; the next free one is taken.")
    postgres_bin: Path | None = Field(
        None, description="Folder with PostgreSQL >= 16 executables instead of the embedded ones."
    )
    database_url: PostgresDsn | None = Field(
        None,
        description="Warehouse database of a PostgreSQL server that somebody else runs, as its "
        "owner, e.g. postgresql://creditops:...@db:5432/warehouse. Unset: embedded PostgreSQL.",
    )
    mlflow_url: str | None = Field(None, description="Tracking server somebody else runs.")
    airflow_url: str | None = Field(None, description="Airflow api-server somebody else runs.")
    model_promotion: str = Field(
        "gates",
        pattern="^(gates|approval)$",
        description="What lets a challenger become champion: passed gates, or a named approver.",
    )
    model_approvers: str = Field(
        "admin,approver",
        description="Who may approve scorecards, separated by commas; empty: anybody but the trainer.",
    )
    actors: str = Field(
        "",
        description="Which system user is who on the command line, e.g. li=approver,wang=modeller; a user "
        "not named acts under the system's name.",
    )
    service_accounts: str = Field(
        "",
        description="System users that may act for others with --actor, because those log in to them, e.g. "
        "the account of a web application; separated by commas.",
    )
    bad_row_limit: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of bad rows over which a file is refused whole, "
        "where the source's contract names none.",
    )
    quarantined_facility_limit: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Share of a book's facilities that may be set aside because their rows contradict each"
        " other; a build that finds more (and more than ten) is refused.",
    )
    snapshot_drop_limit: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of known rows that a full snapshot may lack before it has to be confirmed.",
    )
    landing_settle_seconds: float = Field(
        5,
        ge=0,
        description="How long a file in the landing zone must not have changed to count as whole, "
        "where no <file>.done stands beside it.",
    )

    sources_path: str = Field(
        "",
        description="Folders with your own source contracts and places, separated like PATH; "
        "beside <home>/contracts and <home>/places.",
    )
    max_expanded_mb: int = Field(
        65_536, ge=1, description="Size in MB over which a compressed file is refused while it is read."
    )

    alert_url: SecretStr | None = Field(
        None,
        description="Address that alerts (overdue sources, failed steps) are posted to as JSON, like the "
        "incoming webhook of a chat; a secret, because it usually holds a token.",
    )
    alert_body: str = Field(
        '{"text": "{text}"}',
        description="What is posted; {text} becomes the message. DingTalk and WeCom: "
        '{"msgtype": "text", "text": {"content": "{text}"}}.',
    )

    reader_connections: int = Field(
        100, ge=1, description="Connections that `bi_reader` may hold at the same time."
    )
    reader_statement_seconds: int = Field(
        300, ge=1, description="Seconds after which a statement of `bi_reader` is ended."
    )
    reader_temp_mb: int = Field(
        2048, ge=1, description="MB of temporary files that a session of `bi_reader` may fill."
    )
    publication_retention_days: int = Field(
        400, ge=1, description="Days after which a superseded publication's rows are removed."
    )

    @field_validator("currency", "book_currencies", mode="before")
    @classmethod
    def _one_currency_a_book(cls, value: Any) -> Any:
        """Refuse what declares several currencies, as a list or in one text, and say what to do instead."""
        for book, code in value.items() if isinstance(value, dict) else [(None, value)]:
            several = list(code) if isinstance(code, list | dict) else re.findall(r"\b[A-Z]{3}\b", str(code))
            if isinstance(code, list | dict) or len(several) > 1:
                whose, name = (f"book {book}", book) if book else ("it", "mybook")
                raise ValueError(
                    f"{whose} has several currencies ({', '.join(map(str, several))}), yet a book has one."
                    f" Make a book of each currency, e.g. {name}_usd, and deliver its rows there; add"
                    " published figures up at rates of your own (docs/decisions/0011-one-currency.md)"
                )
        return value

    @field_validator("book_currencies")
    @classmethod
    def _currency_codes(cls, value: dict[str, str]) -> dict[str, str]:
        for book, code in value.items():
            if not re.fullmatch("[A-Z]{3}", code):
                raise ValueError(
                    f"{code!r} of book {book} is no currency code: write it as in ISO 4217, e.g. USD"
                )
        return value

    @field_validator("alert_url", mode="before")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("is no web address: it begins with https://")
        return value or None

    @property
    def landing(self) -> Path:
        """Landing zone: ``<landing>/<book>/<delivery date>/<source>*.csv``."""
        return self.home / "landing"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def reports(self) -> Path:
        return self.home / "reports"


@lru_cache
def get_settings() -> Settings:
    """The process's settings; ``get_settings.cache_clear()`` re-reads the environment.

    Raises
    ------
    UsageError: one of them cannot be read; names the variable, never its value, which may be a secret.
    """
    try:
        settings = Settings()
    except SettingsError as error:
        name = re.search(r'field "(\w+)"', str(error))
        raise _unreadable(name[1] if name else "", "is no JSON") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        problem = str(first["msg"]).removeprefix("Value error, ")
        raise _unreadable(str(first["loc"][0]) if first["loc"] else "", problem) from error
    settings.home = settings.home.expanduser().resolve()
    return settings


def _unreadable(name: str, problem: str) -> UsageError:
    about = Settings.model_fields[name].description if name in Settings.model_fields else None
    return UsageError(
        f"setting CREDITOPS_{name.upper()}: {problem}",
        hint=f"mend it in the environment or in .env. {about or 'See docs/settings.md'}",
    )
