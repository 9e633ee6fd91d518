"""The credit report: one self-contained HTML page about one publication."""

from creditops.report.page import render

__all__ = ["render"]
