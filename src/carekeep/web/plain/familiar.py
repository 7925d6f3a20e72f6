"""Words that patients know for the tests and visits that are met most, and what each is about, in one sentence.

The sentences explain and judge nothing; they were written for Carekeep, without a source beyond what every patient
leaflet of a laboratory says. A name without a sentence explains itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Familiar:
    """English; ``languages`` has the rest."""

    name: str
    about: str = ""


_LOINC: Final[Mapping[str, Familiar]] = {
    "8867-4": Familiar("Pulse", "How often the heart beats in a minute."),
    "9279-1": Familiar("Breathing rate", "How often you breathe in a minute."),
    "8310-5": Familiar("Body temperature"),
    "2708-6": Familiar("Oxygen in the blood", "How much of the blood's red pigment carries oxygen."),
    "59408-5": Familiar("Oxygen in the blood", "How much of the blood's red pigment carries oxygen."),
    "29463-7": Familiar("Weight"),
    "8302-2": Familiar("Height"),
    "39156-5": Familiar("Body mass index", "Weight in relation to height."),
    "85354-9": Familiar("Blood pressure", "The pressure in the arteries: when the heart beats, and between the beats."),
    "8480-6": Familiar("Upper value", "When the heart beats (systolic)."),
    "8462-4": Familiar("Lower value", "Between the beats (diastolic)."),
    "4548-4": Familiar("Long-term blood sugar", "The average blood sugar of the last two to three months (HbA1c)."),
    "2345-7": Familiar("Blood sugar", "The sugar in the blood at the time of the test (glucose)."),
    "2951-2": Familiar("Sodium", "A salt that keeps the body's water in balance."),
    "2823-3": Familiar("Potassium", "A salt that heart and muscles need to work."),
    "2075-0": Familiar("Chloride", "A salt that goes along with sodium."),
    "2028-9": Familiar("Bicarbonate", "It keeps the blood from becoming too acid."),
    "3094-0": Familiar("Urea", "Waste of protein, which the kidneys wash out."),
    "2160-0": Familiar("Creatinine", "Waste of the muscles, which the kidneys wash out."),
    "17861-6": Familiar("Calcium", "A mineral for bones, nerves and muscles."),
    "62238-1": Familiar("Kidney function", "An estimate of how much blood the kidneys clean in a minute (eGFR)."),
    "9318-7": Familiar("Protein in the urine", "Healthy kidneys let hardly any of this protein through (albumin)."),
    "2093-3": Familiar("Cholesterol", "All fats of this kind in the blood together."),
    "2085-9": Familiar("HDL cholesterol", "The part that is carried away from the arteries."),
    "13457-7": Familiar("LDL cholesterol", "The part that can settle in the arteries."),
    "2571-8": Familiar("Blood fats", "Fats from food and from the liver (triglycerides)."),
    "6690-2": Familiar("White blood cells", "The cells that fight infections (leukocytes)."),
    "789-8": Familiar("Red blood cells", "The cells that carry oxygen (erythrocytes)."),
    "718-7": Familiar("Blood pigment", "The part of red blood cells that carries oxygen (hemoglobin)."),
    "4544-3": Familiar("Share of blood cells", "How much of the blood is red blood cells (hematocrit)."),
    "777-3": Familiar("Blood platelets", "They close wounds (thrombocytes)."),
    "3016-3": Familiar("Thyroid control", "The hormone that drives the thyroid gland (TSH)."),
    "1988-5": Familiar("Inflammation", "A protein that rises when something in the body is inflamed (CRP)."),
    "33762-6": Familiar("Strain on the heart", "A protein that the heart makes when it has to work hard (NT-proBNP)."),
    "2324-2": Familiar("Liver value", "An enzyme of liver and bile (GGT)."),
    "19926-5": Familiar("Lung function", "The share of a breath that you can blow out in the first second."),
    "44261-6": Familiar("Questions about your mood", "The sum of nine answers (PHQ-9)."),
    "55283-6": Familiar("The baby's pulse", "How often the heart of the unborn child beats in a minute."),
    "72166-2": Familiar("Smoking"),
    "24321-2": Familiar("Salts, sugar and kidneys", "A group of tests that is often made together."),
    "58410-2": Familiar("Blood count", "The cells of the blood, counted."),
    "24331-1": Familiar("Cholesterol and blood fats"),
    "630-4": Familiar("Germs in the urine"),
    "18748-4": Familiar("Pictures of the body", "X-ray, ultrasound and the like, and what was seen in them."),
    "11526-1": Familiar("Tissue under the microscope"),
    "11506-3": Familiar("Visit note"),
    "18842-5": Familiar("Letter from the hospital"),
    "34111-5": Familiar("Note of the emergency department"),
    "34117-2": Familiar("First examination"),
    "11504-8": Familiar("Report of an operation"),
}
_SNOMED: Final[Mapping[str, Familiar]] = {
    "185349003": Familiar("Check-up"),
    "410620009": Familiar("Check-up of a child"),
    "185345009": Familiar("Visit with a complaint"),
    "390906007": Familiar("Follow-up visit"),
    "50849002": Familiar("Visit to the emergency department"),
    "32485007": Familiar("Stay in the hospital"),
    "424619006": Familiar("Visit during pregnancy"),
    "59621000": Familiar("High blood pressure"),
    "44054006": Familiar("Diabetes (type 2)"),
    "55822004": Familiar("High blood fats"),
    "13645005": Familiar("COPD (a disease of the lungs)"),
    "370143000": Familiar("Depression"),
    "40930008": Familiar("Underactive thyroid"),
    "84114007": Familiar("Weak heart"),
    "49436004": Familiar("Irregular heartbeat"),
    "235595009": Familiar("Heartburn (reflux)"),
    "239873007": Familiar("Worn knee joint"),
}

FAMILIAR: Final[Mapping[tuple[str, str], Familiar]] = MappingProxyType(
    {("LOINC", code): known for code, known in _LOINC.items()}
    | {("SNOMED CT", code): known for code, known in _SNOMED.items()}
)
"""By the usual name of the code system (as in ``Code.system``) and the code."""
