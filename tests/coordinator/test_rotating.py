"""`key rotate`, `key show`: a new identity, whole or not at all, vouched for by the old (E3)."""

import json
from pathlib import Path

import pytest
from a_coordinator import ThinNode, invite, make, serving, until

from coordinator import cli, keeping, keystore, lineage, rotating
from coordinator.layout import Layout
from coordinator.opening import load_identity, open_store
from coordinator.refusals import LockedError
from fedtui.crypto.keys import fingerprint
from fedtui.crypto.stretch import Cost
from fedtui.wire.rotation import follow


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(rotating, "spoken", lambda *_: ("loyal", "draft"))
    return make(tmp_path / "f")


def actions(layout: Layout) -> list[str]:
    return [entry.action for entry in keeping.entries(layout, after=0)]


def test_E3_a_rotation_leads_from_the_old_key_to_the_new_one(layout: Layout) -> None:
    first = load_identity(layout).id
    report = rotating.rotate(layout)
    second = load_identity(layout).id
    assert (report.fingerprint, report.former) == (fingerprint(second), (fingerprint(first),))
    steps = lineage.leading_to(layout, second)
    assert follow(steps, first, to=second) == steps
    assert actions(layout).count("coordinator key rotated") == 1
    assert keeping.verify(layout, []).sound, "heads of the old key count"
    assert not (layout.root / keystore.NEXT_FILE).exists()
    rotating.rotate(layout)
    third = load_identity(layout).id
    assert [step.seq for step in lineage.leading_to(layout, third)] == [1, 2]
    verdict = keeping.verify(layout, [])
    assert verdict.sound
    assert verdict.num_heads >= 2
    assert rotating.show(layout).former == (fingerprint(first), fingerprint(second))


def test_heads_of_the_old_key_need_its_statement(layout: Layout) -> None:
    rotating.rotate(layout)
    assert keeping.verify(layout, []).sound
    layout.rotations.unlink()
    assert not keeping.verify(layout, []).sound


async def test_a_running_coordinator_keeps_its_key(layout: Layout) -> None:
    before = layout.identity.read_bytes()
    async with serving(layout):
        with pytest.raises(LockedError):
            rotating.rotate(layout)
    assert layout.identity.read_bytes() == before
    assert not layout.rotations.exists()


@pytest.mark.parametrize("where", ["draw_next", "write", "promote", "open_store"])
def test_a_crash_leaves_one_identity_that_serves(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    first = load_identity(layout).id
    owner = {"draw_next": keystore, "write": lineage, "promote": keystore, "open_store": rotating}
    real, calls = getattr(owner[where], where), []

    def crash(*arguments: object, **options: object) -> object:
        calls.append(1)
        if where == "open_store" and len(calls) == 1:
            return real(*arguments, **options)
        if where == "draw_next":
            real(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner[where], where, crash)
        with pytest.raises(KeyboardInterrupt):
            rotating.rotate(layout)
    identity = load_identity(layout)
    assert (identity.id != first) is (where == "open_store")
    open_store(layout, identity).close()
    found = actions(layout).count("coordinator key rotated")
    assert found == (1 if where == "open_store" else 0)
    rotating.rotate(layout)
    last = load_identity(layout).id
    assert follow(lineage.leading_to(layout, last), first, to=last)


def test_a_locked_key_stays_locked(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cheap = Cost(1, 8)
    layout.identity.unlink()
    layout.state.joinpath("coordinator.db").unlink()
    keystore.create(layout.root, "open sesame", cost=cheap)
    secret = tmp_path / "secret"
    secret.write_text("open sesame\n")
    monkeypatch.setenv("FEDTUI_PASSPHRASE_FILE", str(secret))
    real = keystore.draw_next
    monkeypatch.setattr(keystore, "draw_next", lambda *a: real(*a, cost=cheap))
    rotating.rotate(layout)
    assert keystore.is_locked(layout.root)
    assert load_identity(layout)


def test_the_commands(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    first = fingerprint(load_identity(layout).id)
    assert cli._run(["key", "rotate", "--dir", str(layout.root), "--json"]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert found["former"] == [first]
    assert found["fingerprint"] == fingerprint(load_identity(layout).id) != first
    assert "rotations.json" in shown.err
    assert cli._run(["key", "show", "--dir", str(layout.root)]) == 0
    assert capsys.readouterr().out == (
        f"fingerprint  {found['fingerprint']}\nin words     loyal draft\nformerly     {first}\n"
    )
    assert cli._run(["key", "rotate", "--dir", str(layout.root / "nowhere")]) == 66


async def test_E3_nodes_follow_a_rotated_coordinator_and_stop_at_a_stranger(
    layout: Layout,
) -> None:
    first = load_identity(layout).id
    node = ThinNode(1)
    async with serving(layout) as service:
        old_invite = await invite(service)
        await node.start(service, await invite(service))
        await until(lambda: node.enrolled)
        await node.stop()
    rotating.rotate(layout)
    async with serving(layout) as service:
        again, invited = ThinNode(1), ThinNode(2)
        again.dial(service.ports.nodes, first)
        await until(lambda: again.enrolled)
        assert again.link is not None
        assert [step.old.id for step in again.link.successions] == [first]
        again.link.reconnect()
        await until(lambda: len(again.drops) == 1 and again.link.connected)
        assert len(again.link.successions) == 1, "from then on the new key is the pinned one"
        invited.dial(service.ports.nodes, first, old_invite)
        await until(lambda: invited.enrolled)
        await again.stop()
        await invited.stop()
    layout.rotations.unlink()
    async with serving(layout) as service:
        stopped = ThinNode(1)
        stopped.dial(service.ports.nodes, first)
        assert stopped.run is not None
        assert (await stopped.run).code == 4003
        assert not stopped.heard
