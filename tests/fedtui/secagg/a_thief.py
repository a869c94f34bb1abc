"""What a coordinator can open with all it has: vectors, revealed shares, colluders' memories.

`opened()` tries every set of honest nodes: it takes away every mask whose seed follows from what
was revealed, and looks whether the sum of their plain vectors is left.
"""

from itertools import combinations

import numpy as np

from fedtui.crypto import shamir
from fedtui.secagg import context


class Thief:
    def __init__(self, cohort) -> None:
        self.cohort = cohort
        self.vectors, self.included, self.contexts = {}, {}, {}
        self._shares = {}  # ("mask" or "own", of) -> {holder: share}
        self._secrets = {}  # the same key -> the secret itself
        self.colluders = set()

    def take(self, node, words, included, context3):
        """A masked vector, and the U1 that its node was shown."""
        self.vectors[node], self.included[node] = words, included
        self.contexts[node] = context3

    def hear(self, holder, reveal):
        """Shares that a node revealed."""
        for kind, shares in (("own", reveal.selves), ("mask", reveal.masks)):
            for one in shares:
                self._learn(kind, one.position, holder, shamir.from_bytes(one.share))

    def know_all_of(self, node):
        """Everything in the memory of a node that colludes."""
        participant = self.cohort.participants[node]
        self.colluders.add(node)
        for of, shares in participant._held.items():
            for kind, share in zip(("mask", "own"), shares, strict=True):
                self._learn(kind, of, node, share)
        self._secrets["mask", node] = participant._drawn.mask
        self._secrets["own", node] = participant._drawn.own

    def secret(self, kind, of):
        """A secret, if enough shares of it are here and they are right."""
        known = self._shares.get((kind, of), {})
        threshold = self.cohort.participants[of]._roster.threshold
        if (kind, of) not in self._secrets and len(known) >= threshold:
            xs = sorted(holder + 1 for holder in known)[:threshold]
            found = shamir.Recovery(xs).value({h + 1: share for h, share in known.items()})
            drawn = self.cohort.participants[of]._drawn
            assert found == {"mask": drawn.mask, "own": drawn.own}[kind], "not what was shared"
            self._secrets[kind, of] = found
        return self._secrets.get((kind, of))

    def opened(self):
        """Sets of honest nodes of which the plain sum is known."""
        honest = sorted(self.vectors.keys() - self.colluders)
        cleared = {node: self._cleared(node) for node in honest}
        plain = {node: self.cohort.vector(node) for node in honest}
        return {
            frozenset(nodes)
            for size in range(1, len(honest) + 1)
            for nodes in combinations(honest, size)
            if np.array_equal(sum(cleared[n] for n in nodes), sum(plain[n] for n in nodes))
        }

    def smallest(self):
        """The fewest honest nodes whose sum is known; None if none is."""
        return min(map(len, self.opened()), default=None)

    def _cleared(self, node):
        """A vector without the masks that are known; the others stay on it."""
        context3, plus, minus = self.contexts[node], [], []
        own = self.secret("own", node)
        if own is not None:
            plus.append(context.self_seed(own, context3))
        for other in self.included[node]:
            shared = None if other == node else self._shared(node, other)
            if shared is not None:
                seed = context.pair_seed(shared, context3, node, other)
                (plus if other > node else minus).append(seed)
        return self.cohort._shifted(self.vectors[node], minus, plus)

    def _shared(self, one, two):
        for mine, theirs in ((one, two), (two, one)):
            secret = self.secret("mask", mine)
            if secret is not None:
                public = self.cohort.participants[theirs]._drawn.masking.public
                return context.mask_keys(secret).agree(public)
        return None

    def _learn(self, kind, of, holder, share):
        self._shares.setdefault((kind, of), {})[holder] = share
