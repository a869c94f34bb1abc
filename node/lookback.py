"""Lookback: what a node remembers of its earlier rounds and of whom it met in them.

Opened once a membership. What was remembered is shown again at the start; what happens next is
written down by the RoundWatch that `watch` gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui import status
from node import history
from node.history import History
from node.peers import Peers
from node.watching import RoundWatch, Watched

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.telling.agreement import Agreement
    from fedtui.wire.messages import Role
    from node.home import Home

MOST_SHOWN = 256


class Lookback:
    """History and peers of one profile."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._peers = Peers(home.profile.peers)
        self._history: History | None = None
        try:
            self._history = History(home.profile.history)
        except OSError as error:
            text = f"the history of rounds cannot be opened: {error.strerror or error}"
            home.board.alarm("disk", text, remedy="free some space, or mend the disk")

    def show(self) -> None:
        """Show how earlier rounds came out, of the federation whose models are here."""
        federation = self._home.models.owner.federation_id
        board = self._home.board
        if not federation or board.status.rounds:
            return
        if self._home.models.num_counted != board.status.rounds_counted:
            counted = self._home.models.num_counted
            board.post(status.FederationBegan(rounds_counted=counted))
        for past in history.rounds(self._home.profile.history, MOST_SHOWN, federation=federation):
            board.post(status.RoundPassed(past=past))

    def watch(
        self,
        agreement: Agreement,
        *,
        role: Role,
        federation_id: bytes,
        totals: Callable[[], tuple[int, int]],
    ) -> RoundWatch:
        """What tells the board, and the history, of the rounds to come."""
        home = self._home
        return RoundWatch(
            Watched(
                board=home.board,
                plan=agreement.plan,
                role=role,
                me=home.identity.id,
                federation_id=federation_id,
                history=self._history,
                peers=self._peers,
                totals=totals,
                clock=home.clock,
            )
        )

    def close(self) -> None:
        if self._history is not None:
            self._history.close()
