"""What goes into the image, and who runs in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from creditops.settings import PROJECT_ROOT


@pytest.fixture
def dockerfile(dockerfiles: dict[Path, str]) -> str:
    return dockerfiles[PROJECT_ROOT / "docker" / "Dockerfile"]


def test_only_what_runs_goes_into_the_image() -> None:
    lines = (PROJECT_ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = [rule.removeprefix("!").rstrip("/") for rule in rules if rule.startswith("!")]
    assert sorted(let_in) == [
        "creditops",
        "dags",
        "dbt_project",
        "docker",
        "expectations",
        "models_ml",
        "pyproject.toml",
        "requirements.lock",
    ]
    assert all((PROJECT_ROOT / name).exists() for name in let_in)
    # Rules after the last exception win: no .env, byte code or build state comes back in.
    after = rules[max(index for index, rule in enumerate(rules) if rule.startswith("!")) :]
    assert {"**/.env", "**/__pycache__/", "docker/site/", "docker/verify/"} <= set(after)


def test_the_image_runs_as_an_unprivileged_user(dockerfile: str) -> None:
    assert re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE) == ["10001:10001"]


def test_what_the_image_copies_exists(dockerfile: str) -> None:
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
        for source in sources.split():
            assert (PROJECT_ROOT / source).exists(), source


def test_packages_come_from_the_lock_with_their_hashes() -> None:
    script = (PROJECT_ROOT / "docker" / "install-environment.sh").read_text(encoding="utf-8")
    assert "--require-hashes" in script
    assert "--constraints requirements.lock" in script
    lock = (PROJECT_ROOT / "requirements.lock").read_text(encoding="utf-8")
    installer = re.search(r"^uv==\S+ \\\n(?:.*\\\n)*.*[^\\]$", lock, re.MULTILINE)
    assert installer is not None, "the image is installed by the uv that the lock pins"
    assert "--hash=sha256:" in installer[0]
