"""Synthetic notes full of identifiers whose places are known, in many ways of writing."""

import numpy as np

from medcore.lexicon.tokens import split_words

GIVEN = split_words("Margaret Tyrone Aiko Bartholomew Rosalind Devon Imani Casimir Leona Thaddeus")
FAMILY = split_words(
    "Whitcombe Delacroix Nakamura Obrien Vandermeer Achterberg Mbeki Lindqvist Rourke"
)
TEMPLATES = [
    "Patient: {name}. DOB: {date}. MRN: {mrn}. Seen in clinic on {date}.",
    "{title} {family}, {age} years old, was admitted on {date} with chest pain.",
    "Please call {phone} or write to {email} with the results.",
    "Lives at {address}. Daughter {given} can be reached at {phone}.",
    "Follow-up is planned for {date}. Hospital number {mrn}, SSN {ssn}.",
    "Dictated by: {name}, MD, {date}. Reviewed on {date}.",
    "She is a {age}-year-old woman who moved here in {month_year}.",
    "Results were faxed to {phone}. Account number {account}.",
    "CT on {date} compared with {date}: no change. BP 128/74, HR 88, glucose 5.4.",
    "Record no. {mrn}. Portal: {email}. Next of kin: {name}, tel {phone}.",
    "Dr. {family} saw the patient on {date} and prescribed metoprolol 25 mg.",
    "Aged {age}, still living at {address} with a visiting nurse.",
]
STRUCTURED = (
    "date", "mrn", "age", "phone", "email", "address", "ssn", "month_year", "account",
)  # fmt: skip


MONTHS = split_words(
    "January February March April May June July August September October November December"
)


def _date(rng):
    year, month, day = (int(rng.integers(*span)) for span in ((1935, 2024), (1, 13), (1, 29)))
    long = MONTHS[month - 1]
    forms = (
        f"{month:02d}/{day:02d}/{year}", f"{month}/{day}/{year % 100:02d}",
        f"{year}-{month:02d}-{day:02d}", f"{day} {long} {year}", f"{long} {day}, {year}",
        f"{long[:3]} {day}, {year}", f"{day}.{month}.{year}", f"{day}-{long[:3]}-{year}",
        f"{long} {day}", f"{day:02d}/{month:02d}/{year}", f"{day}th of {long} {year}",
    )  # fmt: skip
    return str(rng.choice(forms))


def _digits(rng, count):
    return "".join(map(str, rng.integers(0, 10, count)))


def _value(kind, rng):
    area, a, b = rng.integers(200, 990), rng.integers(200, 990), rng.integers(1000, 9999)
    given, family = str(rng.choice(GIVEN)), str(rng.choice(FAMILY))
    makers = {
        "name": lambda: f"{given} {family}",
        "given": lambda: given,
        "family": lambda: family,
        "title": lambda: str(rng.choice(["Mr.", "Mrs.", "Ms", "Mr"])),
        "date": lambda: _date(rng),
        "month_year": lambda: str(rng.choice(["March 2011", "11/2009", "Sept 2014"])),
        "age": lambda: str(rng.integers(90, 106)),
        "mrn": lambda: f"{rng.choice(['', 'A', 'MR-'])}{rng.integers(1, 9)}" + _digits(rng, 6),
        "account": lambda: _digits(rng, 9),
        "ssn": lambda: f"{area}-{rng.integers(10, 99)}-{b}",
        "phone": lambda: str(rng.choice([
            f"({area}) {a}-{b}", f"{area}-{a}-{b}", f"{area}.{a}.{b}", f"+1 {area} {a} {b}",
            f"+44 20 {_digits(rng, 4)} {_digits(rng, 4)}", f"{area}-{a}-{b} ext. 23",
        ])),
        "email": lambda: f"{given.lower()}.{family.lower()}{_digits(rng, 2)}@mail.co.uk",
        "address": lambda: " ".join((
            str(rng.integers(1, 4000)), str(rng.choice(["Maple", "N. Harbour", "Old Mill"])),
            str(rng.choice(["Street", "Ave", "Road", "Lane", "Blvd."])),
        )),
    }  # fmt: skip
    return makers[kind]()


def write_notes(count, seed):
    """Return (note, [(kind, start, end)]) pairs of four sentences each."""
    rng = np.random.default_rng(seed)
    notes = []
    for _ in range(count):
        text, places = "", []
        for template in rng.choice(TEMPLATES, 4, replace=False):
            for piece in str(template).split("{"):
                kind, brace, rest = piece.partition("}")
                if brace:
                    value = _value(kind, rng)
                    places.append((kind, len(text), len(text) + len(value)))
                    text += value + rest
                else:
                    text += kind
            text += " "
        notes.append((text, [place for place in places if place[0] != "title"]))
    return notes
