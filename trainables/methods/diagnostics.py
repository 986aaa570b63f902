"""What an epoch of a weight-sharing search records of its relaxation. Nothing here changes the search."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from trainables.datasets import normalise
from trainables.later import F, Tensor, torch
from trainables.methods.hessian import largest_eigenvalue
from trainables.methods.search_method import Metrics

if TYPE_CHECKING:
    from trainables.methods.differentiable import DifferentiableSearch

IMAGES = 256
"""How many held-out images the accuracies are of, always the same: some percent of an epoch's work."""


def diagnostics(search: DifferentiableSearch[Any]) -> Metrics:
    """Of the search as it stands now.

    entropy (0 = discrete, 1 = uniform); relaxed_accuracy and discrete_accuracy (percent), whose difference is the
    discretisation gap; hessian_eigenvalue, on epochs where the study asks for it.
    """
    weights = search.scores().detach()
    entropy = -(weights * weights.clamp_min(1e-12).log()).sum(1).mean() / math.log(weights.shape[1])
    found = {"entropy": float(entropy), **discretisation(search)}
    every = search.context.hessian_every
    if every is not None and search.epochs_done % every == 0:
        found["hessian_eigenvalue"] = hessian_eigenvalue(search)
    return found


def discretisation(search: DifferentiableSearch[Any]) -> Metrics:
    """Accuracy in percent of the shared weights under the mixing weights, and under the derived cell alone.

    Both on the first held-out images (P3 has none: on training images), normalised by their own batch statistics,
    since running statistics are those of neither network.
    """
    images, labels = held_out(search, IMAGES)
    relaxed, discrete = search.relaxed(), search.one_hot(search.current())
    with torch.no_grad(), statistics_kept(search.supernet):
        return {
            name: 100.0 * float((search.forward(images, mixing).argmax(1) == labels).float().mean())
            for name, mixing in (("relaxed_accuracy", relaxed), ("discrete_accuracy", discrete))
        }


def hessian_eigenvalue(search: DifferentiableSearch[Any]) -> float:
    """The largest eigenvalue of d2 L_valid/dalpha2 on a batch of held-out images, by power iteration."""
    images, labels = held_out(search, search.context.scale.batch_size)
    stream = search.context.streams("diagnostics.hessian")
    start = torch.randn(search.alpha.shape, generator=stream).to(search.alpha.device)
    with statistics_kept(search.supernet), search.supernet.twice_differentiable():
        loss = F.cross_entropy(search.forward(images, search.relaxed()), labels)
        return largest_eigenvalue(loss, search.alpha, start)


def held_out(search: DifferentiableSearch[Any], count: int) -> tuple[Tensor, Tensor]:
    """The first ``count`` held-out images, normalised, and their labels."""
    return normalise(search.split.arch_images[:count], search.context.images), search.split.arch_labels[:count]


@contextmanager
def statistics_kept(network: torch.nn.Module) -> Iterator[None]:
    """Within this block train-mode passes leave the running statistics of batch normalisation as they were."""
    kept = [buffer.clone() for buffer in network.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(network.buffers(), kept, strict=True):
                buffer.copy_(value)
