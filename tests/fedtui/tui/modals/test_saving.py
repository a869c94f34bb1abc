"""Saving: a new file of the operator's own, or the reason why not, in place."""

import stat
from pathlib import Path

import a_status
import pytest
from a_screen import running, screen_of, text_of

from fedtui.tui.modals.saving import SaveAs, write_new


def test_a_new_file_is_private_and_an_old_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_new(path, "one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_new(path, "two")
    assert path.read_text() == "one"


@pytest.mark.parametrize(
    ("name", "says"), [("old", "exists already"), ("no/such/folder", "cannot write")]
)
async def test_what_cannot_be_written_is_told_in_place(
    tmp_path: Path, name: str, says: str
) -> None:
    (tmp_path / "old").write_text("mine")
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await app.push_screen(SaveAs("it", tmp_path / name, "text"))
        await pilot.pause()
        await pilot.press("enter")
        while says not in text_of(app):
            await pilot.pause(0.01)
        assert isinstance(app.screen, SaveAs)
        assert (tmp_path / "old").read_text() == "mine"
