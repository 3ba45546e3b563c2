"""Whether the tables say what the rounds were: no broker runs here."""
import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from measure import command, figures, output, rounds  # noqa: E402
from measure.scenario import KAFKA, LIMIT, OURS, SCENARIOS, Ask, Scenario, named  # noqa: E402

ABOUT = {"date": "2001-02-03", "name": "a-test", "rounds": 3, "durability": "os", "command": "bench/run",
         "machine": {"memory": "1 GiB"}, "busy": {"others": 0.5, "stolen": 0.0}}


def scenario(**changes):
    return Scenario(**{"name": "one", "work": "some work", "run": None, "connections": "4", "batching": "1 × 1 B",
                       "durability": "page cache", "sides": (OURS, KAFKA, LIMIT), "limit": "produce", "warm": True,
                       "by_name": False, "asks": (), **changes})


def of(**sides):
    names = {"ours": OURS, "kafka": KAFKA, "limit": LIMIT}
    return {names[side]: [{"CPU": value} for value in measured] for side, measured in sides.items()}


class Figures(unittest.TestCase):

    def test_the_ratio_is_the_median_of_those_of_the_rounds(self):
        """The medians' own ratio would be 2/8."""
        row, = figures.rows(scenario(), of(ours=[1, 2, 30], kafka=[8, 4, 60]))
        self.assertEqual((0.5, 0.125, 0.5), (row.ratios[KAFKA].median, row.ratios[KAFKA].low, row.ratios[KAFKA].high))
        self.assertEqual((2, 1, 30), (row.spreads[OURS].median, row.spreads[OURS].low, row.spreads[OURS].high))
        self.assertNotIn(LIMIT, row.ratios)

    def test_what_is_asked_is_asked_of_the_ratios(self):
        asks = (Ask("CPU", of_kafka=0.25, of_limit=1.5, below=2),)
        row, = figures.rows(scenario(asks=asks), of(ours=[2, 2, 2], kafka=[8, 8, 1], limit=[1, 1, 4]))
        self.assertEqual([(KAFKA, True), (LIMIT, False), (None, True)], [(v.of, v.met) for v in row.verdicts])

    def test_a_side_that_is_not_there_neither_meets_nor_fails(self):
        row, = figures.rows(scenario(asks=(Ask("CPU", of_kafka=0.25),)), of(ours=[2]))
        self.assertEqual([None], [verdict.met for verdict in row.verdicts])

    def test_a_figure_that_only_one_side_has_is_shown(self):
        measured = {OURS: [{"CPU": 1, "memory": 2}], KAFKA: [{"CPU": 2}]}
        self.assertEqual([[OURS, KAFKA], [OURS]], [list(row.spreads) for row in figures.rows(scenario(), measured)])

    def test_nothing_divides_by_zero(self):
        row, = figures.rows(scenario(), of(ours=[1], kafka=[0]))
        self.assertEqual({}, row.ratios)

    def test_an_ask_for_a_figure_that_nobody_measures_is_a_mistake(self):
        with self.assertRaisesRegex(ValueError, "no figure memory"):
            figures.rows(scenario(asks=(Ask("memory", below=1),)), of(ours=[1]))


class Output(unittest.TestCase):

    def test_numbers_keep_three_digits(self):
        self.assertEqual(["12.3", "0.00123", "12,300", "0", "100", "0.0000123"],
                         [output.number(n) for n in (12.345, 0.0012345, 12345, 0, 99.99, 1.234e-5)])

    def test_the_dated_table(self):
        one = scenario(asks=(Ask("CPU", of_kafka=0.25, of_limit=1.5),))
        text = output.markdown(ABOUT, [(one, of(ours=[1, 2, 3], kafka=[10, 10, 10], limit=[1, 1, 1]))])
        self.assertIn("| one | CPU | 4 | 1 × 1 B | page cache | 2  [1 … 3] | 10  [10 … 10] | 1  [1 … 1] | 0.2  [0.1 … 0.3] | "
                      "2  [1 … 3] | ≤ 0.25 × Apache Kafka<br>≤ 1.5 × limit | met<br>NOT MET |\n", text)
        widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
        self.assertEqual(1, len(widths), text)

    def test_the_rule_of_durability_that_was_used_is_told(self):
        self.assertEqual("ours auto, others page cache", output.durability(dict(ABOUT, durability="auto"), scenario()))
        self.assertEqual("disk", output.durability(dict(ABOUT, durability="auto"), scenario(durability="disk")))

    def test_the_pair_of_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = output.record(folder, ABOUT, [(scenario(), of(ours=[1, 2], kafka=[2, 2]))])
            self.assertEqual(["2001-02-03-a-test.json", "2001-02-03-a-test.md"], sorted(os.listdir(folder)))
            with open(path + ".json", encoding="utf-8") as text:
                self.assertEqual([0.5, 1], json.load(text)["results"]["one"]["ratios"]["CPU"][KAFKA])

    def test_the_short_table_takes_the_place_of_the_former_one(self):
        one = scenario(asks=(Ask("CPU", of_kafka=0.25),))
        about = dict(ABOUT, machine={"processor": "P", "memory": "M", "kernel": "K", "file system": "F"})
        text = "a\n%s\nold\n%s\nz\n" % (output.BEGIN, output.END)
        for _ in range(2):
            text = output.in_readme(text, about, [(one, of(ours=[1, 2, 3], kafka=[10, 10, 10]))], "bench/results/x.md")
        self.assertTrue(text.startswith("a\n" + output.BEGIN) and text.endswith(output.END + "\nz\n"), text)
        self.assertIn("| some work: CPU | 2 | 10 |  | 0.2 |  | ≤ 0.25 × Apache Kafka: met | `one` |\n", text)
        self.assertNotIn("old", text)

    def test_no_path_of_a_machine_is_recorded(self):
        self.assertEqual("bench/run --rounds=3 small", command.command_line(
            ["--rounds=3", "--json=/a/b.json", "--folder", "/data/x", "--results=there", "small"]))


