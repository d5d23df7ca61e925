"""Numbers to verify, each given out once: those set aside for fiction, so that none is a person's."""

import random
from itertools import product

# Area codes that are in use in the United States; their 555-0100 to 555-0199 are nobody's (NANPA).
# fmt: off
_AREAS = (
    201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228, 229,
    231, 234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302, 303, 304,
    305, 307, 308, 309, 310, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 325, 330, 334, 336, 337,
    347, 351, 352, 360, 361, 385, 386, 401, 402, 404, 405, 406, 407, 408, 409, 410, 412, 413, 414, 415, 417,
    419, 423, 424, 425, 430, 432, 434, 435, 440, 443, 458, 469, 470, 475, 478, 479, 480, 484, 501, 502, 503,
    504, 505, 507, 508, 509, 510, 512,
)
# fmt: on


class Numbers:
    """Gives out numbers that the GB pool serves (French ones) and numbers of the US pool, in an order of the seed."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(f"{seed}/numbers")
        self._gb = [f"+3363998{each:04}" for each in range(10_000)]
        self._us = [f"+1{area}55501{each:02}" for area, each in product(_AREAS, range(100))]
        rng.shuffle(self._gb)
        rng.shuffle(self._us)

    def of_gb_pool(self) -> str:
        """Return a number whose first carrier is alpha, then bravo."""
        return self._gb.pop()

    def of_us_pool(self) -> str:
        """Return a number whose first carrier is charlie, then delta."""
        return self._us.pop()

    def any(self) -> str:
        """Return a number of the pool that has more left."""
        return self.of_us_pool() if len(self._us) > len(self._gb) else self.of_gb_pool()
