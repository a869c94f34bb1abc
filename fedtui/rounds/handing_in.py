"""HandingIn: what an update's way out begins with, whether it is masked or visible.

The note in the ledger comes first, then the upload: what leaves is on disk before it leaves.
"""

from fedtui.rounds.machine import Note, ParticipantEffect, Prepared, Trained, Upload
from fedtui.rounds.plan import MASKED, VISIBLE
from fedtui.rounds.sums import TRAINING
from fedtui.wire.messages import Offer


def hand_in(
    offer: Offer, update: Trained | Prepared, *, incarnation: int
) -> list[ParticipantEffect]:
    """The effects that send `update` for `offer`; `incarnation` is the coordinator's present one.

    What was trained leaves visible, with its header; what was prepared leaves masked, without.
    """
    if isinstance(update, Trained):
        header = update.header
        own = sorted(header.sums.keys() - set(TRAINING))  # what the strategy says
        what = ", ".join(["update", "number of examples", "training sums", *own])
        form = VISIBLE
    else:
        what, form, header = "update and training sums", MASKED, None
    return [
        Note(offer.round, offer.attempt, what, form, update.num_bytes, update.digest),
        Upload(
            incarnation=incarnation,
            round=offer.round,
            attempt=offer.attempt,
            num_bytes=update.num_bytes,
            digest=update.digest,
            manifest_digest=offer.manifest_digest,
            header=header,
        ),
    ]
