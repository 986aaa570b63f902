"""What one trial is: everything that determines its result, and the id that is a hash of it."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from trainables.hyperparameters import Scalar, no_truth_for_a_number

MOST_CHANNELS, MOST_CELLS, MOST_EPOCHS, MOST_IN_A_BATCH = 512, 100, 100_000, 65_536
"""Far beyond what anybody has searched with; what a number leads to, a dry run's probe for one, has to end."""
MOST_IMAGES = 100_000_000
MOST_SEED = 2**63 - 1
"""What the records hold."""


class Frozen(BaseModel):
    """An immutable, strict value; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    _numbers = field_validator("*", mode="before")(no_truth_for_a_number)


class Scale(Frozen):
    """How large a search is. The supernet's size, and how long it trains."""

    channels: int = Field(16, ge=1, le=MOST_CHANNELS, description="channels C of the first stage")
    cells: int = Field(5, ge=1, le=MOST_CELLS, description="cells N in each of the three stages")
    epochs: int = Field(50, ge=1, le=MOST_EPOCHS, description="search epochs")
    batch_size: int = Field(
        64, ge=2, le=MOST_IN_A_BATCH, description="images in a training batch, and in an architecture batch"
    )


class DatasetSpec(Frozen):
    """Which images, apart from where they lie: the path is the user's and never part of a result's identity."""

    name: str
    image_size: int | None = Field(
        None, ge=4, le=1024, description="resample images to this side length; None keeps them"
    )
    train_images: int | None = Field(
        None, ge=16, le=MOST_IMAGES, description="use the first n training images; None uses all"
    )
    test_images: int | None = Field(
        None, ge=16, le=MOST_IMAGES, description="use the first n test images; None uses all"
    )


class Retrain(Frozen):
    """Training the derived cell from scratch on the full training set, evaluated on the test set.

    Recipe: SGD with Nesterov momentum 0.9, cosine to 0, weight decay 5e-4 (NAS-Bench-201, section 2.3).
    """

    epochs: int = Field(200, ge=1, le=MOST_EPOCHS)
    channels: int = Field(16, ge=1, le=MOST_CHANNELS)
    cells: int = Field(5, ge=1, le=MOST_CELLS)
    batch_size: int = Field(256, ge=2, le=MOST_IN_A_BATCH)
    learning_rate: float = Field(0.1, gt=0)
    weight_decay: float = Field(5e-4, ge=0)


Precision = Literal["float32", "tf32"]
"""Of products and convolutions: float32, or on GPUs TF32, which rounds their factors to 10 bits of mantissa."""

LATER = {"precision": "float32"}
"""Fields that trials did not have from the beginning, with the value that older ones had without saying so."""


class TrialSpec(Frozen):
    """One trial. Fields that cannot change the result (paths, resources) are not here.

    ``scale``, ``dataset_fingerprint`` are None for methods that search the benchmark table and train nothing;
    ``signal_fingerprint`` is None for methods that never read the table while searching. ``hessian_every`` and
    ``proxies`` leave the search as it is; they say what else is recorded of it.
    """

    method: str
    method_version: int
    hyperparameters: dict[str, Scalar]
    space: str
    dataset: DatasetSpec
    dataset_fingerprint: str | None
    signal_fingerprint: str | None
    scale: Scale | None
    retrain: Retrain | None
    hessian_every: int | None = Field(None, ge=1, le=MOST_EPOCHS)
    proxies: tuple[str, ...] = ()
    precision: Precision = "float32"
    seed: int = Field(ge=0, le=MOST_SEED)

    @property
    def id(self) -> str:
        """Sixteen hex digits of the SHA-256 of the canonical JSON of all fields, save LATER ones at their default."""
        fields = self.model_dump(mode="json")
        named = {name: value for name, value in fields.items() if name not in LATER or value != LATER[name]}
        canonical = json.dumps(named, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def with_hyperparameters(self, values: dict[str, Any]) -> TrialSpec:
        """The same trial at other hyperparameters."""
        return self.model_copy(update={"hyperparameters": {**self.hyperparameters, **values}})
