"""From the figures of the rounds to rows of a table: pure functions.

`rounds` is {side: [{figure: number} of each round]}. Ratios are those of one and the same round, so that what disturbs
the machine for a while disturbs both numbers of a ratio; their median is what counts.
"""
import statistics
from dataclasses import dataclass

from measure.scenario import KAFKA, LIMIT, OURS


@dataclass(frozen=True)
class Spread:
    median: float
    low: float
    high: float

    @staticmethod
    def of(values):
        return Spread(statistics.median(values), min(values), max(values)) if values else None


@dataclass(frozen=True)
class Verdict:
    asked: float
    of: str | None  # whose figure the ratio is to; None: our own figure
    got: float | None  # None: not measured

    @property
    def met(self):
        return None if self.got is None else self.got <= self.asked


@dataclass(frozen=True)
class Row:
    figure: str
    spreads: dict  # side: Spread, of those that have this figure
    ratios: dict  # KAFKA or LIMIT: Spread of ours divided by theirs
    verdicts: list


def values(rounds, side, figure):
    return [each[figure] for each in rounds.get(side, []) if figure in each]


def ratios(rounds, side, figure):
    """Of the rounds in which both have it."""
    pairs = zip(rounds.get(OURS, []), rounds.get(side, []))
    return [ours[figure] / theirs[figure] for ours, theirs in pairs
            if figure in ours and figure in theirs and theirs[figure] > 0]


def verdicts(ask, spreads, of):
    if ask is None:
        return []
    found = []
    if ask.of_kafka is not None:
        found.append(Verdict(ask.of_kafka, KAFKA, of[KAFKA].median if of.get(KAFKA) else None))
    if ask.of_limit is not None:
        found.append(Verdict(ask.of_limit, LIMIT, of[LIMIT].median if of.get(LIMIT) else None))
    if ask.below is not None:
        found.append(Verdict(ask.below, None, spreads[OURS].median if OURS in spreads else None))
    return found


def rows(scenario, rounds):
    """One for each figure, in the order in which our own side told them."""
    found = []
    names = dict.fromkeys(name for side in (OURS, KAFKA, LIMIT) for each in rounds.get(side, []) for name in each)
    for figure in names:
        spreads = {side: Spread.of(values(rounds, side, figure)) for side in (OURS, KAFKA, LIMIT)
                   if values(rounds, side, figure)}
        of = {side: Spread.of(ratios(rounds, side, figure)) for side in (KAFKA, LIMIT) if ratios(rounds, side, figure)}
        found.append(Row(figure, spreads, of, verdicts(scenario.ask(figure), spreads, of)))
    lost = [ask.figure for ask in scenario.asks if ask.figure not in names]
    if lost and rounds.get(OURS):
        raise ValueError("%s: no figure %s" % (scenario.name, ", ".join(lost)))
    return found
