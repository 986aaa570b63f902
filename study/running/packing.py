"""Trials into batches, and how many of them fit at once on what a cluster has."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from study.config import Resources
from study.running.hosts import Host
from trainables.errors import ConfigError
from trainables.spec import TrialSpec

Item = TypeVar("Item")
BATCH_S = 30.0
"""Work a batch should hold. Below about ten times a worker's start (3 s) Tune leaves slots idle."""
MOST_BATCHES = 2000
"""What the driver keeps of a batch is kept to the end, so with very many trials batches grow instead."""
BATCHES_A_SLOT = 10
"""But each slot gets at least so many, or the last ones would leave slots idle for long."""


def pack(costs: list[tuple[Item, float]], slots: int) -> list[list[Item]]:
    """Batches of about BATCH_S of work each, the dearest first; at least one a slot where there are trials enough."""
    wanted = round(sum(seconds for _, seconds in costs) / BATCH_S)
    most = max(MOST_BATCHES, BATCHES_A_SLOT * slots)
    count = min(len(costs), max(slots, min(wanted, most)))
    batches: list[list[Item]] = [[] for _ in range(count)]
    loads = [(0.0, index) for index in range(count)]
    for spec, seconds in sorted(costs, key=lambda cost: -cost[1]):
        load, lightest = loads[0]
        batches[lightest].append(spec)
        heapq.heapreplace(loads, (load + seconds, lightest))
    order = sorted(loads, key=lambda load: (-load[0], load[1]))
    return [batches[index] for _, index in order]


def pack_by_share(
    costs: list[tuple[TrialSpec, float]],
    share_of: Callable[[TrialSpec], float],
    slots: Mapping[float, int],
    together: int = 1,
) -> list[tuple[float, list[TrialSpec]]]:
    """Batches of trials with the same share of a GPU, after that share; ``slots``: how many of each fit at once.

    Trials that a worker runs ``together`` come into one batch, side by side; they are of one kind as far as there are
    enough of it.
    """
    by_share: dict[float, list[tuple[TrialSpec, float]]] = {}
    for spec, seconds in costs:
        by_share.setdefault(share_of(spec), []).append((spec, seconds))
    return [
        (share, [spec for gang in batch for spec in gang])
        for share, some in by_share.items()
        for batch in pack(gangs(some, together), slots[share])
    ]


def gangs(costs: list[tuple[TrialSpec, float]], together: int) -> list[tuple[list[TrialSpec], float]]:
    """Trials in groups of ``together``, with what a group costs; those of one kind, which take equally long, first."""
    by_kind: dict[Hashable, list[tuple[TrialSpec, float]]] = {}
    for spec, seconds in costs:
        by_kind.setdefault(kind(spec) if together > 1 else spec.id, []).append((spec, seconds))
    whole, rest = [], []
    for some in by_kind.values():
        full = len(some) - len(some) % together
        whole += some[:full]
        rest += some[full:]
    ordered = whole + rest
    groups = [ordered[start : start + together] for start in range(0, len(ordered), together)]
    return [([spec for spec, _ in group], sum(seconds for _, seconds in group)) for group in groups]


def kind(spec: TrialSpec) -> Hashable:
    """Trials that take the same: hyperparameters that are fractions (rates, decays) move neither memory nor time."""
    values = tuple((name, value) for name, value in spec.hyperparameters.items() if not isinstance(value, float))
    return spec.method, values, spec.scale, spec.retrain, spec.dataset


def reserved(resources: Resources, gpu: float) -> dict[str, float]:
    """What Ray sets aside for a trial with this share of a GPU."""
    wanted = {"CPU": resources.cpu, "GPU": gpu, "memory": (resources.memory_gib or 0) * 2**30}
    return {kind: amount for kind, amount in wanted.items() if amount}


def fitting(wanted: Host, hosts: Iterable[Host]) -> int:
    """How many trials that each want so much fit at once on the hosts, none of which is split between two hosts."""
    return sum(int(min(host.get(kind, 0.0) / amount + 1e-9 for kind, amount in wanted.items())) for host in hosts)


def slots_of(resources: Resources, gpu: float, hosts: Sequence[Host]) -> int:
    """How many trials fit at once on the hosts. Raises ConfigError if not even one does."""
    wanted = reserved(resources, gpu)
    if slots := fitting(wanted, hosts):
        return slots
    most = {kind: max((host.get(kind, 0.0) for host in hosts), default=0.0) for kind in wanted}
    raise ConfigError(
        f"a trial asks for {listed(wanted)}, but no host of the cluster has all of that (the most on one is "
        f"{listed(most)}); lower resources in the study (--set resources.NAME=...) or give another --address"
    )


def listed(amounts: Mapping[str, float]) -> str:
    """Resources under the names they have in a study."""
    return ", ".join(
        f"memory_gib: {amount / 2**30:g}" if kind == "memory" else f"{kind.lower()}: {amount:g}"
        for kind, amount in amounts.items()
    )
