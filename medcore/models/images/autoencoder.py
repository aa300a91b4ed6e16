"""An autoencoder of images: what an encoder says of an image in a few numbers, drawn again.

The encoder is the run's own, so that what it learns here is where its training starts from.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

CODE, PLANES, SMALLEST = 48, 64, 8
# Images are drawn again at most this large: what is unusual shows, and a step stays cheap.
DRAWN = 32


def drawn_size(height: int, width: int) -> tuple[int, int]:
    """Return the size at which an image is drawn again.

    >>> drawn_size(128, 64), drawn_size(28, 28)
    ((32, 16), (28, 28))
    """
    scale = min(1.0, DRAWN / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


class ImageAutoencoder(nn.Module):
    """An encoder, a narrow layer, and a decoder that doubles its planes' sides twice.

    Shape: standardised images (rows, channels, height, width), or volumes with slices in front of
    the channels → code (rows, 48) and the image drawn again (rows, channels, …) at `drawn_size`.
    """

    def __init__(self, encoder: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.encoder = encoder
        self.planes = shape[-3] * (shape[0] if len(shape) == 4 else 1)
        self.size = drawn_size(*shape[-2:])
        self.small = tuple(-(-side // 4) for side in self.size)
        self.narrow = nn.Linear(encoder.width, CODE)
        self.widen = nn.Linear(CODE, PLANES * self.small[0] * self.small[1])
        layers: list[nn.Module] = []
        for inputs, outputs in ((PLANES, PLANES), (PLANES, PLANES // 2)):
            layers += [
                nn.Upsample(scale_factor=2),
                nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
        self.decoder = nn.Sequential(*layers, nn.Conv2d(PLANES // 2, self.planes, 3, padding=1))

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return code and drawing."""
        code = self.narrow(self.encoder(values))
        wide = functional.relu(self.widen(code)).view(len(code), PLANES, *self.small)
        return code, self.decoder(wide)[..., : self.size[0], : self.size[1]]

    def errors(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return code and the mean squared error of the drawing, (rows,)."""
        code, drawn = self(values)
        planes = values.reshape(len(values), self.planes, *values.shape[-2:])
        aim = functional.adaptive_avg_pool2d(planes, self.size)
        return code, torch.mean((drawn - aim) ** 2, dim=(1, 2, 3))
