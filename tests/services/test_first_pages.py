"""What a person sees first of MLflow: models, not language models."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from creditops.services.mlflow_app import Guard


async def _mlflow(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def _get(path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=Guard(_mlflow))
        async with httpx.AsyncClient(transport=transport, base_url="http://mlflow") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_the_bare_address_of_mlflow_leads_to_the_models() -> None:
    answer = _get("/")
    assert answer.status_code == 302
    place = answer.headers["location"]
    assert "workflowType=machine_learning" in place
    assert _get(place).status_code == 200


@pytest.mark.parametrize("path", ["/?view=models", "/static-files/main.js", "/api/2.0/mlflow/runs/get"])
def test_everything_else_is_mlflows(path: str) -> None:
    assert _get(path).text == path.partition("?")[0]
