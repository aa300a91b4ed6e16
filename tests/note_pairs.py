"""Forty synthetic notes beside structured rows: each with a planted contradiction and a clean twin.

`note` has one place `{}`; `planted` makes it contradict the row (or the note itself), `clean` makes
it agree. The odd ones were not looked at while the rules were written.
"""

from typing import NamedTuple


class Pair(NamedTuple):
    kind: str
    note: str
    planted: str
    clean: str
    row: dict


PAIRS = [
    Pair(
        "age",
        "HPI: This pleasant {} lady was brought in by her daughter after a fall at home. "
        "She hit her left hip. No loss of consciousness.\nPLAN: X-ray of the hip, analgesia.",
        "68 y/o",
        "86 y/o",
        {"age": 86, "sex": "F", "hip_fracture": "no"},
    ),
    Pair(
        "age",
        "Mr. Okafor, aged {}, attends for review of his blood pressure. Home readings average "
        "138/84. He walks two miles a day and takes amlodipine 5 mg every morning.",
        "41",
        "61",
        {"Age (years)": 61, "gender": "male", "sbp": 138},
    ),
    Pair(
        "age",
        "Reason for visit: cough.\n\nA {} man presented with three days of productive cough. His "
        "father is 80 and well. Chest clear on auscultation.",
        "fifty-two-year-old",
        "twenty-five-year-old",
        {"patient_age": 25, "sex": "male"},
    ),
    Pair(
        "age",
        "ADMISSION NOTE\n{}F, G2P1, at 34 weeks, with headache and swelling. BP 152/96. Her mother "
        "had pre-eclampsia at 29.",
        "39",
        "29",
        {"age": 29, "sex": "Female", "systolic": 152},
    ),
    Pair(
        "age",
        "Seen in clinic today. The patient turned {} last month and is thinking about retirement. "
        "Diagnosed with hypertension at the age of 45. Feels well.",
        "76",
        "66",
        {"age": 66, "hypertension": 1},
    ),
    Pair(
        "sex",
        "The patient reports that {} chest has felt tight since Sunday. Her brother had an infarct "
        "at 50. ECG without ST changes. Troponin pending.",
        "his",
        "her",
        {"sex": "female", "age": 57},
    ),
    Pair(
        "sex",
        "CC: dysuria.\nHPI: {} with burning on urination for 2 days, no fever. Urine dip "
        "positive for nitrites.\nA/P: UTI, nitrofurantoin 100 mg twice daily for five days.",
        "34M",
        "34F",
        {"sex": "F", "age": 34},
    ),
    Pair(
        "sex",
        "S: {} comes in with low back pain after lifting boxes. Nothing radiates. O: straight leg "
        "raise negative. A: mechanical back pain. P: ibuprofen, keep moving.",
        "Gentleman",
        "Lady",
        {"gender": "Woman", "age": 44},
    ),
    Pair(
        "sex",
        "45-year-old {} with right upper quadrant pain after meals. Ultrasound shows gallstones "
        "without wall thickening. His wife is a nurse. Will refer to surgery.",
        "woman",
        "man",
        {"sex": "M", "age": 45},
    ),
    Pair(
        "sex",
        "History: routine follow-up of hypothyroidism. {} was two weeks ago. "
        "TSH 2.1 mIU/L on levothyroxine 75 mcg.",
        "Her last period",
        "His last visit",
        {"sex": "male", "tsh": 2.1},
    ),
    Pair(
        "laterality",
        "Indication: lump. Mammography shows a spiculated mass of 14 mm in the {} breast at 10 "
        "o'clock. No axillary nodes. BI-RADS 5.",
        "left",
        "right",
        {"side": "right", "age": 63},
    ),
    Pair(
        "laterality",
        "Op note. Total knee replacement, {} knee, under spinal anaesthesia. Tourniquet time 70 "
        "minutes. Blood loss 150 mL. To ward in stable condition.",
        "Rt",
        "Lt",
        {"operated_side": "L", "procedure": "TKR"},
    ),
    Pair(
        "laterality",
        "Sudden weakness of the arm and face. CT head: hypodensity in the territory of the {} "
        "middle cerebral artery. NIHSS 9. Thrombolysis given at 14:10.",
        "right",
        "left",
        {"stroke_laterality": "left", "nihss": 9},
    ),
    Pair(
        "laterality",
        "IMPRESSION: Nondisplaced fracture of the {} distal radius. Splint applied, sling given. "
        "Recheck in 7 to 10 days.",
        "R",
        "L",
        {"laterality": "left", "fracture": "yes"},
    ),
    Pair(
        "inside",
        "HPI: Six months of pain in the right knee, worse on stairs. EXAM: crepitus and small "
        "effusion of the right knee. PLAN: MRI of the {} knee, physiotherapy.",
        "left",
        "right",
        {"age": 50},
    ),
    Pair(
        "inside",
        "CC: painful eye. The left eye has been red for two days with discharge. "
        "Visual acuity 20/20 on both sides. Assessment: conjunctivitis of the {} eye.",
        "right",
        "left",
        {"sex": "F"},
    ),
    Pair(
        "inside",
        "Consent was obtained for a left inguinal hernia repair. Patient marked. Procedure: the {} "
        "inguinal hernia was reduced and repaired with mesh. No complications.",
        "right",
        "left",
        {"age": 58, "sex": "M"},
    ),
    Pair(
        "inside",
        "PMH: {}, hypertension. Meds: metformin 1 g bid, lisinopril 10 mg. "
        "A/P: Type 2 diabetes, well controlled, HbA1c 6.8 %. Continue metformin.",
        "No diabetes",
        "Diabetes",
        {"age": 59},
    ),
    Pair(
        "inside",
        "She has never smoked. Lungs clear. Assessment: COPD exacerbation in a {}. "
        "Plan: prednisone 40 mg for 5 days, inhalers, follow up.",
        "current smoker",
        "lifelong non-smoker",
        {"sex": "F", "age": 70},
    ),
    Pair(
        "inside",
        "A 47-year-old man was seen for palpitations. Holter shows frequent PVCs. Summary: this {} "
        "patient is reassured, echo booked, review in 3 months.",
        "74-year-old",
        "47-year-old",
        {"sex": "male"},
    ),
    Pair(
        "value",
        "Vitals: HR 88, BP {}, RR 16, T 37.1 C, SpO2 97 % on room air. Comfortable at rest.",
        "182/94",
        "128/74",
        {"systolic_bp": 128, "heart_rate": 88, "temp": 37.1},
    ),
    Pair(
        "value",
        "Labs this morning: sodium 138, potassium {}, creatinine 1.1 mg/dL, hemoglobin 13.2 g/dL.",
        "6.3",
        "4.3",
        {"potassium": 4.3, "creatinine (mg/dL)": 1.1, "hb": 13.2},
    ),
    Pair(
        "value",
        "Renal function has been stable: serum creatinine of {} today. eGFR 58. He takes no "
        "NSAIDs. Continue ramipril.",
        "212 µmol/L",
        "106 µmol/L",
        {"creatinine_mg_dl": 1.2, "sex": "M"},
    ),
    Pair(
        "value",
        "She weighs {} and is 165 cm tall. Diet discussed; motivated to lose weight. Fasting "
        "glucose was 5.4 mmol/L.",
        "92 kg",
        "72 kg",
        {"weight_kg": 72, "height_cm": 165, "glucose (mmol/L)": 5.4, "sex": "F"},
    ),
    Pair(
        "value",
        "Febrile overnight to {}. White count 15.2. Blood cultures drawn from two sites. "
        "Started on ceftriaxone.",
        "104.2 F",
        "102.2 F",
        {"temperature_c": 39.0, "wbc": 15.2},
    ),
    Pair(
        "value",
        "Echo: ejection fraction estimated at {}, mild mitral regurgitation, normal right "
        "ventricle. Continue carvedilol and spironolactone.",
        "55-60%",
        "20-25%",
        {"ejection_fraction": 22, "high_blood_pressure": 1},
    ),
    Pair(
        "value",
        "Pulse was {} and regular when I examined him. Oxygen saturation 98 percent. "
        "Lungs clear bilaterally.",
        "118",
        "81",
        {"pulse": 81, "spo2": 98, "sex": "male"},
    ),
    Pair(
        "value",
        "Hgb {} g/dL down from 11.0 last month, ferritin 9 ng/mL. Stool positive for occult blood. "
        "Refer for colonoscopy.",
        "10.8",
        "7.8",
        {"hemoglobin (g/L)": 78, "ferritin": 9},
    ),
    Pair(
        "allergy",
        "ALLERGIES: Penicillin (hives).\nHPI: sore throat and fever since Tuesday.\n"
        "PLAN: Start {} 500 mg three times daily for 10 days, fluids, rest.",
        "amoxicillin",
        "doxycycline",
        {"age": 31},
    ),
    Pair(
        "allergy",
        "Allergic to sulfa drugs, gets a rash. Presents with dysuria and frequency. "
        "Will treat with {} for 3 days.",
        "trimethoprim-sulfamethoxazole DS",
        "nitrofurantoin",
        {"sex": "F", "age": 28},
    ),
    Pair(
        "allergy",
        "Assessment and plan: community-acquired pneumonia, CURB-65 of 1. {} started, recheck in "
        "48 hours.",
        "Azithromycin",
        "Doxycycline",
        {"allergies": "azithromycin; latex", "age": 66},
    ),
    Pair(
        "allergy",
        "Postoperative day 1. Pain 7/10. Orders: {} IV every 6 hours as needed, ondansetron 4 mg. "
        "Ambulate with physiotherapy.",
        "ketorolac 15 mg",
        "acetaminophen 1 g",
        {"drug_allergy": "NSAIDs", "sex": "F"},
    ),
    Pair(
        "allergy",
        "Known drug allergies: codeine causes vomiting. Toothache for 3 days. Discharged on {} and "
        "told to see a dentist.",
        "acetaminophen with codeine",
        "acetaminophen",
        {"age": 40, "sex": "M"},
    ),
    Pair(
        "condition",
        "Past history: {} diabetes, has high cholesterol treated with atorvastatin. Retired "
        "teacher. Exercise tolerance good.",
        "denies",
        "long-standing",
        {"diabetes": "yes", "age": 69},
    ),
    Pair(
        "condition",
        "The patient has {} hypertension or heart disease. She takes no regular medication.",
        "no history of",
        "a history of",
        {"hypertension": 1, "sex": "F"},
    ),
    Pair(
        "condition",
        "Social: works in a warehouse. {}. Two beers on weekends. No recreational drugs.",
        "Smokes a pack a day",
        "Has never smoked",
        {"smoker": "no", "age": 36},
    ),
    Pair(
        "condition",
        "PMHx significant for {}, gout and osteoarthritis. Medications include allopurinol.",
        "atrial fibrillation",
        "anxiety",
        {"atrial_fibrillation": 0, "gout": 1},
    ),
    Pair(
        "condition",
        "Chest radiograph: {}. Heart size normal. No effusion.",
        "no evidence of pneumonia",
        "right lower lobe pneumonia",
        {"pneumonia": "present", "pleural_effusion": "absent"},
    ),
    Pair(
        "condition",
        "68F for pre-op assessment. She was never told that she had asthma. "
        "{} Exercise tolerance four flights. Airway Mallampati 2.",
        "Past history of myocardial infarction in 2019.",
        "Her father had a myocardial infarction.",
        {"prior_mi": "No", "asthma": "No", "sex": "F"},
    ),
    Pair(
        "condition",
        "Discharge summary. {} during this admission, on warfarin with INR goal 2 to 3. "
        "Family aware. Return if bleeding.",
        "Diagnosed with deep vein thrombosis",
        "Deep vein thrombosis was ruled out",
        {"dvt": False, "age": 62},
    ),
]
