"""Encoders of images: standardised pixels (rows, channels, height, width) to vectors."""

from collections.abc import Callable

from torch import nn

from medcore.models.images.densenet import DenseNet
from medcore.models.images.efficientnet import EfficientNet
from medcore.models.images.residual import ResNet, ResNetSmall
from medcore.models.images.transformer import SmallTransformer

IMAGE_ENCODERS: dict[str, Callable[[dict], nn.Module]] = {
    "resnet_small": ResNetSmall,
    "resnet18": lambda spec: ResNet(spec, blocks=(2, 2, 2, 2), bottleneck=False),
    "resnet50": lambda spec: ResNet(spec, blocks=(3, 4, 6, 3), bottleneck=True),
    "densenet121": DenseNet,
    "efficientnet_b0": EfficientNet,
    "vit_small": SmallTransformer,
}

__all__ = ["IMAGE_ENCODERS"]
