"""What simulated nodes hold for their strategy, on disk: one small file for each node and round.

Memory holds that of the nodes at work only. A file is whole and synced before the journal tells of
the training that made it. Those that a run needs to go on from its last recorded round stay, and
what a stopped run made after that round is removed when it goes on.
"""

import re
from collections import defaultdict
from pathlib import Path

import safetensors
import safetensors.numpy

from fedtui.experiments.disk import DamagedError, write_whole, writing
from fedtui.simulation.holding import Held

_NAME = re.compile(r"^node-(\d+)-round-(\d+)\.safetensors$")


class OnDisk:
    """Files in `folder`, which is made with the first of them."""

    def __init__(self, folder: Path, until: int) -> None:
        """Go on after round `until`. Raises DiskError."""
        self._folder = folder
        self._recorded = until
        self._rounds: defaultdict[int, set[int]] = defaultdict(set)
        self._counted: set[tuple[int, int]] = set()  # node, round: told again with the run
        if not folder.is_dir():
            return
        with writing(folder):
            for path in sorted(folder.iterdir()):
                found = _NAME.match(path.name)
                if found and int(found[2]) <= until:
                    self._rounds[int(found[1])].add(int(found[2]))
                else:
                    path.unlink()

    def before(self, node: int, number: int) -> Held | None:
        earlier = [
            one for one in self._rounds[node] if one < number and (node, one) in self._counted
        ]
        if not earlier:
            return None
        path = self._path(node, max(earlier))
        try:
            return dict(safetensors.numpy.load(path.read_bytes()))
        except (OSError, safetensors.SafetensorError) as error:
            raise DamagedError(f"{path}: cannot be read ({error}); use --fresh") from error

    def hold(self, node: int, number: int, held: Held) -> None:
        with writing(self._folder):
            self._folder.mkdir(exist_ok=True)
        write_whole(self._path(node, number), safetensors.numpy.save(held))
        rounds = self._rounds[node]
        rounds.add(number)
        counted = [one for one in rounds if (node, one) in self._counted]
        needed = max((one for one in counted if one <= self._recorded), default=0)
        for old in [one for one in rounds if one < needed]:
            self._path(node, old).unlink(missing_ok=True)
            rounds.discard(old)

    def counted(self, node: int, number: int, *, yes: bool = True) -> None:
        if yes and number in self._rounds[node]:
            self._counted.add((node, number))
        else:
            self._counted.discard((node, number))

    def recorded(self, number: int) -> None:
        """All rounds up to this one are on disk: nobody goes on from an earlier one."""
        self._recorded = number

    def remove(self) -> None:
        """Of a run that came to its end."""
        for path in list(self._folder.iterdir()) if self._folder.is_dir() else []:
            path.unlink(missing_ok=True)
        if self._folder.is_dir():
            self._folder.rmdir()

    def _path(self, node: int, number: int) -> Path:
        return self._folder / f"node-{node}-round-{number}.safetensors"
