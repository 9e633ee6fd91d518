"""Shows the gates' Data Docs at ``/data_docs`` of Airflow's address, to whoever may see its DAGs.

The pages hold rows that failed a check, so they are as closed as the logs are. Every task loads the
plugins as well: what only the server needs is imported with the first request.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

# Nothing is fetched from elsewhere, whatever the rows on a page hold.
POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'"
)


@lru_cache(1)
def application() -> Any:
    """The pages as a FastAPI application."""
    from airflow.api_fastapi.core_api.security import requires_access_dag
    from fastapi import Depends, FastAPI, HTTPException
    from fastapi.responses import FileResponse

    from creditops.quality.data_docs import root

    app = FastAPI(title="Data Docs", openapi_url=None)

    @app.get("/{path:path}", dependencies=[Depends(requires_access_dag("GET"))], response_model=None)
    def page(path: str) -> Any:
        folder = root().resolve()
        found = (folder / path).resolve()
        if not found.is_relative_to(folder) or not found.is_file():
            raise HTTPException(404, "no such page: the gate has not run for this book and day, or long ago")
        return FileResponse(found, headers={"Content-Security-Policy": POLICY})

    return app


async def serve(scope: Any, receive: Any, send: Any) -> None:
    """Answer a request (ASGI)."""
    await application()(scope, receive, send)


class DataDocsServer(AirflowPlugin):
    """Mounts the pages in Airflow's server."""

    name = "creditops_data_docs"
    fastapi_apps: ClassVar = [{"app": serve, "url_prefix": "/data_docs", "name": "Data Docs"}]
