"""Backbones of `net:`: an image of any size to features, and to a map of how degraded each place looks.

Both take images in [0, 1], shape (N, 3, H, W) with sides that are multiples of `STRIDE`, and give a cell for each
`STRIDE` x `STRIDE` pixels. The first layer sees every pixel: noise and fine streaks die under resizing.
"""

from __future__ import annotations

from collections.abc import Sequence

from scrutiq.core import MissingExtraError

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
except ImportError:
    raise MissingExtraError("A network", "train") from None

__all__ = ["STRIDE", "Convolutional", "Transformer", "pooled"]

#: Pixels to a cell on each side.
STRIDE = 16
#: By how much the finest detail is amplified.
DETAIL = 8.0


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        summed: Tensor = x + self.body(x)
        return functional.relu(summed)


class Convolutional(nn.Module):
    """A residual network: four stages, each of half the size of the one before.

    Parameters
    ----------
    widths : sequence of int
        Channels of the four stages, at 1/2, 1/4, 1/8 and 1/16 of the image's size.
    blocks : sequence of int
        Residual blocks of each stage.

    References
    ----------
    K. He et al., "Deep residual learning for image recognition", CVPR 2016.
    """

    def __init__(self, widths: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before, kernel = 6, 5
        for width, count in zip(widths, blocks, strict=True):
            layers += [
                nn.Conv2d(before, width, kernel, stride=2, padding=kernel // 2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                *(_Residual(width) for _ in range(count)),
            ]
            before, kernel = width, 3
        self.channels = before
        self.body = nn.Sequential(*layers)
        self.evidence = nn.Conv2d(before, 1, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return features, shape (N, C, H/16, W/16), and the logits of the map, shape (N, 1, H/16, W/16)."""
        features = self.body(with_detail(image))
        return features, self.evidence(features)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.heads = heads
        self.query_key_value, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        count, length, width = x.shape
        q, k, v = self.query_key_value(self.first(x)).reshape(count, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(mixed.transpose(1, 2).reshape(count, length, width))
        after: Tensor = x + self.mlp(self.second(x))
        return after


class Transformer(nn.Module):
    """A plain vision transformer on patches of 16 x 16 pixels, with a position encoding by depthwise convolution.

    Parameters
    ----------
    widths : sequence of int
        One: of the tokens.
    blocks : sequence of int
        One: how many.

    References
    ----------
    A. Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021; X. Chu et al., "Conditional positional encodings
    for vision transformers", ICLR 2023.
    """

    def __init__(self, widths: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        (width,), (count,) = widths, blocks
        self.channels = width
        self.patches = nn.Conv2d(6, width, STRIDE, stride=STRIDE)
        self.position = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.blocks = nn.ModuleList(_Block(width, max(1, width // 32)) for _ in range(count))
        self.norm = nn.LayerNorm(width)
        self.evidence = nn.Conv2d(width, 1, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return features, shape (N, C, H/16, W/16), and the logits of the map, shape (N, 1, H/16, W/16)."""
        grid = self.patches(with_detail(image))
        grid = grid + self.position(grid)
        tokens = grid.flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = block(tokens)
        features = self.norm(tokens).transpose(1, 2).reshape(grid.shape)
        return features, self.evidence(features)


def with_detail(image: Tensor) -> Tensor:
    """Return images with what is finer than 3 x 3 pixels, amplified, as three channels more, shape (N, 6, H, W).

    Noise is a hundredth of the range of an image; beside the anatomy a first layer would be slow to see it.
    """
    smooth = functional.avg_pool2d(image, 3, stride=1, padding=1, count_include_pad=False)
    return torch.cat([image, DETAIL * (image - smooth)], 1)


def pooled(features: Tensor, evidence: Tensor) -> Tensor:
    """Return one vector an image, shape (N, 3 C): over the cells mean, log of the spread, mean weighted by evidence.

    Parameters
    ----------
    features : Tensor, shape (N, C, h, w)
    evidence : Tensor, shape (N, 1, h, w)
        Logits; their softmax over the cells weights the third part, so that a small fault is not averaged away.
    """
    cells = features.flatten(2).float()  # half precision would lose a small spread
    mean = cells.mean(2)
    spread = (cells.square().mean(2) - mean.square()).clamp_min(1e-5).log() / 2
    weight = evidence.flatten(2).float().softmax(2)
    return torch.cat([mean, spread, (cells * weight).sum(2)], 1)
