"""Niceness: of the process, and of the group of its session where there are such groups."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from node import niceness
from node.niceness import AUTOGROUP

PROGRAM = """\
import os, sys
from pathlib import Path
from node.niceness import give_way
give_way(int(sys.argv[1]), Path(sys.argv[2]))
print(os.nice(0))
"""


def nice_after(by: int, autogroup: Path, *, leads: bool = True) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(by), str(autogroup)],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=leads,
    )
    return int(done.stdout)


def test_it_and_the_group_of_its_session_give_way(tmp_path: Path) -> None:
    group = tmp_path / "autogroup"
    group.write_text("")
    before = nice_after(0, group)
    assert nice_after(5, group) == before + 5
    assert int(group.read_text()) == max(0, before + 5)


def test_a_session_with_others_in_it_is_left_alone(tmp_path: Path) -> None:
    group = tmp_path / "autogroup"
    group.write_text("")
    nice_after(5, group, leads=False)
    assert group.read_text() == ""


def test_nothing_happens_where_there_are_no_groups(tmp_path: Path) -> None:
    group = tmp_path / "autogroup"
    assert nice_after(5, group) == nice_after(0, group) + 5
    assert not group.exists()


@pytest.mark.parametrize(("refused", "taken"), [(3, True), (1000, False)])
def test_a_kernel_that_takes_one_at_a_time_is_asked_again_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: int, taken: bool
) -> None:
    group = tmp_path / "autogroup"
    group.write_text("")
    write, slept, tries = os.write, [], []

    def limited(fd: int, data: bytes) -> int:
        tries.append(data)
        if len(tries) <= refused:
            raise BlockingIOError
        return write(fd, data)

    monkeypatch.setattr(os, "write", limited)
    monkeypatch.setattr(os, "nice", lambda by: by)
    monkeypatch.setattr(os, "getsid", lambda _: os.getpid())
    niceness.give_way(5, group, sleep=slept.append)
    monkeypatch.undo()
    assert group.read_text() == ("5" if taken else "")
    assert len(tries) == (refused + 1 if taken else niceness.MAX_TRIES)
    assert set(slept) == {niceness.AGAIN_S}


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel has no autogroups")
def test_the_kernel_takes_it() -> None:
    program = (
        "from node.niceness import AUTOGROUP, give_way\ngive_way(7)\nprint(AUTOGROUP.read_text())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    )
    assert done.stdout.split()[-2:-1] == ["nice"]
    assert int(done.stdout.split()[-1]) >= 7
