"""The sides by turns: a round is each of them once, and the one that begins is another each time."""
from measure.scenario import KAFKA


def measure(scenario, sides, options):
    """{side: [figures of each round]}"""
    sides = [side for side in sides if side.name in scenario.sides]
    rounds = {side.name: [] for side in sides}
    try:
        for side in sides:
            side.begin(scenario)
        if scenario.warm and not options.tiny:
            for side in sides:
                warm_up(scenario, side, options)
        for number in range(options.rounds):
            first = number % len(sides)
            for side in sides[first:] + sides[:first]:
                rounds[side.name].append(scenario.run(side, options))
    finally:
        for side in sides:
            side.end()
    return rounds


def warm_up(scenario, side, options):
    """Rounds that do not count: one, and for a JVM as many as it takes until two in a row are hardly better than the best."""
    best, no_better = None, 0
    for _ in range(10 if side.name == KAFKA else 1):
        figures = scenario.run(side, options)
        now = sum(figure for name, figure in figures.items() if "CPU per" in name) or next(iter(figures.values()))
        no_better = no_better + 1 if best is not None and now > 0.95 * best else 0
        best = now if best is None else min(best, now)
        if no_better == 2:
            return
