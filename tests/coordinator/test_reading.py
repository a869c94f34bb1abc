from pathlib import Path

import pytest
from a_coordinator import make, serving
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from coordinator.files import StoreError
from coordinator.layout import Layout
from coordinator.reading import reading
from coordinator.refusals import MissingInputError


async def test_reading_beside_a_running_coordinator_changes_nothing(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")
    async with serving(layout) as service:
        for _ in range(2):
            with reading(layout) as database:
                assert database.incarnation == service.store.incarnation == 2
                assert database.federation_id == service.store.federation_id
                assert [r.round for r in database.snapshot().rounds] == [0]


def test_writing_is_not_possible(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")

    def write() -> None:
        with reading(layout) as database:
            database.connection.execute(text("DELETE FROM nodes"))

    with pytest.raises((DBAPIError, StoreError)):
        write()


def test_no_database(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="init"), reading(Layout(tmp_path)):
        pass
