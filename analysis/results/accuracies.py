"""Which accuracies a report speaks of, and in which words: a column of the record schema <-> its name for people.

Accuracies are percent in [0, 100]; regrets are percentage points below the best cell of the benchmark table. Results
that came from elsewhere have no columns of the schema but ``value:<data set>:<name>``, one for each data set and value,
percent of which more is better; or ``lower:<data set>:<name>``, of which less is better, in a unit of their own. A
column thus says itself which way is better: nobody needs to be told.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from urllib.parse import unquote

import pandas as pd

from trainables.benchmarks.accuracies import ACCURACIES, DATASETS, Accuracy
from trainables.errors import ConfigError, choose

DATASET_TITLES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16_120": "ImageNet16-120"}
SPLIT_TITLES = {"valid": "validation", "test": "test"}
RETRAIN = "retrain_test_accuracy"
SUPERNET = "supernet_valid_accuracy"
HIGHER, LOWER = "value:", "lower:"
"""What columns of results from elsewhere begin with, by which way is better."""
MOST_DECIMALS = 12
TABLE = {accuracy.column: accuracy for accuracy in ACCURACIES}
"""The accuracies of the benchmark table by their columns."""
REGRETS = {accuracy.regret: accuracy for accuracy in ACCURACIES}


@dataclass(frozen=True)
class Words:
    """How people call a column."""

    what: str
    """``test accuracy``: the same on every data set."""
    dataset: str | None = None
    """``CIFAR-10``; None where the column is not of one data set."""

    @property
    def title(self) -> str:
        """``CIFAR-10 test accuracy``."""
        return f"{self.dataset} {self.what}" if self.dataset else self.what

    @property
    def short(self) -> str:
        """``CIFAR-10 test``, where it is clear that an accuracy is meant."""
        return self.title.removesuffix(" accuracy")


def words(column: str) -> Words:
    """The words for an accuracy, a regret, or a value from elsewhere."""
    if column == RETRAIN:
        return Words("test accuracy after retraining")
    if column == SUPERNET:
        return Words("supernet validation accuracy")
    if is_foreign(column):
        dataset, name = foreign_parts(column)
        return Words(name, DATASET_TITLES.get(dataset, dataset))
    accuracy, kind = (TABLE[column], "accuracy") if column in TABLE else (REGRETS[column], "regret")
    return Words(f"{SPLIT_TITLES[accuracy.split]} {kind}", DATASET_TITLES[accuracy.dataset])


def title(column: str) -> str:
    """The column in words, "CIFAR-10 test accuracy"."""
    return words(column).title


def is_foreign(column: str) -> bool:
    """Whether it is a value of results from elsewhere."""
    return column.startswith((HIGHER, LOWER))


def lower_is_better(column: str) -> bool:
    """Of regrets, and of values from elsewhere that were read so."""
    return column in REGRETS or column.startswith(LOWER)


def sign(column: str) -> int:
    """1, or -1 where less is better: times this more is always better."""
    return -1 if lower_is_better(column) else 1


def unit(column: str) -> str:
    """`` (%)`` behind a name, `` (points)`` of a regret; empty where the unit is the table's own."""
    return "" if column.startswith(LOWER) else " (points)" if column in REGRETS else " (%)"


def percent(column: str) -> str:
    """`` %`` behind a number, empty where the unit is not percent."""
    return " %" if unit(column) == " (%)" else ""


def direction(column: str) -> str:
    """``higher is better`` or ``lower is better``."""
    return "lower is better" if lower_is_better(column) else "higher is better"


def axis(column: str, *, upright: bool = False) -> str:
    """What stands at the axis of a figure: "CIFAR-10 test accuracy (%), higher is better"; on two lines beside it."""
    return f"{title(column)}{unit(column)},{chr(10) if upright else ' '}{direction(column)}"


def measure(column: str) -> str:
    """What a page is about, as a sentence of its head."""
    own = "" if unit(column) else ", in the unit of the table, of which one is a point"
    return f"{title(column)}{unit(column) or own}: {direction(column)}."


def seeds(column: str) -> str:
    """What values are of: search seeds, or seeds of which a table does not say what they draw."""
    return "seeds" if is_foreign(column) else "search seeds"


def extreme(column: str, *, best: bool) -> str:
    """The word for the best or the worst mean: ``highest``, or ``lowest`` where less is better."""
    return "highest" if best != lower_is_better(column) else "lowest"


def heading(column: str) -> str:
    """The title with a capital, but for a name that somebody else gave."""
    words = title(column)
    return words if is_foreign(column) else words[0].upper() + words[1:]


