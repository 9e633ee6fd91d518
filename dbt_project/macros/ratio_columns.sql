{# Names of the ratios that a statement gives, in the order of domain.md#ratios. #}
{% macro ratio_columns() -%}
    {{ return([
        'current_ratio', 'quick_ratio', 'cash_ratio',
        'debt_to_assets', 'debt_to_equity', 'interest_cover', 'dscr',
        'gross_margin', 'operating_margin', 'net_margin', 'roa', 'roe', 'asset_turnover', 'equity_multiplier',
        'receivable_days', 'inventory_days', 'payable_days', 'cash_conversion_cycle',
        'cfo_to_debt', 'cfo_to_net_profit', 'accruals',
        'z_score', 'z1_score', 'z2_score',
    ]) }}
{%- endmacro %}
