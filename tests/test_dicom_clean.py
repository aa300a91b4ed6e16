"""De-identification: nothing that says who somebody is comes through; what images need does."""

import datetime
import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.uid import JPEGBaseline8Bit

from medcore.data.dicom.clean import Audit, clean_header, encode_cleaned, read_date
from medcore.data.dicom.decode import decode_pixels, read_header
from medcore.data.dicom.intensity import show
from medcore.data.dicom.pseudonyms import Pseudonyms
from medcore.errors import DataError
from tests.dicom_files import inflate, make_header, make_item, to_bytes

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
PSEUDONYMS = Pseudonyms(bytes(range(32)))
PROFILE = Path(__file__).with_name("basic_profile.txt")
SECRETS = ("WINTERBOTTOM", "4711230815", "19471103")
WORDS = {
    "PN": "Winterbottom^Agatha",
    "DA": "19471103",
    "DT": "19471103101112",
    "TM": "101112",
    "AS": "077Y",
    "UI": "1.2.4711230815",
    "UR": "http://winterbottom",
}
TEXT = ("AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT")


def clean(header, tmp_path, **options):
    """Return the cleaned file's bytes, unpacked, and as it is read again."""
    audit = Audit()
    cleaned = clean_header(header, PSEUDONYMS, audit, **options)
    raw = encode_cleaned(cleaned, decode_pixels(header), header)
    return raw + inflate(raw), read_header(io.BytesIO(raw)), audit


def fill(header):
    """Write a known identity into every element of the standard that can hold one."""
    for tag, (vr, *_, keyword) in DicomDictionary.items():
        if (
            not keyword
            or keyword == "SpecificCharacterSet"
            or tag >> 16 in (0, 2, 0x0028, 0x7FE0)
            or keyword in header
        ):
            continue
        if vr in TEXT or vr in WORDS:
            header.add_new(tag, vr, WORDS.get(vr, "WINTERBOTTOM"))
        elif vr in ("IS", "DS"):
            header.add_new(tag, vr, "4711230815")
        elif vr in ("UL", "SL"):
            header.add_new(tag, vr, 19471103)
        elif vr in ("OB", "UN", "OW"):
            header.add_new(tag, vr, b"WINTERBOTTOM 4711230815!")
    return header


@pytest.fixture(scope="module")
def filled():
    header = make_header(np.arange(64, dtype=np.uint16).reshape(8, 8))
    header.PatientID, header.PatientName = "4711230815", "Winterbottom^Agatha"
    header = fill(header)
    header.add_new(0x60000010, "US", 8)
    header.add_new(0x60000022, "LO", "WINTERBOTTOM")
    header.add_new(0x60003000, "OW", b"WINTERBOTTOM")
    header.add_new(0x50003000, "OW", b"WINTERBOTTOM")
    block = header.private_block(0x0029, "WINTERBOTTOM CORP", create=True)
    block.add_new(0x01, "LO", "WINTERBOTTOM")
    block.add_new(0x02, "SQ", [make_item(PatientName="Winterbottom^Agatha")])
    deep = make_item(PatientName="Winterbottom^Agatha", PatientID="4711230815")
    for _ in range(5):
        deep = make_item(ReferencedStudySequence=[deep], PatientComments="WINTERBOTTOM")
    header.RequestAttributesSequence = [deep]
    kept = make_item(
        PixelSpacing=[0.5, 0.5], SliceThickness="4711230815", PatientName="Winterbottom^Agatha",
        RequestAttributesSequence=[deep],
    )  # fmt: skip
    header.SharedFunctionalGroupsSequence = [make_item(PixelMeasuresSequence=[kept])]
    header.preamble = b"WINTERBOTTOM".ljust(128)
    header.file_meta.SourceApplicationEntityTitle = "WINTERBOTTOM"
    header.file_meta.PrivateInformationCreatorUID = "1.2.4711230815"
    header.file_meta.PrivateInformation = b"WINTERBOTTOM"
    return header


