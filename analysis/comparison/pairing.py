"""The arms of a comparison, and whether two of them are compared seed by seed.

That equal seeds are pairs is a claim about how results came about. A study of this program makes it, a table from
elsewhere does not; the user may say otherwise. How many seeds two arms have in common decides nothing.

A seed fixes the initial weights, the order of the images and the draws of a search. Two arms share these random numbers
where they searched one space on the same images with supernets of the same size, and both train or both query the
table; how many epochs they train, and which protocol divides the images, does not undo it. What is not recorded is
taken as equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.pages.words import listed
from analysis.results import accuracies
from analysis.results.absent import absent_seeds
from analysis.statistics.estimate import FloatArray
from trainables.errors import StoreError

SHARED = (
    "space",
    "dataset",
    "dataset_fingerprint",
    "image_size",
    "train_images",
    "channels",
    "cells",
    "batch_size",
    "trains",
)
"""What two arms must have in common for a seed to mean the same to both; ``trains``: a protocol is recorded."""
RULE = (
    "Two arms of a study of this program are compared seed by seed where a seed draws the same for both: the same "
    "space, data set and images, the same supernet and batch size, and both train or both query the table. Otherwise, "
    "where --unpaired asks for it, and in tables from elsewhere without --paired, they are compared as independent "
    "samples. A seed that only one of two paired arms has is left out; how many are left decides nothing."
)

Signature = Mapping[str, frozenset[object]]


@dataclass(frozen=True, eq=False)
class Arm:
    """One variant in one value: ``seeds`` and ``values`` [trials], NaN where a trial gave none.

    Of ``values`` more is better: where less is, they are negative, and ``sign`` is -1. ``absent`` are the seeds of the
    others of which there is no trial.
    """

    name: str
    method: str
    seeds: np.ndarray
    values: FloatArray
    signature: Signature
    sign: int = 1
    absent: int = 0

    @property
    def known(self) -> np.ndarray:
        """[trials] whether a trial ended with a value."""
        return np.isfinite(self.values)

    @property
    def n(self) -> int:
        return int(self.known.sum())

    @property
    def lost(self) -> int:
        """Trials that failed, diverged or were not looked up."""
        return len(self.values) - self.n

    @property
    def recorded(self) -> FloatArray:
        """[trials] the values as they were recorded."""
        return self.sign * self.values

    @property
    def mean(self) -> float:
        """Of ``values``."""
        return float(self.values[self.known].mean()) if self.n else float("nan")

    @property
    def std(self) -> float:
        """Over the seeds, ddof = 1; NaN below two."""
        return float(self.values[self.known].std(ddof=1)) if self.n > 1 else float("nan")


@dataclass(frozen=True)
class Pairing:
    """Whether two arms are paired, and the reason in words where they are not."""

    paired: bool
    reason: str = ""


def arms(trials: pd.DataFrame, column: str) -> list[Arm]:
    """Every variant, best mean of ``column`` first. Raises StoreError where a variant has a seed twice."""
    found = []
    absent = absent_seeds(trials)
    signed = trials.assign(trains=trials["protocol"].notna())
    for name, rows in signed.groupby("variant", observed=True):
        rows = rows.sort_values("seed", kind="stable")
        if rows["seed"].duplicated().any():
            seed = rows.loc[rows["seed"].duplicated(), "seed"].iloc[0]
            raise StoreError(
                f"a comparison needs one trial a seed, but {name} has seed {seed} twice; compare one study at a time"
            )
        signature = {c: frozenset(rows[c].dropna()) for c in SHARED if rows[c].notna().any()}
        values = accuracies.better(rows, column).to_numpy(dtype=np.float64, na_value=np.nan)
        method, seeds = str(rows["method"].iloc[0]), rows["seed"].to_numpy(dtype=np.int64)
        found.append(Arm(str(name), method, seeds, values, signature, accuracies.sign(column), int(absent[str(name)])))
    return sorted(found, key=lambda arm: (not arm.n, -arm.mean if arm.n else 0.0, arm.name))


def pairing(a: Arm, b: Arm, claimed: bool) -> Pairing:
    """Apply RULE to two arms of results whose seeds are ``claimed`` to be pairs."""
    if not claimed:
        return Pairing(False, "no pairs are claimed")
    both = [column for column in SHARED if column in a.signature and column in b.signature]
    differing = [column for column in both if a.signature[column] != b.signature[column]]
    if "trains" in differing:
        return Pairing(False, "one trains and the other queries the table, so a seed draws other things for each")
    if differing:
        return Pairing(False, f"they differ in {listed(c.replace('_', ' ') for c in differing)}")
    return Pairing(True)


def common_matrix(group: list[Arm], claimed: bool) -> tuple[np.ndarray, FloatArray] | None:
    """The seeds that all arms have, and their values [seeds, arms]; None where any two arms are unpaired."""
    if any(not pairing(a, b, claimed).paired for i, a in enumerate(group) for b in group[i + 1 :]):
        return None
    seeds = group[0].seeds[group[0].known]
    for arm in group[1:]:
        seeds = np.intersect1d(seeds, arm.seeds[arm.known])
    return seeds, np.stack([arm.values[np.isin(arm.seeds, seeds)] for arm in group], axis=1)
