"""The two-sided variational graph autoencoder of SVGe: small labelled graphs <-> points of a latent space.

Paper: Lukasik, Friede, Zela, Hutter and Keuper, "Smooth Variational Graph Embeddings for Efficient Neural Architecture
Search", IJCNN 2021, arXiv:2010.04683, section III; the decoder after Li et al., arXiv:1803.03324 (DGMG).

Shapes: B graphs, N nodes, H ``hidden``, L ``latent``. A graph is types [B, N] (integers) and links [B, N, N] with 1 at
[source, target]; sources precede targets. Node states are [B, N, 2H]: one half read along the links, one against them.

    encoder   the state of a node is the embedding of its type, twice; ``LAYERS`` rounds of messages
              mean = gated sum of states;  log variance = another gated sum
    z         = mean + 0.01 noise exp(log variance / 2)
    decoder   starts from one node and adds a node a step. A step: ``LAYERS`` rounds of messages along the links so far;
              p(type) from [graph, z]; the node's state from [embedding of the type, graph, z];
              p(link from node i) from [state i, new state, graph, z], independently for every earlier node
              ``graph`` is a gated sum of states, one for both probabilities and another one for the new state.
    loss      sum over steps of -log p(type) + mean_i -log p(link i), of the graph read from its input plus of the graph
              read from its output with the same weights, mean over B;  + 0.005 KL(z | N(0, 1)) summed over B

The second node is always linked to the first.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.methods.line_graph import INPUT, OUTPUT, TYPES, reverse

LAYERS = 2
NOISE = 0.01
KL_WEIGHT = 0.005


def reparameterise(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """z, of the shape of its arguments, from standard normal noise."""
    return mean + NOISE * noise * torch.exp(log_variance / 2)


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) | N(0, 1)), summed over everything: a scalar."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()


def beside_nodes(vectors: Tensor, nodes: int) -> Tensor:
    """Vectors [B, D] of graphs -> [B, nodes, D]: each graph's own vector beside each of its nodes."""
    return vectors.repeat_interleave(nodes, dim=0).view(len(vectors), nodes, -1)


