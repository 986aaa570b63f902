"""Training-free proxies: scores of an untrained network on a batch of images, without or with labels.

Each is a function of (network, images [B, c, H, W][, labels [B]]) -> float and leaves the network as it was. More is
better, except for ``ntk_condition``. ReLUs are found wherever they run, as modules or as functions. Networks that
normalise over the batch are scored with batch statistics, as the releases do.

Sources of the collection: Abdelfattah, Mehrotra, Dudziak and Lane, "Zero-Cost Proxies for Lightweight NAS", ICLR 2021,
arXiv:2101.08134 (SamsungLabs/zero-cost-nas); Chen, Gong and Wang, "Neural Architecture Search on ImageNet in Four GPU
Hours: A Theoretically Inspired Perspective" (TE-NAS), ICLR 2021, arXiv:2102.11535 (VITA-Group/TENAS).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode


def synflow(network: nn.Module, images: Tensor) -> float:
    """sum |w dR/dw| over convolutions and linear layers, where R = sum of the logits for an image of ones.

    All parameters are replaced by their absolute values and batch normalisation is left out; in float64. Of the images
    only the shape matters. Tanaka et al., NeurIPS 2020, arXiv:2006.05467, in the form of arXiv:2101.08134.
    """
    network = _without_norm(deepcopy(network)).double()
    for parameter in network.parameters():
        parameter.data.abs_()
    ones = torch.ones(1, *images.shape[1:], dtype=torch.float64, device=images.device)
    weights = _weights(network)
    gradients = _gradients(network(ones).sum(), weights)
    return sum(float((w.detach() * g).abs().sum()) for w, g in zip(weights, gradients, strict=True))


def grad_norm(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Sum over layers of the L2 norm of the weights' gradient of the cross entropy. arXiv:2101.08134, section 3.1."""
    network = deepcopy(network).train()
    gradients = _gradients(F.cross_entropy(network(images), labels), _weights(network))
    return sum(float(g.norm()) for g in gradients)


