"""A run leaves a recording of one node, which costs it little and never ends it."""

from pathlib import Path

import pytest
from a_simulated_run import Quiet, interrupt_after, simulate

from fedtui.control.recording import read
from fedtui.experiments import watched
from fedtui.experiments.watched import NoSuchNodeError, recording_of
from fedtui.status import NodeStatus


def told(run: Path, node: int = 0) -> list[tuple[float, NodeStatus]]:
    with recording_of(run, node).open("rb") as file:
        return list(read(file))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watched")
    return simulate(folder, watch_node=2)[0]


def test_the_end_of_a_recording_is_the_end_of_the_run(run: Path) -> None:
    at_s, end = told(run, 2)[-1]
    assert end.final
    assert end.label == "simulated 2"
    assert end.scores[-1].round == 3
    assert at_s > 0
    assert [path.name for path in run.glob("*.recording")] == ["node-2.recording"]


def test_a_run_that_goes_on_is_recorded_from_its_beginning(tmp_path: Path) -> None:
    run, _ = simulate(tmp_path, show=Quiet(interrupt_after(2)))
    half = told(run)[-1][1]
    assert not half.final
    simulate(tmp_path)
    whole = told(run)
    assert whole[0][0] == 0.0
    assert whole[-1][1].final
    scores = {one.round: one for one in whole[-1][1].scores}
    assert all(scores[one.round] == one for one in half.scores)


def test_whoever_is_watched_changes_nothing(tmp_path: Path, run: Path) -> None:
    simulate(tmp_path, watch_node=0)
    for name in ("model.safetensors", "nodes.parquet"):
        assert (tmp_path / "run" / name).read_bytes() == (run / name).read_bytes()


def test_there_must_be_such_a_node(tmp_path: Path) -> None:
    with pytest.raises(NoSuchNodeError, match=r"--watch-node is 4, .* has nodes 0 to 3"):
        simulate(tmp_path, watch_node=4)


def test_a_recording_has_a_bound_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "MAX_BYTES", 20_000)
    show = Quiet()
    _, info = simulate(tmp_path, show=show)
    assert info.state == "finished"
    assert [text for text in show.said if "node-0.recording" in text and "ends here" in text]
    assert recording_of(tmp_path / "run", 0).stat().st_size <= 20_000
    assert told(tmp_path / "run")


def test_a_disk_that_fills_up_ends_the_recording_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(watched, "write_all", full)
    show = Quiet()
    _, info = simulate(tmp_path, show=show)
    assert info.state == "finished"
    assert sum("No space left" in text for text in show.said) == 1


def test_what_costs_too_much_comes_with_a_later_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "_SHARE", 0.0)
    monkeypatch.setattr(watched, "_SAVED_S", 0.0)
    simulate(tmp_path)
    ((_, end),) = told(tmp_path / "run")  # only the last, which is written in any case
    assert end.final
    assert end.scores[-1].round == 3
