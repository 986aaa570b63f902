"""Which accuracies a report speaks of, and in which words: a column of the record schema <-> its name for people.

Accuracies are percent in [0, 100]; regrets are percentage points below the best cell of the benchmark table. Results
that came from elsewhere have no columns of the schema but ``value:<data set>:<name>``, one for each data set and value.
"""

from __future__ import annotations

import pandas as pd

from study.store.schema import TABLE_DATASETS, TABLE_SPLITS

DATASET_TITLES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16_120": "ImageNet16-120"}
SPLIT_TITLES = {"valid": "validation", "test": "test"}
RETRAIN = "retrain_test_accuracy"
SUPERNET = "supernet_valid_accuracy"
FOREIGN = "value:"
TABLE_ACCURACIES = tuple(f"{dataset}_{split}_accuracy" for dataset in TABLE_DATASETS for split in TABLE_SPLITS)


def title(column: str) -> str:
    """The column in words, "CIFAR-10 test accuracy"."""
    if column == RETRAIN:
        return "test accuracy after retraining"
    if column == SUPERNET:
        return "supernet validation accuracy"
    if column.startswith(FOREIGN):
        _, dataset, name = column.split(":", 2)
        return f"{DATASET_TITLES.get(dataset, dataset)} {name}"
    dataset, split, what = column.rsplit("_", 2)
    return f"{DATASET_TITLES[dataset]} {SPLIT_TITLES[split]} {what}"


def foreign_column(dataset: str, name: str) -> str:
    """Where a value of results from elsewhere stands."""
    return f"{FOREIGN}{dataset.replace(':', '-')}:{name}"


def foreign_columns(trials: pd.DataFrame) -> list[str]:
    """The values of results from elsewhere; none in a study of our own."""
    return [column for column in trials.columns if column.startswith(FOREIGN)]


def slug(column: str) -> str:
    """The column as part of a file name or an id."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in column)


def split_title(column: str) -> str:
    """``validation`` or ``test``, of a column of the table."""
    return SPLIT_TITLES[column.rsplit("_", 2)[1]]


def regret_column(column: str) -> str:
    """The regret that belongs to an accuracy of the table."""
    return column.removesuffix("accuracy") + "regret"


def is_known(trials: pd.DataFrame, column: str) -> bool:
    """Whether any trial has a value in ``column``."""
    return column in trials and bool(trials[column].notna().any())


def is_known_ok(trials: pd.DataFrame, column: str) -> bool:
    """Whether any trial that ended ok has a value in ``column``."""
    return column in trials and bool((trials[column].notna() & (trials["status"] == "ok")).any())


def own_dataset(trials: pd.DataFrame) -> str:
    """The table's data set that the study is read on: the one it searched on, or CIFAR-10 where the table lacks it."""
    searched = set(trials["dataset"].dropna().unique())
    return next((dataset for dataset in TABLE_DATASETS if dataset in searched), TABLE_DATASETS[0])


def headline(trials: pd.DataFrame) -> str:
    """The column a study is judged by: retrained test accuracy, else the table's test, else its validation accuracy.

    Of results from elsewhere, their first value.
    """
    if foreign := foreign_columns(trials):
        return foreign[0]
    dataset = own_dataset(trials)
    candidates = (RETRAIN, f"{dataset}_test_accuracy")
    return next((column for column in candidates if is_known_ok(trials, column)), f"{dataset}_valid_accuracy")


def headline_regret(trials: pd.DataFrame) -> str:
    """The regret shown beside the headline: on the study's own data set, test where the table has it."""
    dataset = own_dataset(trials)
    test = f"{dataset}_test_regret"
    return test if is_known_ok(trials, test) else f"{dataset}_valid_regret"


def headline_lookup(trials: pd.DataFrame) -> str:
    """The accuracy that cells are looked up by: on the study's own data set, test where the table has it."""
    test = f"{own_dataset(trials)}_test_accuracy"
    return test if is_known_ok(trials, test) else f"{own_dataset(trials)}_valid_accuracy"