def snip(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """sum |w dL/dw|. Lee, Ajanthan and Torr, ICLR 2019, arXiv:1810.02340, summed as in arXiv:2101.08134."""
    network = deepcopy(network).train()
    weights = _weights(network)
    gradients = _gradients(F.cross_entropy(network(images), labels), weights)
    return sum(float((w.detach() * g).abs().sum()) for w, g in zip(weights, gradients, strict=True))


def grasp(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """-sum w (H g), g the gradient and H the Hessian of the cross entropy, exactly.

    Wang, Zhang and Grosse, ICLR 2020, arXiv:2002.07376, summed as in arXiv:2101.08134.
    """
    network = deepcopy(network).train()
    weights = _weights(network)
    gradients = _gradients(F.cross_entropy(network(images), labels), weights, create_graph=True)
    products = _gradients(torch.stack([(g.detach() * g).sum() for g in gradients]).sum(), weights)
    return -sum(float((w.detach() * h).sum()) for w, h in zip(weights, products, strict=True))


def fisher(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Sum over layers and channels of mean over the batch of (sum over pixels of a dL/da)^2 / 2, a a layer's output.

    Turner et al., ICLR 2020, arXiv:1906.04113, summed as in arXiv:2101.08134.
    """
    network = deepcopy(network).train()
    outputs: list[Tensor] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    gradients = _gradients(F.cross_entropy(network(images), labels), outputs)
    saliencies = [(a.detach() * g)[:, :, None].flatten(2).sum(2) for a, g in zip(outputs, gradients, strict=True)]
    return sum(float(s.square().mean(0).sum()) / 2 for s in saliencies)


def jacob_cov(network: nn.Module, images: Tensor) -> float:
    """-sum log(v + k) + 1 / (v + k), v the eigenvalues of the correlation of the images' input gradients, k = 1e-5.

    Gradients are of the sum of logits. Mellor et al., arXiv:2006.04647 version 1, in the form of arXiv:2101.08134.
    """
    images = images.clone().requires_grad_()
    (gradient,) = _gradients(deepcopy(network).train()(images).sum(), [images])
    correlation = torch.corrcoef(gradient.flatten(1).double())
    if not correlation.isfinite().all():
        return -math.inf  # an image without influence on the logits
    eigenvalues = torch.linalg.eigvalsh(correlation).clamp_min(0.0) + 1e-5
    return -float((eigenvalues.log() + 1 / eigenvalues).sum())


def naswot(network: nn.Module, images: Tensor) -> float:
    """log |det K|, K the number of ReLUs on which two images agree, summed over the network.

    Mellor, Turner, Storkey and Crowley, "Neural Architecture Search without Training", ICML 2021, arXiv:2006.04647.
    """
    return float(torch.linalg.slogdet(relu_agreement(network, images))[1])


def relu_agreement(network: nn.Module, images: Tensor) -> Tensor:
    """K [B, B] of ``naswot``, float64."""
    active = _relu_patterns(network, images).double()
    return active @ active.T + (1 - active) @ (1 - active).T


def ntk_condition(network: nn.Module, images: Tensor) -> float:
    """Largest over smallest eigenvalue of the neural tangent kernel on the images; lower is better.

    The kernel of the sum of logits over parameters named weight, those of batch normalisation included. Infinite where
    the smallest eigenvalue is not positive. arXiv:2102.11535, section 3.1.1, as released.
    """
    eigenvalues = ntk_eigenvalues(network, images)
    smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
    return largest / smallest if smallest > 0 else math.inf


def ntk_eigenvalues(network: nn.Module, images: Tensor) -> Tensor:
    """Eigenvalues [B] of the kernel of ``ntk_condition``, ascending, float64. NaN where the kernel is not finite."""
    network = deepcopy(network).train()
    weights = [parameter for name, parameter in network.named_parameters() if "weight" in name]
    logits = network(images)
    rows = [torch.cat([g.flatten() for g in _gradients(row.sum(), weights, retain_graph=True)]) for row in logits]
    gradients = torch.stack(rows).double()
    kernel = gradients @ gradients.T
    if not kernel.isfinite().all():
        return torch.full((len(kernel),), math.nan, dtype=torch.float64)
    return torch.linalg.eigvalsh(kernel)


def linear_regions(network: nn.Module, images: Tensor) -> float:
    """How many of the network's linear regions the images fall into. arXiv:2102.11535, section 3.1.2.

    The release counts on 3,000 crops of 1 x 3 x 3 pixels and a network of one input channel; here that is the caller's.
    """
    return distinct_patterns(_relu_patterns(network, images))


def distinct_patterns(patterns: Tensor) -> float:
    """The number of different rows of [B, n]."""
    return float(len(torch.unique(patterns, dim=0)))


def initialise(network: nn.Module, mode: Literal["fan_in", "fan_out"], generator: torch.Generator) -> None:
    """Redraw the weights as TE-NAS does: Kaiming normal with this fan, biases 0, batch normalisation the identity."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


class _ReluPatterns(TorchDispatchMode):
    """Collects, for every ReLU that runs inside, which of its inputs are positive."""

    def __init__(self) -> None:
        super().__init__()
        self.active: list[Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.relu.default:
            self.active.append((args[0] > 0).flatten(1))
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def _relu_patterns(network: nn.Module, images: Tensor) -> Tensor:
    """Which ReLU inputs are positive, bool [B, all of them]."""
    with _ReluPatterns() as seen:
        deepcopy(network).train()(images)
    return torch.cat(seen.active, dim=1)


def _weights(network: nn.Module) -> list[Tensor]:
    return [module.weight for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def _gradients(
    output: Tensor, inputs: Sequence[Tensor], *, create_graph: bool = False, retain_graph: bool | None = None
) -> tuple[Tensor, ...]:
    """Gradients, zero for what the output does not depend on (a cell may have dead branches)."""
    return torch.autograd.grad(
        output, inputs, create_graph=create_graph, retain_graph=retain_graph, materialize_grads=True
    )


def _without_norm(network: nn.Module) -> nn.Module:
    for name, module in network.named_children():
        if isinstance(module, nn.BatchNorm2d):
            setattr(network, name, nn.Identity())
        else:
            _without_norm(module)
    return network
