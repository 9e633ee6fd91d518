"""Shows the gates' Data Docs at ``/data_docs`` of Airflow's address, to whoever may see its DAGs.

The pages hold rows that failed a check, so they are as closed as the logs are.
"""

from __future__ import annotations

from typing import ClassVar

from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse

from creditops.quality.data_docs import root

app = FastAPI(title="Data Docs", openapi_url=None)


@app.get("/{path:path}", dependencies=[Depends(requires_access_dag("GET"))])
def page(path: str) -> FileResponse:
    """One file of one site."""
    folder = root().resolve()
    found = (folder / path).resolve()
    if not found.is_relative_to(folder) or not found.is_file():
        raise HTTPException(404, "no such page: the gate has not run for this book and day, or long ago")
    return FileResponse(found)


class DataDocsServer(AirflowPlugin):
    """Mounts the pages in Airflow's server."""

    name = "creditops_data_docs"
    fastapi_apps: ClassVar = [{"app": app, "url_prefix": "/data_docs", "name": "Data Docs"}]
