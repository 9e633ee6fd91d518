"""Definitions with a choice (docs/domain.md), as settings: ``CREDITOPS_*`` variables or lines of ``.env``.

They reach the models as dbt variables. Another choice is another definition: the next build of a book
computes everything anew.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from creditops.settings import PROJECT_ROOT


class Definitions(BaseSettings):
    """Choices with their defaults; the dbt project has the same (``dbt_project.yml``)."""

    model_config = SettingsConfigDict(env_prefix="CREDITOPS_", env_file=PROJECT_ROOT / ".env", extra="ignore")

    settlement_tolerance_cents: int = Field(1, ge=0, description="Cents a settled item may lack.")
    settlement_tolerances: dict[str, Annotated[int, Field(ge=0)]] = Field(
        {},
        description="The same by `book` or `book/product` where it differs, as JSON.",
    )
    materiality: bool = Field(False, description="Whether days past due count material amounts only.")
    materiality_amount_retail: float = Field(
        100, ge=0, description="Amount past due over which it is material, persons."
    )
    materiality_amount_corporate: float = Field(500, ge=0, description="The same for firms.")
    materiality_share: float = Field(
        0.01, ge=0, le=1, description="Share of the exposure over which it is material."
    )
    cure_days: int = Field(90, ge=1, description="Days in a row with nothing past due that cure a default.")
    cure_days_restructured: int = Field(365, ge=1, description="The same after a distressed restructuring.")
    contagion_share: float = Field(
        0.10,
        ge=0,
        le=1,
        description="Non-performing share of a firm's claims here over which all are.",
    )
    bureau_contagion_share: float = Field(
        0.20,
        ge=0,
        le=1,
        description="Share of a firm's debt at all lenders, over 90 days late, over which its claims are "
        "substandard.",
    )
    written_off_tradeline_max_age_months: int = Field(
        24, ge=0, description="Months for which a tradeline that was written off counts as past due."
    )
    class_upgrade_months: int = Field(
        6, ge=1, description="Months on time after which a non-performing claim is upgraded."
    )
    class_upgrade_instalments: int = Field(
        2, ge=0, description="Instalments on time that this takes where they last longer."
    )
    default_level_corporate: Literal["obligor", "facility"] = Field(
        "obligor", description="What of a firm is in default: all it owes, or the facility."
    )
    default_level_retail: Literal["pulling", "facility"] = Field(
        "pulling",
        description="What of a person is in default: past the pulling share all, or a facility alone.",
    )
    default_pulling_share: float = Field(
        0.20,
        ge=0,
        le=1,
        description="Share of a person's balance in default over which all of it is.",
    )
    bureau_report_max_age_days: int = Field(90, ge=1, description="Age over which a bureau report is stale.")
    performance_window_months: int = Field(12, ge=1, description="Months a label looks ahead.")
    trade_period_months: int = Field(3, ge=1, description="Months of sales in DSO and CEI.")
    statement_tolerance: float = Field(
        0.005, ge=0, description="Relative difference over which a statement's identity is broken."
    )


@lru_cache
def get_definitions() -> Definitions:
    """The process's choices; ``get_definitions.cache_clear()`` re-reads the environment."""
    return Definitions()  # type: ignore[call-arg]


def variables() -> dict[str, Any]:
    """The choices as dbt variables."""
    return get_definitions().model_dump(mode="json")
