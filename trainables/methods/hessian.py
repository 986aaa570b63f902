"""Exact second derivatives by differentiating twice: Hessian-vector products, and the eigenvalues of small Hessians."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trainables.later import Tensor, torch


def hessian_vector_product(
    gradients: Sequence[Tensor], variables: Sequence[Tensor], vector: Sequence[Tensor]
) -> list[Tensor]:
    """d<gradients, vector>/d(variables), of the variables' shapes.

    ``gradients`` come from ``torch.autograd.grad(..., create_graph=True)``; ``vector`` has their shapes. With gradients
    with respect to the same variables this is H v, with respect to others the mixed derivative times v. The graph is
    kept, so that several products share one pass through the network.
    """
    return list(torch.autograd.grad(gradients, variables, vector, retain_graph=True, materialize_grads=True))


def hessian(loss: Tensor, variable: Tensor) -> Tensor:
    """The Hessian [n, n] of a scalar loss with respect to one variable of n entries: n Hessian-vector products."""
    (gradient,) = torch.autograd.grad(loss, variable, create_graph=True)
    directions = torch.eye(variable.numel(), dtype=variable.dtype, device=variable.device)
    rows = [hessian_vector_product([gradient], [variable], [e.view_as(variable)])[0].flatten() for e in directions]
    return torch.stack(rows).detach()


def dominant_eigenvalue(loss: Tensor, variable: Tensor) -> float:
    """The largest (not: the largest in magnitude) eigenvalue of the Hessian; NaN where it is not finite."""
    matrix = hessian(loss, variable)
    if not matrix.isfinite().all():
        return float("nan")
    return float(torch.linalg.eigvalsh((matrix + matrix.T) / 2)[-1])


def largest_eigenvalue(loss: Tensor, variable: Tensor, start: Tensor, iterations: int = 50) -> float:
    """As ``dominant_eigenvalue``, by power iteration from ``start`` (of the variable's shape) instead of a full matrix.

    Power iteration finds the eigenvalue of largest magnitude. Where that is negative, a second one on the Hessian
    shifted by it finds the largest. Stops when an estimate moves by less than a thousandth; it also does so at another
    eigenvalue, where ``start`` has next to nothing of the wanted direction: of random ones in four dimensions one or
    two of 100.
    """
    (gradient,) = torch.autograd.grad(loss, variable, create_graph=True)

    def iterate(shift: float) -> float:
        vector, value = start / start.norm(), math.nan
        for _ in range(iterations):
            product = hessian_vector_product([gradient], [variable], [vector])[0] - shift * vector
            last, value = value, float((vector * product).sum())
            if not math.isfinite(value) or abs(value - last) <= 1e-3 * abs(value):
                break
            norm = product.norm()
            if norm == 0:
                return 0.0
            vector = product / norm
        return value

    value = iterate(0.0)
    return value if not value < 0 else iterate(value) + value
