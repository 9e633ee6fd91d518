"""``creditops models export``: a scorecard as a file that needs nothing of the platform."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from creditops.cli.options import AsJson
from creditops.cli.output import as_json, console


class Form(StrEnum):
    """Forms of an exported scorecard."""

    PYTHON = "python"
    ONNX = "onnx"


_SUFFIX = {Form.PYTHON: "py", Form.ONNX: "onnx"}
_Form = Annotated[Form, typer.Option("--format", help="python: a function file; onnx: a graph.")]
_Out = Annotated[
    Path | None, typer.Option("--out", help="File to write; NAME-vVERSION below here if left out.")
]


def export(
    name: str,
    version: str = typer.Argument("champion", help="A version, or champion or challenger."),
    form: _Form = Form.PYTHON,
    out: _Out = None,
    json_: AsJson = False,
) -> None:
    """Write a version as a self-contained file: a Python function or an ONNX graph."""
    from creditops.errors import UsageError
    from models_ml.card.export import export as write
    from models_ml.lifecycle import registry

    number = str(registry.show(name, version)["version"])
    table = registry.load_table(name, number)
    if table is None:
        raise UsageError(
            f"{name} version {number} is no points table",
            hint="only scorecards export; take any other model's files from MLflow",
        )
    path = out or Path(f"{name.replace('.', '-')}-v{number}.{_SUFFIX[form]}")
    write(table, path, form.value, version=number)
    if json_:
        as_json({"name": name, "version": number, "format": form.value, "path": str(path)})
        return
    console.print(f"{name} v{number} written to {path}", markup=False)
