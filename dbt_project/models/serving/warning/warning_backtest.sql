with newest as (
    select max(as_of_date) as as_of_date
    from {{ source('actions', 'warning_backtest') }}
    where
        book = {{ book() }}
        and as_of_date <= {{ as_of() }}
)

select
    {{ book() }} as book,
    backtest.rule_id,
    backtest.rule_version,
    backtest.as_of_date as tested_on,
    backtest.first_day,
    backtest.last_day,
    backtest.alerts,
    backtest.alerts_6m,
    backtest.precision_6m,
    backtest.base_rate_6m,
    backtest.lift_6m,
    backtest.alerts_12m,
    backtest.precision_12m,
    backtest.base_rate_12m,
    backtest.lift_12m,
    backtest.defaults,
    backtest.recall_6m,
    backtest.recall_12m,
    backtest.median_lead_days,
    backtest.false_alarms,
    backtest.actions_approved,
    backtest.verdict
from {{ source('actions', 'warning_backtest') }} as backtest
inner join newest on backtest.as_of_date = newest.as_of_date
where backtest.book = {{ book() }}
