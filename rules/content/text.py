"""The text of a message: the code first, so that a preview shows it; whose it is; how long it lives.

Pure. One segment in GSM-7 where the language allows it; web autofill needs nothing but a code that stands alone.
"""

from collections.abc import Mapping

DEFAULT_LOCALE = "en"
_MINUTE_S = 60


def compose(templates: Mapping[str, str], *, locale: str, code: str, brand: str, ttl_s: int) -> str:
    """Return the text in the closest language there is a template for: the locale, its language, then English."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    template = templates.get(locale) or templates.get(language) or templates[DEFAULT_LOCALE]
    return template.format(code=code, brand=brand, minutes=max(1, round(ttl_s / _MINUTE_S)))
