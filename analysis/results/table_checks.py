"""What a table from elsewhere must not leave open: which way is better, in which unit, and who is who."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.results.table_file import UNPRINTABLE
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
        "gflops",
        "macs",
        "params",
        "parameters",
        "entropy",
        "divergence",
        "energy",
        "memory",
        "wer",
        "cer",
        "fid",
        "ms",
    ]
)
"""Words in the name of a column of which less is better, as a rule."""
ACCURACIES_REACH = 50
"""Percent that some accuracy of a table reaches; where none does, they may be error rates."""
_JOINTS = re.compile(r"(?<=[^\W\d])[\s\u2010-\u2015\u2212-]+(?=\w)|(?<=\w)[\s\u2010-\u2015\u2212-]+(?=[^\W\d])")
_LARGEST_SEED = 2**63 - 1
LARGEST = 1e12
"""Beyond it no number was measured, and its square may be infinite."""
_OF = ["method", "dataset"]
_NEAR, _ALIKE = 5, 30
"""Points by which a hundred times a fraction may miss the others of its group and be one of them, where those lie
no further apart: in the course of a training 0.97 % may be true."""
_SIDE = "say --lower-is-better, or --higher-is-better if it is so"


def loss_word(name: str) -> str | None:
    """The first word in the name of a column of which less is better, as a rule: ``loss`` of ``val_loss``."""
    camel = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)  # "CE", "Loss" of CELoss
    words = [*camel, *re.findall(r"[^\W\d_]+", name)]  # FLOPs is one word
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
            f"accuracies are percent, but all of column {name!r} of {path} lies between 0 and 1; multiply it by 100, "
            "or say --lower-is-better if it is none"
        )
    if not lower and (odd := ~values.between(0, 100)).any():
        raise StoreError(
            f"accuracies are percent, higher is better, but column {name!r} of {path} has {values[odd].iloc[0]:g}; "
            "convert it to 0 to 100, or say --lower-is-better if it is none"
        )
    if not lower:  # regrets of 0.01 and 1 may be true: a hundredfold says nothing
        _no_fractions(path, frame.loc[values.index], values)


def _no_fractions(path: Path, frame: pd.DataFrame, values: pd.Series) -> None:
    """Raises StoreError for a method on a data set, one of its settings, or a run among others, in fractions."""
    low = values.between(0, 1)
    if not low.any():
        return
    settings = [column for column in frame.columns if column.startswith("hp.")]
    method, setting = ([*_OF, *more] for more in ([], settings))
    inside = values.between(0, 1, inclusive="neither")  # 0 and 1 % are what failed and guessing runs have
    for keys, whole in ((method, low), (setting, inside)):
        groups = frame.groupby(keys, sort=False, dropna=False).ngroup()
        alike = whole.groupby(groups).transform("all")
        if keys is setting:
            alike &= values.groupby(groups).transform("nunique") > 1
        if alike.any():
            own = values[groups == groups[alike].iloc[0]]
            raise StoreError(
                f"accuracies are percent, but those of {_where(frame.loc[own.index[0]], keys)} in column "
                f"{values.name!r} of {path} lie between {own.min():g} and {own.max():g}, as fractions do; multiply "
                "them by 100"
            )
    others = values.where(~low).groupby(groups)
    least, most = others.transform("min"), others.transform("max")
    near = (100 * values).between(least - _NEAR, most + _NEAR) & (most - least <= _ALIKE)
    if (odd := inside & near).any():
        row = values[odd].index[0]
        raise StoreError(
            f"accuracies are percent, but one of {_where(frame.loc[row], setting)} in column {values.name!r} of {path} "
            f"is {values[row]:g}, and a hundred times that is what its others are; multiply it by 100"
        )


def _where(row: pd.Series, keys: list[str]) -> str:
    """``darts (hp.lr=0.1) on cifar10``."""
    settings = ", ".join(f"{key}={row[key]}" for key in keys if key not in _OF)
    return f"{row['method']}{f' ({settings})' if settings else ''} on {row['dataset']}"


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
    """Raises StoreError where two names differ in capitals, blanks or hyphens alone, which is a slip as a rule.

    Or where one holds what neither a page nor a drawing can show.
    """
    seen: dict[str, str] = {}
    for name in values.dropna().unique():
        if isinstance(name, str) and UNPRINTABLE.search(name):
            raise StoreError(
                f"a name is text that can be printed, but column {values.name!r} of {path} has {name!r}; write it "
                "without control characters and byte-order marks"
            )
        if isinstance(name, str) and (other := seen.setdefault(_folded(name), name)) != name:
            raise StoreError(
                f"names must differ in more than capitals, blanks and hyphens, but column {values.name!r} of {path} "
                f"has {other!r} and {name!r}; write both alike, or rename one"
            )


def _folded(name: str) -> str:
    """In one Unicode form, without capitals, what has no width, and blanks and hyphens except by numbers."""
    seen = "".join(c for c in name if unicodedata.category(c) != "Cf")
    return _JOINTS.sub("", unicodedata.normalize("NFKC", seen)).casefold()