def step_targets(types: Tensor, links: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """What step n >= 1 of the decoder is to add: the type [B] of node n and its links [B, n] from the earlier nodes."""
    return types[:, n], links[:, :n, n]


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def performance_predictor(latent: int) -> nn.Sequential:
    """Four linear layers from a mean [B, L] to an accuracy in [0, 1], [B, 1]."""
    return mlp(latent, latent // 2, latent // 4, latent // 8, 1)


class Messages(nn.Module):
    """One round in one direction: m_t = sum over links s -> t of Linear([h_s, h_t]);  h_t <- GRU(m_t, h_t)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.message = nn.Linear(2 * hidden, 2 * hidden)
        self.update = nn.GRUCell(2 * hidden, hidden)

    def forward(self, h: Tensor, links: Tensor) -> Tensor:
        """h [B, N, H] -> [B, N, H]."""
        into = links.mT
        degree = into.sum(-1, keepdim=True)
        ends = torch.cat([into @ h, degree * h], dim=-1)
        message = F.linear(ends, self.message.weight) + degree * self.message.bias
        updated: Tensor = self.update(message.flatten(0, 1), h.flatten(0, 1))
        return updated.view_as(h)


class TwoWayMessages(nn.Module):
    """Several rounds along the links for one half of the states and against them for the other."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.along = nn.ModuleList(Messages(hidden) for _ in range(LAYERS))
        self.against = nn.ModuleList(Messages(hidden) for _ in range(LAYERS))

    def forward(self, h: Tensor, links: Tensor) -> Tensor:
        """h [B, N, 2H] -> [B, N, 2H]."""
        along, against = h.chunk(2, dim=-1)
        for forwards, backwards in zip(self.along, self.against, strict=True):
            along, against = forwards(along, links), backwards(against, links.mT)
        return torch.cat([along, against], dim=-1)


class GatedSum(nn.Module):
    """States [B, N, 2H] -> one vector a graph [B, L]: sum_i sigmoid(gate(h_i)) value(h_i)."""

    def __init__(self, hidden: int, latent: int) -> None:
        super().__init__()
        self.value, self.gate = nn.Linear(2 * hidden, latent), nn.Linear(2 * hidden, 1)

    def forward(self, h: Tensor) -> Tensor:
        return (self.gate(h).sigmoid() * self.value(h)).sum(dim=1)


class Encoder(nn.Module):
    """Graphs -> mean and log variance of their latents."""

    def __init__(self, hidden: int, latent: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(TYPES), hidden)
        self.messages = TwoWayMessages(hidden)
        self.mean, self.log_variance = GatedSum(hidden, latent), GatedSum(hidden, latent)

    def forward(self, types: Tensor, links: Tensor) -> tuple[Tensor, Tensor]:
        """types [B, N], links [B, N, N] -> two [B, L]."""
        h = self.messages(self.embedding(types).repeat(1, 1, 2), links)
        return self.mean(h), self.log_variance(h)


class Decoder(nn.Module):
    """Builds a graph node by node under the guidance of z [B, L]."""

    def __init__(self, hidden: int, latent: int) -> None:
        super().__init__()
        state = 2 * hidden
        self.messages = TwoWayMessages(hidden)
        self.graph, self.graph_of_new = GatedSum(hidden, latent), GatedSum(hidden, latent)
        self.embedding = nn.Embedding(len(TYPES), state)
        self.type_head = mlp(2 * latent, latent, len(TYPES))
        self.first_head = mlp(state + latent, state + latent, state)
        self.new_head = mlp(state + 2 * latent, state + latent, state)
        self.link_head = mlp(2 * state + 2 * latent, state + latent, 1)

    def begin(self, types: Tensor, z: Tensor) -> Tensor:
        """The state [B, 1, 2H] of the first node, of type types [B]."""
        first: Tensor = self.first_head(torch.cat([self.embedding(types), z], dim=1))
        return first[:, None]

    def look(self, h: Tensor, links: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """New states [B, n, 2H] of the n nodes so far, and the two vectors of the graph [B, L]."""
        if h.shape[1] == 1:  # nothing to pass on, and no gate
            return h, self.graph.value(h[:, 0]), self.graph_of_new.value(h[:, 0])
        h = self.messages(h, links)
        return h, self.graph(h), self.graph_of_new(h)

    def type_logits(self, graph: Tensor, z: Tensor) -> Tensor:
        """[B, types]."""
        logits: Tensor = self.type_head(torch.cat([graph, z], dim=1))
        return logits

    def add(self, types: Tensor, graph_of_new: Tensor, z: Tensor) -> Tensor:
        """The state [B, 2H] of a new node of type types [B]."""
        new: Tensor = self.new_head(torch.cat([self.embedding(types), graph_of_new, z], dim=1))
        return new

    def link_logits(self, h: Tensor, new: Tensor, graph: Tensor, z: Tensor) -> Tensor:
        """[B, n]: for a link from each of the n earlier nodes to the new one."""
        shared = beside_nodes(torch.cat([new, graph, z], dim=1), h.shape[1])
        logits: Tensor = self.link_head(torch.cat([h, shared], dim=2))
        return logits[..., 0]

    def losses(self, types: Tensor, links: Tensor, z: Tensor) -> Tensor:
        """[B]: the loss of each graph, read in the order of its nodes."""
        h, total = self.begin(types[:, 0], z), z.new_zeros(len(z))
        for n in range(1, types.shape[1]):
            target, into = step_targets(types, links, n)
            h, graph, graph_of_new = self.look(h, links[:, :n, :n])
            total = total + F.cross_entropy(self.type_logits(graph, z), target, reduction="none")
            new = self.add(target, graph_of_new, z)
            if n > 1:
                logits = self.link_logits(h, new, graph, z)
                total = total + F.binary_cross_entropy_with_logits(logits, into, reduction="none").mean(1)
            h = torch.cat([h, new[:, None]], dim=1)
        return total

    @torch.no_grad()
    def generate(
        self, first: Tensor, last: Tensor, z: Tensor, nodes: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draw graphs from node types first [B] on: types [B, nodes] and links [B, nodes, nodes].

        A graph stops at a node of type last [B], which its last place is forced to be. Places after that are filled
        with the type and have no links.
        """
        h, types = self.begin(first, z), first[:, None]
        links, going = z.new_zeros(len(z), nodes, nodes), torch.ones_like(first, dtype=torch.bool)
        for n in range(1, nodes):
            h, graph, graph_of_new = self.look(h, links[:, :n, :n])
            drawn = torch.multinomial(self.type_logits(graph, z).softmax(1), 1, generator=generator)[:, 0]
            added = torch.where(going, drawn, last) if n < nodes - 1 else last
            new = self.add(added, graph_of_new, z)
            chances = self.link_logits(h, new, graph, z).sigmoid() if n > 1 else torch.ones_like(z[:, :1])
            links[:, :n, n] = torch.bernoulli(chances, generator=generator) * going[:, None]
            going = going & (added != last)
            h, types = torch.cat([h, new[:, None]], dim=1), torch.cat([types, added[:, None]], dim=1)
        return types, links


class GraphAutoencoder(nn.Module):
    """Encoder, and one decoder for both reading directions. All graphs share the links [N, N] given here."""

    def __init__(self, hidden: int, latent: int, links: Tensor) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(hidden, latent), Decoder(hidden, latent)
        self.links: Tensor
        self.register_buffer("links", links, persistent=False)

    def encode(self, types: Tensor) -> tuple[Tensor, Tensor]:
        """types [B, N] -> mean and log variance, [B, L] each."""
        mean, log_variance = self.encoder(types, self.links.expand(len(types), -1, -1))
        return mean, log_variance

    def loss(self, types: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """The loss of graphs with types [B, N], a scalar, and their means [B, L]; without a generator, at z = mean."""
        mean, log_variance = self.encode(types)
        z = mean
        if generator is not None:
            noise = torch.randn(mean.shape, generator=generator, device=mean.device)
            z = reparameterise(mean, log_variance, noise)
        links = torch.stack([self.links, reverse(self.links)]).repeat_interleave(len(types), dim=0)
        both = self.decoder.losses(torch.cat([types, types.flip(1)]), links, z.repeat(2, 1))
        return both.sum() / len(types) + KL_WEIGHT * kl_divergence(mean, log_variance), mean

    def generate(self, z: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A drawn graph for every z [B, L]: the nodes of the one read from the input, the links of both readings."""
        inputs = torch.full((len(z),), INPUT, device=z.device)
        outputs = torch.full_like(inputs, OUTPUT)
        first, last = torch.cat([inputs, outputs]), torch.cat([outputs, inputs])
        types, links = self.decoder.generate(first, last, z.repeat(2, 1), len(self.links), generator)
        forwards, backwards = links.chunk(2)
        return types[: len(z)], torch.maximum(forwards, reverse(backwards))
