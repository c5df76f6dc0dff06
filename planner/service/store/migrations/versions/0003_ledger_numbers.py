"""Lines of the ledger are numbered in 64 bits: 32 are used up in six years of a million lines a day."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _number("bigint")


def downgrade() -> None:
    _number("integer")


def _number(kind: str) -> None:
    """SQLite's numbers have 64 bits already."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE measurements ALTER COLUMN number TYPE {kind}")
        op.execute(f"ALTER SEQUENCE measurements_number_seq AS {kind}")
