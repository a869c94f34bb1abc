"""Terms: which numbers of a roster a node goes along with."""

from dataclasses import dataclass

from fedtui.secagg.context import RosterBody
from fedtui.secagg.graph import is_degree, quorum


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the plan and this node's operator demand of every attempt.

    `colluders` is exactly what the roster must name, `minimum` the least nodes of a sum, and
    `largest` the most of a roster. `group` is the least members of its groups, 0 without groups.
    `aes`: this node's processor has it.
    """

    colluders: int
    minimum: int
    largest: int
    group: int = 0
    aes: bool = False

    def refuse(self, roster: RosterBody) -> str | None:
        """Why a roster's numbers are not those agreed to, as a sentence; None if they are."""
        num_nodes = len(roster.entries)
        if roster.group != self.group:
            return (
                f"the roster is of groups of {roster.group} nodes; agreed were groups of "
                f"{self.group} (0: none)"
            )
        least = max(self.minimum, self.group)
        if not least <= num_nodes <= self.largest:
            return (
                f"the roster has {num_nodes} nodes; this node takes part with {least} to "
                f"{self.largest}"
            )
        if roster.colluders != self.colluders or roster.minimum != self.minimum:
            return (
                f"the roster counts on {roster.colluders} colluders and sums of "
                f"{roster.minimum} nodes; agreed were {self.colluders} and {self.minimum}"
            )
        if roster.group:
            return self._refuse_groups(roster)
        if not is_degree(num_nodes, roster.colluders, roster.degree):
            return (
                f"{roster.degree} neighbours a node are none that keep {num_nodes} nodes safe "
                f"from {roster.colluders} colluders"
            )
        return None

    def _refuse_groups(self, roster: RosterBody) -> str | None:
        needed = max(roster.minimum, quorum(roster.group, roster.colluders))
        if needed > roster.group:
            return (
                f"groups of {roster.group} nodes have no sum that {roster.colluders} colluders "
                f"leave safe: it needs {needed}"
            )
        if roster.degree:
            return "a roster of groups names neighbours; each group is everyone's neighbour"
        return None
