"""`fedtui-simulate watch`: the screen on a node of a real run, and lines where there is none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from a_screen import drawn, text_of
from a_simulated_run import simulate
from a_terminal import ATerminal

from fedtui.experiments.cli_watch import screen_of

COMMAND = [sys.executable, "-m", "fedtui.experiments.main"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("run"))[0]


def ask(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)


def test_lines_tell_the_run_to_its_end(run: Path) -> None:
    done = ask("watch", str(run), "--plain")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "node simulated 0; its time is virtual, from 0:00 on"
    assert lines[1].startswith("00:00:00 connecting")
    assert any("leaves here: round 1, update" in line for line in lines)
    assert any("round 3: accuracy 0." in line for line in lines)
    assert lines[-1] == "the run is over: finished after 3 rounds: all 3 rounds done"


def test_what_cannot_be_watched_is_said_in_one_line(run: Path, tmp_path: Path) -> None:
    missing = ask("watch", str(tmp_path / "none"))
    assert missing.returncode != 0
    assert "there is no such folder" in missing.stderr
    other = ask("watch", str(run), "--node", "2")
    assert "node 2 was not recorded, but: 0; give --node 0" in other.stderr
    both = ask("watch", str(run), "--end", "--speed", "2")
    assert both.returncode == 2
    assert "Traceback" not in missing.stderr + other.stderr + both.stderr


@pytest.mark.screen
@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_the_screen_shows_round_score_and_what_leaves(
    run: Path, size: tuple[int, int]
) -> None:
    app = screen_of(run, 0, 0.0)
    async with app.run_test(size=size) as pilot:
        while not app.store.live.read_only.endswith("done"):
            await pilot.pause(0.01)
        await drawn(app, pilot)
        text = text_of(app)
        assert "round 3/3" in text
        assert "simulated, virtual time" in text
        assert "view only" in text
        assert "masked" in text
        assert "never: your data" in text
        score = app.store.live.status.scores[-1].score
        assert f"{score:.3f}" in text
        assert "accuracy" in text
        await pilot.press("p")
        await pilot.pause()
        assert app.store.live.status.state == "stopped"


@pytest.mark.loopback
async def test_a_terminal_shows_it_and_q_leaves(run: Path) -> None:
    environment = {**os.environ, "TERM": "xterm-256color"}
    terminal = ATerminal([*COMMAND, "watch", str(run), "--end"], environment, columns=120, rows=36)
    try:
        await terminal.until("simulated, virtual time; finished after 3 rounds")
        terminal.type("q")
        assert await terminal.ended() == 0
    finally:
        await terminal.close()
