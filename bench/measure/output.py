"""The table on the screen, the dated one in Markdown, and JSON."""
import datetime
import decimal
import json
import os

from measure import figures
from measure.scenario import KAFKA, LIMIT, OURS


def number(value):
    """Three digits say enough, and none of them is hidden in an exponent."""
    return "" if value is None else format(decimal.Decimal("%.3g" % value), ",f")


def spread(of):
    return "" if of is None else "%s  [%s … %s]" % (number(of.median), number(of.low), number(of.high))


def asked(verdict):
    return "≤ %s%s" % (number(verdict.asked), " × " + verdict.of if verdict.of else "")


def met(verdict):
    return {True: "met", False: "NOT MET", None: "not measured"}[verdict.met]


def durability(about, scenario):
    """Where a record is when it is answered."""
    if scenario.durability == "page cache" and about["durability"] != "os":
        return "ours %s, others page cache" % about["durability"]
    return scenario.durability


# ---- on the screen ------------------------------------------------------------------------------------------------

def show(about, scenario, rounds):
    print("\n%s: %s\n  connections: %s; batches: %s; durability: %s" % (
        scenario.name, scenario.work, scenario.connections, scenario.batching, durability(about, scenario)))
    for row in figures.rows(scenario, rounds):
        name = row.figure
        for side, of in row.spreads.items():
            print("  %-44s %-13s %s" % (name, side, spread(of)))
            name = ""
        for side, of in row.ratios.items():
            print("  %-44s %-13s %s" % ("", "/ " + side, spread(of)))
        for verdict in row.verdicts:
            print("  %-44s %s: %s" % ("", asked(verdict), met(verdict)))


# ---- dated --------------------------------------------------------------------------------------------------------

HEAD = ("scenario", "figure", "connections", "batches", "durability", "kafka-broker", "Apache Kafka", "limit",
        "/ Apache Kafka", "/ limit", "asked", "")


METHOD = """Medians of %d rounds [lowest … highest]. The sides ran by turns; a ratio is ours divided by theirs of the same
round, and what is asked is asked of the median of the ratios. CPU is the broker process's own, user and system. limit is a
program that makes only the system calls which the work needs."""


def cells(about, scenario, row):
    return (scenario.name, row.figure.strip(), scenario.connections, scenario.batching, durability(about, scenario),
            *(spread(row.spreads.get(side)) for side in (OURS, KAFKA, LIMIT)),
            *(spread(row.ratios.get(side)) for side in (KAFKA, LIMIT)),
            "<br>".join(map(asked, row.verdicts)), "<br>".join(map(met, row.verdicts)))


def markdown(about, results):
    """`about`: what is said of the run; `results`: [(scenario, rounds)]."""
    lines = ["# %s: %s" % (about["date"], about["name"]), "", "`%s`" % about["command"], ""]
    lines += ["- %s: %s" % item for item in about["machine"].items()]
    lines += ["- something else kept busy, of the processors, on average: %s (kernel threads included), stolen %s" % (
        number(about["busy"]["others"]), number(about["busy"]["stolen"]))]
    lines += ["", METHOD % about["rounds"], ""]
    lines += ["| %s |" % " | ".join(HEAD), "|%s" % (" --- |" * len(HEAD))]
    for scenario, rounds in results:
        lines += ["| %s |" % " | ".join(cells(about, scenario, row)) for row in figures.rows(scenario, rounds)]
    lines += ["", "What the scenarios do:", ""]
    lines += ["- `%s`: %s" % (scenario.name, scenario.work) for scenario, _ in results]
    return "\n".join(lines) + "\n"


BEGIN, END = "<!-- bench/run --readme: from here -->", "<!-- to here -->"
SHORT_HEAD = ("", "kafka-broker", "Apache Kafka", "limit", "of Apache Kafka's", "of the limit's", "at most", "scenario")


def short(about, results, path):
    """The figures that something is asked of, and the first one of every other scenario; medians only."""
    machine = about["machine"]
    lines = [", ".join(machine[fact] for fact in ("processor", "memory", "kernel", "file system")) + "; Apache Kafka %s." %
             machine.get("Apache Kafka", "was not there"),
             "Medians of %d rounds by turns, and medians of the rounds' ratios. The whole table, with spreads and what"
             % about["rounds"],
             "the scenarios do, is [%s](%s)." % (os.path.basename(path), path), "",
             "| %s |" % " | ".join(SHORT_HEAD), "|%s" % (" --- |" * len(SHORT_HEAD))]
    for scenario, rounds in results:
        rows = figures.rows(scenario, rounds)
        for place, row in enumerate([row for row in rows if row.verdicts] or rows[:1]):
            lines.append("| %s%s | %s | %s | %s | `%s` |" % (
                "… " if place else scenario.work + ": ", row.figure.strip(),
                " | ".join(number(row.spreads[side].median) if side in row.spreads else "" for side in (OURS, KAFKA, LIMIT)),
                " | ".join(number(row.ratios[side].median) if side in row.ratios else "" for side in (KAFKA, LIMIT)),
                "; ".join("%s: %s" % (asked(verdict), met(verdict)) for verdict in row.verdicts), scenario.name))
    return "\n".join(lines) + "\n"


def in_readme(text, about, results, path):
    """The README with this run's short table in the place of the former one."""
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    return "%s%s\n%s%s%s" % (before, BEGIN, short(about, results, path), END, after)


def as_json(about, results):
    """Every figure of every round, and the ratios of the rounds."""
    return dict(about, results={scenario.name: {
        "connections": scenario.connections, "batches": scenario.batching, "durability": durability(about, scenario),
        "rounds": rounds,
        "ratios": {row.figure: {side: figures.ratios(rounds, side, row.figure) for side in row.ratios}
                   for row in figures.rows(scenario, rounds) if row.ratios},
        "asked": [{"figure": row.figure, "at_most": verdict.asked, "of": verdict.of, "got": verdict.got, "met": verdict.met}
                  for row in figures.rows(scenario, rounds) for verdict in row.verdicts],
    } for scenario, rounds in results})


def write(path, text):
    """Whole or not at all."""
    with open(path + ".new", "w", encoding="utf-8") as out:
        out.write(text)
    os.replace(path + ".new", path)


def write_json(path, about, results):
    write(path, json.dumps(as_json(about, results), indent=1, ensure_ascii=False) + "\n")


def recorded(folder, about):
    """What the names of a record's files begin with."""
    return os.path.join(folder, "%s-%s" % (about["date"], about["name"]))


def record(folder, about, results):
    """The dated table and its JSON; a picture that a scenario has drawn is shown."""
    path = recorded(folder, about)
    picture = path + "-latency.svg"
    shown = "\n![End to end latency](%s)\n" % os.path.basename(picture) if os.path.exists(picture) else ""
    write(path + ".md", markdown(about, results) + shown)
    write_json(path + ".json", about, results)
    return path


def today():
    return datetime.date.today().isoformat()
