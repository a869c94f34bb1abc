import struct
from pathlib import Path

import pytest

from fedtui import plugins
from fedtui.plugins import PluginError
from fedtui.tracking.base import TrackingError

pytestmark = pytest.mark.slow  # its package takes seconds to import


def records(path: Path) -> list[bytes]:
    """The payloads of a TFRecord file: length (8 bytes), its CRC (4), payload, its CRC (4)."""
    data, found = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        found.append(data[12 : 12 + length])
        data = data[16 + length :]
    return found


def test_scalars_carry_round_time_and_value(tmp_path: Path) -> None:
    tracker = plugins.build("tracking", "tensorboard", folder=str(tmp_path / "tb"))
    tracker.begin("run", {"seed": "7"})
    tracker.round(3, {"score": 0.5}, 1_700_000_000.25)
    tracker.end()
    (path,) = (tmp_path / "tb").iterdir()
    assert any(b"| seed | 7 |" in record for record in records(path))
    (scalar,) = [record for record in records(path) if b"score" in record]
    assert struct.pack("<d", 1_700_000_000.25) in scalar  # wall_time, a double
    assert b"\x10\x03" in scalar  # step, field 2, a varint
    assert struct.pack("<f", 0.5) in scalar  # simple_value, a float


def test_what_it_cannot_do_is_said(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="uri is not for TensorBoard"):
        plugins.build("tracking", "tensorboard", folder="x", uri="http://127.0.0.1:1")
    (tmp_path / "file").write_text("")
    tracker = plugins.build("tracking", "tensorboard", folder=str(tmp_path / "file" / "tb"))
    with pytest.raises(TrackingError, match="cannot be written: Not a directory"):
        tracker.begin("run", {})
