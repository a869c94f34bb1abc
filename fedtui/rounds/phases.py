"""What a node may be doing for the federation, and from which of it to which it may go."""

from enum import Enum


class Phase(Enum):
    """What the node is doing for the federation."""

    IDLE = "waiting for the coordinator"
    FETCHING = "receiving the global model"
    TRAINING = "training on this machine's examples"
    LATE = "training on for a round that went on without it"
    SHARING = "agreeing on masks with the other nodes"
    MASKING = "masking what leaves"
    UPLOADING = "sending the update"
    CONFIRMING = "opening the sum together with the other nodes"
    MEASURING = "measuring the global model on this machine's examples"
    LEFT = "left the federation"


TRANSITIONS: dict[tuple[Phase, str], Phase] = {
    (Phase.IDLE, "Offer or Evaluate"): Phase.FETCHING,
    (Phase.IDLE, "Offer of the round it trained for"): Phase.UPLOADING,
    (Phase.FETCHING, "model here, for an Offer"): Phase.TRAINING,
    (Phase.FETCHING, "model here, for an Evaluate"): Phase.MEASURING,
    (Phase.TRAINING, "trained"): Phase.UPLOADING,
    (Phase.IDLE, "Offer of the round it trained for, under masks"): Phase.SHARING,
    (Phase.TRAINING, "trained, under masks"): Phase.SHARING,
    (Phase.MEASURING, "measured, under masks"): Phase.SHARING,
    (Phase.SHARING, "Mailbox"): Phase.MASKING,
    (Phase.MASKING, "masked, for an Offer"): Phase.UPLOADING,
    (Phase.MASKING, "masked, for an Evaluate"): Phase.CONFIRMING,
    (Phase.UPLOADING, "receipt, under masks"): Phase.CONFIRMING,
    (Phase.CONFIRMING, "result, abort, deadline or pause"): Phase.IDLE,
    (Phase.SHARING, "abort, refusal, deadline or pause"): Phase.IDLE,
    (Phase.MASKING, "abort, failure, deadline or pause"): Phase.IDLE,
    (Phase.UPLOADING, "receipt or refusal"): Phase.IDLE,
    (Phase.TRAINING, "result, abort or deadline, where late updates count"): Phase.LATE,
    (Phase.LATE, "Offer that it is not too late for"): Phase.TRAINING,
    (Phase.LATE, "trained, Offer that it is too late for, failure, pause or end"): Phase.IDLE,
    (Phase.MEASURING, "measured"): Phase.IDLE,
    (Phase.FETCHING, "abort, failure, deadline or pause"): Phase.IDLE,
    (Phase.TRAINING, "abort, failure, deadline or pause"): Phase.IDLE,
    (Phase.UPLOADING, "abort, deadline or pause"): Phase.IDLE,
    (Phase.MEASURING, "failure, deadline, pause or a newer Offer"): Phase.IDLE,
    (Phase.IDLE, "leave"): Phase.LEFT,
}
