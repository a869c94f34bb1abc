"""The means of groups on disk: what was written is read, and nothing has a name."""

from pathlib import Path

import numpy as np

from coordinator.groupfiles import GroupFiles


def test_each_mean_comes_back_and_no_file_is_left(tmp_path: Path) -> None:
    first, second = np.arange(7, dtype="<f4"), np.ones(3, "<f4")
    with GroupFiles(tmp_path) as room:
        one, two = room.sheet(7), room.sheet(3)
        one.write(memoryview(first[:4]).cast("B"))
        two.write(memoryview(second).cast("B"))
        one.write(memoryview(first[4:]).cast("B"))
        assert list(tmp_path.iterdir()) == []
        np.testing.assert_array_equal(one.values().read(0, 100), first)
        np.testing.assert_array_equal(one.values().read(5, 2), first[5:])
        np.testing.assert_array_equal(two.values().read(0, 3), second)
        assert one.values().num_values == 7
    assert list(tmp_path.iterdir()) == []
