"""The link from a task to the Data Docs of its gate, which Airflow's own server shows."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import BaseOperatorLink

PREFIX = "/data_docs"


class DataDocs(BaseOperatorLink):
    """``Data Docs`` among a task's links: the pages of a gate for the run's book and day.

    The link is there from the task's end on; the pages are, once the gate has run. They are served
    to whoever is logged in by ``plugins/data_docs_server.py``.
    """

    name = "Data Docs"

    def __init__(self, gate: str) -> None:
        self.gate = gate

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        from airflow.sdk.configuration import conf

        from creditops.books import Partition

        partition = Partition.parse(ti_key.get_template_context()["dag_run"].partition_key)
        at = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
        return f"{at}{PREFIX}/{partition.book}/{self.gate}/{partition.as_of}/index.html"
