"""What a study file holds, as pydantic models, with the bounds of every number. ``study.loading`` reads it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from trainables.benchmarks.accuracies import ACCURACIES
from trainables.errors import choose
from trainables.hyperparameters import Scalar
from trainables.spaces import SPACES
from trainables.spec import (
    MOST_CELLS,
    MOST_CHANNELS,
    MOST_EPOCHS,
    MOST_IN_A_BATCH,
    MOST_SEED,
    DatasetSpec,
    Frozen,
    Precision,
)
from trainables.training_free import PROXIES

OBJECTIVES = (*(a.column for a in ACCURACIES if a.split == "valid"), "supernet_valid_accuracy")
"""Columns of a trial that a hyperparameter search may maximise."""


MOST_SEEDS = 1_000_000
MOST_SUGGESTIONS = 100_000
LONGEST_NAME = 200
"""Characters; a folder's name may have 255 bytes."""
MOST_SECONDS = 1e9
"""Thirty years."""


class SearchRange(Frozen):
    """A continuous axis of a hyperparameter search: {low: 1.0e-4, high: 1.0e-1, log: true}."""

    low: float
    high: float
    log: bool = False


def _scalar(value: Any) -> Any:
    if not isinstance(value, bool | int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(
            "must be a number, a word or true or false, a list of such values, a range such as {low: 1.0e-4, high: "
            "1.0e-1}, or the word `search`"
        )
    return value


def _filled(value: Any) -> Any:
    if isinstance(value, list) and not value:
        raise ValueError("must hold at least one value")
    return value


def _form(value: Any) -> str:
    if isinstance(value, list):
        return "a list"
    return "keys" if isinstance(value, dict | SearchRange) else "a value"


Value = Annotated[Scalar, BeforeValidator(_scalar)]
Axis = Annotated[
    Annotated[Value, Tag("a value")]
    | Annotated[list[Value], BeforeValidator(_filled), Tag("a list")]
    | Annotated[SearchRange, Tag("keys")],
    Discriminator(_form),
]
"""One hyperparameter: a value, a grid axis, a range, or the word ``search`` (the method's declared range)."""

Axes = dict[str, Axis]


def _settings(value: Any) -> Any:
    if value is not None and not isinstance(value, dict | list):
        raise ValueError("must hold hyperparameters, such as {arch_lr: 1.0e-3}, or be a list of such settings")
    return [axes or {} for axes in value] if isinstance(value, list) else value or {}


Settings = Annotated[
    Annotated[Axes, Tag("keys")] | Annotated[list[Axes], BeforeValidator(_filled), Tag("a list")],
    Discriminator(_form),
    BeforeValidator(_settings),
]
"""Of one method: its axes, all combinations of which are run, or a list of such settings, each for itself."""


class PartialScale(Frozen):
    """What a study says about scale; whatever it leaves out is each method's paper setting."""

    channels: int | None = Field(None, ge=1, le=MOST_CHANNELS)
    cells: int | None = Field(None, ge=1, le=MOST_CELLS)
    epochs: int | None = Field(None, ge=1, le=MOST_EPOCHS)
    batch_size: int | None = Field(None, ge=2, le=MOST_IN_A_BATCH)


class RetrainStudy(Frozen):
    """Training derived cells from scratch; the sizes it leaves out are those of ``scale``."""

    epochs: int = Field(200, ge=1, le=MOST_EPOCHS)
    channels: int | None = Field(None, ge=1, le=MOST_CHANNELS)
    cells: int | None = Field(None, ge=1, le=MOST_CELLS)
    batch_size: int | None = Field(None, ge=2, le=MOST_IN_A_BATCH)
    learning_rate: float = Field(0.1, gt=0)
    weight_decay: float = Field(5e-4, ge=0)


class Evaluate(Frozen):
    """What is found out beside the search itself."""

    retrain: RetrainStudy | None = None
    proxies: tuple[str, ...] = Field((), description="training-free scores of the derived cell")
    hessian_every: int | None = Field(None, ge=1, le=MOST_EPOCHS, description="epochs between Hessian eigenvalues")

    @field_validator("proxies", mode="before")
    @classmethod
    def _known_proxies(cls, value: Any) -> Any:
        if value == "all":
            return PROXIES
        for name in value if isinstance(value, list | tuple) else [value]:
            if name not in PROXIES:
                raise ValueError(f"{choose('proxy', str(name), PROXIES)}, or `all`")
        return value


class Resources(Frozen):
    """What one trial occupies, and when it is given up. It changes no result, so it is not part of a trial's id.

    Fractions pack several trials on one device: gpu: 0.25 puts four on a GPU, gpu: auto measures how many fit. Those
    are processes, which take turns; trials ``together`` are in one process, where they run on a GPU at the same time.
    """

    cpu: float = Field(1, gt=0, le=10_000)
    gpu: Annotated[float, Field(ge=0, le=1_000)] | Literal["auto"] = 0.0
    together: int = Field(
        1, ge=1, le=64, description="trials that one worker runs side by side; `cpu` and `gpu` are then the worker's"
    )
    memory_gib: float | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="reserved on the host for the trial's process; a trial that passes it is given up",
    )
    trial_timeout_s: float | None = Field(
        None, gt=0, le=MOST_SECONDS, description="a trial that runs longer is given up"
    )

    @field_validator("gpu", mode="before")
    @classmethod
    def _share_or_auto(cls, value: Any) -> Any:
        if value != "auto" and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError("must be a share of a GPU such as 0.25, or auto")
        return value

    @model_validator(mode="after")
    def _together_on_a_share(self) -> Self:
        if self.together > 1 and self.gpu == "auto":
            raise ValueError("cannot measure a share for trials together; give gpu: 1, or leave `together` out")
        return self


