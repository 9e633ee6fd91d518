"""The master scale of grades (domain.md#master-scale), set for every scorecard (``master_scale.yml``)."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from itertools import pairwise

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from models_ml.card.points_table import Grade


class MasterScale(BaseModel):
    """Ten grades by PD, best first, and the grade of customers in default."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    grades: tuple[Grade, ...]
    default_grade: str

    @model_validator(mode="after")
    def _ascending(self) -> MasterScale:
        bounds = [grade.pd_below for grade in self.grades]
        if any(later <= earlier for earlier, later in pairwise(bounds)) or bounds[-1] <= 1:
            raise ValueError("pd_below must rise from grade to grade and end above 1")
        return self


@lru_cache
def master_scale() -> MasterScale:
    """The scale of ``master_scale.yml``."""
    text = files("models_ml.card").joinpath("master_scale.yml").read_text(encoding="utf-8")
    return MasterScale.model_validate(yaml.safe_load(text))
