"""A trial in progress as bytes, which load without executing code."""

from __future__ import annotations

import io

from trainables.errors import StoreError
from trainables.later import torch
from trainables.spec import TrialSpec
from trainables.trial import Surroundings, Trial


def restore(spec: TrialSpec, surroundings: Surroundings, checkpoint: bytes | None) -> Trial:
    """The trial at its checkpoint, or at its beginning if there is none."""
    trial = Trial(spec, surroundings)
    if checkpoint is not None:
        try:
            state = torch.load(io.BytesIO(checkpoint), map_location="cpu", weights_only=True)
        except Exception as error:  # what a damaged file raises depends on where it is damaged
            raise StoreError(
                f"a checkpoint must be whole and hold nothing but tensors and plain values, but that of {spec.id} was "
                f"refused ({type(error).__name__}); run again with --retry-failed to begin the trial anew"
            ) from None
        trial.load_state_dict(state)
    return trial


def serialise(trial: Trial) -> bytes:
    """A checkpoint that loads without executing code."""
    buffer = io.BytesIO()
    torch.save(trial.state_dict(), buffer)
    return buffer.getvalue()
