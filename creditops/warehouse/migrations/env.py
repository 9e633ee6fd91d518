"""Has Alembic run migrations over the connection that :func:`creditops.warehouse.migrate.run` hands it."""

from alembic import context

settings = context.config.attributes
if "connection" not in settings:
    raise SystemExit("migrations are run by `creditops up`, together with all that stands on the tables")
context.configure(
    connection=settings["connection"],
    version_table=settings["version_table"],
    version_table_schema=settings["version_schema"],
    on_version_apply=settings["on_version_apply"],
)
with context.begin_transaction():
    context.run_migrations()
