"""With what a run was computed: versions, machine, and the commit of medcore's own code."""

from __future__ import annotations

import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "torch", "scikit-learn", "numpy", "pandas", "scipy", "tabm", "rtdl-num-embeddings",
    "safetensors", "pyarrow",
)  # fmt: skip


def describe_environment(device: str) -> dict[str, Any]:
    """Return device, Python, platform, package versions, commit (None outside git), time (UTC)."""
    return {
        "device": device,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: found for name in PACKAGES if (found := package_version(name))},
        "commit": code_commit(),
        "time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def package_version(name: str) -> str:
    """Return an installed package's version, empty when it is absent."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def code_commit() -> str | None:
    """Return the commit of the code that runs, with "-dirty" when it was changed since."""
    if not (ROOT / ".git").exists():
        return None
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
