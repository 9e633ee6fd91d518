"""creditops: an open data platform for credit operations (信用运营)."""

__version__ = "0.1.0"
