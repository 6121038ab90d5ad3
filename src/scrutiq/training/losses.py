"""Terms of the loss of a denoiser."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["edge_incoherence", "gradient_penalty"]

#: Weight of the gradient penalty, as in Gulrajani et al. and in MAP-NN.
PENALTY = 10.0


def edge_incoherence(image: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference of the Sobel gradients of two batches, each (N, 1, H, W).

    References
    ----------
    H. Shan et al., Nat. Mach. Intell. 1 (2019), Methods (edge incoherence).
    """
    sobel = image.new_tensor([[1, 0, -1], [2, 0, -2], [1, 0, -1]]) / 8
    gradient = functional.conv2d(image - target, torch.stack([sobel, sobel.T])[:, None])
    return gradient.square().sum(dim=1).mean()


def gradient_penalty(critic: nn.Module, real: Tensor, made: Tensor) -> Tensor:
    """Return how far the critic's gradient between two batches is from unit length, weighted.

    References
    ----------
    I. Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017, eq. 3.
    """
    share = torch.rand(len(real), 1, 1, 1)
    between = (share * real + (1 - share) * made).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    penalty: Tensor = PENALTY * (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return penalty
