"""Names and places, composed from short lists of common names; nobody in particular is meant by any combination."""

import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Culture:
    """Names that go together, and the language (BCP 47) that is most likely spoken at home."""

    language: str
    language_name: str
    weight: int
    women: tuple[str, ...]
    men: tuple[str, ...]
    families: tuple[str, ...]


def _culture(language: str, language_name: str, weight: int, women: str, men: str, families: str) -> Culture:
    return Culture(language, language_name, weight, *(tuple(names.split()) for names in (women, men, families)))


CULTURES = (
    _culture(
        "en",
        "English",
        34,
        "Alice Grace Hannah Ruth Emily Martha Olivia Nora Esther Joan Claire Lucy",
        "James Peter Henry Samuel Thomas Walter Oscar Edward Simon Arthur Daniel Hugh",
        "Ashdown Barrow Carver Dunmore Ellery Fairburn Garrow Hartwell Kersey Langford Marsh Pemberton",
    ),
    _culture(
        "es",
        "Spanish",
        16,
        "Lucía Carmen Elena Inés Marta Rosa Pilar Ana Sofía Teresa",
        "José Andrés Miguel Luis Javier Pablo Diego Rafael Tomás Emilio",
        "Álvarez Castaño Delgado Fuentes Ibáñez Lozano Montoya Peña Quiroga Salinas",
    ),
    _culture(
        "ar",
        "Arabic",
        8,
        "Amira Layla Nour Salma Yasmin Huda Rania Mariam",
        "Omar Karim Tariq Hassan Youssef Bilal Samir Idris",
        "Haddad Khalil Mansour Najjar Rahman Saleh Taha Zaher",
    ),
    _culture(
        "zh",
        "Chinese",
        8,
        "Mei Lian Xiu Ying Fang Jing Lan Hui",
        "Wei Jun Ming Hao Liang Bo Feng Tao",
        "Chen Deng Guo Huang Lin Shen Wu Zhao",
    ),
    _culture(
        "hi",
        "Hindi",
        9,
        "Asha Divya Kavita Meera Nisha Priya Sunita Anjali",
        "Arjun Deepak Kiran Manoj Rajesh Sanjay Vikram Anil",
        "Bhatt Chauhan Desai Iyer Joshi Kapoor Mehta Rao",
    ),
    _culture(
        "yo",
        "Yoruba",
        7,
        "Adunni Bisi Folake Ronke Temi Yetunde Sade Kemi",
        "Ade Bola Femi Kunle Segun Tunde Wale Dele",
        "Adebayo Balogun Fashola Ogunleye Olatunji Oyelaran Sowande Akande",
    ),
    _culture(
        "pl",
        "Polish",
        6,
        "Agnieszka Ewa Hanna Magda Zofia Kasia Irena Ola",
        "Jakub Marek Paweł Tomasz Wojciech Adam Łukasz Stefan",
        "Wrona Zięba Kowalik Mazur Nowicki Sikora Wilk Górski",
    ),
    _culture(
        "vi",
        "Vietnamese",
        6,
        "Hoa Lan Linh Mai Ngọc Thảo Vy Hạnh",
        "Minh Tuấn Khoa Long Nam Quang Sơn Bảo",
        "Bùi Đặng Hồ Lê Ngô Phạm Trần Vũ",
    ),
    _culture(
        "de",
        "German",
        6,
        "Anke Greta Heike Jutta Lotte Sabine Ulrike Frieda",
        "Bernd Dieter Florian Jürgen Klaus Matthias Uwe Emil",
        "Böhm Ebert Geiger Kröger Lindner Möller Vogt Winkler",
    ),
)
CULTURE_WEIGHTS = tuple(culture.weight for culture in CULTURES)

STREETS = (
    "Alder Row",
    "Bellmaker Street",
    "Cooper's Rise",
    "Dovecote Lane",
    "Elm Crossing",
    "Ferry Walk",
    "Glasshouse Road",
    "Harbour View",
    "Ivy Steps",
    "Juniper Close",
    "Kiln Yard",
    "Larkfield Avenue",
    "Millrace Street",
    "Northgate",
    "Orchard Terrace",
    "Quarry Hill",
    "Saddler's Mews",
    "Tannery Court",
)
TOWNS = (
    ("Alderwick", "10110"),
    ("Fennholt", "10120"),
    ("Lindenfall", "10130"),
    ("Northmere", "10140"),
    ("Saltbridge", "10150"),
)

# Letters that Unicode does not decompose into a letter and a mark.
_UNMARKED = str.maketrans({"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ø": "o", "ß": "ss"})


def plain(name: str) -> str:
    """The name in lower-case ASCII letters, for logins and e-mail addresses."""
    letters = unicodedata.normalize("NFKD", name.translate(_UNMARKED))
    return "".join(letter for letter in letters.lower() if letter.isascii() and letter.isalpha())
