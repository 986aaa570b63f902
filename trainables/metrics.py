"""What an epoch of a search records, declared once: the schema, what a report reads and what it draws follow from this.

Accuracies and shares are percent, times seconds. A method returns those it has from ``epoch()``; the others are null.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One number of an epoch. Where ``title`` is given, reports draw it over the search, ``axis`` beside it."""

    name: str
    meaning: str
    title: str = ""
    axis: str = ""


LEARNING = (
    Metric("train_loss", "mean over the epoch's training batches"),
    Metric("train_accuracy", "the same of the accuracy"),
    Metric("valid_loss", "mean over the epoch's architecture batches"),
    Metric("valid_accuracy", "the same of the accuracy"),
)
DIAGNOSTICS = (
    Metric(
        "entropy",
        "mean over edges of the mixing weights' entropy, in units of log(operations): 0..1",
        "Entropy of the mixing weights",
        "entropy (1 = uniform)",
    ),
    Metric("relaxed_accuracy", "shared weights under the mixing weights, on some held-out images"),
    Metric("discrete_accuracy", "the same under the cell alone; the difference is the discretisation gap"),
    Metric(
        "hessian_eigenvalue",
        "largest, of the validation loss in the architecture parameters",
        "Largest Hessian eigenvalue",
        "eigenvalue",
    ),
)
COURSE = (
    Metric("skip_share", "edges of the derived cell that are skip connections"),
    Metric("none_share", "edges of the derived cell that carry nothing"),
    Metric("pool_share", "edges of the derived cell that pool"),
    Metric("learning_rate", "of the weights"),
    Metric("simulated_s", "table searchers: training that the queries so far stand for"),
    Metric("wall_s", "of the epoch"),
)
