"""Diagnostics name nobody: no text of the node, its coordinator or its peers is in them."""

import a_status
import msgspec
import pytest
from msgspec.structs import replace

from fedtui.status import NodeStatus
from fedtui.tui.diagnostics import of


@pytest.mark.parametrize(
    "status", [a_status.normal(), a_status.offline(), a_status.alarm(), a_status.empty()]
)
def test_no_name_address_id_or_sentence_is_in_them(status: NodeStatus) -> None:
    text = msgspec.json.encode(of(status)).decode()
    secret = [status.label, status.node_id, status.fingerprint, status.sentence]
    if status.coordinator is not None:
        secret += [status.coordinator.address, status.coordinator.label]
        secret += [status.coordinator.fingerprint]
    if status.plan is not None:
        secret += [status.plan.federation, status.plan.plan_hash]
    secret += [line.text for line in status.log] + [peer.fingerprint for peer in status.roster]
    secret += [line.digest for line in status.ledger] + [one.text for one in status.alarms]
    for word in filter(None, secret):
        assert word not in text


def test_what_a_bug_report_needs_is_in_them() -> None:
    found = of(replace(a_status.alarm(), state="paused"))
    assert found["state"] == "paused"
    assert found["alarms"]
    assert found["rounds"][0][2] in {"counted", "late", "refused", "sat out", "failed"}
    assert found["log"][0][1:] != []
