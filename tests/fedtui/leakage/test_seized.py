"""A seized disk: what is planted there is found, whatever it is called and wherever it lies.

The home is made with the coordinator's own tables and names; a real one, of real programs, is
searched in tests/loopback/test_seized_disk.py.
"""

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from sqlalchemy import create_engine

from coordinator import schema
from coordinator.spool import Promise
from fedtui.errors import ExitCode
from fedtui.leakage import seized
from fedtui.leakage.seized import Item, SeizedError

DIM = 5000
RNG = np.random.default_rng(1)
UPDATE = RNG.normal(0, 0.01, DIM).astype("<f4")
MASKED = RNG.bytes(4 * DIM)
NODE = bytes(range(32))
SPOOLED = Promise(2, 1, NODE, 4 * DIM, bytes(32))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for folder in ("checkpoints", "spool"):
        (tmp_path / "state" / folder).mkdir(parents=True)
    engine = create_engine(f"sqlite:///{tmp_path / 'state' / 'coordinator.db'}")
    schema.metadata.create_all(engine)
    engine.dispose()
    manifest = {"tensors": [{"name": "w", "shape": [DIM], "dtype": "float32"}]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "plan.toml").write_text("seed = 1\n")
    (tmp_path / "identity.key").write_bytes(RNG.bytes(53))
    for number in (0, 1):
        model(tmp_path, number)
    return tmp_path


def model(home: Path, number: int, **more: np.ndarray) -> None:
    path = home / "state" / "checkpoints" / f"model-{number:06d}.safetensors"
    path.write_bytes(safetensors.numpy.save({"w": RNG.normal(0, 0.1, DIM).astype("f4"), **more}))


def execute(home: Path, *commands: str, values: tuple[object, ...] = ()) -> None:
    connection = sqlite3.connect(home / "state" / "coordinator.db")
    for command in commands:
        connection.execute(command, values)
    connection.commit()
    connection.close()


def found(home: Path) -> dict[str, str]:
    return {item.path: item.tells for item in seized.search(home)}


def suspicious(home: Path) -> dict[str, str]:
    items = seized.search(home)
    bad = {item.path: item.tells for item in items if item.tells in seized.BAD}
    assert seized.gives_away(items) is bool(bad)
    return bad


def test_G3_a_clean_home_gives_no_node_away(home: Path) -> None:
    assert suspicious(home) == {}
    assert found(home)["state/checkpoints/model-000001.safetensors"] == "sums"
    assert found(home)["identity.key"] == "key"


def test_G3_a_plain_update_in_the_spool_is_found_and_a_masked_one_is_chance(home: Path) -> None:
    path = home / "state" / "spool" / SPOOLED.update
    path.write_bytes(MASKED)
    assert found(home)[f"state/spool/{SPOOLED.update}"] == "masked"
    path.write_bytes(UPDATE.tobytes())
    assert suspicious(home) == {f"state/spool/{SPOOLED.update}": "update"}


def test_G3_an_update_whose_masks_were_left_off_is_found(home: Path) -> None:
    """Integers as under masks, with an offset, but nothing added."""
    steps = (UPDATE * 2.0**24 + 2.0**30).astype("<u4")
    (home / "state" / "spool" / SPOOLED.part).write_bytes(steps.tobytes())
    assert suspicious(home) == {f"state/spool/{SPOOLED.part}": "update"}


@pytest.mark.parametrize(
    "place", ["plan.toml", "identity.key", "state/coordinator.lock", "notes", "state/cache/x.bin"]
)
def test_G3_an_update_behind_any_name_is_found(home: Path, place: str) -> None:
    path = home / place
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\x01" + UPDATE.tobytes())
    assert suspicious(home) == {place: "unknown"}


def test_G3_an_update_beside_the_tensors_of_a_model_is_found(home: Path) -> None:
    model(home, 2, update=UPDATE)
    assert suspicious(home) == {"state/checkpoints/model-000002.safetensors": "unknown"}
    path = home / "state" / "checkpoints" / "model-000002.safetensors"
    model(home, 2)
    path.write_bytes(path.read_bytes() + UPDATE.tobytes())
    assert suspicious(home) == {"state/checkpoints/model-000002.safetensors": "unknown"}


def test_G3_an_update_in_a_row_or_a_table_of_its_own_is_found(home: Path) -> None:
    execute(
        home,
        "INSERT INTO shares VALUES (x'01', 1, 1, x'02', x'03', ?)",
        values=(UPDATE.tobytes(),),
    )
    assert suspicious(home).keys() == {"table shares", "state/coordinator.db"}
    execute(home, "DELETE FROM shares", "CREATE TABLE kept (x BLOB)")
    assert suspicious(home)["table kept"] == "unknown"


def test_G3_an_update_in_a_page_that_was_freed_is_found(home: Path) -> None:
    execute(home, "CREATE TABLE kept (x BLOB)")
    execute(home, "INSERT INTO kept VALUES (?)", values=(UPDATE.tobytes(),))
    execute(home, "PRAGMA secure_delete = OFF", "DROP TABLE kept")
    assert suspicious(home) == {"state/coordinator.db": "unknown"}


def test_weights_and_losses_of_single_nodes_are_said(home: Path) -> None:
    """As visible rounds leave them."""
    row = """
        INSERT INTO updates
            (federation, round, attempt, node, digest, bytes, weight, sums, received, seconds)
        VALUES (x'01', 1, 1, x'02', x'03', 20000, ?, x'80', 0, 1.0)"""
    execute(home, row, values=(None,))
    assert found(home)["table updates"] == "who"
    execute(home, "DELETE FROM updates")
    execute(home, row, values=(383.0,))
    assert found(home)["table updates"] == "counts"


def test_a_sum_of_one_node_is_its_update(home: Path) -> None:
    execute(home, "INSERT INTO survivors VALUES (x'01', 1, 1, x'02')")
    assert suspicious(home).keys() == {
        f"state/checkpoints/model-00000{n}.safetensors" for n in (0, 1)
    }
    execute(home, "INSERT INTO survivors VALUES (x'01', 1, 1, x'03')")
    assert suspicious(home) == {}


def test_every_table_of_the_coordinator_is_known(home: Path) -> None:
    tables = {f"table {name}" for name in schema.metadata.tables}
    assert {p for p, tells in found(home).items() if p in tables and tells != "unknown"} == tables


def test_nothing_on_the_disk_changes(home: Path) -> None:
    def state() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}

    before = state()
    seized.search(home)
    assert state() == before


def test_links_are_not_followed(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "secret"
    other.write_text("text")
    (home / "plan.toml").unlink()
    (home / "plan.toml").symlink_to(other)
    assert suspicious(home) == {"plan.toml": "unknown"}


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SeizedError, match="no coordinator's directory") as raised:
        seized.search(tmp_path)
    assert raised.value.exit_code == ExitCode.MISSING_INPUT


def test_a_database_that_is_none_is_refused(home: Path) -> None:
    (home / "state" / "coordinator.db").write_bytes(b"no database" * 100)
    with pytest.raises(SeizedError, match="is no database that can be read"):
        seized.search(home)


def test_every_level_is_explained() -> None:
    item = Item(path="a", num_bytes=1, what="", tells="key")
    assert seized.MEANING[item.tells].startswith("its holder")
