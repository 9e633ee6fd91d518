{# Figures of a bureau report that become features. #}
{% macro bureau_columns() -%}
    {{ return([
        'bureau_score', 'active_tradelines', 'bureau_exposure', 'bureau_utilisation',
        'bureau_worst_3m', 'bureau_worst_12m', 'bureau_worst_24m', 'months_since_worst',
        'inquiries_1m', 'inquiries_3m', 'inquiries_6m', 'inquiries_12m',
        'oldest_tradeline_months', 'new_accounts_6m', 'guarantees', 'public_records', 'overdue_elsewhere',
    ]) }}
{%- endmacro %}
