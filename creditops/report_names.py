"""Names of files made from texts that come from data: they stay in the folder they are meant for."""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import quote

_LONGEST = 120


def file_name(text: str) -> str:
    """A name without separators or leading dots, the same for the same text and another for another.

    Letters, digits, ``_``, ``-`` and ``~`` stay; other characters become ``%XX``. Long texts end in a hash.
    """
    safe = quote(text, safe="").replace(".", "%2E")
    if len(safe) <= _LONGEST:
        return safe
    return f"{safe[:_LONGEST]}-{sha256(text.encode()).hexdigest()[:16]}"
