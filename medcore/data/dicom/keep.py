"""The elements that a cleaned file keeps, and what their values must look like to be kept.

What is not named here is removed, private elements, overlays, curves and free text included: this
does at least what the Basic Application Level Confidentiality Profile (PS3.15 table E.1-1) asks
for every element, whether its code is D, Z, X, K, C or U. A value that is not of the form given
here is removed too, so that a name in the wrong element goes as well.
"""

from __future__ import annotations

import itertools
import math
import re
import struct
from collections.abc import Callable
from typing import Any

Rule = Callable[[Any], Any]


def _many(value: Any) -> list:
    return list(value) if isinstance(value, list | tuple) or hasattr(value, "append") else [value]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _numbers(low: float, high: float) -> Rule:
    def keep(value: Any) -> Any:
        numbers = [float(part) for part in _many(value)]
        if not all(math.isfinite(n) and low <= n <= high for n in numbers):
            return None
        whole = [int(n) if n.is_integer() else float(f"{n:.10g}") for n in numbers]
        return whole if len(whole) > 1 else whole[0]

    return keep


def _terms(terms: str) -> Rule:
    known = _words(terms) | {term.replace("_", " ") for term in terms.split()}

    def keep(value: Any) -> Any:
        words = [str(part).strip().upper() for part in _many(value)]
        if not set(words) <= known:
            return None
        return words if len(words) > 1 else words[0]

    return keep


def _image_type(value: Any) -> list[str] | None:
    """Keep the words of an image type that are terms of the standard."""
    words = [str(part).strip().upper() for part in _many(value)]
    return [word for word in words if word in IMAGE_TYPES] or None


def _pattern(pattern: str) -> Rule:
    form = re.compile(pattern)

    def keep(value: Any) -> Any:
        words = [str(part).strip() for part in _many(value)]
        if not all(form.fullmatch(word) for word in words):
            return None
        return words if len(words) > 1 else words[0]

    return keep


def _maker(value: Any) -> str | None:
    """Return which of the known makers a text names, and nothing else of the text."""
    text = str(value).upper()
    return next((maker for maker in MAKERS if re.search(rf"\b{maker.upper()}\b", text)), None)


def _rising(value: Any) -> bytes | None:
    """Keep a look-up table's 16-bit words if they rise or fall throughout, as text would not."""
    if isinstance(value, bytes | bytearray):
        value = memoryview(bytes(value)).cast("H").tolist()
    words = [int(part) for part in _many(value)]
    pairs = list(itertools.pairwise(words))
    ordered = all(a <= b for a, b in pairs) or all(a >= b for a, b in pairs)
    return struct.pack(f"<{len(words)}H", *words) if len(words) > 1 and ordered else None


MAKERS = (
    "Agfa", "Canon", "Carestream", "Fujifilm", "GE", "General Electric", "Hitachi", "Hologic",
    "Kodak", "Konica", "Mindray", "Philips", "Samsung", "Shimadzu", "Siemens", "Toshiba", "Topcon",
    "United Imaging", "Varian", "Zeiss",
)  # fmt: skip
IMAGE_TYPES = _words(
    "ORIGINAL DERIVED PRIMARY SECONDARY AXIAL LOCALIZER MPR REFORMATTED PROJECTION VOLUME MIXED "
    "REFERENCE DIXON ANGIO CARDIAC FLOW DIFFUSION PERFUSION ADC TRACEW M P R I OTHER SUBTRACTION "
    "SAVE AVERAGE MAXIMUM_INTENSITY MIP MINIP NONE CT_SOM5 T1 T2 SINGLE BIPLANE STATIC DYNAMIC "
    "GATED TOMO RECON WHOLE_BODY"
)
BODY_PARTS = (
    "ABDOMEN ABDOMENPELVIS ACJOINT ADRENAL ANKLE ANUS AORTA ARM AXILLA BACK BILEDUCT BLADDER BRAIN "
    "BREAST BRONCHUS BUTTOCK CALCANEUS CALF CAROTID CARDIAC CEREBELLUM CERVIX CHEEK CHEST "
    "CHESTABDOMEN CHESTABDPELVIS CHESTABDPELV CLAVICLE COCCYX COLON CORNEA CORONARYARTERY CSPINE "
    "CTSPINE DUODENUM EAR ELBOW ESOPHAGUS EXTREMITY EYE EYELID FACE FEMUR FINGER FOOT FOREARM "
    "GALLBLADDER HAND HEAD HEADNECK HEART HIP HUMERUS ILEUM ILIUM IAC JAW JEJUNUM KIDNEY KNEE "
    "LARYNX LEG LIVER LSPINE LSSPINE LUNG LOWERLEG MANDIBLE MAXILLA MEDIASTINUM MOUTH NECK "
    "NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NOSE ORBIT OVARY PANCREAS PARATHYROID PAROTID "
    "PATELLA PELVIS PENIS PHARYNX PROSTATE RECTUM RETINA RIB SACRUM SCALP SCAPULA SCLERA SCROTUM "
    "SHOULDER SIJOINT SKIN SKULL SPINE SPLEEN SSPINE STERNUM STOMACH SUBMANDIBULAR TESTIS THIGH "
    "THORAX THUMB THYMUS THYROID TIBIA TLSPINE TMJ TOE TONGUE TRACHEA TSPINE ULNA URETER URETHRA "
    "UTERUS VAGINA VULVA WHOLEBODY WRIST ZYGOMA"
)
MODALITIES = (
    "AR BI BMD CR CT DG DMS DX ECG EPS ES GM HC IO IVOCT IVUS LS MG MR NM OAM OCT OP OPM OPT "
    "OPTBSV OPTENF OPV OT PT PX RF RG RTDOSE RTIMAGE SC SEG SM ST TG US VA XA XC"
)
VIEWS = (
    "AP PA LL RL RLD LLD RLO LLO LAT LATERAL OBL OBLIQUE LPO RPO LAO RAO AXIAL CC MLO ML LM LMO "
    "XCCL XCCM FB SIO ISO CV RM AT"
)

