"""Personal data leave the landing zone only as a keyed hash (domain.md#personal-data; HMAC-SHA256, RFC 2104).

Spellings of one datum hash alike: compatibility forms (full-width digits), invisible characters and spaces,
the last letter of an identity card and e-mail addresses in either case, separators in numbers, the code of a
Chinese mobile.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata

import polars as pl

from creditops.secrets import get_secret

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_SEPARATORS = re.compile(r"[\s\-\u2010-\u2015().]+")
_CHINESE_CODE = re.compile(r"(?:\+|00)?86(?=1[0-9]{10}$)")
_BETWEEN_CHINESE = re.compile(r"(?<=[\u3400-\u9fff])\s+(?=[\u3400-\u9fff])")


def hash_series(values: pl.Series, pii_class: str) -> pl.Series:
    """Keyed hash of each text, 64 hex digits; null stays null.

    The class of the datum goes into the hash, so that equal digits in a phone and in an account
    number do not link.
    """
    key = get_secret("pii_key", nbytes=32).encode()
    distinct = values.unique().drop_nulls()
    hashes = [
        hmac.new(key, f"{pii_class}\x1f{one_spelling(value, pii_class)}".encode(), hashlib.sha256).hexdigest()
        for value in distinct
    ]
    if not hashes:
        return pl.Series(values.name, [None] * len(values), dtype=pl.String)
    return values.replace_strict(distinct, hashes, default=None, return_dtype=pl.String)


def one_spelling(value: str, pii_class: str) -> str:
    """The spelling of a datum that goes into its hash."""
    if pii_class not in ("name", "national_id", "phone", "address", "account", "email"):
        return value
    text = value if value.isascii() else _INVISIBLE.sub("", unicodedata.normalize("NFKC", value))
    match pii_class:
        case "national_id" | "account":
            return _SEPARATORS.sub("", text).upper()
        case "phone":
            return _CHINESE_CODE.sub("", _SEPARATORS.sub("", text), count=1)
        case "email":
            return text.strip().lower()
        case _:
            return _BETWEEN_CHINESE.sub("", " ".join(text.split()))
