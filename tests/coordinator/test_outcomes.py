"""What was done to a node is told in the same words everywhere."""

import pytest

from coordinator.answers import NodeLine
from coordinator.asks import AskApprove, AskEvict, AskReject, AskRevoke
from coordinator.outcomes import AboutNode, sentence


@pytest.mark.parametrize("label", ["birch", ""])
@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (AskApprove(fingerprint="BK6L"), "is enrolled as participant"),
        (AskReject(fingerprint="BK6L"), "is turned away"),
        (AskRevoke(fingerprint="BK6L"), "is out"),
        (AskEvict(fingerprint="BK6L"), "is out of this round"),
    ],
)
def test_it_names_the_node_and_what_became_of_it(ask: AboutNode, says: str, label: str) -> None:
    line = NodeLine(
        fingerprint="BK6L",
        label=label,
        role="participant",
        state="enrolled",
        connected=True,
        address="",
        invite=None,
        created=0.0,
        approved_by=None,
        last_seen=None,
    )
    assert sentence(ask, line) == f"{label or 'BK6L'} {says}"
