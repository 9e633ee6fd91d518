"""Assets that join the DAGs. Every asset is partitioned by ``book|YYYY-MM-DD``."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Asset

RAW = Asset("creditops_raw")
RAW_OF = {
    domain: Asset(f"creditops_raw_{domain}") for domain in ("reference", "repayment", "financial", "bureau")
}
MARTS = Asset("creditops_marts")
CHALLENGER = Asset("creditops_challenger")
CHAMPION = Asset("creditops_champion")
SCORECARDS = Asset("creditops_scorecards")
DRIFT = Asset("creditops_drift")
PUBLICATION = Asset("creditops_publication")

# A task may be lost with its scheduler and again with its database before it comes to its end.
DEFAULT_ARGS = {"retries": 4, "retry_delay": timedelta(seconds=10), "owner": "creditops"}
