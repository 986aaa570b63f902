"""One candidate a row, run alone."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.later import F, Tensor


@dataclass(frozen=True, eq=False)
class SinglePath:
    """Row r is ``weights[r]`` * its candidate ``operations[r]`` of x + ``constants[r]``; both are [R]."""

    operations: tuple[int, ...]
    weights: Tensor
    constants: Tensor

    @classmethod
    def of(cls, mixing: Tensor) -> SinglePath:
        """The largest entry of each row of mixing [R, O] is the operation's weight, the others' sum the constant.

        For one-hot rows that is the mixture itself; entries that are zero by value may still carry gradient.
        """
        operations = mixing.argmax(dim=1)
        chosen = F.one_hot(operations, mixing.shape[1]).to(mixing.dtype)
        return cls(tuple(operations.tolist()), (mixing * chosen).sum(1), (mixing * (1 - chosen)).sum(1))

    def scaled(self, edges: Tensor) -> SinglePath:
        """The same path with row r multiplied by edges[r]."""
        return SinglePath(self.operations, self.weights * edges, self.constants * edges)
