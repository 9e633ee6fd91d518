"""Personal data leave the landing zone only as a keyed hash (DOMAIN 9; HMAC-SHA256, RFC 2104)."""

from __future__ import annotations

import hashlib
import hmac

import polars as pl

from creditops.secrets import get_secret


def hash_series(values: pl.Series, pii_class: str) -> pl.Series:
    """Keyed hash of each text, 64 hex digits; null stays null.

    The class of the datum goes into the hash, so that equal digits in a phone and in an account
    number do not link.
    """
    key = get_secret("pii_key", nbytes=32).encode()
    distinct = values.unique().drop_nulls()
    hashes = [
        hmac.new(key, f"{pii_class}\x1f{value}".encode(), hashlib.sha256).hexdigest() for value in distinct
    ]
    if not hashes:
        return pl.Series(values.name, [None] * len(values), dtype=pl.String)
    return values.replace_strict(distinct, hashes, default=None, return_dtype=pl.String)
