"""Accuracies on NAS-Bench-201 as their authors or later papers print them, to stand beside ours.

Only numbers whose printed source is named, and no more about each than it says: most do not say over how many
searches. Their ± is what is printed (for CDARTS the standard deviation with ddof = 0).
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from trainables.benchmarks.accuracies import ACCURACIES, Accuracy
from trainables.methods import METHODS

_IMAGE_SIZE = 32
_DRNAS_README = "table in the official repository of Chen et al., DrNAS (ICLR 2021)"


@dataclass(frozen=True)
class Printed:
    """One printed accuracy in percent; ``spread`` and ``n`` (searches) are None where the source does not say."""

    method: str
    accuracy: Accuracy
    mean: float
    spread: float | None
    n: int | None
    source: str


_NAMED = {str(accuracy): accuracy for accuracy in ACCURACIES}


def _printed(method: str, source: str, n: int | None = None, **values: tuple[float, float | None]) -> list[Printed]:
    return [Printed(method, _NAMED[name], mean, spread, n, source) for name, (mean, spread) in values.items()]


PRINTED = (
    *_printed("darts", _DRNAS_README,
              cifar10_test=(54.30, None), cifar100_test=(38.97, None), imagenet16_120_test=(18.41, None)),
    *_printed("snas", _DRNAS_README,
              cifar10_test=(92.77, 0.83), cifar100_test=(69.34, 1.98), imagenet16_120_test=(43.16, 2.64)),
    *_printed("pc_darts", _DRNAS_README,
              cifar10_test=(93.41, 0.30), cifar100_test=(67.48, 0.89), imagenet16_120_test=(41.31, 0.22)),
    *_printed("idarts", "Zhang et al., iDARTS (ICML 2021), leaderboard entry of the paper",
              cifar10_valid=(89.86, None), cifar10_test=(93.58, None), cifar100_valid=(70.57, None),
              cifar100_test=(70.83, None), imagenet16_120_valid=(40.38, None), imagenet16_120_test=(40.89, None)),
    *_printed("drnas", "Chen et al., DrNAS (ICLR 2021), headline result",
              cifar10_valid=(91.55, None), cifar10_test=(94.36, None), cifar100_valid=(73.49, None),
              cifar100_test=(73.51, None), imagenet16_120_valid=(46.37, None), imagenet16_120_test=(46.34, None)),
    *_printed("balenas", "Zhang et al., BaLeNAS (CVPR 2022), headline result of BaLeNAS-TF",
              cifar10_valid=(91.52, None), cifar10_test=(94.33, None), cifar100_valid=(72.67, None),
              cifar100_test=(72.95, None), imagenet16_120_valid=(46.14, None), imagenet16_120_test=(46.54, None)),
    *_printed("cdarts", "README of the official repository of Yu et al., CDARTS (TPAMI 2023)", 3,
              cifar10_valid=(91.12, 0.44), cifar10_test=(94.02, 0.31), cifar100_valid=(72.12, 1.23),
              cifar100_test=(71.92, 1.30), imagenet16_120_valid=(45.09, 0.61), imagenet16_120_test=(45.51, 0.72)),
    *_printed("gaea", "Li et al., GAEA (ICLR 2021), headline result of GAEA DARTS (ERM)",
              cifar10_test=(94.10, None), cifar100_test=(73.43, None), imagenet16_120_test=(46.36, None)),
)  # fmt: skip


def printed_for(trials: pd.DataFrame, column: str) -> pd.DataFrame:
    """What is printed of ``column``, an accuracy of the table: variant, mean, spread, n, source, scale.

    ``scale`` is False where the variant did not search at the method's published scale on images of 32 pixels. Variants
    of one method share its numbers: the printed ones are the method's at its authors' settings. Without rows where
    nothing is printed.
    """
    rows = []
    settings = ["method", "channels", "cells", "epochs", "image_size"]
    for variant, part in trials[["variant", *settings]].groupby("variant", observed=True):
        for known in PRINTED:
            if known.method == part["method"].iloc[0] and column == known.accuracy.column:
                scale = METHODS[known.method].published["nas_bench_201"]
                same = all((part[k] == getattr(scale, k)).fillna(False).all() for k in ("channels", "cells", "epochs"))
                same &= bool((part["image_size"].dropna() == _IMAGE_SIZE).all())
                rows.append({"variant": str(variant), "mean": known.mean, "spread": known.spread, "n": known.n,
                             "source": known.source, "scale": same})  # fmt: skip
    return pd.DataFrame(rows)
