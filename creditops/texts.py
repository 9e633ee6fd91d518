"""One text in both languages of the platform."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, field_validator


class Text(BaseModel):
    """A text in English and in Chinese; neither is empty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    en: str
    zh: str

    @field_validator("en", "zh")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("the text is empty; say it in both languages")
        return value.strip()
