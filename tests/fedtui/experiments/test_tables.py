import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.experiments import tables
from fedtui.experiments.disk import DamagedError, RunFolderError
from fedtui.experiments.tables import NoParquetError
from fedtui.simulation.report import NodeReport, RoundReport

whole = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
BY_TYPE = {int: whole, float: floats, str: texts, float | None: st.none() | floats}


def any_of(shape: type[RoundReport] | type[NodeReport]) -> st.SearchStrategy:
    return st.builds(shape, **{k: BY_TYPE[v] for k, v in shape.__annotations__.items()})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@pytest.mark.parametrize("shape", [RoundReport, NodeReport])
@given(data=st.data())
def test_there_and_back(folder: Path, shape: type[RoundReport], data: st.DataObject) -> None:
    reports = data.draw(st.lists(any_of(shape), max_size=5))
    path = folder / "table.parquet"
    tables.write(path, shape, reports, {"fedtui": "0.1.0"})
    assert tables.read(path, shape) == reports
    assert tables.about(path) == {"fedtui": "0.1.0"}


def test_others_read_it(tmp_path: Path, a_round: Callable[..., RoundReport]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rounds.parquet"
    tables.write(path, RoundReport, [a_round(1, 0.5), a_round(2)])
    table = parquet.read_table(path)
    assert table.column("score").to_pylist() == [0.5, None]
    assert str(table.schema.field("bytes_up").type) == "int64"
    assert not table.schema.field("bytes_up").nullable
    assert parquet.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"


def test_another_table_or_none_is_said(
    tmp_path: Path, a_round: Callable[..., RoundReport]
) -> None:
    path = tmp_path / "rounds.parquet"
    with pytest.raises(RunFolderError, match="there is no such file"):
        tables.read(path, RoundReport)
    tables.write(path, RoundReport, [a_round(1)])
    with pytest.raises(DamagedError, match="has other columns than a table of NodeReport"):
        tables.read(path, NodeReport)
    text = path.read_bytes()
    for damaged in (b"", b"PAR1", text[:-20], text[:40] + bytes(20) + text[60:]):
        path.write_bytes(damaged)
        with pytest.raises(DamagedError):
            tables.read(path, RoundReport)


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NoParquetError, match=r"pip install 'fedtui\[results\]'"):
        tables.write(tmp_path / "rounds.parquet", RoundReport, [])
    with pytest.raises(NoParquetError):
        tables.ready()
    assert list(tmp_path.iterdir()) == []
