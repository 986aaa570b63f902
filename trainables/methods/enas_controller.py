"""The controller of ENAS: an LSTM that writes a cell edge by edge, each operation given those before it.

Source: Pham et al., arXiv:1802.03268, section 2; sizes and initial weights from D-X-Y/AutoDL-Projects (Dong and Yang
2020).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Categorical

HIDDEN, LAYERS = 32, 2
TEMPERATURE, RANGE = 5.0, 2.5


class Draw(NamedTuple):
    """A cell drawn from the policy, with what its gradient needs; log probability and entropy are scalars."""

    operations: tuple[int, ...]
    log_probability: Tensor
    entropy: Tensor
    """Of the six conditional distributions together."""
    probabilities: Tensor
    """The conditional probabilities [E, O] of every edge."""


class Controller(nn.Module):
    """draw(generator) -> a cell of E edges, each with one of O operations."""

    def __init__(self, edges: int, operations: int) -> None:
        super().__init__()
        self.edges = edges
        self.first = nn.Parameter(torch.empty(1, 1, HIDDEN))
        self.lstm = nn.LSTM(HIDDEN, HIDDEN, LAYERS)
        self.embedding = nn.Embedding(operations, HIDDEN)
        self.predict = nn.Linear(HIDDEN, operations)
        drawn = ("first", "lstm.weight_hh_l0", "lstm.weight_ih_l0", "embedding.weight", "predict.weight")
        for name in drawn:  # the second layer and the biases keep torch's initial values
            nn.init.uniform_(self.get_parameter(name), -0.1, 0.1)

    def draw(self, generator: torch.Generator) -> Draw:
        """A cell from the policy; the generator lives on the CPU."""
        token, state = self.first, None
        chosen: list[int] = []
        logs, entropies, rows = [], [], []
        for _ in range(self.edges):
            output, state = self.lstm(token, state)
            logits = RANGE * torch.tanh(self.predict(output).flatten() / TEMPERATURE)
            policy = Categorical(logits=logits, validate_args=False)
            operation = torch.multinomial(policy.probs.detach().cpu(), 1, generator=generator).to(logits.device)
            chosen.append(int(operation))
            logs.append(policy.log_prob(operation).sum())
            entropies.append(policy.entropy())
            rows.append(policy.probs)
            token = self.embedding(operation)[None]
        return Draw(tuple(chosen), torch.stack(logs).sum(), torch.stack(entropies).sum(), torch.stack(rows))
