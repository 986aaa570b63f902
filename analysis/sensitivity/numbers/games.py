"""Hyperparameters as players: who contributes what to a value that several reach together.

A game gives a value to every coalition, a set of players 0 .. p - 1, the empty one included. A player's Shapley value
is its mean gain over all orders in which the players can join; the faithful interaction index is the best additive
approximation of the game with a term for every pair.

Sources: Shapley 1953; Tsai, Yeh and Ravikumar, "Faith-Shap: The faithful Shapley interaction index", JMLR 2023;
for hyperparameters Wever et al., "HyperSHAP", 2025.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from math import comb, factorial

import numpy as np

from analysis.statistics.estimate import FloatArray

Coalition = frozenset[int]
Game = Mapping[Coalition, float]


def coalitions(players: int) -> list[Coalition]:
    """All subsets of the players, smaller ones first."""
    return [frozenset(c) for size in range(players + 1) for c in combinations(range(players), size)]


def shapley_values(game: Game, players: int) -> FloatArray:
    """[players]; they sum to the value of all players less that of none."""
    values = np.zeros(players)
    for coalition in coalitions(players):
        size = len(coalition)
        weight = factorial(size) * factorial(players - size - 1) / factorial(players) if size < players else 0.0
        for player in set(range(players)) - coalition:
            values[player] += weight * (game[coalition | {player}] - game[coalition])
    return values


def faithful_interactions(game: Game, players: int) -> tuple[FloatArray, FloatArray]:
    """Faith-Shap of order 2: single terms [players] and pair terms [pairs], pairs as ``combinations`` lists them.

    Least squares over all coalitions S, weighted by (p - 1) / (C(p, s) s (p - s)); none and all players are met
    exactly. All terms sum to the value of all players less that of none.
    """
    terms = [c for c in coalitions(players) if 1 <= len(c) <= 2]
    inner = [c for c in coalitions(players) if 0 < len(c) < players]
    design = np.array([[term <= coalition for term in terms] for coalition in inner], dtype=float)
    target = np.array([game[coalition] - game[frozenset()] for coalition in inner])
    weights = np.array([(players - 1) / (comb(players, len(c)) * len(c) * (players - len(c))) for c in inner])
    total = game[frozenset(range(players))] - game[frozenset()]
    normal = np.ones((len(terms) + 1, len(terms) + 1))  # the multiplier's row and column: all terms sum to the total
    normal[-1, -1] = 0.0
    normal[:-1, :-1] = design.T @ (weights[:, None] * design) if inner else 0.0
    right = np.append(design.T @ (weights * target) if inner else np.zeros(len(terms)), total)
    solution = np.linalg.lstsq(normal, right)[0][:-1]
    return solution[:players], solution[players:]
