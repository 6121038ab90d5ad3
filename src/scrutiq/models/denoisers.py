"""Networks that denoise CT slices: RED-CNN and MAP-NN, of any width.

Both work on `normalised` CT numbers, use no padding (what they cut off on the way in they add on the way out), and take
an image of any size from 21 x 21 (RED-CNN) or 9 x 9 (MAP-NN) pixels.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from scrutiq.core import MissingExtraError

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
except ImportError:
    raise MissingExtraError("A network", "train") from None

__all__ = ["OFFSET", "SCALE", "ConveyingEncoderDecoder", "Critic", "Hounsfield", "MapNN", "RedCNN", "normalised"]

#: HU that a network sees as 0, and HU that it sees as a step of 1.
OFFSET, SCALE = -1024.0, 1000.0


class RedCNN(nn.Module):
    """RED-CNN: five convolutions, five deconvolutions, and three shortcuts.

    Parameters
    ----------
    width : int
        Channels of each layer; 96 in the paper.
    kernel : int
        Side of each filter; 5 in the paper.

    References
    ----------
    H. Chen et al., "Low-dose CT with a residual encoder-decoder convolutional neural network", IEEE Trans. Med.
    Imaging 36 (2017), 2524-2535, fig. 1 and sec. II-B.
    """

    def __init__(self, width: int = 96, kernel: int = 5) -> None:
        super().__init__()
        ends = [1, width, width, width, width, width]
        self.encoder = nn.ModuleList(nn.Conv2d(a, b, kernel) for a, b in pairwise(ends))
        self.decoder = nn.ModuleList(nn.ConvTranspose2d(b, a, kernel) for a, b in pairwise(ends))
        _start_as_identity(self.decoder[0])

    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised image, shape (N, 1, H, W), of ``image`` of the same shape."""
        shortcuts = []
        value = image
        for index, layer in enumerate(self.encoder):
            if index % 2 == 0:  # the input, and what leaves the second and the fourth convolution
                shortcuts.append(value)
            value = functional.relu(layer(value))
        for index in reversed(range(len(self.decoder))):
            value = self.decoder[index](value)
            if index % 2 == 0:
                value = value + shortcuts[index // 2]
            value = functional.relu(value)
        return value


class ConveyingEncoderDecoder(nn.Module):
    """CLED, the module of MAP-NN: four convolutions, four deconvolutions, and conveying links between them.

    A link hands the channels of a convolution to the deconvolution of the same size, where a 1 x 1 convolution merges
    them; the module's input is added to its output.

    Parameters
    ----------
    width : int
        Channels of each layer; 32 in the paper.

    References
    ----------
    H. Shan et al., "Competitive performance of a modularized deep neural network compared to commercial algorithms for
    low-dose CT image reconstruction", Nat. Mach. Intell. 1 (2019), 269-276, fig. 1b and Methods.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        ends = [1, width, width, width, width]
        self.encoder = nn.ModuleList(nn.Conv2d(a, b, 3) for a, b in pairwise(ends))
        self.decoder = nn.ModuleList(nn.ConvTranspose2d(b, a, 3) for a, b in pairwise(ends))
        self.merge = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for _ in range(3))
        _start_as_identity(self.decoder[0])

    def forward(self, image: Tensor) -> Tensor:
        """Return the image after one module, shape (N, 1, H, W), of ``image`` of the same shape."""
        conveyed = []
        value = image
        for layer in self.encoder:
            value = functional.relu(layer(value))
            conveyed.append(value)
        for index in (3, 2, 1):
            value = functional.relu(self.decoder[index](value))
            value = functional.relu(self.merge[index - 1](torch.cat([value, conveyed[index - 1]], dim=1)))
        return functional.relu(self.decoder[0](value) + image)


class MapNN(nn.Module):
    """MAP-NN: the same module again and again, so that how often it is applied sets how much is denoised.

    Parameters
    ----------
    width : int
        Channels of each layer; 32 in the paper.
    depth : int
        How often the module is applied in training; 5 in the paper.
    """

    def __init__(self, width: int = 32, depth: int = 5) -> None:
        super().__init__()
        self.module = ConveyingEncoderDecoder(width)
        self.depth = depth

    def forward(self, image: Tensor) -> Tensor:
        """Return the image after ``depth`` modules, shape (N, 1, H, W), of ``image`` of the same shape."""
        for _ in range(self.depth):
            image = self.module(image)
        return image


class Critic(nn.Module):
    """What the adversarial term of MAP-NN compares by: six convolutions and two full layers, one number a patch.

    Parameters
    ----------
    width : int
        Channels of the first two layers; twice and four times as many of the next pairs. 64 in the paper.
    side : int
        Of the patches, pixels.
    hidden : int
        Units of the first full layer; 1024 in the paper.

    References
    ----------
    H. Shan et al. (2019), Methods, after I. Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017.
    """

    def __init__(self, width: int = 64, side: int = 64, hidden: int = 1024) -> None:
        super().__init__()
        ends = [1, width, width, 2 * width, 2 * width, 4 * width, 4 * width]
        layers: list[nn.Module] = []
        for index, (a, b) in enumerate(pairwise(ends)):
            layers += [nn.Conv2d(a, b, 3, stride=1 + index % 2, padding=1), nn.LeakyReLU(0.2)]
        last = int(np.ceil(side / 8))
        layers += [nn.Flatten(), nn.Linear(4 * width * last**2, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """Return how much each patch looks like one of normal dose, shape (N, 1), of ``image`` (N, 1, side, side)."""
        score: Tensor = self.layers(image)
        return score


def _start_as_identity(last: nn.Module) -> None:
    """Make the last layer's weights small, so that an untrained network gives about what it is given."""
    with torch.no_grad():
        for parameter in last.parameters():
            parameter.mul_(0.01)


class Hounsfield(nn.Module):
    """A network on CT numbers: what goes in and comes out is in HU.

    Parameters
    ----------
    network : torch.nn.Module
        That works on `normalised` values.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, hu: Tensor) -> Tensor:
        """Return CT numbers, shape (N, 1, H, W), of ``hu`` of the same shape."""
        value: Tensor = self.network(normalised(hu))
        return value * SCALE + OFFSET


def normalised(hu: Tensor) -> Tensor:
    """Return CT numbers in thousands above the least that a scanner stores, -1024 HU."""
    return (hu - OFFSET) / SCALE
