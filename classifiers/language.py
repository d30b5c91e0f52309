"""Which language a short text is in, among those a newsroom here reads.

Owns the choice of languages and the honesty of "other". The identification itself is py3langid's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from py3langid.langid import MODEL_FILE, LanguageIdentifier

#: Languages that are named; the first seven are those the topic model was trained on.
LANGUAGES: Final = ("en", "ru", "uk", "it", "de", "fr", "es", "pl", "pt", "nl", "tr", "cs", "ro")
OTHER: Final = "other"


def identify_language(text: str) -> str:
    """The ISO 639-1 code of a text's language, `other`, or an empty string if it has no words."""
    if not any(char.isalpha() for char in text):
        return ""
    code, _ = _identifier().classify(text[:2000])
    return code if code in LANGUAGES else OTHER


@lru_cache(maxsize=1)
def _identifier() -> Any:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=False)