class Rounds(unittest.TestCase):

    class Side:
        def __init__(self, name, log):
            self.name, self.log = name, log

        def begin(self, _):
            self.log.append("begin " + self.name)

        def end(self):
            self.log.append("end " + self.name)

    def run_rounds(self, run, arguments=("--rounds=3",), **changes):
        log = []
        sides = [self.Side(name, log) for name in (OURS, KAFKA, LIMIT)]
        return log, rounds.measure(scenario(run=run, warm=False, **changes), sides, command.parse(arguments))

    def test_by_turns_and_another_begins_each_round(self):
        order = []
        self.run_rounds(lambda side, _: order.append(side.name) or {"CPU": 1})
        self.assertEqual([OURS, KAFKA, LIMIT, KAFKA, LIMIT, OURS, LIMIT, OURS, KAFKA], order)

    def test_only_the_sides_that_a_scenario_has(self):
        log, measured = self.run_rounds(lambda side, _: {"CPU": 1}, sides=(OURS, LIMIT))
        self.assertEqual({OURS: 3, LIMIT: 3}, {side: len(figure) for side, figure in measured.items()})
        self.assertNotIn("begin " + KAFKA, log)

    def test_a_failure_ends_the_limit_program_too(self):
        log = []
        sides = [self.Side(OURS, log)]
        with self.assertRaises(ZeroDivisionError):
            rounds.measure(scenario(run=lambda side, _: 1 / 0, warm=False), sides, command.parse([]))
        self.assertEqual(["begin " + OURS, "end " + OURS], log)

    def test_a_jvm_is_warmed_until_two_rounds_are_hardly_better(self):
        took = iter([100, 50, 49, 20, 21, 20, 7])
        done = []
        run = scenario(run=lambda side, _: done.append(side.name) or {"CPU per request": next(took)})
        rounds.warm_up(run, self.Side(KAFKA, []), None)
        self.assertEqual([KAFKA] * 6, done)
        rounds.warm_up(run, self.Side(OURS, []), None)
        self.assertEqual([KAFKA] * 6 + [OURS], done)


class Names(unittest.TestCase):

    def test_the_usual_ones_leave_out_what_writes_much(self):
        usual = {each.name for each in named(command.parse([]).names)}
        self.assertIn("small", usual)
        self.assertTrue(usual.isdisjoint({"mixed", "many", "large", "topics", "offsets"}))

    def test_asked_has_all_that_something_is_asked_of(self):
        self.assertEqual({"small", "batches", "big", "backlog", "steady", "tail", "mixed", "storm", "empty", "thousand", "memory",
                          "connections", "partitions"}, {each.name for each in named(["asked"])})

    def test_the_order_is_that_of_the_scenarios_and_none_comes_twice(self):
        self.assertEqual(["small", "idle", "topics"], [each.name for each in named(["topics", "idle", "small", "idle"])])
        self.assertEqual(list(SCENARIOS), [each.name for each in named(["usual", "all", "small"])])
        self.assertEqual(list(SCENARIOS), [each.name for each in named(command.parse(["--tiny"]).names)])

    def test_every_scenario_says_what_it_does(self):
        self.assertGreater(len(SCENARIOS), 25)
        for each in SCENARIOS.values():
            self.assertTrue(each.work and each.connections and each.batching and each.durability, each.name)

    def test_bad_options_are_refused(self):
        for words in (["nothing"], ["--readme"], ["--rounds=0"], ["--seconds=-1"], ["--backlog-gb=0"], ["--durability=none"]):
            with self.assertRaises(SystemExit, msg=words), open(os.devnull, "w", encoding="ascii") as nowhere:
                was, sys.stderr = sys.stderr, nowhere
                try:
                    command.parse(words)
                finally:
                    sys.stderr = was


if __name__ == "__main__":
    unittest.main(verbosity=1)
