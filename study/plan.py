"""From a study to its trials: pure, apart from the fingerprints it is handed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from study import early_stopping
from study.config import Search, SearchRange, Study
from trainables.benchmarks.accuracies import DATASETS
from trainables.errors import ConfigError
from trainables.hyperparameters import MethodConfig, Range, Ranges, Scalar, field_named, range_of
from trainables.methods import SearchMethod, method_named
from trainables.spaces import space_named
from trainables.spec import Retrain, Scale, TrialSpec

Values = dict[str, Scalar]
MOST_TRIALS = 1_000_000
"""Of one study; each is planned in the memory of the driver."""


@dataclass(frozen=True)
class Adaptive:
    """A search that decides while it runs: which hyperparameters to try (Optuna), or which to stop (a scheduler)."""

    method: str
    ranges: Ranges
    trials: list[TrialSpec]
    """those of one suggestion, before it is made"""
    drawn: list[Values] | None = None
    """random suggestions; None where Optuna makes them"""


@dataclass(frozen=True)
class Plan:
    """Every trial of a study. Those of ``adaptive`` become known while it runs."""

    trials: list[TrialSpec]
    adaptive: list[Adaptive]

    def needs_images(self) -> bool:
        specs = self.trials + [spec for part in self.adaptive for spec in part.trials]
        return any(spec.dataset_fingerprint is not None for spec in specs)


@dataclass(frozen=True)
class Fingerprints:
    """Of the study's images, and of the table's validation signals on its data set by the epochs of their training."""

    images: str | None
    signals: Mapping[int, str] = field(default_factory=dict)


def plan(study: Study, fingerprints: Fingerprints) -> Plan:
    """All trials of the study, in its order: method, hyperparameters, seed. Raises ConfigError."""
    trials: dict[str, TrialSpec] = {}
    adaptive: list[Adaptive] = []
    search = study.search
    generator = np.random.default_rng(search.seed if search else 0)
    if search and not any(_is_range(axis) for _, axes in study.settings() for axis in axes.values()):
        raise ConfigError(
            "the study has a `search` but no hyperparameter to search; give one as {low: ..., high: ...} or as `search`"
            + (" (stopping seeds early by their accuracy would bias every mean over seeds)" if search.scheduler else "")
        )
    _check_size(study)
    for name, axes in study.settings():
        method = method_named(name)
        ranges = {key: _range(name, method, key, axis) for key, axis in axes.items() if _is_range(axis)}
        if ranges and search is None:
            raise ConfigError(
                f"{name}: `{next(iter(ranges))}` is a range, but the study has no `search` to draw from it; add "
                "search: {algorithm: random, samples: 20}"
            )
        for values in _grid({key: axis for key, axis in axes.items() if not _is_range(axis)}):
            drawn = None
            if search is not None and search.algorithm == "random" and ranges:
                drawn = [_draw(ranges, generator) for _ in range(search.samples)]
            if search is not None and ranges and (drawn is None or search.scheduler):
                adaptive.append(_adaptive(study, search, name, values, ranges, drawn, fingerprints))
                continue
            for suggestion in drawn or [{}]:
                config = method.Config.parse(name, values | suggestion)
                trials |= {spec.id: spec for spec in _seeds(study, name, config, fingerprints)}
    return Plan(list(trials.values()), adaptive)


def _check_size(study: Study) -> None:
    """Count the trials before any is made. Raises ConfigError."""
    samples = study.search.samples if study.search else 1
    count = 0
    for _, axes in study.settings():
        searched = samples if any(_is_range(axis) for axis in axes.values()) else 1
        count += len(study.seeds) * searched * math.prod(len(a) for a in axes.values() if isinstance(a, list))
    if count > MOST_TRIALS:
        raise ConfigError(
            f"a study has at most {MOST_TRIALS} trials, but this one has {count}; list fewer values, samples or seeds, "
            "or make several studies of it"
        )


def _adaptive(
    study: Study, search: Search, name: str, values: Values, ranges: Ranges, drawn: list[Values] | None,
    fingerprints: Fingerprints,
) -> Adaptive:  # fmt: skip
    config = method_named(name).Config.parse(name, values)
    _check_reads_the_same(name, config, ranges)
    part = Adaptive(name, ranges, _seeds(study, name, config, fingerprints), drawn)
    if search.scheduler is not None:
        early_stopping.check(search.scheduler, part.trials[0], ranges)
    return part


def _seeds(study: Study, name: str, config: MethodConfig, fingerprints: Fingerprints) -> list[TrialSpec]:
    return [_trial(study, name, config, seed, fingerprints) for seed in study.seeds]


def _trial(study: Study, name: str, config: MethodConfig, seed: int, fingerprints: Fingerprints) -> TrialSpec:
    method = method_named(name)
    needs = method.needs(config)
    searched = method.spaces(config)
    if searched is not None and study.space not in searched:
        raise ConfigError(
            f"{name} here searches {', '.join(searched)} only, but the study's space is {study.space}; leave it out of "
            "this study, or choose another space"
        )
    if needs == "table" and not fingerprints.signals:
        raise ConfigError(
            f"{name} here queries the benchmark table, but it has no data set {study.dataset.name!r}; "
            f"choose dataset: {', '.join(DATASETS)} (random_search: {{queries: 1}} needs none)"
        )
    epochs = method.signal_epochs(config)
    if needs == "table" and epochs not in fingerprints.signals:
        raise ConfigError(
            f"{name}: signal_epochs: {epochs} reads the {epochs}-epoch validation accuracies of {study.dataset.name}, "
            "but the benchmark table does not have them; give a file that has them with --benchmark PATH, or choose "
            f"signal_epochs: {', '.join(map(str, fingerprints.signals))}"
        )
    scale = _scale(study, name, method) if needs == "images" else None
    if scale is not None:
        method.check_scale(config, scale)
    retrain = _retrain(study)
    return TrialSpec(
        method=name,
        method_version=method.version,
        hyperparameters=config.stated(),
        space=study.space,
        dataset=study.dataset,
        dataset_fingerprint=fingerprints.images if scale or retrain else None,
        signal_fingerprint=fingerprints.signals[epochs] if needs == "table" else None,
        scale=scale,
        retrain=retrain,
        hessian_every=study.evaluate.hessian_every if scale else None,
        proxies=study.evaluate.proxies if scale else (),
        precision=study.precision if scale or retrain else "float32",
        seed=seed,
    )


def _check_reads_the_same(name: str, config: MethodConfig, ranges: Ranges) -> None:
    """Refuse to let a search choose what its trials read: they are identified before it has chosen."""
    method = method_named(name)
    reads = (method.needs(config), method.signal_epochs(config))
    for key, choice in ranges.items():
        for value in choice if isinstance(choice, tuple) else (choice.low, choice.high):
            other = config.model_copy(update={key: value})
            if (method.needs(other), method.signal_epochs(other)) != reads:
                raise ConfigError(
                    f"{name}: `{key}` decides what the search reads, so optuna must not choose it; list its values"
                )


def _scale(study: Study, name: str, method: type[SearchMethod[Any]]) -> Scale:
    """The method's published scale on the study's space, save what the study says. Raises ConfigError."""
    published = method.published[study.space].model_dump() if study.space in method.published else {}
    given = published | study.scale.model_dump(exclude_none=True)
    if missing := [f"scale.{key}" for key in Scale.model_fields if key not in given]:
        raise ConfigError(
            f"{name} has no published scale on {study.space}, so the study must say it whole, but {', '.join(missing)} "
            "is not there; write it down"
        )
    scale = Scale(**given)
    _check_cells(study.space, "scale.cells", scale.cells)
    return scale


def _check_cells(space: str, key: str, cells: int) -> None:
    fewest = space_named(space).fewest_cells
    if cells < fewest:
        raise ConfigError(f"a network of {space} has at least {fewest} cells, but {key} is {cells}")


def _retrain(study: Study) -> Retrain | None:
    """The retraining recipe: sizes not given are the study's scale, or else the benchmark's (16 channels, 5 cells)."""
    if study.evaluate.retrain is None:
        return None
    scale = study.scale.model_dump(exclude_none=True, include={"channels", "cells", "batch_size"})
    recipe = Retrain(**scale | study.evaluate.retrain.model_dump(exclude_none=True))
    _check_cells(study.space, "evaluate.retrain.cells", recipe.cells)
    return recipe


def _is_range(axis: Any) -> bool:
    return isinstance(axis, SearchRange) or axis == "search"


def _range(name: str, method: type[SearchMethod[Any]], key: str, axis: Any) -> Range | tuple[Scalar, ...]:
    if axis == "search":
        return range_of(method.Config, name, key)
    integer = field_named(method.Config, name, key).annotation is int
    for end in (axis.low, axis.high):
        method.Config.parse(name, {key: int(end) if integer else end})
    try:
        return Range(axis.low, axis.high, axis.log, integer)
    except ValueError as error:
        raise ConfigError(f"{name}: `{key}`: {error}") from None


def _grid(axes: dict[str, Any]) -> list[Values]:
    """Every combination of the listed values; a single value is an axis of length one."""
    lists = [axis if isinstance(axis, list) else [axis] for axis in axes.values()]
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*lists)]


def _draw(ranges: Ranges, generator: np.random.Generator) -> Values:
    """One random suggestion."""
    values: Values = {}
    for name, choice in ranges.items():
        if isinstance(choice, tuple):
            values[name] = choice[int(generator.integers(len(choice)))]
            continue
        low, high = (np.log(choice.low), np.log(choice.high)) if choice.log else (choice.low, choice.high)
        value = float(generator.uniform(low, high))
        value = float(np.exp(value)) if choice.log else value
        values[name] = round(value) if choice.integer else value
    return values
