"""Airflow's scheduler with the libraries of the chain's steps already loaded.

LocalExecutor forks every task from the scheduler, so what it has imported costs a task nothing; a task
that imports them itself spends one to four seconds of processor time on it. Only libraries are loaded
here: the project's own modules are read by each task, which sees a new version at once.

Called like ``airflow scheduler``, with its options.
"""

from __future__ import annotations

import sys
from importlib import import_module

LIBRARIES = (
    "dbt.adapters.postgres",
    "dbt.cli.main",
    "great_expectations",
    "httpx",
    "jinja2",
    "matplotlib.pyplot",
    "mlflow.pyfunc",
    "optbinning",
    "pandas",
    "polars",
    "psycopg",
    "pyarrow.parquet",
    "scipy.stats",
    "sklearn.calibration",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "yaml",
)


def main() -> None:
    """Load the libraries and become the scheduler."""
    for name in LIBRARIES:
        import_module(name)
    from airflow.__main__ import main as airflow

    sys.argv[:1] = ["airflow", "scheduler"]
    airflow()


if __name__ == "__main__":
    main()
