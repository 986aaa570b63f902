"""REINFORCE: a categorical distribution per edge, moved towards cells that do better than a moving average.

Paper: Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning", Machine
Learning 1992; in architecture search Zoph and Le, ICLR 2017, arXiv:1611.01578; as a baseline on NAS-Bench-201 Dong and
Yang, ICLR 2020, arXiv:2001.00326.  Code: D-X-Y/AutoDL-Projects.

    o_e ~ softmax(alpha[e, :]) on every edge;  r = validation accuracy of that cell
    b   <- the ``momentum``-weighted mean of all rewards so far, r included
    g    = d/dalpha (-(r - b) sum_e log softmax(alpha)[e, o_e]) = (r - b)(softmax(alpha) - onehot(o))
    alpha <- Adam(g);  the search returns the best cell it queried, not the policy's mode.

b takes in r before it is subtracted and corrects for its start at zero, so the first query teaches nothing. Released
learning rates differ: 0.5 on NAS-Bench-201, whose setting is {budget: time, signal_epochs: 12}, 12,000 s; 0.01 in the
script of NATS-Bench, whose budgets are 20,000 s on CIFAR-10, 40,000 s on CIFAR-100 and 120,000 s on ImageNet16-120. At
0.5 the policy settles early: 150 queries see some 26 different cells.

Deviations:
1. By default a budget of queries and the 200-epoch validation accuracy (mean over training seeds) in percent. Adam
   makes the step nearly independent of the reward's unit.
2. A cell drawn again costs a query and its time, as in the release; evaluation takes no time.
"""

from __future__ import annotations

from typing import Any

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import F, Tensor, torch
from trainables.methods.checked import Checked
from trainables.methods.search_method import TableContext
from trainables.methods.table_search import TableSearch, TableSearchConfig
from trainables.spaces.nas_bench_201 import EDGES, OPERATIONS, Genotype

_AUTODL = "AutoDL-Projects, REINFORCE on NAS-Bench-201"


class ReinforceConfig(TableSearchConfig):
    policy_lr: float = hyperparameter(
        0.5, "Adam learning rate of the policy", source=_AUTODL, search=Range(1e-3, 1, log=True), gt=0
    )
    momentum: float = hyperparameter(
        0.9, "share of the past in the moving average of rewards", source=_AUTODL, search=Range(0, 0.99), ge=0, lt=1
    )


def policy_gradient(alpha: Tensor, operations: Tensor, advantage: float) -> Tensor:
    """d/dalpha of -advantage * sum_e log softmax(alpha)[e, operations[e]], for alpha [E, O] and operations [E]."""
    return advantage * (alpha.softmax(dim=-1) - F.one_hot(operations, alpha.shape[-1]).to(alpha.dtype))


class Reinforce(TableSearch[ReinforceConfig]):
    """Policy gradient on the table."""

    Config = ReinforceConfig
    checked = Checked("lockstep", "D-X-Y/AutoDL-Projects", "2026-11", 2e-15, "policy and baseline over 60 queries")
    paper = (
        "Williams. Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning. Machine "
        "Learning 1992; Zoph, Le. Neural Architecture Search with Reinforcement Learning. ICLR 2017. arXiv:1611.01578"
    )

    def __init__(self, config: ReinforceConfig, context: TableContext) -> None:
        super().__init__(config, context)
        noise = torch.randn(len(EDGES), len(OPERATIONS), generator=context.streams("architecture.initial"))
        self.alpha = (1e-3 * noise).requires_grad_()
        self.optimizer = torch.optim.Adam([self.alpha], lr=config.policy_lr)
        self.weighted_rewards = self.total_weight = 0.0

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        return 20.0

    def propose(self) -> Genotype:
        probabilities = self.alpha.detach().softmax(dim=1)
        return Genotype(tuple(torch.multinomial(probabilities, 1, generator=self.generator)[:, 0].tolist()))

    def observe(self, cell: int, value: float) -> None:
        operations = torch.tensor(Genotype.from_index(cell).operations)
        advantage = value - self.baseline_with(value)
        self.alpha.grad = policy_gradient(self.alpha.detach(), operations, advantage)
        self.optimizer.step()

    def baseline_with(self, value: float) -> float:
        """Take a reward into the moving average and return the average."""
        momentum = self.config.momentum
        self.weighted_rewards = momentum * self.weighted_rewards + (1 - momentum) * value
        self.total_weight = momentum * self.total_weight + (1 - momentum)
        return self.weighted_rewards / self.total_weight

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "alpha": self.alpha.detach(),
            "optimizer": self.optimizer.state_dict(),
            "baseline": (self.weighted_rewards, self.total_weight),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        with torch.no_grad():
            self.alpha.copy_(state["alpha"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.weighted_rewards, self.total_weight = state["baseline"]
