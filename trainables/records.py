"""What a trial's row says before the trial has run: the columns that its specification determines."""

from __future__ import annotations

from typing import Any

from trainables.methods import method_named
from trainables.spec import TrialSpec

Row = dict[str, Any]


def describe(spec: TrialSpec, study: str) -> Row:
    """The columns of a trial row that its specification determines."""
    method = method_named(spec.method)
    config = method.Config.parse(spec.method, spec.hyperparameters)
    return {
        "trial_id": spec.id,
        "study": study,
        "method": spec.method,
        "method_version": spec.method_version,
        "config": changed(spec),
        "space": spec.space,
        "dataset": spec.dataset.name,
        "image_size": spec.dataset.image_size,
        "train_images": spec.dataset.train_images,
        "dataset_fingerprint": spec.dataset_fingerprint,
        "protocol": method.protocol(config),
        "channels": spec.scale and spec.scale.channels,
        "cells": spec.scale and spec.scale.cells,
        "epochs": method.planned_epochs(config, spec.scale),
        "batch_size": spec.scale and spec.scale.batch_size,
        "precision": spec.precision,
        "seed": spec.seed,
        "retrain_epochs": spec.retrain and spec.retrain.epochs,
        **{f"hp.{name}": value for name, value in spec.hyperparameters.items()},
    }


def changed(spec: TrialSpec) -> str:
    """The hyperparameters that differ from the method's defaults, as "name=value, name=value"."""
    defaults = method_named(spec.method).Config().model_dump()
    differing = {k: v for k, v in spec.hyperparameters.items() if defaults[k] != v}
    return ", ".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in differing.items())
