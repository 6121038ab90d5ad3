"""Training one denoiser from pairs, with checkpoints from which an interrupted run goes on as if it had not been."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from scrutiq.models.denoisers import SCALE, Critic, MapNN, RedCNN, normalised
from scrutiq.training.losses import edge_incoherence, gradient_penalty
from scrutiq.training.pairs import Pair, patches
from scrutiq.training.recipe import Network

__all__ = ["build", "fit"]

#: Steps between checkpoints, and those of warming up.
EVERY, WARM = 100, 100
#: Patches in which a run is validated, and their side.
VALIDATION = 24


def build(network: Network) -> nn.Module:
    """Return an untrained network as the recipe describes it."""
    return RedCNN(network.width) if network.architecture == "red_cnn" else MapNN(network.width, network.depth)


def fit(
    network: Network,
    seed: int,
    train: Sequence[Pair],
    validation: Sequence[Pair],
    checkpoint: Path,
    log: Callable[[str], None],
    stop_after: int | None = None,
) -> tuple[nn.Module, list[dict[str, float]]]:
    """Train a network.

    Parameters
    ----------
    network : Network
    seed : int
    train, validation : sequence of Pair
        Without the second, nothing is validated.
    checkpoint : Path
        Where the state is kept. If it is there, training goes on from it.
    log : callable
        Takes a line of text.
    stop_after : int, optional
        Step after which to stop, as an interruption would.

    Returns
    -------
    network : torch.nn.Module
        On `normalised` values, in evaluation mode.
    history : list of dict
        Step, loss, and RMSE of the validation in HU, before the network and after it.
    """
    run = _Run(network, seed)
    history: list[dict[str, float]] = []
    if checkpoint.exists():
        history = run.load(torch.load(checkpoint, weights_only=False))
        log(f"going on from step {run.step}")
    held_out = patches(validation, network.patch, VALIDATION, np.random.default_rng(seed)) if validation else None
    end = network.steps if stop_after is None else min(stop_after, network.steps)
    while run.step < end:
        loss = run.update(*patches(train, network.patch, network.batch, run.rng))
        if run.step % EVERY == 0 or run.step == end:
            row = {"step": float(run.step), "loss": loss}
            if held_out is not None:
                row["low_hu"], row["denoised_hu"] = run.validate(*held_out)
            history.append(row)
            log(", ".join(f"{name} {value:.4g}" for name, value in row.items()))
            _save(checkpoint, run.state(history))
    return run.network.eval(), history


class _Run:
    """The state of a training run."""

    def __init__(self, network: Network, seed: int) -> None:
        torch.manual_seed(seed)
        self.recipe = network
        self.rng = np.random.default_rng(seed)
        self.step = 0
        self.network = build(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = torch.optim.Adam(self.network.parameters(), network.learning_rate)
        self.critic: Critic | None = None
        self.critic_optimiser: torch.optim.Adam | None = None
        if network.adversarial:
            self.critic = Critic(network.critic_width, network.patch, 16 * network.critic_width)
            self.critic_optimiser = torch.optim.Adam(self.critic.parameters(), network.learning_rate, (0.5, 0.9))

    def update(self, low: np.ndarray[Any, Any], full: np.ndarray[Any, Any]) -> float:
        """Take one step on patches in HU, and return the loss."""
        image, target = (normalised(torch.from_numpy(a)) for a in (low, full))
        half = self.step < self.recipe.bfloat16 * self.recipe.steps
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            made = self.network(image.contiguous(memory_format=torch.channels_last))
        made = made.float().contiguous()
        if self.critic is not None:
            self._teach(self.critic, target, made.detach())
        loss = self._loss(made, target)
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.learning_rate * self._pace()
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        return float(loss.detach())

    def _loss(self, made: Tensor, target: Tensor) -> Tensor:
        loss = self.recipe.mse * functional.mse_loss(made, target)
        if self.recipe.edge:
            loss = loss + self.recipe.edge * edge_incoherence(made, target)
        if self.critic is not None:
            loss = loss - self.recipe.adversarial * self.critic(made).mean()
        return loss

    def _teach(self, critic: Critic, real: Tensor, made: Tensor) -> None:
        assert self.critic_optimiser is not None
        for _ in range(self.recipe.critic_steps):
            loss = critic(made).mean() - critic(real).mean() + gradient_penalty(critic, real, made)
            self.critic_optimiser.zero_grad()
            loss.backward()
            self.critic_optimiser.step()

    def _pace(self) -> float:
        """Return the learning rate of this step relative to the highest."""
        warm = min(1.0, (self.step + 1) / WARM)
        return warm * (0.01 + 0.99 * (1 + math.cos(math.pi * self.step / self.recipe.steps)) / 2)

    def validate(self, low: np.ndarray[Any, Any], full: np.ndarray[Any, Any]) -> tuple[float, float]:
        """Return the RMSE of patches in HU, before the network and after it."""
        image, target = (normalised(torch.from_numpy(a)) for a in (low, full))
        with torch.no_grad():
            made = self.network(image)
        before, after = (float((v - target).square().mean().sqrt()) * SCALE for v in (image, made))
        return before, after

    def state(self, history: list[dict[str, float]]) -> dict[str, Any]:
        """Return all that a later run needs to go on."""
        state: dict[str, Any] = {
            "recipe": self.recipe.model_dump(),
            "step": self.step,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rng": self.rng.bit_generator.state,
            "torch_rng": torch.get_rng_state(),
            "history": history,
        }
        if self.critic is not None and self.critic_optimiser is not None:
            state |= {"critic": self.critic.state_dict(), "critic_optimiser": self.critic_optimiser.state_dict()}
        return state

    def load(self, state: dict[str, Any]) -> list[dict[str, float]]:
        """Take up the state of an earlier run of the same recipe, and return its history."""
        if state["recipe"] != self.recipe.model_dump():
            from scrutiq.core import UsageError

            raise UsageError("the folder holds a run of another recipe; name another folder, or empty it.")
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.critic is not None and self.critic_optimiser is not None:
            self.critic.load_state_dict(state["critic"])
            self.critic_optimiser.load_state_dict(state["critic_optimiser"])
        self.rng.bit_generator.state = state["rng"]
        torch.set_rng_state(state["torch_rng"])
        self.step = int(state["step"])
        return list(state["history"])


def _save(path: Path, state: dict[str, Any]) -> None:
    temporary = path.with_suffix(".part")
    torch.save(state, temporary)
    os.replace(temporary, path)
