"""Files that are written whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any


def replace(path: Path, text: str, *, mode: int = 0o600, owner: tuple[int, int] | None = None) -> None:
    """Put ``text`` in place of the file at ``path``, in one step.

    A reader sees the old file or the new one, also after a crash, and a link that somebody put at
    ``path`` is replaced and not followed.

    Parameters
    ----------
    mode: rights of the new file, whatever those of the old one were.
    owner: user and group to hand it to.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fchmod(descriptor, mode)
            if owner is not None:
                os.fchown(descriptor, *owner)
            os.fsync(descriptor)
        draft.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            draft.unlink()
        raise


def read_note(path: Path) -> Any:
    """The JSON that a step left as a note of what it did; ``None`` where it cannot be read.

    For notes without which the step is only done again.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