KEEP: dict[str, Rule] = {
    # What kind of image, and of what.
    "Modality": _terms(MODALITIES),
    "BodyPartExamined": _terms(BODY_PARTS),
    "ViewPosition": _terms(VIEWS),
    "Laterality": _terms("L R U B"),
    "ImageLaterality": _terms("L R U B"),
    "FrameLaterality": _terms("L R U B"),
    "PatientPosition": _terms("HFP HFS HFDR HFDL FFDR FFDL FFP FFS LFP LFS RFP RFS AFDR AFDL"),
    "PatientOrientation": _pattern("[ALPRFH]{0,3}"),
    "ImageType": _image_type,
    "ConversionType": _terms("DV DI DF WSD SD SI DRW SYN"),
    "PresentationIntentType": _terms("FOR_PRESENTATION FOR_PROCESSING"),
    "BurnedInAnnotation": _terms("YES NO"),
    "RecognizableVisualFeatures": _terms("YES NO"),
    "Manufacturer": _maker,
    "MRAcquisitionType": _terms("2D 3D"),
    "ScanningSequence": _terms("SE IR GR EP RM"),
    "LossyImageCompression": _terms("00 01"),
    # What its values mean.
    "RescaleSlope": _numbers(-1e12, 1e12),
    "RescaleIntercept": _numbers(-1e12, 1e12),
    "RescaleType": _terms("OD HU US MGML Z_EFF ED EDW HU_MOD PCT"),
    "WindowCenter": _numbers(-1e6, 1e6),
    "WindowWidth": _numbers(0, 1e7),
    "VOILUTFunction": _terms("LINEAR LINEAR_EXACT SIGMOID"),
    "PixelIntensityRelationship": _terms("LIN LOG DISP"),
    "PixelIntensityRelationshipSign": _numbers(-1, 1),
    "PresentationLUTShape": _terms("IDENTITY INVERSE"),
    "PixelPaddingValue": _numbers(-65536, 65536),
    "DoseGridScaling": _numbers(0, 1e6),
    "LUTDescriptor": _numbers(-65536, 65536),
    "LUTData": _rising,
    # Where it lies.
    "PixelSpacing": _numbers(0, 1e3),
    "ImagerPixelSpacing": _numbers(0, 1e3),
    "NominalScannedPixelSpacing": _numbers(0, 1e3),
    "PixelAspectRatio": _numbers(0, 1e4),
    "SliceThickness": _numbers(0, 1e3),
    "SpacingBetweenSlices": _numbers(-1e3, 1e3),
    "ImagePositionPatient": _numbers(-1e5, 1e5),
    "ImageOrientationPatient": _numbers(-1, 1),
    "SliceLocation": _numbers(-1e5, 1e5),
    "GantryDetectorTilt": _numbers(-360, 360),
    "GridFrameOffsetVector": _numbers(-1e5, 1e5),
    "InstanceNumber": _numbers(-1e5, 1e5),
    "SeriesNumber": _numbers(-1e5, 1e5),
    "AcquisitionNumber": _numbers(-1e5, 1e5),
    "TemporalPositionIndex": _numbers(0, 1e5),
    "InStackPositionNumber": _numbers(0, 1e5),
    # How it was made.
    "KVP": _numbers(0, 1e3),
    "ExposureTime": _numbers(0, 1e5),
    "XRayTubeCurrent": _numbers(0, 1e5),
    "Exposure": _numbers(0, 1e5),
    "RepetitionTime": _numbers(0, 1e5),
    "EchoTime": _numbers(0, 1e5),
    "InversionTime": _numbers(0, 1e5),
    "FlipAngle": _numbers(-360, 360),
    "MagneticFieldStrength": _numbers(0, 30),
    "EchoTrainLength": _numbers(0, 1e4),
    "BodyPartThickness": _numbers(0, 1e3),
    "CompressionForce": _numbers(0, 1e3),
    "FrameTime": _numbers(0, 1e5),
    "CineRate": _numbers(0, 1e4),
}
# Kept on request: who the patient is as far as it does not tell who.
CHARACTERISTICS: dict[str, Rule] = {
    "PatientSex": _terms("M F O"),
    "PatientAge": _pattern(r"\d{3}[DWMY]"),
    "PatientSize": _numbers(0.2, 2.6),
    "PatientWeight": _numbers(0.2, 400),
}
SEQUENCES = _words(
    "SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence PixelMeasuresSequence "
    "PlanePositionSequence PlaneOrientationSequence PixelValueTransformationSequence "
    "FrameVOILUTSequence FrameContentSequence FrameAnatomySequence ModalityLUTSequence "
    "VOILUTSequence"
)
UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
# Must stand in a file, but may be empty.
EMPTIED = (
    "AccessionNumber", "ReferringPhysicianName", "PatientBirthDate", "StudyID", "StudyTime",
)  # fmt: skip
# Written anew from the decoded pixels.
PIXEL_MODULE = _words(
    "Rows Columns NumberOfFrames SamplesPerPixel PhotometricInterpretation PlanarConfiguration "
    "BitsAllocated BitsStored HighBit PixelRepresentation PixelData FloatPixelData "
    "DoubleFloatPixelData"
)
