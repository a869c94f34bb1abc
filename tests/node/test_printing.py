"""What people read: all that matters is in it, and nothing breaks on an empty or a full status."""

import msgspec
from fake_node import PLAN

from fedtui import status
from fedtui.status import NodeStatus
from node import printing

LINE = status.LedgerLine(
    at=0.0, round=3, attempt=2, what="update", num_bytes=1234, form="visible", receiver="AAAA"
)
FULL = NodeStatus(
    label="alder",
    state="training",
    sentence="training for round 3",
    coordinator=status.Coordinator(
        label="clinics", address="c:1", fingerprint="BBBB", pinned_at=1.0
    ),
    plan=PLAN,
    consented=True,
    round=status.Round(number=3, attempt=2, phase="train"),
    training=status.Training(fraction=0.25),
    scores=(status.Score(round=2, metric="accuracy", score=0.5, num_examples=9, num_nodes=2),),
    traffic=status.Traffic(up=1_500_000, round_trip_s=0.012),
    ledger=(LINE,),
    problem=status.Problem(text="slow", remedy="wait"),
)


def test_an_empty_status_can_be_read() -> None:
    text = printing.status_text(NodeStatus())
    assert "IDLE" in text.splitlines()[0]
    assert "nothing yet" in text


def test_a_full_status_answers_first() -> None:
    text = printing.status_text(FULL)
    assert text.splitlines()[0].split() == ["state", "TRAINING:", "training", "for", "round", "3"]
    for words in ("slow", "wait", "BBBB", "25%", "0.5000", "1.5 MB", "12 ms", "1,234 bytes"):
        assert words in text


def test_a_plan_that_is_not_agreed_to_says_so() -> None:
    text = printing.status_text(NodeStatus(plan=PLAN))
    assert "NOT AGREED" in text
    assert "visible" not in text, "nothing leaves before consent"


def test_the_plan_says_each_item_and_what_changed() -> None:
    text = printing.plan_text(PLAN)
    for leaf in PLAN.leaves:
        assert leaf.item in text
        assert leaf.form in text
        assert leaf.reader in text
    assert PLAN.plan_hash in text
    changed = msgspec.structs.replace(PLAN, differs=("[training] epochs: 1 is now 2",))
    assert "epochs: 1 is now 2" in printing.plan_text(changed)


def test_nothing_is_wider_than_80_columns_and_no_fingerprint_is_cut() -> None:
    fingerprint = "-".join(["ABCD"] * 8)
    one = status.Coordinator(label="clinics", address="c:1", fingerprint=fingerprint)
    text = printing.status_text(msgspec.structs.replace(FULL, coordinator=one))
    text += "\n" + printing.plan_text(PLAN)
    assert max(len(line) for line in text.splitlines()) < 80
    assert fingerprint in text


def test_commands_are_named_for_the_profile() -> None:
    text = "fedtui join, 'fedtui task add', fedtui --profile X join, a node, fedtui-coordinator"
    assert printing.for_profile(text, "default") == text
    assert printing.for_profile(text, "a") == (
        "fedtui --profile a join, 'fedtui --profile a task add', fedtui --profile X join, "
        "a node, fedtui-coordinator"
    )
    seen = NodeStatus(profile="a", plan=PLAN)
    assert "NOT AGREED: fedtui --profile a join" in " ".join(printing.status_text(seen).split())


def test_the_ledger_names_receiver_and_form_once_while_they_stay_the_same() -> None:
    other = msgspec.structs.replace(LINE, receiver="BBBB")
    lines = printing.ledger_text((LINE, LINE, other), num_entries=3, num_bytes=0).splitlines()
    assert [line for line in lines if line.startswith("to ")] == [
        "to AAAA, visible:",
        "to BBBB, visible:",
    ]
    assert sum("round   3.2" in line and "1,234 bytes  update" in line for line in lines) == 3


def test_a_masked_update_is_followed_by_the_sum_that_it_went_into() -> None:
    found = status.MaskedSum(
        num_nodes=3,
        cohort=5,
        ready=5,
        threshold=4,
        colluders=1,
        num_honest=2,
        num_lost=2,
        lost=("CCCC",),
    )
    line = msgspec.structs.replace(LINE, sum=found)
    text = printing.ledger_text((line, LINE), num_entries=2, num_bytes=0)
    assert (
        "in a sum of 3 nodes, without CCCC and 1 more; cohort of 5, 5 ready, 4 open it; the "
        "coordinator and up to 1 node in league can learn sums over at least 2 honest nodes"
    ) in " ".join(text.split())
    assert text.count("in a sum of") == 1


def test_who_of_the_cohort_dropped_out_or_is_new_is_in_the_status() -> None:
    privacy = status.Privacy(masked=True, cohort=3, threshold=3, minimum=3, colluders=1)
    roster = (
        status.Peer(fingerprint="AAAA", is_me=True),
        status.Peer(fingerprint="BBBB", lost=True),
        status.Peer(fingerprint="CCCC", is_new=True),
    )
    seen = msgspec.structs.replace(FULL, privacy=privacy, roster=roster)
    told = "; dropped out: BBBB; never seen before: CCCC"
    assert (
        "cohort masked, 3 nodes in the last roster, 3 open a sum of 3 or more, 1 node may collude"
        f"{told}"
    ) in " ".join(printing.status_text(seen).split())
    rest = msgspec.structs.replace(privacy, cohort=4)
    at_rest = msgspec.structs.replace(seen, privacy=rest)
    assert f"masked, 3 nodes in the last roster{told}" in " ".join(
        printing.status_text(at_rest).split()
    )
    assert "cohort" not in printing.status_text(msgspec.structs.replace(seen, roster=()))


def test_lists() -> None:
    log = status.LogLine(at=0.0, level="warning", text="x")
    assert "warning x" in printing.log_text((log,))
    report = status.CheckReport(facts=("4 examples",), problems=("bad",))
    assert printing.check_text(report).splitlines() == ["ok       4 examples", "bad"]


def test_the_ledgers_sum_is_of_all_that_left_and_says_what_is_not_in_it() -> None:
    empty = printing.ledger_text((), num_entries=0, num_bytes=0).splitlines()
    whole = printing.ledger_text((LINE, LINE), num_entries=2, num_bytes=2468).splitlines()
    tail = printing.ledger_text((LINE, LINE), num_entries=1200, num_bytes=88_000).splitlines()
    assert empty[0] == "no update and no sums have left this machine"
    assert whole[-3] == "2 entries, 2,468 bytes"
    assert tail[-3] == "the last 2 of 1,200 entries; 88,000 bytes in all"
    for lines in (empty, whole, tail):
        assert "control messages" in lines[-2]
        assert "fedtui status" in lines[-1]


def test_sizes() -> None:
    said = [printing.size(number) for number in (0, 999, 1000, 1e6, 2.5e9, 1e15)]
    assert said == ["0 B", "999 B", "1.0 kB", "1.0 MB", "2.5 GB", "1000.0 TB"]


def test_the_status_says_whether_updates_are_masked_once_that_is_agreed() -> None:
    plan = msgspec.structs.replace(PLAN, privacy="updates are masked")
    seen = msgspec.structs.replace(FULL, plan=plan)
    assert "\nprivacy      updates are masked\n" in printing.status_text(seen)
    assert b'"privacy":"updates are masked"' in msgspec.json.encode(seen)
    asked = msgspec.structs.replace(seen, consented=False)
    assert "updates are masked" not in printing.status_text(asked)
