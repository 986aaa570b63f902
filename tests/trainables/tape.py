"""A recorder for the CPU: writes down every operation of a step, below autograd, and runs the list again.

What CUDA graphs do to kernels this does to operations, with the same rules: what Python decides is decided once, memory
stays where it is, generators go on drawing, and the host may not look at a value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

LOOKS = ("_local_scalar_dense", "nonzero", "equal", "masked_select", "_unique2")
"""Operations by which the host waits for a value or for a shape."""


class HostLooks(RuntimeError):
    """A step under recording asked the device for a value."""


class Writing(TorchDispatchMode):
    """Runs operations and appends them to ``written`` as (function, arguments, named arguments, outputs)."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("aten::")
        if name in LOOKS:
            raise HostLooks(name)
        outputs = func(*args, **(kwargs or {}))
        self.written.append((func, args, kwargs or {}, outputs))
        return outputs


class Tape:
    """See the module. Writing a step down runs it, so the first call of what ``record`` returns does nothing more."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.recorded = self.replayed = 0

    def record(self, step: Callable[[], None], generators: Sequence[torch.Generator]) -> Callable[[], None]:
        with Writing() as tape:
            step()
        leaves = tree_leaves([(args, kwargs) for _, args, kwargs, _ in tape.written])
        drawn = {leaf.initial_seed() for leaf in leaves if isinstance(leaf, torch.Generator)}
        assert drawn <= {generator.initial_seed() for generator in generators}, "a generator that is not recorded"
        self.recorded += 1
        has_run = True

        def replay() -> None:
            nonlocal has_run
            if not has_run:
                self.replayed += 1
                run(tape.written)
            has_run = False

        return replay


@torch.no_grad()
def run(written: list[tuple[Any, Any, Any, Any]]) -> None:
    """Run the operations again, each on what now lies where its arguments lay, and put its results where they were."""
    for func, args, kwargs, outputs in written:
        returns = func._schema.returns
        if returns and all(r.alias_info is not None and not r.alias_info.is_write for r in returns):
            continue  # a view: it is there already
        fresh = func(*args, **kwargs)
        for old, new in zip(tree_leaves(outputs), tree_leaves(fresh), strict=True):
            if isinstance(old, Tensor) and old is not new and old.data_ptr() != new.data_ptr():
                old.copy_(new)