class Search(Frozen):
    """A hyperparameter search over the axes given as ranges."""

    algorithm: Literal["random", "optuna"]
    samples: int = Field(ge=1, le=MOST_SUGGESTIONS)
    seed: int = Field(0, ge=0, lt=2**32, description="of the sampler, not of the trials")
    objective: str = Field(
        "cifar10_valid_accuracy", description="optuna: the trial column whose mean over the seeds is maximised"
    )
    parallel: int = Field(
        4,
        ge=1,
        le=MOST_SUGGESTIONS,
        description="optuna: suggestions made at once; part of the result, so it is not taken from the machine",
    )
    scheduler: Literal["asha", "median"] | None = Field(
        None, description="stop suggestions early that look bad on validation (study/early_stopping.py)"
    )

    @field_validator("objective")
    @classmethod
    def _never_test(cls, value: str) -> str:
        if value not in OBJECTIVES:
            raise ValueError(
                "must be a validation accuracy, since choosing hyperparameters on test accuracy biases the report: "
                f"{', '.join(OBJECTIVES)}"
            )
        return value


class Study(BaseModel):
    """One study: methods x hyperparameters x seeds on one space and data set, at one scale."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(max_length=LONGEST_NAME)
    space: str = "nas_bench_201"
    dataset: DatasetSpec
    scale: PartialScale = PartialScale()
    methods: dict[str, Settings] = Field(min_length=1)
    seeds: list[Annotated[int, Field(ge=0, le=MOST_SEED, strict=True)]] = Field(min_length=1, max_length=MOST_SEEDS)
    evaluate: Evaluate = Evaluate()
    precision: Precision = Field("float32", description="of products and convolutions; tf32 is faster, on GPUs only")
    resources: Resources = Resources()
    search: Search | None = None

    @field_validator("name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", value):
            raise ValueError("must be letters, digits, '_', '.' and '-' only: it names a folder")
        return value

    @field_validator("space")
    @classmethod
    def _known_space(cls, value: str) -> str:
        if value not in SPACES:
            raise ValueError(choose("space", value, SPACES))
        return value

    @field_validator("dataset", mode="before")
    @classmethod
    def _named_dataset(cls, value: Any) -> Any:
        if not isinstance(value, str | dict | DatasetSpec):
            raise ValueError("must be a name such as cifar10, or keys such as {name: cifar10, image_size: 16}")
        return {"name": value} if isinstance(value, str) else value

    @field_validator("scale", mode="before")
    @classmethod
    def _paper_scale(cls, value: Any) -> Any:
        if value != "paper" and not isinstance(value, dict | PartialScale):
            raise ValueError("must be the word `paper`, or keys such as {epochs: 50, cells: 5}")
        return {} if value == "paper" else value

    @field_validator("seeds", mode="before")
    @classmethod
    def _count_of_seeds(cls, value: Any) -> Any:
        if isinstance(value, list):
            return value
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_SEEDS:
            raise ValueError(f"must be a number of seeds from 1 to {MOST_SEEDS}, or a list of them such as [0, 1, 7]")
        return list(range(value))

    @field_validator("seeds")
    @classmethod
    def _distinct_seeds(cls, value: list[int]) -> list[int]:
        if len(set(value)) < len(value):
            raise ValueError("must be distinct: the same seed twice is the same trial, not another sample")
        return value

    def settings(self) -> Iterator[tuple[str, Axes]]:
        """Each method's name and axes, several times where it has several settings."""
        for name, some in self.methods.items():
            for axes in some if isinstance(some, list) else [some]:
                yield name, axes

    def as_yaml(self) -> str:
        """The study as run, complete and readable by ``study.loading.load``."""
        return yaml.safe_dump(self.model_dump(mode="json", exclude_none=True), sort_keys=False)
