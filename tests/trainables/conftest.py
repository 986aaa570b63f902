"""Searches compute on one thread, as trials do: results do not depend on the machine, nor times on its load."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
