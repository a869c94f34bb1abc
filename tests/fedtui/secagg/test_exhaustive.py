"""Up to five nodes, exhaustively: everything that a lying coordinator can show to each of them.

For every node the real Participant says which (U1, U2) it accepts, with which seeds it masks for
that U1, and what it reveals. Then symbols take over: every choice of c colluders, and every way to
show each honest node one of those pairs (or no U2 at all). A secret counts as known if t shares of
it are revealed or held by colluders, who vote for anything and reveal everything; a mask comes off
if its seed can be computed, or if the sum holds it twice. What opens must be a sum

    over at least min(minimum, t) - c honest nodes           (claim 1 of secagg.md)
    of nodes that were all shown the same U1                 (section 3: another U1 gives noise)

and never may both secrets of an honest node be known. A node that is shown nothing, or masks and
is silent, tells no more than one that votes for a set that nobody else votes for.

A node may be asked about refused sets first: what it then accepts counts too.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product

import pytest
from a_cohort import ATTEMPT, Cohort, twin
from a_liar import certificate, context2_of, honest_roster, signed_mailbox, signed_survivors

from fedtui.secagg import context
from fedtui.secagg.participant import RefusedError


@dataclass(frozen=True, slots=True)
class Shown:
    """One (U1, U2) that a node goes along with; U2 empty: it never votes. Sets are bit masks."""

    included: int
    survivors: int
    seeds: tuple[tuple[int, bytes], ...]  # (other node, seed of the mask with it)
    named: bytes
    quorum: int
    selves: int
    masks: int


def bits(nodes):
    return sum(1 << node for node in nodes)


def subsets(num):
    """Every set of positions, the largest first: there the secrets are."""
    return [s for size in range(num, 0, -1) for s in combinations(range(num), size)]


def accepts(participant, method, message):
    """The twin of a node that went along with a message and its answer; or None."""
    other = twin(participant)
    try:
        return other, getattr(other, method)(message)
    except RefusedError:
        return None


class Asked:
    """What one real node of a cohort accepts, and what it then says."""

    def __init__(self, cohort, roster, node, sealed) -> None:
        self.cohort, self.roster, self.node, self.sealed = cohort, roster, node, sealed
        self.num = cohort.num
        self.nagged = self._nagged()
        self.shown = [one for included in subsets(self.num) for one in self._with(included)]

    def _with(self, included):
        letter = self._letter(included)
        done = accepts(self.cohort.participants[self.node], "masks", letter)
        done = done or accepts(self.nagged, "masks", letter)
        if done is None:
            return
        participant, masks = done
        others = [o for o in participant._roster.graph.neighbours(self.node) if o in included]
        higher = [o for o in others if o > self.node]
        lower = [o for o in others if o < self.node]
        seeds = (
            *zip(higher, masks.plus[1:], strict=True),
            *zip(lower, masks.minus, strict=True),
        )
        for survivors in subsets(self.num):
            yield from self._voting(participant, included, survivors, seeds)
        yield Shown(bits(included), 0, seeds, b"", 0, 0, 0)

    def _voting(self, participant, included, survivors, seeds):
        context3 = context.included_context(context2_of(self.roster, ATTEMPT), included)
        message = signed_survivors(context3, ATTEMPT, survivors)
        done = accepts(participant, "vote", message)
        if done is None:
            return
        voter, vote = done
        votes = [
            (p, self.cohort.identities[p].sign(context.VOTE, vote.survivors)) for p in survivors
        ]
        for quorum in range(len(votes) + 1):
            revealed = accepts(voter, "reveal", certificate(ATTEMPT, votes[:quorum]))
            if revealed:
                yield Shown(
                    bits(included),
                    bits(survivors),
                    seeds,
                    vote.survivors,
                    quorum,
                    bits(one.position for one in revealed[1].selves),
                    bits(one.position for one in revealed[1].masks),
                )
                return

    def _letter(self, included):
        sealed = [(p, self.sealed[p, self.node]) for p in included if p != self.node]
        return signed_mailbox(self.roster, ATTEMPT, included, sealed)

    def _nagged(self):
        """The node after it refused every set that it refuses."""
        nagged = twin(self.cohort.participants[self.node])
        for included in subsets(self.num):
            if not accepts(nagged, "masks", self._letter(included)):
                with suppress(RefusedError):
                    nagged.masks(self._letter(included))
        return nagged


@cache
def everything(num, c, minimum):
    """What each node accepts, and the real threshold of its secrets."""
    cohort = Cohort(num, c=c, minimum=minimum)
    roster = honest_roster(cohort)
    sealed = {
        (node, one.position): one.sealed
        for node, participant in enumerate(cohort.participants)
        for one in participant.share(roster).sealed
    }
    shown = [Asked(cohort, roster, node, sealed).shown for node in range(num)]
    return shown, cohort.participants[0]._roster.threshold


def knowledge(choice, colluders, threshold):
    """Bit masks of the honest nodes whose self masks, and whose mask keys, are known."""
    num_colluders = colluders.bit_count()
    voters = {}
    for node, one in choice.items():
        if one.survivors:
            voters[one.named] = voters.get(one.named, 0) | 1 << node
    selves, keys = dict.fromkeys(choice, num_colluders), dict.fromkeys(choice, num_colluders)
    for one in choice.values():
        if not one.survivors:
            continue
        votes = (voters[one.named] | colluders) & one.survivors
        if votes.bit_count() >= one.quorum:
            for node in choice:
                selves[node] += one.selves >> node & 1
                keys[node] += one.masks >> node & 1
    return tuple(
        bits(node for node, count in counts.items() if count >= threshold)
        for counts in (selves, keys)
    )


def opened(choice, selves, keys):
    """The smallest sets of honest nodes whose sums open: nothing unknown is left on them."""
    holders = {}  # unknown seed -> who has it on the vector
    for node, one in choice.items():
        for other, seed in one.seeds:
            if other in choice and not (keys >> node & 1 or keys >> other & 1):
                holders.setdefault(seed, set()).add(node)
    parts = {node: {node} for node in choice}
    for pair in holders.values():
        joined = set().union(*(parts[node] for node in pair))
        for node in joined:
            parts[node] = joined
    stuck = {min(pair) for pair in holders.values() if len(pair) == 1}
    stuck |= {node for node in choice if not selves >> node & 1}
    return {frozenset(part) for part in parts.values() if not part & stuck}


CASES = [
    *((3, 1, 3), (4, 1, 3), (4, 1, 4), (4, 2, 4)),
    *((5, 1, 3), (5, 1, 4), (5, 1, 5), (5, 2, 4), (5, 2, 5), (5, 3, 5)),
]


@pytest.mark.parametrize(("num", "c", "minimum"), CASES)
def test_nothing_that_can_be_shown_opens_a_sum_of_too_few(num, c, minimum):
    shown, threshold = everything(num, c, minimum)
    floor = min(minimum, (num + c) // 2 + 1) - c
    sums = 0
    for colluders in combinations(range(num), c):
        honest = [node for node in range(num) if node not in colluders]
        for each in product(*(shown[node] for node in honest)):
            choice = dict(zip(honest, each, strict=True))
            selves, keys = knowledge(choice, bits(colluders), threshold)
            assert not selves & keys, f"both secrets: {choice}"
            for nodes in opened(choice, selves, keys) if selves else ():
                sums += 1
                assert len(nodes) >= floor, f"a sum of {sorted(nodes)}: {choice}"
                seen = {choice[node].included for node in nodes}
                assert len(seen) == 1, f"two U1 in the sum of {sorted(nodes)}: {choice}"
    assert sums, "no sum opened at all: the test tests nothing"


@pytest.mark.parametrize(("num", "c", "minimum"), CASES)
def test_each_node_goes_along_with_exactly_the_sets_that_section_6_allows(num, c, minimum):
    shown, threshold = everything(num, c, minimum)
    assert threshold == (num + c) // 2 + 1
    least = max(minimum, threshold)
    for node, accepted in enumerate(shown):
        assert {(one.included, one.survivors, one.quorum) for one in accepted} == {
            (bits(included), bits(survivors), threshold if survivors else 0)
            for included in subsets(num)
            if node in included and len(included) >= least
            for survivors in [*subsets(num), ()]
            if not survivors
            or (node in survivors and set(survivors) <= set(included) and len(survivors) >= least)
        }
        for one in accepted:
            assert one.selves == one.survivors
            assert one.masks == (one.included & ~one.survivors if one.survivors else 0)
