"""YAML files that ship within the package."""

from __future__ import annotations

from importlib import resources
from typing import Any

__all__ = ["shipped_yaml"]


def shipped_yaml(package: str, *path: str) -> Any:
    """Return what a YAML file of a package of Scrutiq holds, None where there is no such file.

    By libyaml where PyYAML has it, which is ten times as fast: every command reads several of these as it starts.
    """
    import yaml

    file = resources.files(package).joinpath(*path)
    if not file.is_file():
        return None
    return yaml.load(file.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
