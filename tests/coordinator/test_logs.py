"""K2, the half that is a formatter: what the log never says, whoever writes to it."""

import io
import json
import logging
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from coordinator import logs
from fedtui.crypto.keys import short_id
from fedtui.errors import CryptoError


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_are_json_with_time_and_level(tmp_path: Path) -> None:
    path = tmp_path / "log"
    logs.set_up("info", file=path)
    structlog.get_logger("x").info("round started", round=3, attempt=1)
    structlog.get_logger("x").debug("not this")
    logging.getLogger("aiohttp.server").warning("from a library: %s", 7)
    first, second = lines(path)
    assert {"ts", "level", "event", "round", "attempt"} <= set(first)
    assert (second["event"], second["level"]) == ("from a library: 7", "warning")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_K2_bytes_and_addresses_never_reach_the_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    logs.set_up("debug", file=path)
    log = structlog.get_logger("x")
    secret = bytes(range(32))
    log.warning("w", seed=secret, node=secret, sid=secret[:16], address="192.0.2.7", odd=object())
    log.debug("d", address="192.0.2.7", view=memoryview(secret))
    logging.getLogger("other").error("%s", "x" * 10)
    (warned, debugged, _) = lines(path)
    assert warned["seed"] == "<32 bytes>"
    assert warned["node"] == warned["sid"] == short_id(secret)
    assert "address" not in warned
    assert debugged["address"] == "192.0.2.7"
    text = path.read_text()
    assert secret.hex() not in text
    assert repr(secret) not in text


def test_K2_an_exception_shows_where_and_not_what_a_stranger_sent(tmp_path: Path) -> None:
    path = tmp_path / "log"
    logs.set_up("info", file=path)
    log = structlog.get_logger("x")
    try:
        int("canary from the network")
    except ValueError:
        log.exception("failed")
        logging.getLogger("lib").exception("lib failed")
    log.warning("ours", exc_info=CryptoError("our own words"))
    assert "canary" not in path.read_text()
    first, second, third = lines(path)
    assert first["error"] == second["error"] == "ValueError"
    where = first["where"]
    assert isinstance(where, list)
    assert where[-1].startswith("test_logs.py:")
    assert third["text"] == "our own words"


def test_long_texts_are_cut_and_files_rotate(tmp_path: Path) -> None:
    path = tmp_path / "log"
    logs.set_up("info", file=path, max_bytes=4096, keep=2)
    log = structlog.get_logger("x")
    for _ in range(60):
        log.info("long", text="x" * 5000)
    assert len(str(lines(path)[0]["text"])) == 400
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    assert all(p.stat().st_size <= 4096 for p in tmp_path.iterdir())


def test_without_a_file_it_is_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    captured = io.StringIO()
    monkeypatch.setattr(sys, "stderr", captured)
    logs.set_up("info")
    structlog.get_logger("x").info("here")
    assert json.loads(captured.getvalue())["event"] == "here"
