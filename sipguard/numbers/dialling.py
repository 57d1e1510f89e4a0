"""How national numbers are dialled, by country code, where that is not 0 and then the number.

Enters: nothing. Leaves: a table of facts, after the ITU-T list of national prefixes and lengths of national
(significant) numbers ("Dialling procedures", annex to the ITU Operational Bulletin, in accordance with E.164).
Must not: grow into a numbering plan: what digits mean inside a country is not asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Dialling:
    """`shortest` to `longest` digits of a national number; what is dialled before it, and before a number abroad.

    `keeps_zero`: a number may begin with 0, which is a part of it.
    """

    shortest: int
    longest: int
    trunk: str = ""
    abroad: str = "00"
    keeps_zero: bool = False


ELSEWHERE: Final = Dialling(0, 0, "0")  # any country that is not below
BY_COUNTRY: Final = {
    "30": Dialling(10, 10),  # Greece
    "34": Dialling(9, 9),  # Spain
    "36": Dialling(8, 9, "06"),  # Hungary
    "39": Dialling(9, 10, keeps_zero=True),  # Italy; numbers that begin with 0 have 6 to 11 digits
    "45": Dialling(8, 8),  # Denmark
    "47": Dialling(8, 8),  # Norway
    "48": Dialling(9, 9),  # Poland
    "52": Dialling(10, 10),  # Mexico
    "61": Dialling(0, 0, "0", "0011"),  # Australia
    "65": Dialling(8, 8, abroad="001"),  # Singapore
    "7": Dialling(0, 0, "8", "810"),  # Russia, Kazakhstan
    "81": Dialling(0, 0, "0", "010"),  # Japan
    "351": Dialling(9, 9),  # Portugal
    "354": Dialling(7, 7),  # Iceland
    "356": Dialling(8, 8),  # Malta
    "357": Dialling(8, 8),  # Cyprus
    "371": Dialling(8, 8),  # Latvia
    "372": Dialling(7, 8),  # Estonia
    "377": Dialling(8, 8),  # Monaco
    "420": Dialling(9, 9),  # Czechia
    "502": Dialling(8, 8),  # Guatemala
    "503": Dialling(8, 8),  # El Salvador
    "504": Dialling(8, 8),  # Honduras
    "505": Dialling(8, 8),  # Nicaragua
    "506": Dialling(8, 8),  # Costa Rica
    "507": Dialling(7, 8),  # Panama
    "852": Dialling(8, 8, abroad="001"),  # Hong Kong
    "853": Dialling(8, 8),  # Macao
    "965": Dialling(8, 8),  # Kuwait
    "968": Dialling(8, 8),  # Oman
    "973": Dialling(8, 8),  # Bahrain
    "974": Dialling(8, 8),  # Qatar
}
