"""Reports as Parquet and back: a column per field of the struct, typed as the field is.

Anything that reads Parquet reads them: pandas, polars, DuckDB, R. The file's metadata holds the
versions that made it.
"""

import importlib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from fedtui.errors import ExitCode, OperatorError
from fedtui.experiments.disk import DamagedError, RunFolderError, read_bounded, write_whole

Report = TypeVar("Report", bound=msgspec.Struct)

MAX_FILE_BYTES = 2**31
MAX_ROWS = 50_000_000
MAX_UNPACKED_BYTES = 2**34


class NoParquetError(OperatorError):
    """Parquet needs pyarrow, which is not installed."""

    exit_code = ExitCode.UNAVAILABLE


def ready() -> None:
    """Raise NoParquetError if tables cannot be written here."""
    _arrow("pyarrow")


def write(
    path: Path,
    shape: type[Report],
    reports: Sequence[Report],
    about: Mapping[str, str] | None = None,
) -> None:
    """Write reports of this struct type, whole; `about` becomes the file's metadata.

    Raises:
        NoParquetError: pyarrow is missing.
        DiskError: it cannot be written.
    """
    arrow, parquet = _arrow("pyarrow"), _arrow("pyarrow.parquet")
    schema = _schema(arrow, shape).with_metadata(dict(about or {}))
    columns = [
        arrow.array([getattr(one, column.name) for one in reports], type=column.type)
        for column in schema
    ]
    sink = arrow.BufferOutputStream()
    parquet.write_table(arrow.Table.from_arrays(columns, schema=schema), sink, compression="zstd")
    write_whole(path, memoryview(sink.getvalue()))


def read(path: Path, shape: type[Report]) -> list[Report]:
    """The reports of this struct type, in their order.

    Raises:
        NoParquetError: pyarrow is missing.
        RunFolderError: there is no such file.
        DamagedError: it is not Parquet, or of other columns.
    """
    arrow, parquet = _arrow("pyarrow"), _arrow("pyarrow.parquet")
    if not path.is_file():
        raise RunFolderError(f"{path}: there is no such file")
    data = read_bounded(path, MAX_FILE_BYTES)
    schema = _schema(arrow, shape)
    try:
        file = parquet.ParquetFile(arrow.BufferReader(data))
        _check_size(path, file.metadata)
        found = file.schema_arrow
        if [(c.name, c.type) for c in found] != [(c.name, c.type) for c in schema]:
            raise DamagedError(
                f"{path}: has other columns than a table of {shape.__name__}: another version "
                "wrote it"
            )
        rows = file.read().to_pylist()
        return [msgspec.convert(row, shape) for row in rows]
    except (OSError, ValueError) as error:  # pyarrow's own errors and msgspec's derive from these
        raise DamagedError(f"{path}: is not a table that a run wrote: {error}") from error


def about(path: Path) -> dict[str, str]:
    """The file's metadata. Raises as `read`."""
    arrow, parquet = _arrow("pyarrow"), _arrow("pyarrow.parquet")
    data = read_bounded(path, MAX_FILE_BYTES)
    try:
        found = parquet.read_schema(arrow.BufferReader(data)).metadata or {}
        return {key.decode(): value.decode() for key, value in found.items()}
    except (OSError, ValueError) as error:
        raise DamagedError(f"{path}: is not a table that a run wrote: {error}") from error


def _check_size(path: Path, metadata: Any) -> None:
    groups = range(metadata.num_row_groups)
    unpacked = sum(metadata.row_group(n).total_byte_size for n in groups)
    if metadata.num_rows > MAX_ROWS or unpacked > MAX_UNPACKED_BYTES:
        raise DamagedError(f"{path}: has {metadata.num_rows} rows: no run wrote this")


def _schema(arrow: Any, shape: type[msgspec.Struct]) -> Any:
    kinds = {int: arrow.int64(), float: arrow.float64(), str: arrow.string(), bool: arrow.bool_()}
    columns = []
    for column in msgspec.structs.fields(shape):
        kind, nullable = _kind(column.type)
        columns.append(arrow.field(column.name, kinds[kind], nullable=nullable))
    return arrow.schema(columns)


def _kind(annotation: Any) -> tuple[type, bool]:
    """(float, True) for `float | None`."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        inner = [one for one in typing.get_args(annotation) if one is not types.NoneType]
        return inner[0], True
    return annotation, False


def _arrow(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise NoParquetError(
            "tables of a run need pyarrow, which is not installed: pip install 'fedtui[results]'"
        ) from error
