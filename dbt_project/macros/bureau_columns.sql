{# Figures of a bureau report that become features. #}
{% macro bureau_columns() -%}
    {{ return([
        'bureau_score', 'active_tradelines', 'bureau_exposure', 'secured_exposure', 'bureau_utilisation',
        'bureau_worst_3m', 'bureau_worst_12m', 'bureau_worst_24m', 'months_since_worst',
        'inquiries_1m', 'inquiries_3m', 'inquiries_6m', 'inquiries_12m',
        'oldest_tradeline_months', 'new_accounts_6m', 'guarantees', 'guaranteed_amount',
        'public_records', 'enforcement_records', 'tax_records', 'months_since_public_record', 'overdue_elsewhere',
    ]) }}
{%- endmacro %}

{# Kinds of tradelines that something stands good for. #}
{% macro secured_kinds() -%}
    'mortgage', 'auto_loan', 'equipment_lease'
{%- endmacro %}

{# Inquiries by reason, with the prefix of their columns; only credit applications are hard and enter scores. #}
{% macro inquiry_reasons() -%}
    {{ return({'credit_application': '', 'review': 'review_', 'guarantee': 'guarantee_', 'own': 'own_'}) }}
{%- endmacro %}
