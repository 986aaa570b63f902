"""The plain node beside the fused one; fused_node_cases.py, which needs triton, in its interpreter."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from trainables.errors import ConfigError
from trainables.spaces.nas_bench_201.fused import RunningStatistics, fused_node, fusible, reference_node
from trainables.spaces.nas_bench_201.genotype import AVG_POOL, CONV_1X1, CONV_3X3, SKIP
from trainables.spaces.nas_bench_201.mixtures import NodeMixture
from trainables.spaces.nas_bench_201.supernet import NodeCandidates, Supernet

HAS_TRITON = importlib.util.find_spec("triton") is not None


@pytest.mark.slow
@pytest.mark.skipif(not HAS_TRITON, reason="the fused node is NOT TESTED: triton is not installed (pip install triton)")
def test_kernels_agree_in_the_interpreter() -> None:
    """In a process of its own: triton decides when it is first imported whether to interpret."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", Path(__file__).with_name("fused_node_cases.py")],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("edges", [[0, 1, 3], [2, 4], [5]])
def test_reference_is_the_supernets_node(edges: list[int]) -> None:
    torch.manual_seed(0)
    node = NodeCandidates(3, edges).double()
    x, mixing = torch.randn(2, 3, 5, 4).double(), torch.randn(len(edges), 5).double()
    running = RunningStatistics(
        *(s.clone() for n in (node.norm_1x1, node.norm_3x3) for s in (n.running_mean, n.running_var))
    )
    previous = [torch.randn_like(x), *[None] * (len(edges) - 1)]
    outputs = reference_node(x, node.conv_1x1.weight, node.conv_3x3.weight, mixing, previous, running)
    conv_1x1, conv_3x3, skip, pool = (mixing[:, o] for o in (CONV_1X1, CONV_3X3, SKIP, AVG_POOL))
    expected = node(x, NodeMixture(conv_1x1, conv_3x3, [*skip], [*pool]))
    expected[0] = expected[0] + previous[0]
    for output, value in zip(outputs, expected, strict=True):
        torch.testing.assert_close(output, value)
    torch.testing.assert_close(running.mean_1x1, node.norm_1x1.running_mean)
    torch.testing.assert_close(running.var_3x3, node.norm_3x3.running_var)


def test_fusing_leaves_the_cpu_and_its_bits_alone() -> None:
    torch.manual_seed(0)
    network = Supernet(2, 1, 3, 4)
    images, mixing = torch.randn(2, 3, 4, 4), torch.rand(6, 5)
    expected = network(images, mixing)
    network.fuse()
    assert not fusible(images)
    assert torch.equal(network(images, mixing), expected)


def test_missing_triton_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "trainables.spaces.nas_bench_201.fused_kernels", raising=False)
    node = NodeCandidates(2, [5])
    running = RunningStatistics(*(torch.ones(2) for _ in range(4)))
    with pytest.raises(ConfigError, match="triton"):
        fused_node(
            torch.ones(2, 2, 3, 3), node.conv_1x1.weight, node.conv_3x3.weight, torch.ones(1, 5), [None], running
        )
