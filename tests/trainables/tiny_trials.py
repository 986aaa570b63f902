"""Trials so small that an epoch takes milliseconds."""

from __future__ import annotations

from typing import Any

from trainables.methods import method_named
from trainables.spec import DatasetSpec, Retrain, Scale, TrialSpec
from trainables.trial import Surroundings, Trial


def tiny_trial(
    method: str,
    *,
    seed: int = 0,
    retrain: Retrain | None = None,
    surroundings: Surroundings | None = None,
    channels: int = 2,
    cells: int = 1,
    epochs: int = 3,
    batch_size: int = 16,
    train_images: int = 64,
    hessian_every: int | None = None,
    proxies: tuple[str, ...] = (),
    space: str = "nas_bench_201",
    **hyperparameters: Any,
) -> Trial:
    """A trial on a few digits, or on the table of CIFAR-100 for a method that searches the table."""
    cls = method_named(method)
    config = cls.Config.parse(method, hyperparameters)
    needs = cls.needs(config)
    digits = DatasetSpec(name="digits", train_images=train_images, test_images=64)
    scale = Scale(channels=channels, cells=cells, epochs=epochs, batch_size=batch_size)
    spec = TrialSpec(
        method=method,
        method_version=cls.version,
        hyperparameters=config.stated(),
        space=space,
        dataset=DatasetSpec(name="cifar100") if needs == "table" else digits,
        dataset_fingerprint=None,
        signal_fingerprint=None,
        scale=scale if needs == "images" else None,
        retrain=retrain,
        hessian_every=hessian_every,
        proxies=proxies,
        seed=seed,
    )
    return Trial(spec, surroundings or Surroundings())
