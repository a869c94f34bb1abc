"""Tracking over the whole coordinator: what the child hears, and that it may fail as it likes."""

import json
import sys
from pathlib import Path

import pytest
import structlog
from a_coordinator import ThinNode, make, serving, thin_nodes, until

from coordinator import tracking
from coordinator.layout import Layout
from coordinator.opening import read_settings
from fedtui.tomlfile import ConfigError
from fedtui.wire.messages import Ended

HEARS = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"


def wanting(tmp_path: Path, writers: str = '["tensorboard"]') -> Layout:
    layout = make(tmp_path / "f")
    text = layout.config.read_text().replace("# writers = []", f"writers = {writers}")
    layout.config.write_text(text)
    return layout


async def run_a_federation(layout: Layout) -> None:
    node = ThinNode(1)
    async with serving(layout) as service, thin_nodes(service, node, ThinNode(3)):
        await until(lambda: bool(node.heard) and isinstance(node.heard[-1], Ended))


async def test_each_round_is_told_with_score_cost_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = tmp_path / "heard"
    monkeypatch.setattr(tracking, "CHILD", (sys.executable, "-c", HEARS, str(heard)))
    layout = wanting(tmp_path)
    await run_a_federation(layout)
    begin, *told = map(json.loads, heard.read_text().splitlines())
    assert begin["writers"] == ["tensorboard"]
    assert begin["folder"] == str(layout.root / "tracking")
    assert (begin["name"], begin["about"]["task"]) == ("test", "digits")
    for number in (1, 2):
        figures: dict[str, float] = {}
        for line in told:
            if line["round"] == number:
                assert not figures.keys() & line["figures"].keys(), "told twice"
                figures |= line["figures"]
        assert figures["score"] == 0.8
        assert (figures["participants"], figures["dropped"]) == (2, 0)
        assert figures["bytes_up"] > 2 * 4 * 510
        assert figures["seconds"] > 0
    assert {line["round"] for line in told} == {1, 2}
    assert all(line["at"] > 1_700_000_000 for line in told)


@pytest.mark.parametrize(
    ("child", "said"),
    [
        (("/no/such/program",), "No such file"),
        ((sys.executable, "-c", "raise SystemExit(3)"), "it ended with status 3"),
        (
            (sys.executable, "-c", 'import sys; print(\'{"text":"no disk"}\'); sys.stdin.read()'),
            "no disk",
        ),
        ((sys.executable, "-c", "print('x' * 100_000); import time; time.sleep(100)"), "limit"),
    ],
)
async def test_a_round_never_fails_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, child: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr(tracking, "CHILD", child)
    with structlog.testing.capture_logs() as logs:
        await run_a_federation(wanting(tmp_path))
    warnings = [line for line in logs if "switched off" in line["event"]]
    assert any(said in line["text"] for line in warnings), warnings


async def test_a_child_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubborn = "import sys, time; open(sys.argv[1], 'w').close(); time.sleep(1000)"
    begun = tmp_path / "begun"
    monkeypatch.setattr(tracking, "CHILD", (sys.executable, "-c", stubborn, str(begun)))
    monkeypatch.setattr(tracking, "END_S", 0.05)
    await run_a_federation(wanting(tmp_path))  # hangs if it were waited for


async def test_without_writers_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = tmp_path / "heard"
    monkeypatch.setattr(tracking, "CHILD", (sys.executable, "-c", HEARS, str(heard)))
    await run_a_federation(make(tmp_path / "f"))
    assert not heard.exists()


def test_an_unknown_writer_is_refused_with_what_there_is(tmp_path: Path) -> None:
    layout = wanting(tmp_path, '["wandb"]')
    with pytest.raises(ConfigError, match="no writer 'wandb'; there are: mlflow, tensorboard"):
        read_settings(layout)


@pytest.mark.slow
async def test_both_trackers_write_what_a_real_federation_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "END_S", 300.0)  # they take seconds to load
    layout = wanting(tmp_path, '["tensorboard", "mlflow"]')
    await run_a_federation(layout)
    (events,) = (layout.root / "tracking" / "tensorboard").iterdir()
    assert b"score" in events.read_bytes()
    assert (layout.root / "tracking" / "mlflow" / "mlflow.db").is_file()
