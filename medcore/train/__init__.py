"""The training loop: `Prepared` rows go in, `Epoch`s come by, a `TrainedNetwork` comes out."""

from medcore.train.loop import train_network
from medcore.train.trained import TrainedNetwork, predict_members, predict_network

__all__ = ["TrainedNetwork", "predict_members", "predict_network", "train_network"]
