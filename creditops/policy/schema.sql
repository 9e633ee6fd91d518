-- A policy version that decided never changes.
create or replace trigger policy_versions_append_only before update or delete or truncate
on actions.policy_versions for each statement execute function ops.refuse_change();
