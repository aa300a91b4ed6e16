"""Networks and baselines, built from explicit tables of constructors: encoders → fusion → head."""

from medcore.models.baselines import build_baseline, fit_baseline, predict_baseline
from medcore.models.fusion import ENCODERS, Inputs, Piece, read_piece
from medcore.models.network import (
    BODIES,
    NETWORKS,
    Network,
    build_from_spec,
    build_network,
    network_blocks,
    network_spec,
)

__all__ = [
    "BODIES",
    "ENCODERS",
    "NETWORKS",
    "Inputs",
    "Network",
    "Piece",
    "build_baseline",
    "build_from_spec",
    "build_network",
    "fit_baseline",
    "network_blocks",
    "network_spec",
    "predict_baseline",
    "read_piece",
]
