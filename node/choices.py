"""Choices: what the operator decides before joining, put into node.toml and checked.

One place for `fedtui join` and for the screen's wizard, so that both refuse the same.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import msgspec

from fedtui.wire.labels import safe_label
from node import config as configs
from node.config import NodeConfig
from node.exits import Exit, Stop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedtui.status import Setup


def with_setup(
    config: NodeConfig,
    choice: Setup,
    *,
    split_seed: int | None = None,
    threads: int | None = None,
) -> NodeConfig:
    """node.toml with what was chosen; what is None stays. Raises Stop if it cannot be.

    Paths must be whole: who wrote them may live in another folder than who reads them.
    """
    if choice.role not in {None, *get_args(configs.Role)}:
        raise Stop(
            f"there is no role {choice.role!r}",
            remedy="it is participant, evaluator or observer",
            exit_code=Exit.USAGE,
        )
    label = choice.label
    if label is None and config == NodeConfig():
        label = socket.gethostname().partition(".")[0]
    fields = {
        "path": None if choice.data is None else _whole(choice.data),
        "split": choice.split,
        "shard": choice.shard,
        "split_seed": split_seed,
    }
    data = msgspec.structs.replace(config.data, **_given(fields))
    configs.parse_shard(data.shard)
    limits = msgspec.structs.replace(config.limits, **_given({"threads": threads}))
    masked = None if choice.visible is None else not choice.visible
    privacy = msgspec.structs.replace(config.privacy, **_given({"require_masked": masked}))
    changed = msgspec.structs.replace(
        config,
        data=data,
        limits=limits,
        privacy=privacy,
        label=(safe_label(label) or "node") if label is not None else config.label,
        role=choice.role or config.role,
    )
    try:
        return msgspec.convert(msgspec.to_builtins(changed), NodeConfig)
    except msgspec.ValidationError as error:
        raise Stop(str(error), remedy="see 'fedtui join --help'", exit_code=Exit.USAGE) from error


def _given(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _whole(path: str) -> str:
    found = Path(path).expanduser()
    if path and not found.is_absolute():
        raise Stop(
            f"{path} says nothing without the folder that it is in",
            remedy="give the whole path, from / on",
            exit_code=Exit.USAGE,
        )
    return str(found) if path else ""
