-- The one name of each reason, for every text in both languages.
create or replace function actions.reason_text(reason text, language text) returns text language sql immutable as $$
    select case language
        when 'zh' then case reason
            when 'days' then '逾期超过90天' when 'past_due' then '逾期超过90天'
            when 'manual' then '人工分类为次级及以下' when 'class' then '五级分类为次级及以下'
            when 'contagion_here' then '本机构其他债权不良传染' when 'contagion_elsewhere' then '全部机构债务逾期传染'
            when 'upgrade_wait' then '欠款已清，观察期未满' when 'restructured' then '困境重组'
            when 'written_off' then '已核销' else reason
        end
        else case reason
            when 'days' then 'over 90 days past due' when 'past_due' then 'over 90 days past due'
            when 'manual' then 'classed substandard or worse by hand' when 'class' then 'classed substandard or worse'
            when 'contagion_here' then 'other claims here are non-performing'
            when 'contagion_elsewhere' then 'debt at all lenders is past due'
            when 'upgrade_wait' then 'arrears cleared, probation not over' when 'restructured' then 'distressed restructuring'
            when 'written_off' then 'written off' else reason
        end
    end
$$;
comment on function actions.reason_text is 'Why a customer is in default or classed as bad, in words.';
