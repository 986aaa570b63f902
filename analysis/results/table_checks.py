"""What a table from elsewhere must not leave open: which way is better, in which unit, and who is who."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd

from trainables.errors import StoreError

LOWER_WORDS = frozenset(
    [
        "err",
        "error",
        "errors",
        "loss",
        "losses",
        "nll",
        "regret",
        "regrets",
        "time",
        "times",
        "seconds",
        "walltime",
        "duration",
        "runtime",
        "latency",
        "cost",
        "perplexity",
        "ppl",
        "mse",
        "rmse",
        "mae",
        "ece",
        "brier",
        "risk",
        "hours",
        "minutes",
        "flops",
        "params",
    ]
)
"""Words in the name of a column of which less is better, as a rule."""
ACCURACIES_REACH = 50
"""Percent that some accuracy of a table reaches; where none does, they may be error rates."""
_JOINTS = re.compile(r"(?<=[^\W\d])[\s\u2010-\u2015\u2212-]+(?=\w)|(?<=\w)[\s\u2010-\u2015\u2212-]+(?=[^\W\d])")
_LARGEST_SEED = 2**63 - 1
LARGEST = 1e12
"""Beyond it no number was measured, and its square may be infinite."""
_SIDE = "say --lower-is-better, or --higher-is-better if it is so"


def loss_word(name: str) -> str | None:
    """The first word in the name of a column of which less is better, as a rule: ``loss`` of ``val_loss``."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
    return next((word for word in words if word.lower() in LOWER_WORDS), None)


def direction(path: Path, values: pd.Series, lower: bool | None) -> bool:
    """Whether less of ``values`` is better. Raises StoreError where nobody said, and it is not clear."""
    if lower is not None:
        return lower
    if word := loss_word(str(values.name)):
        raise StoreError(
            f"more of a value is better unless you say otherwise, but column {values.name!r} of {path} is named after "
            f"{word!r}; {_SIDE}"
        )
    if values.max() < ACCURACIES_REACH and values.max() > 1:
        raise StoreError(
            f"accuracies and error rates must not be confused, but no value of column {values.name!r} of {path} "
            f"reaches {ACCURACIES_REACH} (the largest is {values.max():g}); {_SIDE}"
        )
    return False


def one_unit(path: Path, frame: pd.DataFrame, name: str, *, lower: bool) -> None:
    """Accuracies are percent, in every method and data set. Raises StoreError where they cannot be."""
    values = frame[name].dropna()
    if (odd := ~(values.abs() <= LARGEST)).any():
        raise StoreError(
            f"a value is a number up to {LARGEST:g}, but column {name!r} of {path} has {values[odd].iloc[0]:g}; mend it"
        )
    if not lower and values.between(0, 1).all():
        raise StoreError(
            f"accuracies are percent, but all of column {name!r} of {path} lies between 0 and 1; multiply it by 100"
        )
    if not lower and (odd := ~values.between(0, 100)).any():
        raise StoreError(
            f"accuracies are percent, higher is better, but column {name!r} of {path} has {values[odd].iloc[0]:g}; "
            "convert it to 0 to 100"
        )
    if lower:
        return  # regrets of 0.01 and 1 may be true: a hundredfold says nothing
    for (method, dataset), own in values.groupby([frame["method"], frame["dataset"]], sort=False):
        if own.between(0, 1).all():
            raise StoreError(
                f"accuracies are percent, but those of {method} on {dataset} in column {name!r} of {path} lie between "
                f"{own.min():g} and {own.max():g}, as fractions do; multiply them by 100"
            )


def seed_number(path: Path, given: object) -> int:
    """A seed as written in a table, 0 to 2⁶³ − 1. Raises StoreError."""
    text = repr(float(given)) if isinstance(given, float | np.floating) else str(given)
    whole = re.fullmatch(r"(\d{1,400})(\.0*)?", text, re.ASCII)
    if isinstance(given, bool | np.bool_) or whole is None:
        raise StoreError(f"a seed is a whole number from 0, but {path} has {given!r}; number the seeds")
    if (number := int(whole[1])) > _LARGEST_SEED:
        raise StoreError(
            f"a seed is at most 2^63 - 1 = {_LARGEST_SEED}, but {path} has {text[:60]}; number the seeds from 0"
        )
    return number


def check_names(path: Path, values: pd.Series) -> None:
    """Raises StoreError where two names differ in capitals, blanks or hyphens alone, which is a slip as a rule."""
    seen: dict[str, str] = {}
    for name in values.dropna().unique():
        if isinstance(name, str) and (other := seen.setdefault(_folded(name), name)) != name:
            raise StoreError(
                f"names must differ in more than capitals, blanks and hyphens, but column {values.name!r} of {path} "
                f"has {other!r} and {name!r}; write both alike, or rename one"
            )


def _folded(name: str) -> str:
    """Without capitals, and without blanks and hyphens unless they part two numbers or lead, in one Unicode form."""
    return _JOINTS.sub("", unicodedata.normalize("NFKC", name)).casefold()
