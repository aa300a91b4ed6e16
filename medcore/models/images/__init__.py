"""Encoders of images: standardised pixels (rows, channels, height, width) to vectors.

Volumes have their slices in front of the channels; a network of images sees each and pools them.
"""

from collections.abc import Callable

from torch import nn

from medcore.models.images.densenet import DenseNet
from medcore.models.images.efficientnet import EfficientNet
from medcore.models.images.residual import ResNet, ResNetSmall
from medcore.models.images.slices import ResNet3d, SlicePool
from medcore.models.images.transformer import SmallTransformer

FLAT_ENCODERS: dict[str, Callable[[dict], nn.Module]] = {
    "resnet_small": ResNetSmall,
    "resnet18": lambda spec: ResNet(spec, blocks=(2, 2, 2, 2), bottleneck=False),
    "resnet50": lambda spec: ResNet(spec, blocks=(3, 4, 6, 3), bottleneck=True),
    "densenet121": DenseNet,
    "efficientnet_b0": EfficientNet,
    "vit_small": SmallTransformer,
}


def _over_slices(make: Callable[[dict], nn.Module]) -> Callable[[dict], nn.Module]:
    def build(spec: dict) -> nn.Module:
        if len(spec["shape"]) == 3:
            return make(spec)
        return SlicePool(make({**spec, "shape": spec["shape"][1:]}), spec["settings"]["pooling"])

    return build


IMAGE_ENCODERS: dict[str, Callable[[dict], nn.Module]] = {
    **{name: _over_slices(make) for name, make in FLAT_ENCODERS.items()},
    "resnet3d_small": ResNet3d,
}

__all__ = ["IMAGE_ENCODERS"]
