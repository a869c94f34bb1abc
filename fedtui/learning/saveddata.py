"""Data that Hugging Face `datasets` saved to a folder (`save_to_disk`), column by column.

Only what lies on this machine is read: nothing is fetched, and no loading script runs. The package
is an extra of its own, and only imported here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Literal

from fedtui.learning.data import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Part = Literal["train", "test"]


def is_saved(path: Path) -> bool:
    """Whether the folder is one that `datasets` saved: one part, or several by name."""
    return (path / "state.json").is_file() or (path / "dataset_dict.json").is_file()


def read_columns(path: Path, names: Sequence[str], part: Part) -> dict[str, Sequence[Any]]:
    """The named columns as plain Python values; class numbers become names, images Pillow's.

    Of several parts `part` is taken.

    Raises:
        DataError: the package is not installed, or the folder, part or a column cannot be read.
    """
    found = _load(path)
    if hasattr(found, "keys"):  # several parts by name
        if part not in found:
            raise DataError(f"{path} has no part {part!r}; it has: {', '.join(found)[:400]}")
        found = found[part]
    for name in names:
        if name not in found.column_names:
            there = ", ".join(found.column_names)[:400] or "none"
            raise DataError(f"{path} has no column {name!r}; its columns are: {there}")
    return {name: _values(path, found, name) for name in names}


def _values(path: Path, found: Any, name: str) -> list[Any]:
    try:
        values, feature = list(found[name]), found.features[name]
        if not hasattr(feature, "int2str"):
            return values
        return [None if value is None else feature.int2str(value) for value in values]
    except Exception as error:  # as in _load; a broken image is one
        raise DataError(f"{path}: column {name!r} cannot be read: {error}") from error


def _load(path: Path) -> Any:
    try:
        datasets = importlib.import_module("datasets")
    except ImportError as error:
        raise DataError(
            f"{path}: reading it needs Hugging Face datasets: pip install 'fedtui[datasets]'"
        ) from error
    datasets.disable_progress_bars()
    try:
        return datasets.load_from_disk(str(path))
    except Exception as error:  # whatever the package raises: the folder is what is wrong
        raise DataError(f"{path} cannot be read by datasets: {error}; save it again") from error
