import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given, settings
from hypothesis import strategies as st
from next_step import FIXTURES, NEW, OLD, TARGET, load, next_step, shape
from sqlalchemy import Engine, inspect, text

from coordinator import schema
from coordinator.database import DATABASE, MIGRATIONS, open_database, revision, upgrade
from coordinator.store import Store


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(tmp_path / DATABASE, unclean=False)
    yield engine
    engine.dispose()


def test_the_migrations_make_exactly_the_tables_of_the_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
        for name, table in schema.metadata.tables.items():
            key = inspect(connection).get_pk_constraint(name)["constrained_columns"]
            assert key == [column.name for column in table.primary_key], name


def test_the_migrations_are_one_line_that_ends_at_the_known_revision() -> None:
    assert scripts().get_heads() == [schema.REVISION]
    steps = [step.revision for step in scripts().walk_revisions()]
    assert steps == sorted(steps, reverse=True)
    assert all(step.module.__doc__ for step in scripts().walk_revisions())


def test_R14_there_is_a_database_of_every_revision() -> None:
    assert [path.stem for path in FIXTURES] == sorted(
        step.revision for step in scripts().walk_revisions()
    )


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_R14_every_historical_database_opens_with_all_it_knew(path: Path, tmp_path: Path) -> None:
    load(path, tmp_path)
    store = Store.open(tmp_path)
    snapshot = store.load_federation()
    assert snapshot is not None
    assert [(r.round, r.score) for r in snapshot.rounds] == [(0, None), (1, 0.75)]
    assert [r.num_ready for r in snapshot.rounds] == [0, 0 if path.stem < "0003" else 3]
    assert [r.spread for r in snapshot.rounds] == [None, None]
    assert sorted(a.sums["examples"] for a in snapshot.answers.values()) == [3.0, 3.0, 3.0]
    assert snapshot.open is not None
    assert (len(snapshot.open.cohort), len(snapshot.open.updates)) == (3, 2)
    assert snapshot.open.survivors is not None
    assert snapshot.open.frozen == (b"" if path.stem < "0002" else b"frozen")
    assert store.incarnation == 2
    members = asyncio.run(store.nodes())
    assert sorted(member.label for member in members) == ["one", "one", "three", "two"]
    assert len(store.roster.enrolled("participant")) == 3
    store.close()


def test_R14_an_upgrade_is_all_and_leaves_a_copy_of_the_old(tmp_path: Path) -> None:
    path = load(FIXTURES[0], tmp_path)
    engine = open_database(path, unclean=False)
    upgrade(engine, path, scripts=next_step(tmp_path), target=TARGET)
    assert revision(engine) == TARGET
    engine.dispose()
    assert shape(path) == NEW
    assert shape(path.with_name(f"{DATABASE}.before-{TARGET}")) == OLD


def test_R14_an_upgrade_that_fails_at_its_end_is_nothing(tmp_path: Path) -> None:
    path = load(FIXTURES[0], tmp_path)
    engine = open_database(path, unclean=False)
    scripts_ = next_step(tmp_path, fail="raise RuntimeError('in the middle')")
    with pytest.raises(RuntimeError, match="in the middle"):
        upgrade(engine, path, scripts=scripts_, target=TARGET)
    engine.dispose()
    assert shape(path) == OLD


def test_a_fresh_database_needs_no_copy(engine: Engine, tmp_path: Path) -> None:
    assert revision(engine) == schema.REVISION
    assert [path.name for path in tmp_path.glob("*.before-*")] == []


@given(st.floats(0, 2**33))
@settings(deadline=None)
def test_times_keep_their_microseconds(when: float) -> None:
    assert abs(schema.seconds(schema.microseconds(when)) - when) <= 1e-6


def test_the_database_refuses_what_dangles(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(Exception, match="FOREIGN KEY"):
        connection.execute(text("INSERT INTO rotations VALUES (x'01', x'02', x'', 0)"))
