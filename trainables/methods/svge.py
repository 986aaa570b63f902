"""SVGe: learn a smooth latent space of all cells without accuracies, then search that space by Bayesian optimisation.

Paper: Lukasik, Friede, Zela, Hutter and Keuper, "Smooth Variational Graph Embeddings for Efficient Neural Architecture
Search", IJCNN 2021, arXiv:2010.04683.  Code: jovitalukasik/SVGe (its search after D-VAE, arXiv:1904.11088).

    split ``vae_graphs`` random cells 90 / 10; the first ``labelled`` of the larger part are queried at the start
    1. ``vae_epochs`` epochs: train the graph autoencoder (graph_autoencoder.py) on the larger part, Adam(vae_lr)
    2. ``predictor_epochs`` epochs: train it on, with a predictor of accuracy from the mean, on the labelled cells:
       0.1 autoencoder loss + 0.9 (predictor(mean) - accuracy / 100)^2,  Adam(predictor_lr)
       in both, the learning rate falls to a tenth when the epoch's training loss has not improved for 10 epochs
    3. until ``queries`` are spent, a round an epoch:  a Gaussian process on (latent, accuracy) of everything seen;
       ``batch_queries`` points of large expected improvement in the box around the labelled means (latent_search.py);
       decode each point by drawing graphs, up to the first that is a cell not queried before;  query these cells
    the search returns the best cell it queried.

An epoch of the recorded curve is an epoch of phase 1 or 2 or a round of phase 3. A graph that is drawn need not be a
cell: it has to have eight nodes, the one wiring of all cells, and operations at the six inner nodes. A point whose
``decode_attempts`` draws yield no cell costs its place in the round and is recorded with the worst accuracy seen, as
released; one that yields only cells known before costs its place too and is recorded with the accuracy of the first.
The KL term is summed over the batch while the rest is averaged, as released: its weight grows with ``batch_size``.

Deviations:
1. Labels are validation accuracies, of the 200-epoch training (mean over training seeds) unless ``signal_epochs`` is
   12. The release fits its predictor to test accuracies.
2. The search was released for the ENAS and NAS-Bench-101 spaces only, on the autoencoder of phase 1. Here it runs on
   NAS-Bench-201 and after phase 2, so that accuracy has shaped the space; both phases use the same labelled cells.
3. An exact Gaussian process instead of a sparse one of 500 inducing points: 1,500 points are few enough. At most 50
   steps of L-BFGS-B fit it; another 50 refine the best of 512 starting points (release: 150, and 10,000).
4. The release decodes a point 500 times and means to take the most frequent cell, but in effect takes the first. Here
   the first one not queried before, so that no query is spent twice.
5. In the release the link head meets the graph vectors of other graphs of the batch; here its own.
6. When drawing, the release's reading from the output also stops at a second output; here at an input only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import ceil
from typing import Any

from pydantic import model_validator

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import F, Tensor, torch
from trainables.methods.checked import Checked
from trainables.methods.latent_search import decode, propose
from trainables.methods.line_graph import adjacency, all_node_types, cells_of
from trainables.methods.search_method import Metrics, TableContext, require_finite
from trainables.methods.table_queries import TableQueries, TableQueriesConfig
from trainables.spaces.nas_bench_201 import NUM_CELLS
from trainables.spaces.space import Space
from trainables.spec import Scale

_RELEASE = "jovitalukasik/SVGe"
TRAINING_SHARE = 0.9
AUTOENCODER_WEIGHT = 0.1
PLATEAU_FACTOR, PLATEAU_EPOCHS = 0.1, 10
COST_OF_POINT = 7000.0
"""Of a place in a round, for estimates: in queries of random search, as ``relative_cost`` counts."""


class SvgeConfig(TableQueriesConfig):
    queries: int = hyperparameter(
        1500,
        "cells evaluated: the labelled ones and those of the rounds",
        source=f"{_RELEASE}: 1,000 + 10 rounds of 50",
        search=Range(1100, 3000),
        ge=1,
        le=NUM_CELLS,
    )
    labelled: int = hyperparameter(
        1000, "random cells queried at the start", source=_RELEASE, search=Range(50, 1000), ge=2
    )
    batch_queries: int = hyperparameter(50, "places in a round", source=_RELEASE, search=Range(1, 100), ge=1)
    decode_attempts: int = hyperparameter(
        500, "graphs drawn for a point before it is given up", source=_RELEASE, search=Range(1, 500, log=True), ge=1
    )
    vae_graphs: int = hyperparameter(
        NUM_CELLS,
        "cells that train (90 %) and test (10 %) the autoencoder",
        source=_RELEASE,
        search=Range(1200, NUM_CELLS),
        ge=10,
        le=NUM_CELLS,
    )
    vae_epochs: int = hyperparameter(
        300, "epochs of the autoencoder", source=_RELEASE, search=Range(10, 500, log=True), ge=1
    )
    vae_lr: float = hyperparameter(
        1e-4, "Adam learning rate of the autoencoder", source=_RELEASE, search=Range(1e-5, 1e-2, log=True), gt=0
    )
    predictor_epochs: int = hyperparameter(
        100, "epochs of the autoencoder with its predictor", source=_RELEASE, search=Range(10, 300, log=True), ge=0
    )
    predictor_lr: float = hyperparameter(
        1e-3, "Adam learning rate of the two together", source=_RELEASE, search=Range(1e-4, 1e-2, log=True), gt=0
    )
    batch_size: int = hyperparameter(
        32, "graphs in a training batch", source=f"{_RELEASE}, NAS-Bench-201", search=Range(8, 256, log=True), ge=1
    )
    hidden: int = hyperparameter(
        125, "half the size of a node's state", source=_RELEASE, search=Range(16, 256, log=True), ge=1
    )
    latent: int = hyperparameter(
        56, "dimensions of the latent space", source=_RELEASE, search=Range(8, 128, log=True), ge=8
    )

    @model_validator(mode="after")
    def _labelled_cells_exist(self) -> SvgeConfig:
        most = min(self.queries, int(TRAINING_SHARE * self.vae_graphs))
        if self.labelled > most:
            raise ValueError(
                f"needs labelled <= queries and <= 90 % of vae_graphs, but got labelled={self.labelled} where at most "
                f"{most} are possible; lower labelled or raise the others"
            )
        return self


def epochs_of(config: SvgeConfig) -> int:
    """Of both trainings, and a round of queries each."""
    rounds = ceil((config.queries - config.labelled) / config.batch_queries)
    return config.vae_epochs + config.predictor_epochs + rounds


class Svge(TableQueries[SvgeConfig]):
    """Autoencoder, predictor, Bayesian optimisation."""

    Config = SvgeConfig
    checked = Checked("read", "jovitalukasik/SVGe", "2026-11", note="golden numbers from its formulas")
    paper = (
        "Lukasik, Friede, Zela, Hutter, Keuper. Smooth Variational Graph Embeddings for Efficient Neural Architecture "
        "Search. IJCNN 2021. arXiv:2010.04683"
    )

    def __init__(self, config: SvgeConfig, context: TableContext) -> None:
        from trainables.methods.graph_autoencoder import GraphAutoencoder, performance_predictor

        super().__init__(config, context)
        with context.streams.initialising("autoencoder"):
            self.autoencoder = GraphAutoencoder(config.hidden, config.latent, adjacency())
            self.predictor = performance_predictor(config.latent)
        self.networks = torch.nn.ModuleList([self.autoencoder, self.predictor]).to(context.device)
        self.phases = [
            adam_on_plateau(self.autoencoder.parameters(), config.vae_lr),
            adam_on_plateau(self.networks.parameters(), config.predictor_lr),
        ]
        cells = torch.randperm(NUM_CELLS, generator=context.streams("table"))[: config.vae_graphs]
        self.training_cells, self.held_out_cells = cells.tensor_split([int(TRAINING_SHARE * len(cells))])
        self.labelled_cells = self.training_cells[: config.labelled]
        self.types = all_node_types().to(context.device)
        self.noise = context.streams("noise", context.device)
        self.epochs_done = 0
        self.points = torch.empty(0, config.latent, dtype=torch.float64)
        self.recorded: list[float] = []

    @classmethod
    def planned_epochs(cls, config: Any, scale: Scale | None, space: Space[Any]) -> int:
        return epochs_of(config)

    @property
    def total_epochs(self) -> int:
        return epochs_of(self.config)

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        graph = 40 + config.hidden**2 / 80
        graphs = TRAINING_SHARE * config.vae_graphs * config.vae_epochs + config.labelled * config.predictor_epochs
        spent = graph * graphs + COST_OF_POINT * (config.queries - config.labelled)
        return spent / epochs_of(config)

    def epoch(self) -> Metrics:
        if not self.queried:
            for cell in self.labelled_cells.tolist():
                self.query(cell)
        config, done = self.config, self.epochs_done
        self.epochs_done += 1
        if done < config.vae_epochs:
            metrics = self.train(0, self.training_cells, self.autoencoder_loss) | {"valid_loss": self.held_out_loss()}
        elif done < config.vae_epochs + config.predictor_epochs:
            metrics = self.train(1, self.labelled_cells, self.joint_loss)
        else:
            self.search()
            metrics = {}
        return metrics | self.spent()

    def train(self, phase: int, cells: Tensor, loss_of: Callable[[Tensor], Tensor]) -> Metrics:
        """One pass over the cells, in random order."""
        optimizer, schedule = self.phases[phase]
        order = torch.randperm(len(cells), generator=self.context.streams("order"))
        lr, total = optimizer.param_groups[0]["lr"], 0.0
        for batch in cells[order].split(self.config.batch_size):
            loss = loss_of(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        require_finite(train_loss=total)
        schedule.step(total / len(cells))
        return {"train_loss": total / len(cells), "learning_rate": lr}

    def autoencoder_loss(self, cells: Tensor) -> Tensor:
        """A scalar, at a drawn z."""
        return self.autoencoder.loss(self.types[cells], self.noise)[0]

    def joint_loss(self, cells: Tensor) -> Tensor:
        """A scalar: autoencoder and predictor on labelled cells."""
        loss, mean = self.autoencoder.loss(self.types[cells], self.noise)
        accuracy = torch.tensor([self.value(cell) for cell in cells.tolist()], device=mean.device) / 100
        error = F.mse_loss(self.predictor(mean)[:, 0], accuracy)
        return AUTOENCODER_WEIGHT * loss + (1 - AUTOENCODER_WEIGHT) * error

    def held_out_loss(self) -> float:
        """The autoencoder's mean loss at z = mean on the cells it is not trained on."""
        batches = self.held_out_cells.split(self.config.batch_size)
        with torch.no_grad():
            losses = [self.autoencoder.loss(self.types[batch], None)[0].item() * len(batch) for batch in batches]
        return sum(losses) / len(self.held_out_cells)

    def search(self) -> None:
        """One round: propose points, decode them, query the new cells."""
        with torch.no_grad():
            means = self.autoencoder.encode(self.types[self.labelled_cells])[0].double().cpu()
        seen = torch.cat([means, self.points])
        values = torch.tensor(
            [self.value(c) for c in self.labelled_cells.tolist()] + self.recorded, dtype=torch.float64
        )
        places = min(self.config.batch_queries, self.config.queries - len(values))
        points = propose(seen, values, means.amin(0), means.amax(0), places, self.context.streams("acquisition"))
        for cell in decode(points, self.draw, self.queried, self.config.decode_attempts):
            if cell is not None and cell not in self.queried:
                self.query(cell)
            self.recorded.append(float(values.min()) if cell is None else self.value(cell))
        self.points = torch.cat([self.points, points])

    def draw(self, points: Tensor) -> list[int | None]:
        """One drawn graph for each point [P, L]: the cell it is, or None."""
        types, links = self.autoencoder.generate(points.float().to(self.context.device), self.noise)
        return cells_of(types.cpu(), links.cpu())

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "epochs_done": self.epochs_done,
            "networks": self.networks.state_dict(),
            "phases": [(optimizer.state_dict(), schedule.state_dict()) for optimizer, schedule in self.phases],
            "points": self.points,
            "recorded": self.recorded,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.epochs_done = state["epochs_done"]
        self.networks.load_state_dict(state["networks"])
        for (optimizer, schedule), (saved, planned) in zip(self.phases, state["phases"], strict=True):
            optimizer.load_state_dict(saved)
            schedule.load_state_dict(planned)
        self.points, self.recorded = state["points"], list(state["recorded"])


def adam_on_plateau(
    parameters: Iterable[torch.nn.Parameter], lr: float
) -> tuple[torch.optim.Adam, torch.optim.lr_scheduler.ReduceLROnPlateau]:
    """Adam, and the schedule that lowers its learning rate when the loss stalls."""
    optimizer = torch.optim.Adam(parameters, lr=lr)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=PLATEAU_FACTOR, patience=PLATEAU_EPOCHS)
    return optimizer, schedule
