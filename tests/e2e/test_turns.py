"""Books run side by side in Airflow; of one book a second day waits, and says for whom.

A run that is half dead takes a minute to be known: `make soak SOAK=tests/e2e/test_turns.py`. The short form
is tests/services/test_turns.py.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from creditops import turns
from creditops.books import Partition
from creditops.services.airflow_api import AirflowApi
from creditops.services.follow import Event, follow
from tests.e2e.conftest import until

pytestmark = pytest.mark.soak

# A book without data: its chain's last DAG finds nothing to measure and ends at once.
WORKED_ON, WAITING = Partition("alpha", date(2026, 5, 31)), Partition("alpha", date(2026, 6, 30))
BESIDE = Partition("beta", date(2026, 6, 30))


@pytest.mark.usefixtures("platform")
def test_a_half_dead_run_holds_up_its_own_book_alone_and_its_death_frees_it() -> None:
    since = datetime.now(UTC)
    with AirflowApi() as api:
        api.await_parsed({"monitor"})
        with turns.hold(WORKED_ON, "publish/half_dead", "score"):
            run = api.trigger("monitor", WAITING.key)

            def put_off() -> bool | None:
                return any(task.state == "up_for_reschedule" for task in api.task_instances(run)) or None

            until("the second day is put off", put_off)
            api.trigger("monitor", BESIDE.key)
            assert _end(list(follow(BESIDE.key, {"monitor"}, since, api=api))) == "success"
            task = next(each for each in api.task_instances(run) if each.task_id == "monitor")
            assert not task.finished
            said = " ".join(api.task_log(task))
            assert "book alpha is at work on 2026-05-31 (publish/half_dead, step score" in said
        # Airflow knows no such run: once nothing of it has moved for a minute, the next day has the turn.
        assert _end(list(follow(WAITING.key, {"monitor"}, since, api=api))) == "success"
    assert turns.holder("alpha") is None, "nothing follows the last DAG"


def _end(events: list[Event]) -> str:
    return [event.state for event in events if event.task_id is None][-1]
