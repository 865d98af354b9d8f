# SPDX-License-Identifier: MIT
"""The few figures that a row of samples is told by."""


def percentile(samples, percent):
    """Nearest rank; None where there is nothing."""
    if not samples:
        return None
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def median(samples):
    return percentile(samples, 50)


class Samples:
    """Samples taken in rounds, so that two rows can be compared round by round."""

    def __init__(self):
        self.rounds = {}

    def add(self, number, values):
        self.rounds.setdefault(number, []).extend(values)

    @property
    def all(self):
        return [value for values in self.rounds.values() for value in values]

    def ratio(self, base, percent=50):
        """How many times `base`; None where either has no samples."""
        mine, other = percentile(self.all, percent), percentile(base.all, percent)
        return mine / other if mine and other else None

    def ratio_range(self, base):
        """The quartiles of the ratio of medians of each round: how sure ratio() is."""
        both = self.rounds.keys() & base.rounds.keys()
        ratios = [median(self.rounds[i]) / median(base.rounds[i]) for i in both]
        return percentile(ratios, 25), percentile(ratios, 75)
