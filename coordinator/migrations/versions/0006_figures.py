"""What each visible update looked like: its length, and its cosine to the median of all.

Revision 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("updates") as batch:
        batch.add_column(sa.Column("length", sa.Float(), nullable=True))
        batch.add_column(sa.Column("cosine", sa.Float(), nullable=True))
