"""A scenario: a function from a side and the options to figures, and what the tables say about it."""
from dataclasses import dataclass

OURS, KAFKA, LIMIT = "kafka-broker", "Apache Kafka", "limit"
SCENARIOS = {}  # by name, in the order in which they run


@dataclass(frozen=True)
class Ask:
    """At most: of Apache Kafka's figure, of the limit's (medians of the ratios), or of ours itself (its median)."""
    figure: str
    of_kafka: float | None = None
    of_limit: float | None = None
    below: float | None = None


@dataclass(frozen=True)
class Scenario:
    name: str
    work: str
    run: object  # (side, options) -> {figure: number}
    connections: str  # as the table says it
    batching: str
    durability: str
    sides: tuple
    limit: str | None  # mode of the limit program, when it is one of the sides
    warm: bool  # worth rounds that do not count; not where each round begins with a process of its own
    by_name: bool  # writes much or takes long: only where it is named
    asks: tuple

    def ask(self, figure):
        return next((ask for ask in self.asks if ask.figure == figure), None)


def scenario(work, *, connections="–", batching="–", durability="page cache", sides=(OURS, KAFKA), limit=None, warm=True,
             by_name=False, asks=()):
    """Registers the function under its own name."""
    def register(run):
        SCENARIOS[run.__name__] = Scenario(run.__name__, work, run, connections, batching, durability,
                                           sides + ((LIMIT,) if limit else ()), limit, warm, by_name, tuple(asks))
        return run
    return register


KINDS = {"usual": lambda each: not each.by_name, "asked": lambda each: bool(each.asks), "all": lambda each: True}


def named(words):
    """The scenarios that these words mean: names, and kinds."""
    return [each for each in SCENARIOS.values()
            if each.name in words or any(KINDS[word](each) for word in words if word in KINDS)]
