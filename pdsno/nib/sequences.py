"""Numbers that were given out stay given out, also by a transaction that was rolled back."""


class HighWater:
    """The highest number of each sequence that this process gave out.

    What a crash forgets here was never committed, and so never left the process in a record.
    """

    def __init__(self) -> None:
        self._highest: dict[str, int] = {}

    def next(self, sequence: str, stored: int) -> int:
        """Return the number after the stored one and after all given out. Writers only."""
        number = max(stored, self._highest.get(sequence, 0)) + 1
        self._highest[sequence] = number
        return number
