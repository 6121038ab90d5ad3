"""What a training run is: the data, the networks, the losses, the seed; read from a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import Field, ValidationError, model_validator

from scrutiq.core import InputError, Noun

__all__ = ["Data", "Network", "Recipe", "load_recipe", "read_recipe"]

R = TypeVar("R", bound=Noun)

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Data(Noun):
    """The images that a run learns from.

    Parameters
    ----------
    folder : str
        Of DICOM slices, in the folder of data that the run is given.
    licence : str
        Under which shipped weights may be trained on them.
    dose : float
        Fraction of the dose of the images that the network gets to see, in (0, 1).
    noise_at_most : float
        Slices with more noise than this, HU, are left out: what is to be learnt from them is not the full dose.
    realisations : int
        Draws of the noise, an image.
    train, validation : float
        Shares of the patients; the rest is for the test.
    """

    folder: Annotated[str, Field(min_length=1)]
    licence: Annotated[str, Field(min_length=1)]
    dose: Annotated[float, Field(gt=0, lt=1)]
    noise_at_most: Positive = 16
    realisations: Count = 1
    train: Share
    validation: Share

    @model_validator(mode="after")
    def _check(self) -> Data:
        if self.train <= 0 or self.train + self.validation >= 1:
            raise ValueError("some patients are for training, and some are left for the test")
        return self


class Network(Noun):
    """One network and how it is trained.

    Parameters
    ----------
    architecture : {"red_cnn", "map_nn"}
    width : int
        Channels of its layers.
    depth : int
        How often the module of MAP-NN is applied in training.
    steps, batch, patch : int
        Updates, patches an update, and their side in pixels.
    learning_rate : float
        Of Adam, after a hundred steps of warming up; it falls to a hundredth by a cosine.
    bfloat16 : float
        Share of the steps, from the first, in which the network computes with 16 bits: twice as fast on a CPU.
    mse, edge, adversarial : float
        Weights of the terms of the loss: mean squared error, edge incoherence (the mean squared difference of Sobel
        gradients), and that of a Wasserstein critic with gradient penalty. Values are CT numbers in thousands.
    critic_width, critic_steps : int
        Of the critic, if there is one: channels of its first layers, and its updates before each of the network's.
    """

    architecture: Literal["red_cnn", "map_nn"]
    width: Count
    depth: Count = 1
    steps: Count
    batch: Count = 8
    patch: Annotated[int, Field(ge=24)] = 64
    learning_rate: Positive = 1e-3
    bfloat16: Share = 0
    mse: Annotated[float, Field(ge=0)] = 1
    edge: Annotated[float, Field(ge=0)] = 0
    adversarial: Annotated[float, Field(ge=0)] = 0
    critic_width: Count = 16
    critic_steps: Count = 4

    @model_validator(mode="after")
    def _check(self) -> Network:
        if self.mse + self.edge + self.adversarial == 0:
            raise ValueError("at least one term of the loss has a weight")
        if self.depth > 1 and self.architecture != "map_nn":
            raise ValueError("only map_nn has a depth")
        return self


class Recipe(Noun):
    """A training run.

    Parameters
    ----------
    name : str
    seed : int
        Of the split, the noise, the first weights and the order of the patches.
    data : Data
    networks : dict of str to Network
        By the name of the file of weights.
    opset : int
        Version of the ONNX operators of the exported files.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    seed: int
    data: Data
    networks: Annotated[dict[str, Network], Field(min_length=1)]
    opset: Annotated[int, Field(ge=17)] = 17

    def shortened(self) -> Recipe:
        """Return the same run made as short as it can be: every step of it is taken, nothing is learnt."""
        small = {
            name: network.model_copy(
                update={
                    "width": 4,
                    "steps": 4,
                    "batch": 2,
                    "patch": 32,
                    "depth": min(network.depth, 2),
                    "critic_width": 2,
                    "critic_steps": 1,
                }
            )
            for name, network in self.networks.items()
        }
        return self.model_copy(
            update={"networks": small, "data": self.data.model_copy(update={"realisations": 1, "noise_at_most": 1e3})},
        )


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe of denoisers; see `read_recipe`."""
    return read_recipe(path, Recipe)


def read_recipe(path: str | Path, kind: type[R]) -> R:
    """Read a recipe of a kind.

    Raises
    ------
    InputError
        If the file cannot be read, or is not such a recipe.
    """
    try:
        return kind.model_validate(yaml.safe_load(Path(path).read_text("utf-8")))
    except OSError:
        raise InputError("the recipe cannot be read; check the path.", str(path)) from None
    except yaml.YAMLError:
        raise InputError("the recipe is not valid YAML.", str(path)) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the recipe"
        raise InputError(f"not a recipe: {where}: {first['msg']}.", str(path)) from None
