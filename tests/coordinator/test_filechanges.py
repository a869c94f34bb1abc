"""The audit chain says with which files a coordinator began, when they are others than before."""

import asyncio
from pathlib import Path

import pytest
from a_coordinator import make

from coordinator import filechanges, keeping, serving
from coordinator.layout import Layout
from coordinator.opening import load_identity, read_settings


def serve_once(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A life of the program that ends as soon as it serves."""
    monkeypatch.setattr(serving, "_greet", lambda service, *_: service.stop())
    monkeypatch.setattr(serving, "_listen_to_signals", lambda *_: None)
    run = serving._Run((), as_json=True, announce=False)
    asyncio.run(serving._serve(read_settings(layout), load_identity(layout), run))


def told(layout: Layout) -> list[tuple[str, str]]:
    kinds = {filechanges.IN_USE, filechanges.CHANGED}
    found = keeping.entries(layout, after=0)
    return [(entry.object, entry.action) for entry in found if entry.action in kinds]


def test_a_changed_file_is_audited_at_the_next_start_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = make(tmp_path / "f")
    begun = [("coordinator.toml", filechanges.IN_USE), ("plan.toml", filechanges.IN_USE)]
    serve_once(layout, monkeypatch)
    assert told(layout) == begun, "the same files as init made"
    layout.config.write_text(layout.config.read_text() + "\n# looked at\n")
    serve_once(layout, monkeypatch)
    serve_once(layout, monkeypatch)
    assert told(layout) == [*begun, ("coordinator.toml", filechanges.CHANGED)]
    layout.plan.write_text(layout.plan.read_text().replace("maximum = 2", "maximum = 3"))
    serve_once(layout, monkeypatch)
    assert told(layout)[3:] == [("plan.toml", filechanges.CHANGED)]
    assert keeping.verify(layout, ()).sound


def test_a_directory_of_before_says_at_its_first_start_what_it_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filechanges, "first", lambda _: [])
    layout = make(tmp_path / "f")
    serve_once(layout, monkeypatch)
    assert told(layout) == [
        ("coordinator.toml", filechanges.IN_USE),
        ("plan.toml", filechanges.IN_USE),
    ]
