"""MLflow: where it is, and what a run logs."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version as package_version
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pandas as pd

from creditops.addresses import refuse_strangers
from creditops.errors import CreditOpsError, ServiceUnreachableError
from creditops.secrets import get_secret
from creditops.settings import PROJECT_ROOT
from models_ml.card.points_table import PointsTable

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

MODEL_ARTIFACT = "scorecard"
TABLE_FILE = "points_table.json"
# By this MLflow shows an experiment's runs and figures, and not traces of language models.
_KIND_OF_EXPERIMENT = ("mlflow.experimentKind", "custom_model_development")
_CARRIED = ("__init__.py", "card/__init__.py", "card/points_table.py", "card/evaluate.py")


def registered_name(book: str, scorecard: str) -> str:
    """Name of the registered model and of the experiment."""
    return f"{book}.{scorecard}"


def tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI``, else the platform's MLflow server."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if uri:
        return uri
    from creditops.addresses import mlflow_url

    return str(mlflow_url())


def client() -> MlflowClient:
    """A client of the tracking server, telemetry off, logged in as the platform.

    ``MLFLOW_TRACKING_USERNAME`` and ``MLFLOW_TRACKING_PASSWORD`` of the environment come first.

    Raises
    ------
    ServiceUnreachableError: nothing listens at a server's address.
    """
    uri = tracking_uri()
    _refuse_silence(uri)
    refuse_strangers(uri)
    _log_in(uri)
    mlflow = _mlflow()
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return mlflow.tracking.MlflowClient(uri)


@dataclass(frozen=True)
class Logged:
    """Ids of a logged run, its model and the version registered from it."""

    run_id: str
    version: str
    model_id: str


def log_scorecard(
    name: str,
    table: PointsTable,
    example: pd.DataFrame,
    *,
    description: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    artifacts: Path,
) -> Logged:
    """Log one run with its model and register the version; its figures come last, by :func:`log_metrics`.

    Parameters
    ----------
    name: experiment and registered model.
    example: a few input rows, kept with the model; its columns make the signature.
    description: what the scorecard is, in markdown, for its experiment, model and version.
    artifacts: folder logged as it is.
    """
    from mlflow.entities import Param, RunTag

    from models_ml.card.evaluate import score_frame

    connection = client()
    mlflow = _mlflow()
    with _quiet():
        experiment = mlflow.set_experiment(name)
        for tag, value in (_KIND_OF_EXPERIMENT, ("mlflow.note.content", description)):
            connection.set_experiment_tag(experiment.experiment_id, tag, value)
        with mlflow.start_run(experiment_id=experiment.experiment_id, log_system_metrics=False) as run:
            connection.log_batch(
                run.info.run_id,
                params=[Param(key, str(value)[:6000]) for key, value in params.items()],
                tags=[RunTag(key, str(value)) for key, value in tags.items()],
            )
            mlflow.log_artifacts(str(artifacts))
            with _model_code() as code, tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / TABLE_FILE
                path.write_text(table.to_json(), encoding="utf-8")
                with as_file(files("models_ml.card").joinpath("pyfunc.py")) as script:
                    model = mlflow.pyfunc.log_model(
                        name=MODEL_ARTIFACT,
                        python_model=str(script),
                        artifacts={"points_table": str(path)},
                        code_paths=[str(code)],
                        signature=mlflow.models.infer_signature(example, score_frame(table, example)),
                        input_example=example,
                        pip_requirements=[
                            f"{package}=={package_version(package)}"
                            for package in ("mlflow", "numpy", "pandas")
                        ],
                    )
        # Not mlflow.register_model, which prints.
        with suppress(mlflow.exceptions.MlflowException):
            connection.create_registered_model(name)
        connection.update_registered_model(name, description)
        version = connection.create_model_version(
            name,
            model.model_uri,
            run.info.run_id,
            description=description,
            await_creation_for=0,
            model_id=model.model_id,
        )
    return Logged(run.info.run_id, str(version.version), model.model_id)


def log_metrics(logged: Logged, metrics: Mapping[str, float]) -> None:
    """Log the figures of a run and its model, once no further model is logged below the run.

    MLflow reads the history of each of a run's metrics, one by one, whenever a model is logged.
    """
    from mlflow.entities import Metric
    from mlflow.utils.time import get_current_time_millis

    now = get_current_time_millis()
    client().log_batch(
        logged.run_id,
        metrics=[
            Metric(key, float(value), now, 0, model_id=logged.model_id) for key, value in metrics.items()
        ],
    )


@contextmanager
def quiet_mlflow() -> Iterator[Any]:
    """The module ``mlflow``, set to the tracking server, without its chatter."""
    client()
    with _quiet():
        yield _mlflow()


@lru_cache
def code_version() -> str:
    """Version of this code: ``CREDITOPS_CODE_VERSION``, else the git commit, else the package's."""
    import subprocess

    from creditops import __version__

    given = os.environ.get("CREDITOPS_CODE_VERSION")
    if given:
        return given
    where = PROJECT_ROOT
    if (where / ".git").exists() and shutil.which("git"):
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=where, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode == 0 and done.stdout.strip():
            return f"{__version__}+{done.stdout.strip()}"
    return __version__


@contextmanager
def _model_code() -> Iterator[Path]:
    """A folder ``models_ml`` with just the modules a logged scorecard needs."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "models_ml"
        (package / "card").mkdir(parents=True)
        for name in _CARRIED:
            text = files("models_ml").joinpath(name).read_text(encoding="utf-8")
            (package / name).write_text(text, encoding="utf-8")
        yield package


def _log_in(uri: str) -> None:
    """Put the platform's user where MLflow's client looks, unless somebody else is named there."""
    from creditops.services.mlflow_app import PLATFORM

    named = os.environ.get("MLFLOW_TRACKING_USERNAME", PLATFORM)
    if urlsplit(uri).scheme in ("http", "https") and named == PLATFORM:
        os.environ["MLFLOW_TRACKING_USERNAME"] = PLATFORM
        os.environ["MLFLOW_TRACKING_PASSWORD"] = get_secret("mlflow_platform")


def _mlflow() -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow
        import mlflow.pyfunc
    return mlflow


@contextmanager
def _quiet() -> Iterator[None]:
    """MLflow's own chatter off; its errors still raise."""
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except CreditOpsError:
        raise
    finally:
        logger.setLevel(level)


def _refuse_silence(uri: str) -> None:
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", port), timeout=5).close()
    except OSError as error:
        raise ServiceUnreachableError(
            f"MLflow at {uri} does not answer: {error}",
            hint="start the services with `creditops up`, or set CREDITOPS_MLFLOW_URL",
        ) from error
