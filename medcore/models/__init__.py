"""Networks and baselines: encoder → trunk → head, built from an explicit table of constructors."""

from medcore.models.baselines import build_baseline, fit_baseline, predict_baseline
from medcore.models.network import NETWORKS, Network, build_from_spec, build_network, network_spec

__all__ = [
    "NETWORKS",
    "Network",
    "build_baseline",
    "build_from_spec",
    "build_network",
    "fit_baseline",
    "network_spec",
    "predict_baseline",
]
