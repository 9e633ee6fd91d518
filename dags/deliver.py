"""Starts the chain for what arrives; switched off until a site wants it."""

from airflow.sdk import dag, task
from chain_assets import DEFAULT_ARGS


@dag(
    dag_id="deliver",
    schedule="*/15 * * * *",
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["creditops", "ingest"],
    doc_md="""
**What** fetches from all places, then triggers `ingest` for every book and day of the landing zone
with a file that no load has looked at since it came; a day of which a file is still being written waits.
**When** every quarter of an hour, once it is switched on; it comes paused.
**From** the places (`creditops places list`) and the landing zone. **To** runs of `ingest`, and all that
follows from them.
**On failure** a place that does not answer holds up no other; the next run asks it again.
""",
)
def deliver() -> None:
    @task
    def fetch() -> int:
        from creditops.arrivals import fetch_all

        return fetch_all()

    # What lies there is loaded whether or not every place answers.
    @task(trigger_rule="all_done")
    def start() -> list[str]:
        from creditops.arrivals import start_arrived

        return [partition.key for partition in start_arrived()]

    fetch() >> start()


deliver()
