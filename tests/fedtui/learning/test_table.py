import sys
from pathlib import Path

import numpy as np
import pytest

from fedtui.learning.data import DataError
from fedtui.learning.table import parse_column, read_table

AGE = parse_column("age", "number:40:10")
JOB = parse_column("job", "category:nurse|baker")


def csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "data.csv"
    path.write_text(text, encoding=encoding)
    return path


def test_cells_become_scaled_numbers_and_one_hot_words(tmp_path: Path) -> None:
    path = csv(tmp_path, 'note,job,age\n"a, b",baker,50\n,nurse , 1e1\n\n', "utf-8-sig")
    table = read_table(path, ["age", "job"])
    assert table.features([AGE, JOB]).tolist() == [[1, 0, 1], [-3, 1, 0]]
    assert table.numbers(AGE).tolist() == [50, 10]
    assert table.positions(JOB).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("age,job\n1,nurse\nold,nurse\n", "row 3, column 'age': 'old' is not a number"),
        ("age,job\n1,nurse\nnan,nurse\n", "row 3, column 'age': 'nan' is not a number"),
        ("age,job\n1,nurse\n2,pilot\n", "row 3, column 'job': 'pilot' is not one of nurse, baker"),
        ("age,job\n,nurse\n", "row 2, column 'age': the cell is empty"),
        ("age,job\n1,nurse\n1\n", "row 3: it has 1 cells, the header has 2"),
        ("age,job\n1,nurse\n\n1,nurse\n", "row 3: it has 0 cells"),
        ("age,work\n1,nurse\n", "no column 'job'; its columns are: age, work"),
        ("age,age,job\n1,1,nurse\n", "more than one column 'age'"),
        ("", "no column 'age'; its columns are: none"),
        ('age,job\n1,"nur"se\n', "not a CSV file"),
    ],
)
def test_errors_name_row_and_column(tmp_path: Path, text: str, said: str) -> None:
    path = csv(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_table(path, ["age", "job"]).features([AGE, JOB])
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_other_encodings_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="UTF-8"):
        read_table(csv(tmp_path, "age,job\n1,b\xe4cker\n", "latin-1"), ["age", "job"])
    with pytest.raises(DataError, match="cannot read"):
        read_table(tmp_path / "none.csv", ["age"])


def test_long_cells_are_cut_in_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_table(csv(tmp_path, f"age\n{'x' * 5000}\n"), ["age"]).numbers(AGE)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


@pytest.mark.parametrize(
    "text", ["", "text", "number:1", "number:a:b", "number:0:0", "number:0:inf"]
)
def test_numbers_that_are_not_understood_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="column 'x'"):
        parse_column("x", text)


@pytest.mark.parametrize("text", ["", ":", ":a", ":a|a", ":a||b"])
def test_categories_that_are_not_understood_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="column 'x'"):
        parse_column("x", "category" + text)


def test_parquet_reads_as_csv_does(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")

    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"job": ["baker", "nurse"], "age": [50, 10], "z": [1, 2]}), path)
    assert read_table(path, ["age", "job"]).features([AGE, JOB]).tolist() == [
        [1, 0, 1],
        [-3, 1, 0],
    ]
    with pytest.raises(DataError, match="no column 'height'; its columns are: job, age, z"):
        read_table(path, ["height"])
    pq.write_table(pa.table({"age": [1.0, None]}), path)
    with pytest.raises(DataError, match="row 3, column 'age': the cell is empty"):
        read_table(path, ["age"]).numbers(AGE)
    path.write_bytes(b"PAR1 not")
    with pytest.raises(DataError, match="not a Parquet file"):
        read_table(path, ["age"])


def test_without_pyarrow_the_remedy_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(DataError, match=r"pip install 'fedtui\[parquet\]', or use CSV"):
        read_table(tmp_path / "data.parquet", ["age"])


def test_features_scale_but_numbers_do_not(tmp_path: Path) -> None:
    table = read_table(csv(tmp_path, "age\n60\n"), ["age"])
    assert np.array_equal(table.features([AGE]), [[2.0]])
    assert table.numbers(AGE).tolist() == [60.0]