@pytest.mark.parametrize("characteristics", [False, True])
def test_an_identity_in_every_element_is_found_in_none(filled, tmp_path, characteristics):
    before = to_bytes(filled).upper()
    assert all(before.count(secret.encode()) > 10 for secret in SECRETS)
    raw, cleaned, _ = clean(filled, tmp_path, characteristics=characteristics)
    text = f"{cleaned.file_meta}\n{cleaned}".upper()
    for secret in SECRETS:
        assert secret.encode() not in raw.upper()
        assert secret not in text
    assert (19471103).to_bytes(4, "little") not in raw
    assert cleaned.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing == [
        0.5,
        0.5,
    ]


def test_every_element_of_the_basic_profile_is_treated_at_least_as_it_asks(filled, tmp_path):
    _, cleaned, audit = clean(filled, tmp_path)
    done = {(name, action) for _, name, action in audit.counts}
    assert done
    for line in PROFILE.read_text().splitlines():
        if line.startswith("#"):
            continue
        tag, code = line.split()
        name = keyword_for_tag(int(tag, 16))
        value = cleaned.get(int(tag, 16)) if name else None
        value = None if value is None else value.value
        if not value:
            continue
        assert code not in ("X",), name
        assert value != filled.get(int(tag, 16)).value, name


def test_it_says_that_and_how_identities_were_removed(filled, tmp_path):
    _, cleaned, _ = clean(filled, tmp_path)
    assert cleaned.PatientIdentityRemoved == "YES"
    assert cleaned.DeidentificationMethod
    codes = [item.CodeValue for item in cleaned.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113107"]
    assert cleaned.LongitudinalTemporalInformationModified == "MODIFIED"


def test_no_private_element_is_left_in_any_bundled_file(tmp_path):
    seen = 0
    for path in sorted(FILES.glob("*.dcm")):
        try:
            header = read_header(io.BytesIO(path.read_bytes()))
            expected = show(header)
        except DataError:
            continue
        _, cleaned, _ = clean(header, tmp_path)
        assert not [e for e in cleaned.iterall() if e.tag.is_private], path.name
        np.testing.assert_array_equal(show(cleaned), expected, path.name)
        seen += 1
    assert seen == 59


def test_comments_inside_compressed_pixels_do_not_come_along(tmp_path):
    header = read_header(io.BytesIO((FILES / "SC_rgb_jpeg_gdcm.dcm").read_bytes()))
    raw = header.PixelData
    start = raw.index(b"\xff\xd8") + 2
    comment = b"\xff\xfe\x00\x0eWINTERBOTTOM"
    length = int.from_bytes(raw[start - 6 : start - 2], "little") + len(comment)
    header.PixelData = (
        raw[: start - 6] + length.to_bytes(4, "little") + b"\xff\xd8" + comment + raw[start:]
    )
    assert b"WINTERBOTTOM" in to_bytes(header)
    out, cleaned, _ = clean(header, tmp_path)
    assert b"WINTERBOTTOM" not in out
    assert cleaned.Rows == 100


def test_what_stands_behind_the_pixels_and_in_unused_bits_does_not_come_along(tmp_path):
    values = np.arange(64, dtype=np.uint16).reshape(8, 8)
    header = make_header(values | 0x5000, BitsStored=12, HighBit=11)
    header.PixelData += b"WINTERBOTTOM"
    out, cleaned, _ = clean(header, tmp_path)
    assert b"WINTERBOTTOM" not in out
    np.testing.assert_array_equal(decode_pixels(cleaned).values[0], values)
    # All bits as they are stored: nothing is cleared by the way.
    assert cleaned.pixel_array.max() == 63


def test_the_audit_names_elements_and_never_values(filled, tmp_path):
    _, _, audit = clean(filled, tmp_path)
    rows = audit.rows()
    assert not [row for row in rows if any(s in str(row).upper() for s in SECRETS)]
    by_name = {(row["name"], row["action"]) for row in rows}
    assert ("Patient's Name", "replaced by a pseudonym") in by_name
    assert ("Study Date", "shifted") in by_name
    assert ("Patient Comments", "removed") in by_name
    assert ("Private element", "removed") in by_name


def test_a_patient_stays_one_patient_and_a_series_one_series(tmp_path):
    def cleaned(number, series, **more):
        header = make_header(np.zeros((4, 4), np.uint8), PatientID=number,
                             SeriesInstanceUID=series, **more)  # fmt: skip
        return clean_header(header, PSEUDONYMS, Audit())

    one, two = cleaned("4711", "1.2"), cleaned(" 4711", "1.3")
    other = cleaned("4712", "1.2")
    assert one.PatientID == two.PatientID != other.PatientID
    assert one.SeriesInstanceUID == other.SeriesInstanceUID != two.SeriesInstanceUID
    assert PSEUDONYMS.patient("4711") == one.PatientID
    elsewhere = Pseudonyms(b"another workspace")
    assert elsewhere.patient("4711") != one.PatientID


def test_without_a_record_number_the_name_and_then_the_study_groups(tmp_path):
    def patient(**more):
        header = make_header(np.zeros((4, 4), np.uint8), PatientID="", **more)
        return clean_header(header, PSEUDONYMS, Audit()).PatientID

    assert patient(PatientName="Doe^A") == patient(PatientName="doe^a") != patient(PatientName="B")
    nameless = {"PatientName": "^"}
    assert patient(**nameless, StudyInstanceUID="1.1") != patient(
        **nameless, StudyInstanceUID="1.2"
    )


@given(st.dates(datetime.date(1930, 1, 1), datetime.date(2030, 1, 1)), st.integers(0, 20_000))
def test_intervals_between_a_patients_dates_are_kept(first, days):
    second = first + datetime.timedelta(days)
    a, b = PSEUDONYMS.shift("P-X", first), PSEUDONYMS.shift("P-X", second)
    assert b - a == second - first
    assert 1 <= (first - a).days <= 3650


def test_dates_move_in_the_file_and_ages_are_capped(tmp_path):
    header = make_header(np.zeros((4, 4), np.uint8), StudyDate="20200229", PatientAge="094Y",
                         PatientSex="F", SeriesDate="")  # fmt: skip
    _, cleaned, _ = clean(header, tmp_path)
    assert read_date(cleaned, "StudyDate") < datetime.date(2020, 2, 29)
    assert "SeriesDate" not in cleaned
    assert not cleaned.PatientSex
    assert "PatientAge" not in cleaned
    _, kept, _ = clean(header, tmp_path, characteristics=True)
    assert (kept.PatientAge, kept.PatientSex) == ("090Y", "F")
    assert "113108" in [item.CodeValue for item in kept.DeidentificationMethodCodeSequence]


def test_a_table_of_values_that_could_be_text_is_not_taken(tmp_path):
    text = make_item(LUTDescriptor=[16, 0, 16], LUTData=b"WINTERBOTTOM AGATHA 4711 0815...")
    header = make_header(np.zeros((4, 4), np.uint8), VOILUTSequence=[text])
    out, cleaned, _ = clean(header, tmp_path)
    assert b"WINTERBOTTOM" not in out
    assert "VOILUTSequence" not in cleaned
    with pytest.raises(DataError, match="modality LUT"):
        clean(make_header(np.zeros((4, 4), np.uint8), ModalityLUTSequence=[text]), tmp_path)


def test_a_compressed_original_is_kept_without_loss(tmp_path):
    header = read_header(io.BytesIO((FILES / "693_J2KI.dcm").read_bytes()))
    _, cleaned, _ = clean(header, tmp_path)
    np.testing.assert_array_equal(decode_pixels(cleaned).values, decode_pixels(header).values)
    assert header.file_meta.TransferSyntaxUID != JPEGBaseline8Bit
