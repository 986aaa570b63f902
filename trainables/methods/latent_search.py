"""Search in a latent space: which points to try next, given values at others, and which cells those points are.

    model     exact Gaussian process on points scaled to the unit cube and standardised values (BoTorch's SingleTaskGP:
              squared exponential, a length scale a dimension with the prior of Hvarfner et al., arXiv:2402.02229)
    acquire   log of the expected improvement (Ament et al., NeurIPS 2023, arXiv:2310.20708), maximised by L-BFGS-B from
              the best of ``STARTS`` quasi-random points
    a batch   one point after another; the model takes each at its own mean there, and so does the best value to improve

BoTorch is imported when first needed, which takes seconds. It draws from the global generator, which is seeded from the
given one for as long and put back afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trainables.later import Tensor, torch
from trainables.streams import seeded

STARTS = 512
FIT_STEPS, ACQUISITION_STEPS = 50, 50
SMALLEST_SIDE = 1e-6


def propose(
    points: Tensor, values: Tensor, low: Tensor, high: Tensor, count: int, generator: torch.Generator
) -> Tensor:
    """``count`` points [count, L] of the box low..high [L], given values [n] (larger is better) at points [n, L].

    In the order of their choice, float64, as all arguments are expected to be.
    """
    from botorch.acquisition import LogExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.models.gpytorch import BatchedMultiOutputGPyTorchModel
    from botorch.optim import optimize_acqf
    from gpytorch.mlls import ExactMarginalLogLikelihood

    side = (high - low).clamp_min(SMALLEST_SIDE)
    cube = torch.stack([torch.zeros_like(side), torch.ones_like(side)])
    standardised = (values - values.mean()) / values.std().clamp_min(SMALLEST_SIDE)
    best, chosen = standardised.max(), []
    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    with seeded(seed):
        process = SingleTaskGP((points - low) / side, standardised[:, None], outcome_transform=None)
        likelihood = ExactMarginalLogLikelihood(process.likelihood, process)
        fit_gpytorch_mll(likelihood, optimizer_kwargs={"options": {"maxiter": FIT_STEPS}})
        model: BatchedMultiOutputGPyTorchModel = process
        for _ in range(count):
            point, _ = optimize_acqf(
                LogExpectedImprovement(model, best_f=best),
                cube,
                q=1,
                num_restarts=1,
                raw_samples=STARTS,
                options={"maxiter": ACQUISITION_STEPS},
            )
            believed = model.posterior(point).mean.detach()
            chosen.append(point)
            best = torch.maximum(best, believed.max())
            model = model.condition_on_observations(point, believed)
    return low + torch.cat(chosen) * side


def decode(
    points: Tensor, draw: Callable[[Tensor], list[int | None]], queried: Iterable[int], attempts: int
) -> list[int | None]:
    """For each point [P, L] the first cell drawn that is not queried yet, else the first of the others, if any.

    ``draw`` returns for each of the points it is given the index of a drawn cell, or None where the graph is no cell.
    No two points get the same new cell.
    """
    taken, new, known = set(queried), dict[int, int](), dict[int, int]()
    for _ in range(attempts):
        places = [place for place in range(len(points)) if place not in new]
        if not places:
            break
        for place, cell in zip(places, draw(points[places]), strict=True):
            if cell in taken:
                known.setdefault(place, cell)
            elif cell is not None:
                new[place] = cell
                taken.add(cell)
    return [new.get(place, known.get(place)) for place in range(len(points))]
