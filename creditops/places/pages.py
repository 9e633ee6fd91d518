"""Pages of an answer that is being fetched, kept on disk so that a fetch cut off can go on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from creditops.places.place import HttpApi
from creditops.settings import get_settings


class Pages:
    """Pages fetched so far of one request; amounts keep their digits, as text."""

    def __init__(self, place: HttpApi, item: str, book: str, delivery: date) -> None:
        mark = hashlib.sha256(f"{place.model_dump_json()}\x1f{item}".encode()).hexdigest()[:16]
        self.folder = get_settings().home / "fetching" / book / place.place / f"{delivery}-{mark}"
        self.folder.mkdir(parents=True, exist_ok=True)
        state = self.folder / "state.json"
        self._state = (
            json.loads(state.read_text()) if state.exists() else {"pages": 0, "next": None, "complete": False}
        )

    @property
    def complete(self) -> bool:
        return bool(self._state["complete"])

    @property
    def following(self) -> str | None:
        """What leads to the next page; ``None`` for the first."""
        following = self._state["next"]
        return None if following is None else str(following)

    def keep(self, items: list[Any], following: str | None) -> None:
        """Write a page and then the state, each whole."""
        number = self._state["pages"]
        _replace(self.folder / f"{number:06d}.json", json.dumps(items, ensure_ascii=False))
        self._state = {"pages": number + 1, "next": following, "complete": following is None}
        _replace(self.folder / "state.json", json.dumps(self._state))

    def items(self) -> Iterator[Any]:
        for number in range(self._state["pages"]):
            yield from json.loads((self.folder / f"{number:06d}.json").read_text(), parse_float=str)

    def forget(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _replace(path: Path, text: str) -> None:
    aside = path.with_suffix(".partial")
    with aside.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    aside.replace(path)
