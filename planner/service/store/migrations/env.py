"""Runs the migrations over the connection that the service hands in."""

from alembic import context

from planner.service.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
