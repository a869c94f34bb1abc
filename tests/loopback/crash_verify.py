"""What must be true of a state directory after any crash: `python -B crash_verify.py STATE`.

Opens it as a restarted coordinator does (which runs recovery and integrity_check), compares it
with every line of STATE/ack, recomputes every model, and then works on to the end.
"""

import sys
from contextlib import closing
from pathlib import Path

import numpy as np
from crash_child import (
    COORDINATOR,
    MANIFEST,
    live,
    promise_of,
    update_of,
)

from coordinator import audit
from coordinator.checkpoints import Checkpoint, open_checkpoint, verify
from coordinator.spool import Spool
from coordinator.store import Store
from fedtui.rounds.history import FederationSnapshot


def lost(state: Path, *, since: int = 0) -> list[str]:
    """Every promise that was broken, as sentences; nothing if all is well.

    `since` is the number of acknowledgements that an earlier call has checked.
    """
    return _look(state, since)[0]


def _look(state: Path, since: int) -> tuple[list[str], FederationSnapshot]:
    acks = (state / "ack").read_text().splitlines() if (state / "ack").exists() else []
    with closing(Store.open(state, identity=COORDINATOR)) as store:
        snapshot = store.load_federation() or FederationSnapshot()
        found = [line for line in acks[since:] if not kept(line, state, store, snapshot)]
    first = next((int(a.split()[1]) for a in acks[since:] if a.startswith("finished")), 0)
    found += wrong_models(state, snapshot, first=first if since else 0)
    report = audit.verify_directory(state, key=COORDINATOR.public)
    return found + list(report.problems), snapshot


def kept(line: str, state: Path, store: Store, snapshot: FederationSnapshot) -> bool:
    """Whether what this acknowledgement promised is so."""
    kind, *words = line.split()
    if kind == "invite":
        return True  # enrolment spends it: a lost one shows in the lines that follow
    if kind == "enrolled":
        return bytes.fromhex(words[0]) in store.roster.enrolled()
    if kind == "evaluated":
        return [r.score for r in snapshot.rounds if r.round == int(words[0])] == [float(words[0])]
    key = int(words[0]), int(words[1])
    done = {(r.round, r.attempt): r for r in snapshot.rounds}
    if kind == "finished":
        return key in done and done[key].model_digest.hex() == words[2]
    under_way = snapshot.open
    is_open = under_way is not None and key == (under_way.round, under_way.attempt)
    if kind == "started":
        return key <= snapshot.last_attempt and int(words[2]) < store.incarnation
    if kind == "survivors":
        wanted = tuple(bytes.fromhex(word) for word in words[2:])
        chosen = done[key].survivors if key in done else is_open and under_way.survivors
        return chosen == wanted
    assert kind == "update", line
    node = bytes.fromhex(words[2])
    if not is_open:  # finished, or given up for a later attempt: see wrong_models
        return key in done or key < snapshot.last_attempt
    spool = Spool(state / "spool", quota_bytes=10**6)
    stored = {update.node: update.digest for update in under_way.updates}
    promise = promise_of(*key, node)
    return stored.get(node) == promise.digest and spool.verify(promise)


def wrong_models(state: Path, snapshot: FederationSnapshot, *, first: int = 0) -> list[str]:
    """Models that are not exactly the one before plus the recorded survivors' updates."""
    rounds = [r for r in snapshot.rounds if r.round >= first - 1]
    named = [Checkpoint(r.checkpoint_name, r.round, r.model_digest, r.num_bytes) for r in rounds]
    folder = state / "checkpoints"
    found = [problem for c in named if (problem := verify(folder, c))]
    expected = np.zeros(MANIFEST.num_values, "<f4")
    for r in rounds if not found else ():
        for node in r.survivors:
            expected = expected + update_of(r.round, r.attempt, node)
        with open_checkpoint(folder / r.checkpoint_name, MANIFEST) as reader:
            model = np.frombuffer(reader.read(0, reader.num_bytes), "<f4")
        if r.round >= first and not np.array_equal(model, expected):
            found.append(f"model {r.round} is not the sum over its survivors")
        expected = model
    return found


def ends_well(state: Path) -> list[str]:
    """A restart finishes both rounds by itself, with nothing left over."""
    if status := live(state):
        return [f"the next life ended with {status}"]
    found, snapshot = _look(state, 0)
    if [r.round for r in snapshot.rounds] != [0, 1, 2] or snapshot.open is not None:
        found.append("the rounds were not finished")
    if snapshot.last_attempt[1] > 2:
        found.append("more than one attempt was lost")
    if list((state / "spool").iterdir()) or list(state.rglob("*.tmp")):
        found.append("files were left over")
    return found


if __name__ == "__main__":
    problems = lost(Path(sys.argv[1])) + ends_well(Path(sys.argv[1]))
    sys.exit("; ".join(problems) or 0)
