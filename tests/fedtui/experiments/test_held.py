from pathlib import Path

import numpy as np
import pytest

from fedtui.experiments.disk import DamagedError
from fedtui.experiments.held import OnDisk
from fedtui.simulation.holding import Held


def of(value: float) -> Held:
    return {"control": np.full(3, value, np.float32)}


def lived(folder: Path, rounds: int, recorded: int) -> OnDisk:
    """A node trained in all rounds; the run's journal is on disk up to `recorded`."""
    holding = OnDisk(folder, 0)
    for number in range(1, rounds + 1):
        holding.recorded(min(number - 1, recorded))
        holding.hold(1, number, of(number))
        holding.counted(1, number)
    return holding


@pytest.mark.parametrize("recorded", [0, 1, 3, 5])
def test_a_run_goes_on_from_its_last_recorded_round(tmp_path: Path, recorded: int) -> None:
    lived(tmp_path / "held", 6, recorded)
    again = OnDisk(tmp_path / "held", recorded)
    for number in range(1, recorded + 1):  # told again, from the journal
        again.counted(1, number)
    found = again.before(1, recorded + 1)
    assert (found and found["control"][0]) == (recorded or None)


def test_few_files_stay_and_none_after_the_end(tmp_path: Path) -> None:
    holding = lived(tmp_path / "held", 50, 50)
    assert len(list((tmp_path / "held").iterdir())) <= 3
    holding.remove()
    assert not (tmp_path / "held").exists()
    holding.remove()


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    holding = lived(tmp_path / "held", 1, 1)
    next((tmp_path / "held").iterdir()).write_bytes(b"torn")
    with pytest.raises(DamagedError, match="--fresh"):
        holding.before(1, 2)
