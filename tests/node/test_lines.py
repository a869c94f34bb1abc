"""Files of lines: what was appended is there after any crash, and nothing else."""

from pathlib import Path

import msgspec
import pytest

from node import lines
from node.lines import Lines, read

DECODER = msgspec.json.Decoder(int)


def test_lines_come_back_in_order_and_damaged_ones_as_none(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    assert list(read(path, DECODER)) == []
    file = Lines(path)
    file.append(b"1")
    file.append(b"nonsense")
    file.append(b"2")
    file.close()
    file.close()
    assert list(read(path, DECODER)) == [1, None, 2]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("torn", [b"", b"x", b"y" * 100_000])
def test_R2_what_follows_the_last_newline_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"1\n" + torn)
    file = Lines(path)
    if len(torn) < lines.MAX_LINE_BYTES:
        assert file.torn_bytes == len(torn)
        assert path.read_bytes() == b"1\n"
    else:
        assert file.torn_bytes == lines.MAX_LINE_BYTES, "no line of ours is that long"
    file.close()


@pytest.mark.parametrize("call", ["_write_all", "_sync"])
def test_L5_a_failed_append_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "lines"
    file = Lines(path)
    file.append(b"1")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(lines, call, full)
        with pytest.raises(OSError, match="space"):
            file.append(b"2")
    file.append(b"3")
    assert list(read(path, DECODER)) == [1, 3]
    file.close()


def test_a_short_write_is_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lines"
    file = Lines(path)
    real = lines.os.write
    with monkeypatch.context() as broken:
        broken.setattr(lines.os, "write", lambda fd, data: real(fd, data[:-2]))
        with pytest.raises(OSError, match="no space left"):
            file.append(b"12345")
    assert path.read_bytes() == b""
    file.close()
