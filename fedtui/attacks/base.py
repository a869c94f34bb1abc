"""Attack: what a virtual node may do to the federation; every file in this folder is one.

A simulation gives attacks to some of its nodes, to see what a strategy, an aggregator or a
clipping rule makes of them; real nodes never load this folder. An attacker follows the protocol
to the letter and lies with its data, its update or its number of examples: what nobody can check
from outside. (Those who break the protocol are in the tests of the machines.)

An attack changes nothing of what it is given: it returns new arrays, or the same ones untouched.
All its randomness is `rng`, seeded by run, node and round, so a run can be repeated.
"""

from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    import numpy as np

    from fedtui.learning.data import Array
    from fedtui.learning.params import Vector


class Attack(Protocol):
    """The three things that a node says of itself; left as they are, it is honest.

    `trains` False spares the simulation the training: `update` then gets zeros.
    """

    trains: ClassVar[bool] = True

    def examples(
        self,
        x: "Array",
        y: "Array",
        num_classes: int,  # noqa: ARG002
        rng: "np.random.Generator",  # noqa: ARG002
    ) -> tuple["Array", "Array"]:
        """What the node trains on instead of its own examples, before each round's training.

        `x` of shape (n, ...) is prepared for the model (float32), `y` of shape (n,); the answer
        has the same shapes and dtypes. `num_classes` is 0 for a regression.

        Raises:
            DataError: this attack is none on such data.
        """
        return x, y

    def update(self, update_D: "Vector", rng: "np.random.Generator") -> "Vector":  # noqa: ARG002
        """What the node sends instead of its update: finite float32 of shape (D,), as given.

        It comes after the plan's own clipping, which an attacker does not have to obey.
        """
        return update_D

    def claimed(self, num_examples: int) -> int:
        """How many examples the node says it has: 1 or more."""
        return num_examples
