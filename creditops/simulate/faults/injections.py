"""How each fault of the catalogue is injected."""

from __future__ import annotations

from collections.abc import Mapping

from creditops.simulate.faults import cells, files
from creditops.simulate.faults.fault import Injection

PAYMENTS, DUE_ITEMS, FACILITIES = "payments", "due_items", "facilities"

INJECTIONS: Mapping[str, Injection] = {
    "negative_principal": cells.cell(FACILITIES, "principal", lambda v: f"-{v}"),
    "impossible_dates": cells.cell(PAYMENTS, "value_date", lambda v: f"{v[:4]}-02-30"),
    "slashed_dates": cells.cell(PAYMENTS, "value_date", lambda v: f"{v[8:]}/{v[5:7]}/{v[:4]}"),
    "distant_dates": cells.cell(DUE_ITEMS, "due_date", lambda v: f"21{v[2:]}"),
    "decimal_commas": cells.cell(PAYMENTS, "amount", cells.decimal_comma),
    "thousands_separators": cells.cell(DUE_ITEMS, "amount_due", cells.with_thousands),
    "full_width_digits": cells.cell(PAYMENTS, "amount", cells.full_width),
    "three_decimals": cells.cell(PAYMENTS, "amount", lambda v: f"{v}5"),
    "exponent_amounts": cells.cell(DUE_ITEMS, "amount_due", lambda v: f"{float(v):e}"),
    "currency_signs": cells.cell(PAYMENTS, "amount", lambda v: f"¥{v}"),
    "unknown_code": cells.cell(PAYMENTS, "payer", lambda v: "robot"),
    "lower_case_currency": cells.cell(PAYMENTS, "currency", str.lower),
    "oversize_field": cells.cell(PAYMENTS, "payment_id", lambda v: v * 20),
    "nul_bytes": cells.cell(PAYMENTS, "payment_id", lambda v: f"{v[:3]}\0{v[3:]}"),
    "empty_required": cells.cell(DUE_ITEMS, "amount_due", lambda v: ""),
    "null_words": cells.cell(DUE_ITEMS, "amount_due", lambda v: "NULL"),
    "infinite_rate": cells.cell("macro_series", "value", lambda v: "inf"),
    "reversed_sign_payments": cells.cell(PAYMENTS, "amount", lambda v: f"-{v.lstrip('-')}"),
    "positive_reversals": cells.empty_cell(PAYMENTS, "reverses_payment_id", "P000000001"),
    "self_reversal": cells.row(
        PAYMENTS, cells.as_reversal(lambda row, table: row[table.place("payment_id")])
    ),
    "due_before_issued": cells.row(DUE_ITEMS, cells.swapped("issued_on", "due_date"), "issued_on"),
    "closed_before_opened": cells.cell(FACILITIES, "closed_on", lambda v: "1999-12-31"),
    "mid_month_snapshot": cells.cell("facility_snapshots", "month_end", lambda v: f"{v[:8]}15"),
    "short_history": cells.cell("bureau_tradelines", "history", lambda v: v[:-1]),
    "duplicate_keys": cells.repeat(PAYMENTS, cells.setting("amount", lambda v: f"{float(v) + 1:.2f}")),
    "exact_repeats": cells.repeat(PAYMENTS, lambda row, table: row),
    "orphan_payments": cells.cell(PAYMENTS, "facility_id", lambda v: f"X{v}"),
    "orphan_due_items": cells.cell(DUE_ITEMS, "facility_id", lambda v: f"X{v}"),
    "reversal_of_nothing": cells.row(PAYMENTS, cells.as_reversal(lambda row, table: "P999999999")),
    "future_dates": cells.cell(PAYMENTS, "value_date", lambda v: f"20{int(v[2:4]) + 40}{v[4:]}"),
    "currency_mix": cells.cell(PAYMENTS, "currency", lambda v: "USD"),
    "shifted_columns": cells.row(DUE_ITEMS, cells.shifted),
    "missing_field": files.table_fault(PAYMENTS, files.lose_field),
    "stray_comma": files.table_fault(PAYMENTS, files.stray_comma),
    "header_again": files.table_fault(PAYMENTS, files.repeat_header),
    "padded_keys": cells.every_cell(PAYMENTS, "payment_id", lambda v: f" {v} "),
    "quoted_newlines": cells.cell("customers", "address", lambda v: f"{v}\n2楼"),
    "trailing_delimiter": files.table_fault(PAYMENTS, files.trailing_comma),
    "blank_lines": files.byte_fault(PAYMENTS, files.blank_lines),
    "mixed_line_ends": files.byte_fault(PAYMENTS, files.mixed_line_ends),
    "cut_last_line": files.byte_fault(PAYMENTS, files.cut_last_line),
    "unclosed_quote": files.byte_fault(DUE_ITEMS, files.unclosed_quote),
    "header_missing": files.table_fault(DUE_ITEMS, files.drop_header),
    "header_renamed": files.table_fault(DUE_ITEMS, files.rename_column("amount_due", "amount")),
    "column_missing": files.table_fault(PAYMENTS, files.drop_column("amount")),
    "column_twice": files.table_fault(PAYMENTS, files.rename_column("booked_at", "amount")),
    "column_added": files.table_fault(PAYMENTS, files.add_column),
    "columns_reordered": files.table_fault(PAYMENTS, files.reorder_columns),
    "column_retyped": cells.every_cell(PAYMENTS, "amount", lambda v: f"CNY {v}"),
    "bom": files.byte_fault(PAYMENTS, files.with_bom),
    "gb18030": files.byte_fault("customers", files.as_gb18030),
    "wrong_encoding": files.byte_fault("customers", files.neither_encoding),
    "gzipped": files.byte_fault(PAYMENTS, files.whole_gzip, ".csv.gz"),
    "truncated_gzip": files.byte_fault(PAYMENTS, files.cut_gzip, ".csv.gz"),
    "damaged_gzip": files.byte_fault(PAYMENTS, files.damaged_gzip, ".csv.gz"),
    "empty_file": files.byte_fault(PAYMENTS, lambda content: b""),
    "header_only": files.table_fault(PAYMENTS, files.keep_header_only),
    "same_file_again": files.beside(PAYMENTS, "again", files.same_again),
    "late_rows": files.beside(PAYMENTS, "late", files.late_rows),
    "restated_statements": files.beside("statements", "restated", files.restated("revenue")),
    "snapshot_shrunk": files.beside("customers", "next", files.shrunk),
}
