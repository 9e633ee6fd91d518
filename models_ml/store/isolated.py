"""Predictions of a model that is code, from a process of its own without the platform's secrets.

The process starts from an empty environment; where the platform runs as root, it runs as another user,
who can read nothing of the data home. Rows go in and probabilities come out as Arrow streams.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pyarrow as pa

from creditops.errors import CreditOpsError
from creditops.settings import PROJECT_ROOT
from models_ml.store.generic import probabilities
from models_ml.store.tracking import quiet_mlflow

_NOBODY = 65534
_LINES_OF_ERROR = 5


class Model:
    """A running model; see :func:`running`."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self._process, self._errors = process, errors

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Probabilities of default of the rows, in order.

        Raises
        ------
        CreditOpsError: the model failed; holds the end of what it said.
        DataRefusedError: what it predicts is no probability.
        """
        table = pa.Table.from_pandas(frame, preserve_index=False)
        stdin, stdout = _pipes(self._process)
        try:
            with pa.ipc.new_stream(stdin, table.schema) as writer:
                writer.write_table(table)
            stdin.flush()
            with pa.ipc.open_stream(stdout) as reader:
                answer = reader.read_all()
        except (OSError, pa.ArrowInvalid) as error:
            self._process.wait()
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").splitlines()
            raise CreditOpsError(
                f"the model could not predict: {'; '.join(said[-_LINES_OF_ERROR:]) or error}",
                hint="load it and predict on its input example with MLflow to see why",
            ) from error
        return probabilities(answer.to_pandas())


def inputs(folder: Path) -> list[str]:
    """Names of the columns that the model in a folder asks for; its code is not run.

    Raises
    ------
    CreditOpsError: the model has no signature.
    """
    with quiet_mlflow() as mlflow:
        schema = mlflow.models.Model.load(str(folder)).get_input_schema()
    if schema is None:
        raise CreditOpsError(
            "the model has no signature, so nobody knows what it asks for",
            hint="log it with mlflow.models.infer_signature",
        )
    return list(schema.input_names())


@contextmanager
def running(folder: Path) -> Iterator[Model]:
    """The model in a private folder, loaded in a process of its own, which ends with the context."""
    user = _other_user()
    if user is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user)
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "models_ml.store.isolated_process", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env={
                "PATH": os.defpath,
                "LANG": "C.UTF-8",
                "HOME": str(folder),
                "PYTHONPATH": str(PROJECT_ROOT),
                "MLFLOW_DISABLE_TELEMETRY": "true",
            },
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
        try:
            yield Model(process, errors)
        finally:
            for pipe in _pipes(process):
                with suppress(OSError):  # it had ended before it read all
                    pipe.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _other_user() -> int | None:
    """As root: nobody, if nobody can reach the interpreter and the project; else the same user."""
    if os.geteuid() != 0:
        return None
    python = Path(sys.executable)
    needed = (python, python.resolve(), Path(np.__file__), PROJECT_ROOT / "models_ml")
    return _NOBODY if all(_open_to_all(each) for each in needed) else None


def _open_to_all(path: Path) -> bool:
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents) and bool(
        path.stat().st_mode & stat.S_IROTH
    )


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout
