"""Change files: served as a chain that is shorter than the model, and never of another model."""

from pathlib import Path

import numpy as np
import pytest
from fake_files import FaithlessFiles, PowerLossError
from hypothesis import given
from hypothesis import strategies as st

from coordinator.changefiles import ChangeWriter, change_name, leftovers, open_change
from coordinator.files import DISK
from coordinator.library import MAX_CHAIN, Library
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.rounds.plan import FederationSection, Plan, TaskSection
from fedtui.wire import changes

D = 1000
MANIFEST = Manifest((TensorSpec("w", (D,)),))
PLAN = Plan(federation=FederationSection(name="f"), task=TaskSection(name="digits"))


def digest(number: int) -> bytes:
    return number.to_bytes(32, "big")


def put(folder: Path, number: int, *, base: int | None = None, length: int = 500) -> str:
    """A file that says it leads from one model to the next; what is between is not looked at."""
    head = changes.header(8, D, digest(number - 1 if base is None else base))
    writer = ChangeWriter(folder, number)
    writer.write(head)
    writer.write(bytes(length - len(head) - 32))
    writer.finish(digest(number))
    return change_name(number)


def library(folder: Path, names: dict[bytes, str], newest: int) -> Library:
    (folder / "model").write_bytes(b"not opened")
    one = Library(folder, PLAN, MANIFEST)
    one.serve({digest(newest): "model"}, names)
    return one


@pytest.mark.parametrize("held", [7, 8, 9])
def test_who_holds_an_older_model_gets_the_changes_from_it(tmp_path: Path, held: int) -> None:
    names = {digest(n): put(tmp_path, n, length=500 + n) for n in range(5, 11)}
    found = library(tmp_path, names, 10).model(digest(10), digest(held))
    assert found is not None
    opening, source = found
    chain = range(held + 1, 11)
    whole = b"".join((tmp_path / change_name(n)).read_bytes() for n in chain)
    assert (opening.kind, opening.digest, opening.num_bytes) == ("change", digest(10), len(whole))
    pieces = [bytes(source.read(at, min(77, len(whole) - at))) for at in range(0, len(whole), 77)]
    assert b"".join(pieces) == whole


def model_instead(one: Library, have: int) -> bool:
    """Whether the whole model would be opened; its file is none, which says so."""
    try:
        found = one.model(digest(10), digest(have))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the model's
        return "model" in str(error)
    assert found is not None
    return found[0].kind == "model"


def test_what_is_longer_than_the_model_or_not_here_is_no_chain(tmp_path: Path) -> None:
    names = {digest(n): put(tmp_path, n, length=1001) for n in range(5, 11)}
    one = library(tmp_path, names, 10)
    assert not model_instead(one, 7)
    assert model_instead(one, 6), "four of them are longer than 4,000 bytes"
    assert model_instead(one, 99), "a model that nobody here knows"
    assert model_instead(one, 10), "it has it already: then it is damaged"
    (tmp_path / names[digest(9)]).unlink()
    assert model_instead(one, 8)
    assert not model_instead(one, 9)


def test_a_change_of_an_attempt_that_a_crash_undid_is_never_sent(tmp_path: Path) -> None:
    name = put(tmp_path, 10)
    assert open_change(tmp_path / name, digest(11)) is None
    one = library(tmp_path, {digest(10): put(tmp_path, 10, base=3)}, 10)
    assert model_instead(one, 9)


@pytest.mark.parametrize("content", [b"", b"x", bytes(32), changes.header(8, D, digest(9))])
def test_what_is_no_change_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / change_name(10)
    path.write_bytes(content)
    assert open_change(path, digest(10)) is None
    assert open_change(tmp_path / "missing", digest(10)) is None


def test_chains_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    assert MAX_CHAIN > 5
    one = library(tmp_path, {digest(10): put(tmp_path, 10, base=10, length=100)}, 10)
    assert model_instead(one, 3)


@given(st.integers(0, 30), st.integers(0, 2**32))
def test_after_a_power_loss_a_change_is_whole_or_not_there(stop_at: int, seed: int) -> None:
    folder = Path("/models")
    files = FaithlessFiles(stop_at=stop_at)
    done = False
    try:
        writer = ChangeWriter(folder, 10, files=files)
        writer.write(changes.header(8, D, digest(9)))
        writer.write(bytes(100))
        writer.finish(digest(10))
        done = True
    except PowerLossError:
        pass
    found = files.crash(np.random.default_rng(seed))
    there = folder / change_name(10) in found.names_now
    assert there or not done
    if there:
        change = open_change(folder / change_name(10), digest(10), files=found)
        assert change is not None
        assert (change.base, change.num_bytes) == (digest(9), changes.HEADER.size + 100 + 32)


def test_what_is_not_finished_is_removed(tmp_path: Path) -> None:
    writer = ChangeWriter(tmp_path, 3)
    writer.write(b"half")
    writer.abandon()
    assert DISK.names(tmp_path) == []
    writer = ChangeWriter(tmp_path, 3)
    writer.finish(digest(3))
    writer.abandon()
    assert DISK.names(tmp_path) == [change_name(3)]


def test_only_changes_to_old_models_go() -> None:
    names = [change_name(n) for n in range(1, 11)]
    names += ["change-1.bin", "change-000001.bin.bak", "model-000001.safetensors"]
    assert leftovers(names, 9, keep=3) == [change_name(n) for n in range(1, 7)]


def test_who_fetches_the_same_shares_its_open_files(tmp_path: Path) -> None:
    """A thousand nodes begin a round at once, and a process may have a thousand files open."""
    names = {digest(n): put(tmp_path, n) for n in range(5, 11)}
    one = library(tmp_path, names, 10)
    found = [one.model(digest(10), digest(8)) for _ in range(2)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0][1] is found[1][1]
