"""Sixty medical sentences to be spoken by espeak-ng in several voices, with their medical terms.

Terms stand in braces. Every second term, in alphabetical order, is left out of the vocabulary that
recognition is helped with, so that what it invents for unknown words shows.
"""

import re
import subprocess
from pathlib import Path

VOICES = ("en-us", "en-gb", "en-us+f3", "en-gb+f4", "en-gb-x-rp", "en-gb-scotland+m3")
# Nothing was ever chosen by what these say.
HELD_OUT_VOICES = (
    "en-us+m7", "en-gb+f5", "en-gb-x-gbclan+f2", "en-us+linda", "en-gb-x-gbcwmd+m2", "en-gb+m8",
)  # fmt: skip
SENTENCES = """
The patient has an acute exacerbation of COPD and was given {prednisone} and {azithromycin}.
Start {metoprolol} 25 milligrams twice daily for {atrial fibrillation}.
No evidence of {pneumothorax} or {pleural effusion} on the chest film.
She denies chest pain but reports {dyspnea} and {orthopnea}.
He was admitted with {pneumonia} and treated with {ceftriaxone} for five days.
Past history includes {hypertension}, {gout} and {hypothyroidism}.
Continue {lisinopril} 10 milligrams and stop {amlodipine}.
The abdomen is soft with no {hepatomegaly} or {splenomegaly}.
We cannot rule out {pulmonary embolism}, so {heparin} was started.
She takes {levothyroxine} every morning for {hypothyroidism}.
The biopsy of the left breast showed {carcinoma}.
Allergic to {penicillin}, so we gave {doxycycline} instead.
There is {tachycardia} but no {hypotension}.
Blood cultures grew nothing and {vancomycin} was stopped.
He has {diabetes} and takes {metformin} 500 milligrams with meals.
The CT scan shows {diverticulitis} without {abscess}.
Please give {furosemide} 40 milligrams for {edema}.
The child has {asthma} and uses {albuterol} as needed.
She was diagnosed with {rheumatoid arthritis} and started {methotrexate}.
No {lymphadenopathy}, {jaundice} or {cyanosis} was seen.
He stopped {warfarin} three days before the {colonoscopy}.
The patient complains of {nausea} and {vomiting} since yesterday.
Her {creatinine} is 1.2 and her {potassium} is 4.3.
There was {hematuria} and {proteinuria} on the urine test.
Start {gabapentin} at night for {neuropathy}.
He has chronic {hepatitis} and early {cirrhosis}.
She had an {appendectomy} in childhood and a {hysterectomy} last year.
The {echocardiogram} shows mild {aortic stenosis}.
For the {migraine} she takes {sumatriptan} and rests.
Give {ondansetron} 4 milligrams before {chemotherapy}.
He is confused, and {meningitis} must be excluded.
The right knee has an {effusion} and limited motion from {osteoarthritis}.
Her {anemia} improved with {ferrous sulfate}.
The patient was treated with {clopidogrel} and {atorvastatin} after the {stroke}.
We suspect {pancreatitis} because the {lipase} is high.
He has {epilepsy} and takes {levetiracetam} twice daily.
There is {cellulitis} of the left leg, treated with {cephalexin}.
No {fever}, {cough} or {hemoptysis} in the last week.
The baby has {bronchiolitis} and needs oxygen.
{Omeprazole} 20 milligrams helped the {gastritis}.
She was given {morphine} 2 milligrams for severe pain.
The {electrocardiogram} shows {bradycardia} at 48 beats per minute.
He drinks heavily and has {ascites}.
Give {insulin} 10 units before breakfast.
The skin shows {psoriasis} on both elbows.
{Sertraline} was increased to 100 milligrams for {depression}.
The wound was closed after the {laparotomy}.
He needs {dialysis} three times a week.
There is no family history of {melanoma} or {lymphoma}.
{Ibuprofen} should be avoided in {chronic kidney disease}.
The {ultrasound} shows {gallstones} without {cholecystitis}.
She has {glaucoma} and a {cataract} in the right eye.
The patient takes {spironolactone} and {carvedilol} for {heart failure}.
{Ciprofloxacin} was started for {pyelonephritis}.
He developed {delirium} and was given {haloperidol} 1 milligram.
{Tamoxifen} was prescribed for five years after the {lumpectomy}.
The lungs are clear without {wheezing} or {crackles}.
There is {thrombocytopenia} with a platelet count of 62.
She was vaccinated against {influenza} and {hepatitis}.
Discharge on {apixaban} 5 milligrams for {deep vein thrombosis}.
""".strip().splitlines()


def split_sentence(sentence):
    """Return the words said and the medical terms among them, in small letters."""
    return re.sub(r"[{}]", "", sentence), [t.lower() for t in re.findall(r"\{(.+?)\}", sentence)]


def left_out():
    """Return the terms that the vocabulary does not hold."""
    terms = sorted({term for line in SENTENCES for term in split_sentence(line)[1]})
    return set(terms[1::2])


def say(text: str, voice: str, path: Path) -> Path:
    """Let espeak-ng say a text into a WAV file."""
    command = ["espeak-ng", "-v", voice, "-s", "145", "-w", str(path), text]
    subprocess.run(command, check=True, capture_output=True)
    return path
