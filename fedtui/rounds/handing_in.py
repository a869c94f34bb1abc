"""HandingIn: what an update's way out begins with, whether it is masked or visible.

The note in the ledger comes first, then the upload: what leaves is on disk before it leaves.
"""

from fedtui.rounds import lateness
from fedtui.rounds.machine import Note, ParticipantEffect, Trained, Upload
from fedtui.rounds.masking_steps import Prepared
from fedtui.rounds.plan import MASKED, VISIBLE
from fedtui.rounds.sums import TRAINING
from fedtui.wire.messages import Offer


def hand_in(
    offer: Offer, trained: Trained, prepared: Prepared | None = None, *, incarnation: int
) -> list[ParticipantEffect]:
    """The effects that send an update for `offer`; `incarnation` is the coordinator's present one.

    What was trained leaves visible, with its header; or masked as it was prepared, without.
    """
    own = sorted(trained.header.sums.keys() - set(TRAINING))  # what the strategy says
    update: Trained | Prepared = trained
    if prepared is None:
        header, form, beside = trained.header, VISIBLE, ["number of examples", "training sums"]
    else:
        update, header, form, beside = prepared, None, MASKED, ["training sums"]
    if not trained.header.sums:  # as under [dp], where nothing is told beside it
        beside = []
    late = lateness.said(trained.header.base or offer.round, offer.round)
    what = _listed([_update(update.num_bytes, offer.model.num_bytes), *beside, *own]) + late
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


def _update(num_bytes: int, plain_bytes: int) -> str:
    """What the plan's transforms and lanes saved of it, if they did."""
    if num_bytes >= plain_bytes:
        return "update"
    return f"update ({num_bytes / plain_bytes:.0%} of its {plain_bytes / 1e6:.2f} MB)"


def _listed(parts: list[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
