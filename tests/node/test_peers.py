"""A node is new once, also after a restart, and in each federation by itself."""

from pathlib import Path

import pytest

from node import peers
from node.peers import Peers

A, B, C = (bytes([number]) * 32 for number in (1, 2, 3))
F, G = b"f" * 32, b"g" * 32


def test_a_node_is_new_once_also_in_the_next_life(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    known = Peers(path)
    assert not known.knows(F)
    assert known.met(F, (A, B)) == {A, B}
    assert known.met(F, (A, B)) == frozenset()
    assert known.knows(F)
    again = Peers(path)
    assert again.met(F, (A, C)) == {C}
    assert again.met(G, (A,)) == {A}
    assert not again.knows(b"h" * 32)


def test_a_damaged_file_is_as_none(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    path.write_bytes(b'{"federations": 7}')
    assert Peers(path).met(F, (A,)) == {A}
    assert Peers(path).met(F, (A,)) == frozenset()


def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "MAX_KNOWN", 3)
    monkeypatch.setattr(peers, "MAX_FEDERATIONS", 2)
    known = Peers(tmp_path / "peers.json")
    known.met(F, (A,))
    known.met(G, (A, B))
    known.met(b"h" * 32, [bytes([number]) * 32 for number in range(10)])
    again = Peers(tmp_path / "peers.json")
    assert not again.knows(F)
    assert again.knows(G)
    assert (tmp_path / "peers.json").read_bytes().count(b'"') < 2 * (3 + 3 + 4)


def test_what_cannot_be_written_is_still_known_while_this_runs(tmp_path: Path) -> None:
    known = Peers(tmp_path / "no folder" / "peers.json")
    with pytest.raises(OSError, match="No such file"):
        known.met(F, (A,))
    assert known.met(F, (A,)) == frozenset()
