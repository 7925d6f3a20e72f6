"""How illnesses run: who gets them, what they do to measurements, and how they are treated.

Proportions are rounded from what is commonly known of a European or North American population; they make charts
believable and claim nothing more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from carekeep.simulation.elements import Element, labels


@dataclass(frozen=True, slots=True)
class Effect:
    """A measure moves by ``untreated``; under treatment it approaches ``treated`` with a time constant in days."""

    measure: str
    untreated: float
    treated: float
    days: int


@dataclass(frozen=True, slots=True)
class Course:
    """A long illness. ``prevalence``: (from age, share of people who have it). ``meta``: its security labels."""

    key: str
    department: str
    prevalence: tuple[tuple[int, float], ...]
    visits_a_year: float
    panels: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    medications: tuple[tuple[int, str], ...] = ()
    procedure: str | None = None
    sex: str | None = None
    until_age: int = 200
    goal: tuple[str, float] | None = None
    meta: Element | None = None
    talk: bool = False


@dataclass(frozen=True, slots=True)
class Episode:
    """A short illness. ``rates``: episodes a year for a child, an adult, and from 65 years of age."""

    key: str
    setting: str
    department: str
    rates: tuple[float, float, float]
    days: int
    medication: str | None = None
    procedure: str | None = None
    panels: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    sex: str | None = None
    imaging: bool = False
    follow_up: bool = False


PSYCHIATRIC = labels("R", "PSY")
PSYCHOTHERAPY = labels("V", "PSYTHPN")
SUBSTANCE_USE = labels("R", "ETH")
HIV = labels("R", "HIV")
CELEBRITY = labels("R", "CEL")

COURSES: Mapping[str, Course] = MappingProxyType(
    {
        course.key: course
        for course in (
            Course("hypertension", "family", ((30, 0.08), (45, 0.26), (60, 0.46), (75, 0.6)), 1.0, ("metabolic",),
                   (Effect("systolic", 27, 9, 60), Effect("diastolic", 14, 4, 60)),
                   ((14, "lisinopril"), (500, "amlodipine")), goal=("systolic", 130)),
            Course("diabetes", "endocrinology", ((35, 0.05), (50, 0.13), (65, 0.2)), 2.0, ("hba1c", "kidney"),
                   (Effect("hba1c", 3.3, 1.3, 110), Effect("glucose", 85, 32, 60), Effect("albuminuria", 22, 12, 300)),
                   ((7, "metformin"), (1900, "insulin")), goal=("hba1c", 7.0)),
            Course("hyperlipidemia", "family", ((35, 0.09), (50, 0.24), (65, 0.34)), 0.5, ("lipids",),
                   (Effect("ldl", 62, 2, 50), Effect("cholesterol", 70, 4, 50)), ((21, "atorvastatin"),)),
            Course("obesity", "family", ((18, 0.2),), 0, (), (Effect("weight", 26, 22, 700),)),
            Course("asthma", "pulmonology", ((4, 0.09),), 1.0, ("lung",), (Effect("fev1/fvc", -12, -5, 90),),
                   ((0, "albuterol"), (60, "fluticasone")), "spirometry"),
            Course("copd", "pulmonology", ((50, 0.05), (65, 0.11)), 2.0, ("lung", "blood count"),
                   (Effect("fev1/fvc", -22, -19, 200), Effect("oxygen", -4, -3, 90)),
                   ((3, "salmeterol"), (10, "albuterol")), "spirometry"),
            Course("depression", "psychiatry", ((16, 0.06), (25, 0.09)), 3.0, (), (Effect("phq-9", 13, 3, 80),),
                   ((5, "sertraline"),), meta=PSYCHIATRIC, talk=True),
            Course("hypothyroidism", "endocrinology", ((30, 0.03), (50, 0.07)), 1.0, ("thyroid",),
                   (Effect("tsh", 7.5, 0.4, 50),), ((7, "levothyroxine"),)),
            Course("kidney disease", "medicine", ((60, 0.07), (75, 0.19)), 2.0, ("kidney", "metabolic"),
                   (Effect("egfr", -48, -54, 900), Effect("creatinine", 0.7, 0.9, 900)), ()),
            Course("heart failure", "cardiology", ((65, 0.05), (78, 0.12)), 3.0, ("heart",),
                   (Effect("nt-probnp", 1900, 650, 120), Effect("weight", 4, 1, 20)),
                   ((1, "furosemide"), (10, "carvedilol")), "echocardiography"),
            Course("atrial fibrillation", "cardiology", ((65, 0.05), (78, 0.13)), 1.5, ("blood count",),
                   (Effect("heart rate", 32, 6, 20),), ((1, "apixaban"),), "electrocardiogram"),
            Course("coronary disease", "cardiology", ((55, 0.06), (70, 0.15)), 1.5, ("lipids",), (),
                   ((1, "aspirin"), (5, "atorvastatin")), "electrocardiogram"),
            Course("reflux", "family", ((30, 0.07),), 0.4, (), (), ((1, "omeprazole"),)),
            Course("osteoarthritis", "surgery", ((55, 0.13), (70, 0.28)), 0.8, (), (), ((3, "acetaminophen"),),
                   "physiotherapy"),
            Course("dementia", "medicine", ((75, 0.07), (83, 0.2)), 2.0, ("metabolic",), (), ((30, "donepezil"),)),
            Course("anemia", "family", ((15, 0.06),), 1.0, ("blood count",),
                   (Effect("hemoglobin", -3.6, -0.2, 60), Effect("hematocrit", -9, -0.5, 60)),
                   ((2, "ferrous sulfate"),), sex="female", until_age=50),
            Course("hiv", "infectious", ((20, 0.012),), 2.5, ("hiv",),
                   (Effect("viral load", 46000, 0, 18), Effect("cd4", -470, -160, 240)), ((7, "bictegravir"),),
                   meta=HIV),
            Course("opioid dependence", "psychiatry", ((19, 0.012),), 4.0, (), (), ((1, "buprenorphine"),),
                   until_age=65, meta=SUBSTANCE_USE, talk=True),
            Course("alcohol dependence", "psychiatry", ((25, 0.02),), 2.0, ("liver",),
                   (Effect("ggt", 140, 40, 120),), ((10, "naltrexone"),), meta=SUBSTANCE_USE, talk=True),
            Course("breast cancer", "oncology", ((45, 0.02), (60, 0.04)), 3.0, ("breast marker", "blood count"),
                   (Effect("ca 15-3", 55, 4, 110),), ((200, "anastrozole"),), sex="female"),
            Course("colon cancer", "oncology", ((55, 0.015), (70, 0.03)), 3.0, ("colon marker", "blood count"),
                   (Effect("cea", 18, 1, 100), Effect("hemoglobin", -2, -0.4, 120)), ()),
            Course("prostate cancer", "oncology", ((60, 0.03), (72, 0.07)), 2.0, ("prostate marker",),
                   (Effect("psa", 11, -0.6, 60),), (), sex="male"),
        )
    }
)  # fmt: skip

# Cancer: when the diagnosis was made, and what is done for it, in days after the diagnosis.
CANCER_TREATMENT: Mapping[str, tuple[tuple[int, str, str | None], ...]] = MappingProxyType(
    {
        "breast cancer": ((20, "lumpectomy", None), *((45 + 21 * n, "chemotherapy", "paclitaxel") for n in range(6)),
                          (185, "radiotherapy", None)),
        "colon cancer": ((-1, "colonoscopy", None), *((40 + 14 * n, "chemotherapy", "oxaliplatin") for n in range(8)),
                         (400, "colonoscopy", None)),
        "prostate cancer": ((40, "radiotherapy", None), (70, "radiotherapy", None)),
    }
)  # fmt: skip

_FEVER = Effect("temperature", 1.6, 0, 2)
_INFLAMED = (_FEVER, Effect("crp", 80, 0, 5), Effect("leukocytes", 6, 0, 5), Effect("heart rate", 16, 0, 3))
EPISODES: tuple[Episode, ...] = (
    Episode("pharyngitis", "AMB", "family", (0.3, 0.12, 0.05), 8, effects=(_FEVER,)),
    Episode("bronchitis", "AMB", "family", (0.12, 0.1, 0.14), 14, "azithromycin", effects=(_FEVER,)),
    Episode("otitis media", "AMB", "family", (0.25, 0.01, 0.0), 10, "amoxicillin", effects=(_FEVER,)),
    Episode("urinary infection", "AMB", "family", (0.02, 0.1, 0.14), 7, "ciprofloxacin", sex="female"),
    Episode("forearm fracture", "EMER", "emergency", (0.025, 0.008, 0.015), 60, "ibuprofen", "immobilization",
            imaging=True, follow_up=True),
    Episode("clavicle fracture", "EMER", "emergency", (0.012, 0.005, 0.006), 50, "ibuprofen", "immobilization",
            imaging=True, follow_up=True),
    Episode("concussion", "EMER", "emergency", (0.014, 0.006, 0.01), 14, "acetaminophen"),
    Episode("pneumonia", "IMP", "medicine", (0.004, 0.006, 0.04), 21, "amoxicillin", "chest x-ray",
            ("inflammation", "metabolic"), (*_INFLAMED, Effect("oxygen", -6, 0, 5)), imaging=True, follow_up=True),
    Episode("appendicitis", "IMP", "surgery", (0.003, 0.003, 0.001), 20, "acetaminophen", "appendectomy",
            ("inflammation", "blood count"), _INFLAMED, follow_up=True),
    Episode("myocardial infarction", "IMP", "cardiology", (0, 0.001, 0.008), 40, "clopidogrel", "coronary intervention",
            ("heart", "blood count"), (Effect("nt-probnp", 900, 100, 30),), follow_up=True),
)  # fmt: skip


def share(course: Course, age: float, sex: str) -> float:
    """The share of people of this age and sex who have the illness."""
    if (course.sex and course.sex != sex) or age >= course.until_age:
        return 0.0
    return max((share for from_age, share in course.prevalence if age >= from_age), default=0.0)


def recent(key: str) -> bool:
    """Whether the simulation only tells cases whose treatment is within living memory."""
    return key in CANCER_TREATMENT or key == "anemia"


@dataclass(frozen=True, slots=True)
class Problem:
    """A course in one patient's life."""

    course: Course
    onset: date
