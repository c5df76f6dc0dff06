"""The ledger of measurements."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "measurements",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("executor", sa.String(32), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("machine", "engine", "engine_version", "kernel")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("configuration", "figure")),
        *(sa.Column(name, sa.Float, nullable=False) for name in ("predicted", "measured")),
        sa.Column("run_id", sa.String(32), nullable=False),
        *(sa.Column(name, sa.Float, nullable=False) for name in ("told_at", "measured_at", "received_at")),
        sa.Column("reported_by", sa.String(64), nullable=False),
        sa.UniqueConstraint("executor", "sequence", name="measurements_once"),
    )
    op.create_index("ix_measurements_machine", "measurements", ["machine", "number"])


def downgrade() -> None:
    op.drop_table("measurements")