def foreign_column(dataset: str, name: str, *, lower: bool = False) -> str:
    """Where a value of results from elsewhere stands."""
    return f"{LOWER if lower else HIGHER}{dataset.replace('%', '%25').replace(':', '%3A')}:{name}"


def foreign_parts(column: str) -> tuple[str, str]:
    """The data set and the name of a value of results from elsewhere."""
    _, dataset, name = column.split(":", 2)
    return unquote(dataset), name


def foreign_columns(trials: pd.DataFrame) -> list[str]:
    """The values of results from elsewhere; none in a study of our own."""
    return [column for column in trials.columns if is_foreign(column)]


def slug(name: str) -> str:
    """A column or a method as part of a file name or an id; no two names share one, in capitals or without."""
    if re.fullmatch("[a-z0-9_]{1,60}", name):
        return name
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in name)[:60]
    return f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def is_known(trials: pd.DataFrame, column: str) -> bool:
    """Whether any trial has a value in ``column``."""
    return column in trials and bool(trials[column].notna().any())


def is_known_ok(trials: pd.DataFrame, column: str) -> bool:
    """Whether any trial that ended ok has a value in ``column``."""
    return column in trials and bool((trials[column].notna() & (trials["status"] == "ok")).any())


def own_dataset(trials: pd.DataFrame) -> str:
    """The table's data set that the study is read on: the one it searched on, or CIFAR-10 where the table lacks it."""
    searched = set(trials["dataset"].dropna().unique())
    return next((dataset for dataset in DATASETS if dataset in searched), DATASETS[0])


def headline(trials: pd.DataFrame) -> str:
    """The column a study is judged by: retrained test accuracy, else the table's test, else its validation accuracy.

    Of results from elsewhere, the value that most rows have, the first of several.
    """
    if foreign := foreign_columns(trials):
        return max(foreign, key=lambda column: int(trials[column].notna().sum()))
    return RETRAIN if is_known_ok(trials, RETRAIN) else headline_lookup(trials)


def headline_regret(trials: pd.DataFrame) -> str:
    """The regret shown beside the headline: on the study's own data set, test where the table has it."""
    test, valid = _own(trials)
    return test.regret if is_known_ok(trials, test.regret) else valid.regret


def headline_lookup(trials: pd.DataFrame) -> str:
    """The accuracy that cells are looked up by: on the study's own data set, test where the table has it of all cells.

    A table of a part of the cells gives no regret, and no headline.
    """
    test, valid = _own(trials)
    return test.column if is_known_ok(trials, test.regret) else valid.column


def known(trials: pd.DataFrame) -> list[str]:
    """The accuracies that any trial that ended ok has: retrained, the table's, values of results from elsewhere."""
    columns = (RETRAIN, *TABLE, *foreign_columns(trials))
    return [column for column in columns if is_known_ok(trials, column)]


def chosen(trials: pd.DataFrame, column: str | None) -> str:
    """The value to look at: the headline unless named. Raises ConfigError for a column without values."""
    if column is None:
        return headline(trials)
    candidates = known(trials)
    # A value of a foreign table may be named without its prefix.
    matching = [name for name in candidates if column in (name, name.removeprefix(HIGHER).removeprefix(LOWER))]
    if not matching:
        raise ConfigError(f"--column: {choose('accuracy', column, candidates)}")
    return matching[0]


def on_all_datasets(trials: pd.DataFrame, column: str) -> list[str]:
    """The same value on every data set that has it."""
    what = words(column).what
    return [c for c in known(trials) if words(c).what == what]


def better(trials: pd.DataFrame, column: str) -> pd.Series:
    """The values of trials that ended ok, as numbers of which more is better; NaN for others."""
    return sign(column) * trials[column].where(trials["status"] == "ok").astype(float)


def decimals(trials: pd.DataFrame) -> int:
    """With how many decimals a page shows values: two for percent, in a unit of their own enough to see the spread.

    Two digits of the standard deviation over the seeds of a variant, as a rule; of all values where seeds do not vary.
    """
    needed = [2]
    for column in foreign_columns(trials):
        if column.startswith(LOWER):
            values = trials[column].groupby(trials["variant"], observed=True)
            spreads = values.std()
            spread = spreads[spreads > 0].median()
            size = spread if spread > 0 else trials[column].std()
            if size > 0:
                needed.append(1 - math.floor(math.log10(size)))
    return min(max(needed), MOST_DECIMALS)


def _own(trials: pd.DataFrame) -> tuple[Accuracy, Accuracy]:
    dataset = own_dataset(trials)
    return Accuracy(dataset, "test"), Accuracy(dataset, "valid")
