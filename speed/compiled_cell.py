"""What torch.compile makes of the supernet's cell on the CPU, compile time included.

    python speed/compiled_cell.py [rounds]

A pair is an architecture step and a weight step of first-order DARTS. Both networks start from the same weights; in
every round each runs its pairs, in turns. Times are on the clock with one thread a search, as trials run; the machine
should have nothing else to do. ``pays from`` is the number of pairs after which compiling has been worth its time, were
all of them that much faster.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from statistics import median
from typing import Any

import torch
from gpu_pairs import Size, trial
from torch import nn

from trainables.methods.differentiable import DifferentiableSearch
from trainables.spaces.nas_bench_201.supernet import SearchCell
from trainables.trial import Trial

SIZES = (Size(8, 1, 64, 8), Size(8, 1, 64, 16), Size(16, 1, 64, 32), Size(16, 5, 64, 32))
"""The first is that of the quickstart, the last the published one."""
PAIRS = {8: 20, 16: 10, 32: 4}
"""By side: pairs an epoch."""
ROUNDS = 5


def compile_cells(made: Trial) -> None:
    """In place: cells of one shape share what is compiled."""
    assert isinstance(made.search, DifferentiableSearch)
    for module in made.search.supernet.modules():
        if isinstance(module, SearchCell):
            nn.Module.compile(module)


def timed_s(made: Trial) -> float:
    started = time.perf_counter()
    made.advance()
    return time.perf_counter() - started


def compare(size: Size, rounds: int) -> dict[str, Any]:
    """Milliseconds a pair of both, seconds of compiling, and the largest difference of losses after an epoch."""
    pairs = PAIRS[size.side]
    plain, compiled = (trial(size, pairs, "cpu") for _ in range(2))
    compile_cells(compiled)
    first = {"plain": timed_s(plain), "compiled": timed_s(compiled)}
    second = timed_s(compiled)  # what the first epoch's last lines still compile
    timed_s(plain)
    times: dict[str, list[float]] = {"plain": [], "compiled": []}
    for _ in range(rounds):
        times["plain"].append(timed_s(plain))
        times["compiled"].append(timed_s(compiled))
    ms = {name: 1000 * median(seconds) / pairs for name, seconds in times.items()}
    compiling = first["compiled"] + second - 2 * median(times["compiled"])
    saved = ms["plain"] - ms["compiled"]
    losses = [made.epochs[0]["train_loss"] for made in (plain, compiled)]
    return {
        "plain ms": ms["plain"], "compiled ms": ms["compiled"], "ratio": ms["plain"] / ms["compiled"],
        "compiling s": compiling, "pays from": 1000 * compiling / saved if saved > 0 else float("inf"),
        "loss differs by": abs(losses[0] - losses[1]),
    }  # fmt: skip


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    torch.set_num_threads(1)
    torch._dynamo.config.recompile_limit = 64  # nodes, modes and sizes are more than the 8 that would do
    with tempfile.TemporaryDirectory() as cache:  # so that nothing compiled earlier is found
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        for size in SIZES:
            torch.compiler.reset()
            found = compare(size, rounds)
            print(size, ", ".join(f"{name} {value:.4g}" for name, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
