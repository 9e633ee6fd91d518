"""The deployed form as data: the compose file read once, raw and with a generated environment."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values
from podman_compose import rec_subs

from creditops.settings import PROJECT_ROOT

DOCKER = PROJECT_ROOT / "docker"
COMPOSE_FILE = PROJECT_ROOT / "docker-compose.yml"


@pytest.fixture(scope="session")
def compose_text() -> str:
    return COMPOSE_FILE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def raw_services(compose_text: str) -> dict[str, dict[str, Any]]:
    """Services with their merge keys resolved and their ``${...}`` left as they are."""
    services: dict[str, dict[str, Any]] = yaml.safe_load(compose_text)["services"]
    return services


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """A ``.env`` as ``docker/make-env.sh`` writes it."""
    file = tmp_path_factory.mktemp("deploy") / ".env"
    subprocess.run([DOCKER / "make-env.sh", file], check=True, capture_output=True)
    return {name: value or "" for name, value in dotenv_values(file).items()}


@pytest.fixture(scope="session")
def services(
    raw_services: dict[str, dict[str, Any]], secrets: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Services as compose sees them with a generated ``.env``."""
    found: dict[str, dict[str, Any]] = rec_subs(raw_services, dict(secrets))
    return found


def load_program(name: str) -> ModuleType:
    """A program of ``docker/bin`` as a module."""
    loader = SourceFileLoader(f"docker_bin_{name}", str(DOCKER / "bin" / name))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def service_program() -> ModuleType:
    return load_program("service")


@pytest.fixture(scope="session")
def healthcheck_program() -> ModuleType:
    return load_program("healthcheck")


@pytest.fixture(scope="session")
def dockerfiles() -> dict[Path, str]:
    """Text of every Dockerfile of the project."""
    return {path: path.read_text(encoding="utf-8") for path in DOCKER.rglob("*Dockerfile")}
