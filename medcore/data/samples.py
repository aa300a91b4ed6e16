"""The data sets that ship with medcore: source, licence, and what each teaches."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from medcore.config import Role
from medcore.data.table import read_table
from medcore.errors import DataError
from medcore.records import Dataset

FOLDER = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Sample:
    """A data set that ships; `changes` says how it differs from the source.

    `synthetic`: drawn by a program, with no patient in it, and called so wherever it is shown.
    """

    name: str
    title: str
    rows: int
    outcome: str
    question: str
    teaches: str
    licence: str
    source: str
    changes: str
    roles: Mapping[str, Role] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    synthetic: bool = False


SAMPLES = (
    Sample(
        name="uci_heart",
        title="Heart disease, 920 patients",
        rows=920,
        outcome="disease",
        question="Does this patient have coronary heart disease?",
        teaches="Four hospitals, one value in eight missing, zeros that stand for missing.",
        licence="CC BY 4.0",
        source="UCI Heart Disease (Janosi, Steinbrunn, Pfisterer, Detrano 1988)",
        changes="Columns have readable names; disease is yes where the source's num is above 0.",
        roles={"patient": "patient", "hospital": "site", "disease": "outcome"},
        units={
            "age": "years",
            "resting_bp": "mmHg",
            "cholesterol": "mg/dL",
            "max_heart_rate": "1/min",
            "st_depression": "mm",
        },
    ),
    Sample(
        name="wdbc",
        title="Breast biopsies, 569 patients",
        rows=569,
        outcome="diagnosis",
        question="Is this breast mass malignant?",
        teaches="A clean table with strong signal: what a very good model looks like.",
        licence="CC BY 4.0",
        source="UCI Breast Cancer Wisconsin, diagnostic (Wolberg, Mangasarian, Street 1995)",
        changes="As distributed with scikit-learn; underscores in the columns' names.",
        roles={"diagnosis": "outcome"},
    ),
    Sample(
        name="heart_failure",
        title="Heart failure, 299 patients",
        rows=299,
        outcome="death",
        question="Will this patient die during follow-up?",
        teaches="The length of follow-up leaks the outcome: those who died were followed briefly. "
        "Ask for the time to death on Train.",
        licence="CC BY 4.0",
        source="UCI Heart Failure Clinical Records (Chicco, Jurman 2020)",
        changes="0 and 1 are written as no and yes, female and male.",
        roles={"death": "outcome", "time": "duration"},
        units={
            "age": "years",
            "creatinine_phosphokinase": "U/L",
            "ejection_fraction": "%",
            "platelets": "1/µL",
            "serum_creatinine": "mg/dL",
            "serum_sodium": "mmol/L",
            "time": "days",
        },
    ),
    Sample(
        name="thyroid",
        title="Thyroid disease, 9,172 patients",
        rows=9172,
        outcome="diagnosis",
        question="Which thyroid disorder, if any, does this patient have?",
        teaches="Rare diagnoses, impossible ages, and tests ordered because of a suspicion.",
        licence="CC BY 4.0",
        source="UCI Thyroid Disease (Quinlan 1987)",
        changes="The first of the source's diagnosis letters, grouped into eight diagnoses.",
        roles={"patient_id": "patient", "diagnosis": "outcome"},
        units={"age": "years", "TSH": "mIU/L", "T3": "nmol/L", "TT4": "nmol/L"},
    ),
    Sample(
        name="phantoms",
        title="Synthetic chests, 600 images",
        rows=600,
        outcome="lesion",
        question="Is there a lesion in this synthetic chest image?",
        teaches="Where each lesion lies is known, so that explanations can be scored.",
        licence="MIT",
        source="Drawn by medcore; no patient is in it",
        changes="None.",
        synthetic=True,
    ),
    Sample(
        name="progression",
        title="Synthetic kidney disease, 1,200 courses",
        rows=11129,
        outcome="kidney_failure_within_year",
        question="Will the kidneys of this synthetic patient fail within a year of the last visit?",
        teaches="One row a visit: irregular visits, and tests ordered the more the sicker somebody "
        "is. How it went before tells more than the last values.",
        licence="MIT",
        source="Drawn by medcore; no patient is in it",
        changes="None.",
        synthetic=True,
    ),
    Sample(
        name="programme",
        title="Care programme, 2,000 synthetic patients",
        rows=2000,
        outcome="readmitted",
        question="Does the care programme prevent readmission, and in whom?",
        teaches="The sicker are enrolled more often, so that a plain comparison says the opposite "
        "of the truth. Each patient's true effect is in the table, but no input.",
        licence="MIT",
        source="Drawn by medcore; no patient is in it",
        changes="None.",
        synthetic=True,
    ),
)


def load_sample(name: str) -> Dataset:
    """Return a sample with its roles and units filled in; raises `DataError` for other names.

    >>> len(load_sample("heart_failure").frame)
    299
    """
    found = next((sample for sample in SAMPLES if sample.name == name), None)
    if found is None:
        names = [sample.name for sample in SAMPLES]
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(names)}."
        raise DataError(f"There is no sample '{name}'{hint}")
    if found.name == "phantoms":
        from medcore.data.phantoms import phantom_dataset

        return phantom_dataset()
    if found.name == "progression":
        from medcore.data.progression import progression_dataset

        return progression_dataset()
    if found.name == "programme":
        from medcore.data.trial import trial_dataset

        return trial_dataset()
    dataset = read_table(FOLDER / f"{name}.csv", name=found.title)
    columns = tuple(
        replace(
            column,
            role=found.roles.get(column.name, "input" if column.role == "outcome" else column.role),
            unit=found.units.get(column.name),
        )
        for column in dataset.columns
    )
    return replace(dataset, source=f"sample:{name}", columns=columns)
