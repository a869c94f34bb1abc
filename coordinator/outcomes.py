"""What was done to a node, as one sentence: the same from a command and on the screen."""

from coordinator.answers import NodeLine
from coordinator.asks import AskApprove, AskEvict, AskReject, AskRevoke

AboutNode = AskApprove | AskReject | AskRevoke | AskEvict


def sentence(ask: AboutNode, line: NodeLine) -> str:
    """`line` is the node as it is now."""
    name = line.label or line.fingerprint
    match ask:
        case AskApprove():
            return f"{name} is enrolled as {line.role}"
        case AskReject():
            return f"{name} is turned away"
        case AskRevoke():
            return f"{name} is out"
        case AskEvict():
            return f"{name} is out of this round"
