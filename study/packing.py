"""Trials into batches, and how many of them fit at once on what a cluster has."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence

from study.config import Resources
from study.hosts import Host
from trainables.errors import ConfigError
from trainables.spec import TrialSpec

BATCH_S = 30.0
"""Work a batch should hold. Below about ten times a worker's start (3 s) Tune leaves slots idle."""
MOST_BATCHES = 2000
"""What the driver keeps of a batch is kept to the end, so with very many trials batches grow instead."""
BATCHES_A_SLOT = 10
"""But each slot gets at least so many, or the last ones would leave slots idle for long."""


def pack(costs: list[tuple[TrialSpec, float]], slots: int) -> list[list[TrialSpec]]:
    """Batches of about BATCH_S of work each, the dearest first; at least one a slot where there are trials enough."""
    wanted = round(sum(seconds for _, seconds in costs) / BATCH_S)
    most = max(MOST_BATCHES, BATCHES_A_SLOT * slots)
    count = min(len(costs), max(slots, min(wanted, most)))
    batches: list[list[TrialSpec]] = [[] for _ in range(count)]
    loads = [(0.0, index) for index in range(count)]
    for spec, seconds in sorted(costs, key=lambda cost: -cost[1]):
        load, lightest = loads[0]
        batches[lightest].append(spec)
        heapq.heapreplace(loads, (load + seconds, lightest))
    order = sorted(loads, key=lambda load: (-load[0], load[1]))
    return [batches[index] for _, index in order]


def pack_by_share(
    costs: list[tuple[TrialSpec, float]], share_of: Callable[[TrialSpec], float], slots: Mapping[float, int]
) -> list[tuple[float, list[TrialSpec]]]:
    """Batches of trials with the same share of a GPU, after that share; ``slots``: how many of each fit at once."""
    by_share: dict[float, list[tuple[TrialSpec, float]]] = {}
    for spec, seconds in costs:
        by_share.setdefault(share_of(spec), []).append((spec, seconds))
    return [(share, batch) for share, some in by_share.items() for batch in pack(some, slots[share])]


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
