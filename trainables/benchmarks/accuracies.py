"""The accuracies a benchmark knows of a cell: of three data sets, on two splits, each over three trainings.

Everything that names a column after a data set and a split asks here.
"""

from __future__ import annotations

from dataclasses import dataclass

DATASETS = ("cifar10", "cifar100", "imagenet16_120")
SPLITS = ("valid", "test")
TRAINING_SEEDS = (777, 888, 999)


@dataclass(frozen=True)
class Accuracy:
    """The accuracy on one split of one data set, percent."""

    dataset: str
    split: str

    def __str__(self) -> str:
        return f"{self.dataset}_{self.split}"

    @property
    def column(self) -> str:
        """Where its mean over training seeds stands."""
        return f"{self}_accuracy"

    @property
    def regret(self) -> str:
        """Where the points below the best cell stand."""
        return f"{self}_regret"

    @property
    def seeds(self) -> list[str]:
        """Where each training stands, in the order of TRAINING_SEEDS."""
        return [f"{self.column}_seed{seed}" for seed in TRAINING_SEEDS]


ACCURACIES = tuple(Accuracy(dataset, split) for dataset in DATASETS for split in SPLITS)
MEAN_COLUMNS = tuple(column for accuracy in ACCURACIES for column in (accuracy.column, accuracy.regret))
"""What is looked up of a cell at every epoch: means over training seeds, and regrets."""
LOOKED_UP = (*MEAN_COLUMNS, *(column for accuracy in ACCURACIES for column in accuracy.seeds))
"""What is looked up of a derived cell."""
