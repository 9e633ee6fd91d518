-- What people decided of limits is never changed.
create or replace trigger limit_decisions_append_only before update or delete or truncate
on actions.limit_decisions for each statement execute function ops.refuse_change();
