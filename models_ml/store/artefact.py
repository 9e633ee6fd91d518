"""The files of a registered version in MLflow, held against what was registered.

Scores come from the points table kept in the warehouse; any other model is code that runs, and runs only
if every file of it is the one that was approved. A difference is refused, audited and alerted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from creditops.alerts import Alert, raise_alerts
from creditops.books import today
from creditops.errors import DataRefusedError
from creditops.identity import current_actor
from models_ml.card.points_table import PointsTable
from models_ml.store import audit
from models_ml.store.tracking import TABLE_FILE, client, quiet_mlflow
from models_ml.store.version_store import Content, Version

# MLflow's client adds this file to what it downloads; it names the version and is run by nobody.
_WRITTEN_BY_THE_CLIENT = "registered_model_meta"


def content_of(name: str, version: str) -> Content:
    """What MLflow holds of a version just logged."""
    with _downloaded(name, version) as folder:
        table = folder / "artifacts" / TABLE_FILE
        return Content(table.read_text(encoding="utf-8") if table.exists() else None, _hashes(folder))


@contextmanager
def approved_files(held: Version, decided: str) -> Iterator[Path]:
    """A private copy of a version's files, each of them as registered and as decided on.

    Parameters
    ----------
    decided: the hash of the content that the decision in force was about.

    Raises
    ------
    DataRefusedError: something differs; names the files.
    """
    if not held.content_sha256 == held.content.sha256 == decided:
        _refuse(held, "its points table or list of files in the warehouse")
    with _downloaded(held.name, held.version) as folder:
        found, expected = _hashes(folder), held.content.files
        different = sorted(path for path in {*found, *expected} if found.get(path) != expected.get(path))
        if different:
            _refuse(held, ", ".join(different[:5]))
        yield folder


def points_table(held: Version) -> PointsTable | None:
    """The points table of a version; ``None`` where the model is none.

    Raises
    ------
    DataRefusedError: the table is not the one that was registered.
    """
    if held.content.sha256 != held.content_sha256:
        _refuse(held, "its points table in the warehouse")
    text = held.content.points_table
    return None if text is None else PointsTable.from_json(text)


def _refuse(held: Version, what: str) -> None:
    message = f"{held.name} version {held.version} is not what was registered: {what} differ"
    after = {"version": held.version, "files": what}
    if not audit.is_recorded("model.tampered", held.name, after):
        audit.record(current_actor(), "model.tampered", held.name, after=after, reason=message)
    subject = f"{held.name} {held.version}"
    raise_alerts(held.book, today(held.book), [Alert("tampered_model", subject, message)], role="modeller")
    raise DataRefusedError(
        message, hint="nothing is scored with it: find out who changed it, then roll back or train another"
    )


@contextmanager
def _downloaded(name: str, version: str) -> Iterator[Path]:
    source = client().get_model_version_download_uri(name, version)
    with quiet_mlflow() as mlflow, tempfile.TemporaryDirectory() as private:
        folder = Path(private) / "model"
        folder.mkdir()
        Path(private).chmod(0o711)  # whoever runs the model may pass through, and see nothing else
        mlflow.artifacts.download_artifacts(source, dst_path=str(folder))
        # MLflow may put the model's folder inside or its files; the file MLmodel tells.
        yield min((path.parent for path in folder.rglob("MLmodel")), key=lambda each: len(each.parts))


def _hashes(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path == folder / _WRITTEN_BY_THE_CLIENT:
            continue
        if path.is_symlink():
            found[str(path.relative_to(folder))] = f"link to {path.readlink()}"
        elif path.is_file():
            found[str(path.relative_to(folder))] = sha256(path.read_bytes()).hexdigest()
    return found
