"""What the names of columns say, in English and German, and four ready bases of segmentation.

A basis is a list of words: `softseg init --basis value` takes the columns whose names contain
one of them as indicators and sets the rest aside.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

BASES: Final[Mapping[str, tuple[str, ...]]] = {
    "value": (
        "revenue", "sales", "turnover", "margin", "contribution", "profit", "spend", "charges",
        "monetary", "amount", "cost", "discount", "rebate", "potential", "clv", "wallet", "value",
        "umsatz", "erloes", "deckungsbeitrag", "db", "marge", "gewinn", "ertrag", "kosten",
        "rabatt", "skonto", "potenzial", "potential", "kundenwert", "wert", "lieferanteil",
    ),
    "behavioural": (
        "orders", "order", "frequency", "recency", "purchases", "visits", "calls", "clicks",
        "returns", "complaints", "payment", "tenure", "tickets", "enquiries", "quotes", "reminders",
        "contract", "downloads", "logins", "items", "lead time", "reaction",
        "bestellung", "bestellungen", "auftrag", "auftraege", "haeufigkeit", "kaeufe", "besuche",
        "anrufe", "retouren", "reklamation", "reklamationen", "zahlungsziel", "zahlung",
        "zahlungsdauer", "anfragen", "angebote", "mahnungen", "mahnstufe", "vertrag", "laufzeit",
        "bestellmenge", "losgroesse", "reaktionszeit",
    ),
    "needs": (
        "needs", "need", "sensitivity", "delivery", "quality", "service", "support", "satisfaction",
        "importance", "preference", "advice", "engineering", "price", "certificate", "express",
        "lead time", "nps", "survey", "rating",
        "bedarf", "bedarfe", "beduerfnis", "preissensibilitaet", "lieferung", "lieferzeit",
        "qualitaet", "beratung", "zufriedenheit", "wichtigkeit", "praeferenz", "zertifikat",
        "termintreue", "entwicklung", "bewertung",
    ),
    "technographic": (
        "technology", "technographic", "machine", "machines", "software", "erp", "crm", "edi",
        "interface", "digital", "automation", "cad", "cam", "cnc", "internet", "online", "device",
        "streaming", "backup", "security", "platform", "shop", "portal", "api", "industry", "iot",
        "technologie", "maschine", "maschinen", "maschinenpark", "schnittstelle",
        "digitalisierung", "digitalisierungsgrad", "automatisierung", "fertigung", "branche",
        "webshop", "technik",
    ),
}  # fmt: skip
"""Words in the names of columns that belong to a basis."""

WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "id": (
        "id", "ids", "nr", "no", "num", "number", "nummer", "key", "uuid", "kundennummer",
        "kundennr", "kdnr", "debitor", "debitorennummer", "account", "customer", "kunde", "name",
        "firma", "company",
    ),
    "count": (
        "count", "number", "anzahl", "n", "orders", "order", "frequency", "visits", "calls",
        "complaints", "purchases", "tickets", "items", "returns", "logins", "clicks", "invoices",
        "bestellungen", "auftraege", "haeufigkeit", "kaeufe", "besuche", "anrufe", "retouren",
        "reklamationen", "beschwerden", "anfragen", "rechnungen", "positionen", "mahnungen",
    ),
    "outcome": (
        "churn", "churned", "attrition", "cancelled", "canceled", "left", "converted", "response",
        "target", "y", "kuendigung", "gekuendigt", "abwanderung", "abgewandert", "abgang",
    ),
    "grouping": (
        "class", "segment", "cluster", "label", "klasse", "kundensegment", "kundenklasse",
        "abc", "klassifikation",
    ),
    "opt out": (
        "optout", "objection", "objects", "widerspruch", "werbewiderspruch", "werbesperre",
        "profilingwiderspruch", "unsubscribed",
    ),
    "value": (
        "revenue", "sales", "turnover", "contribution", "profit", "monetary", "spend", "clv",
        "totalcharges", "umsatz", "erloes", "deckungsbeitrag", "gewinn", "ertrag", "kundenwert",
        "jahresumsatz", "nettoumsatz",
    ),
    "period": ("year", "month", "quarter", "period", "jahr", "monat", "quartal", "periode"),
    "code": ("zip", "zipcode", "postcode", "postal", "plz", "postleitzahl", "phone", "telefon"),
    "sensitive": (
        "gender", "sex", "age", "religion", "nationality", "ethnicity", "race", "marital",
        "disability", "geschlecht", "alter", "nationalitaet", "familienstand", "herkunft",
        "seniorcitizen", "birth", "geburtsdatum", "dependents", "partner",
    ),
}  # fmt: skip
"""Words in the names of columns that tell what role a column has."""

_FOLDED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
LEAST_PART = 5
"""Letters from which on a word also counts as a part of a longer one: German writes compounds."""


def words_of(column: str) -> list[str]:
    """Return the words in a column's name, folded: ``"KundenNr."`` gives ``kunden, nr``.

    Neighbours joined are words as well, so that ``total_charges`` is ``totalcharges`` too.
    """
    spaced = re.sub(r"(?<=[a-zäöüß])(?=[A-ZÄÖÜ])|(?<=[A-Z])(?=[A-Z][a-z])", " ", column)
    parts = re.findall(r"[a-z]+", spaced.casefold().translate(_FOLDED))
    return [*parts, *(a + b for a, b in pairwise(parts))]


def names(column: str, role: str) -> bool:
    """Return whether a column's name contains a word of a role."""
    return not set(words_of(column)).isdisjoint(WORDS[role])


def belongs(column: str, basis: str) -> bool:
    """Return whether a column's name belongs to a basis; long words also count inside others."""
    found = words_of(column)
    for word in BASES[basis]:
        bare = word.replace(" ", "")
        if bare in found or (len(bare) >= LEAST_PART and any(bare in part for part in found)):
            return True
    return False


def columns_of(columns: Iterable[str], basis: str) -> list[str]:
    """Return the columns that belong to a basis, in their order."""
    return [column for column in columns if belongs(column, basis)]
