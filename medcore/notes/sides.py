"""Left and right in a note, and which part of the body each goes with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from medcore.lexicon.tokens import split_words

Side = Literal["left", "right"]
WORDS: dict[str, Side] = {
    "left": "left", "lt": "left", "l": "left", "right": "right", "rt": "right", "r": "right",
    "left-sided": "left", "right-sided": "right",
}  # fmt: skip
PARTS = split_words(
    "knee hip shoulder elbow wrist ankle hand foot arm leg thigh calf forearm finger thumb toe eye "
    "ear breast kidney lung testicle ovary ureter groin inguinal femur femoral tibia tibial fibula "
    "humerus radius ulna clavicle scapula patella heel temple flank chest face facial cheek "
    "nostril "
    "tonsil parotid adrenal carotid cerebral hemisphere temporal frontal parietal occipital upper "
    "lower renal pleural iliac axilla axillary jaw mandible maxilla buttock extremity side lobe "
    "retina eyelid hemithorax hernia hemiparesis hemiplegia weakness pneumothorax effusion cataract"
)
PART = "|".join(sorted(PARTS, key=len, reverse=True))
# "R" and "L" count in capitals only, "left" not as a verb, and not where the side is the name.
PATTERN = re.compile(
    r"\b(?P<side>[Ll]eft(?:-sided)?|[Rr]ight(?:-sided)?|LEFT|RIGHT|[LR][Tt]|[LR])\b"
    r"(?=(?P<rest>(?:[ \-]+[A-Za-z]+){0,3}))"
)
FIXED = re.compile(
    r"^[ \-]+(?:ventric\w+|atri\w+|bundle|axis|anterior descending|circumflex|coronary|main|shift|"
    r"now|away|here|there|hand(?:ed|er)|after|before|the|to|at|his|her|against|without|on|in|for|"
    r"with|heart|upper quadrant|lower quadrant|side of the family|a|it|him|outer|inner)\b",
    re.IGNORECASE,
)
BOTH = re.compile(
    r"\b(?:both|bilateral\w*|other|contralateral|opposite|unaffected|compared|uninvolved|also|"
    r"either|normal|equal|spared|unlike)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Sided:
    """A side with the part of the body it goes with ("" where none is named)."""

    side: Side
    part: str
    start: int
    end: int


def find_sides(note: str) -> list[Sided]:
    """Return each side with its part of the body.

    >>> [(s.side, s.part) for s in find_sides("Rt knee; L distal radius. He left on Monday.")]
    [('right', 'knee'), ('left', 'radius')]
    """
    found = []
    for match in PATTERN.finditer(note):
        rest = match["rest"]
        if FIXED.match(rest) or (
            match["side"] in ("L", "R") and note[match.start() - 1 : match.start()] in ("'", "-")
        ):
            continue
        parts = re.findall(rf"\b(?:{PART})s?\b", rest, re.IGNORECASE)
        part = parts[-1].lower() if parts else ""
        part = part if part in PARTS else part.removesuffix("s")
        if match["side"] in ("L", "R") and not part:
            continue
        found.append(Sided(WORDS[match["side"].lower()], part, match.start(), match.end("rest")))
    return found
