"""The tree that vessels form in a frame: where it is fed, how far along it a place lies, and its branches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.degradations.xa.vessels import Vessels

__all__ = ["Branch", "branches", "distance_along", "inlet"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

#: What is shorter, pixels, is a spur of the skeleton and no branch.
_SHORTEST = 10


@dataclass(frozen=True)
class Branch:
    """One vessel from where it leaves another to its end, without what springs from it.

    Attributes
    ----------
    points : ndarray of int64, shape (N, 2)
        Rows and columns of its centreline, from its origin on.
    parent : int
        Place in the list of `branches` of the vessel that it leaves; -1 for a trunk, and for a piece by itself.
    length : float
        Pixels.
    trunk : bool
        Whether it leaves from the inlet itself.
    """

    points: Ints
    parent: int
    length: float
    trunk: bool


def inlet(vessels: Vessels) -> tuple[int, int]:
    """Return row and column of the centreline where the vessels are widest and most filled: near the catheter's tip."""
    if not vessels.skeleton.any():
        return (0, 0)
    amount = ndimage.gaussian_filter(vessels.radius * vessels.iodine, 3.0)
    row, column = np.unravel_index(int(np.where(vessels.skeleton, amount, -1).argmax()), vessels.skeleton.shape)
    return int(row), int(column)


def distance_along(vessels: Vessels, start: tuple[int, int], across: float = 4.0) -> Array:
    """Return how far each pixel lies from a place, in pixels, by way of the vessels.

    Parameters
    ----------
    vessels : Vessels
    start : tuple of int
        Row and column.
    across : float
        Times the distance outside the vessels counts, so that pieces that do not hang together are reached as well.

    Returns
    -------
    ndarray of float64, shape (H, W)
    """
    from skimage.graph import MCP_Geometric

    costs = np.where(vessels.mask, 1.0, across)
    return np.asarray(MCP_Geometric(costs).find_costs([start])[0])


def branches(vessels: Vessels) -> list[Branch]:
    """Return the vessels of a frame one by one: the trunk from the inlet on first, each before what springs from it.

    The centreline is made a tree by the shortest ways from the inlet. At each fork the way on is that which feeds the
    larger volume of vessels, every other begins a branch (decomposition into heavy paths: Sleator and Tarjan, J.
    Comput. Syst. Sci. 26, 1983). Pieces that do not hang on the tree of the inlet follow, each as a tree of its own.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components, dijkstra

    lines = vessels.skeleton
    rows, columns = np.nonzero(lines)
    if len(rows) == 0:
        return []
    number = np.full(lines.shape, -1, dtype=np.int64)
    number[rows, columns] = np.arange(len(rows))
    starts, ends, steps = [], [], []
    for dy, dx, step in ((0, 1, 1.0), (1, 0, 1.0), (1, 1, 2**0.5), (1, -1, 2**0.5)):
        y, x = rows + dy, columns + dx
        inside = (y < lines.shape[0]) & (x >= 0) & (x < lines.shape[1])
        other = number[y[inside], x[inside]]
        mine = np.flatnonzero(inside)[other >= 0]
        starts.append(mine)
        ends.append(other[other >= 0])
        steps.append(np.full(len(mine), step))
    graph = coo_matrix(
        (np.concatenate(steps), (np.concatenate(starts), np.concatenate(ends))), shape=(len(rows), len(rows))
    ).tocsr()
    _, piece = connected_components(graph, directed=False)
    source = inlet(vessels)
    away = np.hypot(rows - source[0], columns - source[1])
    roots = [int(np.flatnonzero(piece == k)[away[piece == k].argmin()]) for k in range(int(piece.max()) + 1)]
    distance, before, _ = dijkstra(graph, directed=False, indices=roots, return_predecessors=True, min_only=True)
    volume = vessels.radius[rows, columns] ** 2
    carried, depth = volume.copy(), np.zeros(len(rows))
    heavy = np.full(len(rows), -1, dtype=np.int64)
    for node in np.argsort(-distance, kind="stable"):
        feeder = before[node]
        if feeder < 0:
            continue
        carried[feeder] += carried[node]
        depth[feeder] = max(depth[feeder], depth[node] + distance[node] - distance[feeder])
        if heavy[feeder] < 0 or carried[node] > carried[heavy[feeder]]:
            heavy[feeder] = node
    home = piece[number[source]]
    found: list[Branch] = []
    owner = np.full(len(rows), -1, dtype=np.int64)
    for node in sorted(range(len(rows)), key=lambda n: (piece[n] != home, distance[n])):
        feeder = int(before[node])
        begins = feeder < 0 or heavy[feeder] != node
        if not begins:
            owner[node] = owner[feeder]
            continue
        path = [node]
        while heavy[path[-1]] >= 0:
            path.append(int(heavy[path[-1]]))
        length = float(distance[path[-1]] - distance[node])
        if length < _SHORTEST and feeder >= 0:
            continue  # a spur; what hangs on it hangs on nothing
        # Both ways on from the inlet are trunks: it lies in the midst of a vessel, not at its beginning.
        trunk = feeder < 0 or before[feeder] < 0 or distance[feeder] < 2 * _SHORTEST
        trunk = bool(trunk and piece[node] == home)
        owner[node] = len(found)
        points = np.stack([rows[path], columns[path]], axis=1).astype(np.int64)
        found.append(Branch(points, -1 if trunk or feeder < 0 else int(owner[feeder]), max(length, 1.0), trunk))
    return found
