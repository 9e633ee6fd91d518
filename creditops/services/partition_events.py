"""Two mends to how Airflow 3.3 counts the asset events of a partition.

Airflow collects events for one consumer and partition key in a pending row, and starts the
consumer when the row holds every asset it waits for.

1. Events of two different assets that arrive within milliseconds each open a row of their own,
   neither of which is ever complete, and the consumer never starts (apache/airflow issue 71070,
   open; met on 1 of 15 keys with four short producers). :func:`serialise` makes events of the
   same key wait for one another.
2. A pending row is never dropped. After a single producer was run again, the next full round
   starts the consumer one producer too early. :func:`forget_incomplete` drops what is pending.

Both work on Airflow's metadata database, as its owner.
"""

from __future__ import annotations

import psycopg

from creditops.errors import ServiceUnreachableError
from creditops.secrets import get_secret
from creditops.services import databases

_ONE_AT_A_TIME = """
create or replace function creditops_one_event_at_a_time() returns trigger language plpgsql as $$
begin
    -- Held to the end of the transaction, within which Airflow finds or opens the pending row.
    perform pg_advisory_xact_lock(hashtext('creditops partition'), hashtext(new.partition_key));
    return new;
end
$$;
create or replace trigger creditops_one_event_at_a_time
    before insert on asset_event
    for each row when (new.partition_key is not null)
    execute function creditops_one_event_at_a_time();
"""
_FORGET_EVENTS = """
delete from partitioned_asset_key_log using asset_partition_dag_run as pending
where pending.id = partitioned_asset_key_log.asset_partition_dag_run_id
    and pending.created_dag_run_id is null
    and pending.target_dag_id = %(dag_id)s and pending.partition_key = %(key)s
"""
_FORGET_PENDING = """
delete from asset_partition_dag_run
where created_dag_run_id is null and target_dag_id = %(dag_id)s and partition_key = %(key)s
"""


def serialise() -> None:
    """Make events of one partition key follow one another; safe to do again.

    Raises
    ------
    ServiceUnreachableError: Airflow's database does not answer.
    """
    with _connection() as connection:
        connection.execute(_ONE_AT_A_TIME)


def forget_incomplete(dag_id: str, partition_key: str) -> int:
    """Drop events that wait for others before ``dag_id`` starts for a key, before a full new round.

    Returns
    -------
    Number of pending rows dropped.

    Raises
    ------
    ServiceUnreachableError: Airflow's database does not answer.
    """
    which = {"dag_id": dag_id, "key": partition_key}
    with _connection() as connection, connection.transaction():
        connection.execute(_FORGET_EVENTS, which)
        return connection.execute(_FORGET_PENDING, which).rowcount


def _connection() -> psycopg.Connection:
    try:
        return databases.connect("airflow", get_secret("postgres_airflow"), "airflow")
    except psycopg.OperationalError as error:
        raise ServiceUnreachableError(
            f"Airflow's database does not answer: {error}".strip(), hint="see `creditops status`"
        ) from error
