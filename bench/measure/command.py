"""The command line of bench/run."""
import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import traceback
import os

from measure import BUILD, ROOT, machine, output
from measure import writing, reading, starting, weight, cleaning, groups, topics  # noqa: F401  they register what they have
from measure.rounds import measure
from measure.scenario import KINDS, SCENARIOS, named
from measure.sides import BrokerSide, LimitSide

PROGRAMS = ["kafka-broker", "load", "limit", "members", "flush_limit", "slow_flush"]

ABOUT = """Figures of this broker, next to Apache Kafka's where it can be had and next to those of a program that makes only the
system calls which the work needs; measured in the same run on the same machine, by turns.
"""

NOTES = """
usual is all but those in brackets, which write much or take long; asked is all that something is asked of; all is all.

Default settings but for the addresses and the rule of durability: os, as Apache Kafka's is (it leaves records in the page
cache), so that both do the same; --durability=auto is the default that this broker is used with.
Medians of the rounds, lowest and highest in brackets; a ratio is that of two figures of the same round. Apache Kafka has the
heap and the collector of its own start script, and it is warmed up until a round is hardly better than the one before.
"""


class Options(argparse.Namespace):

    def size(self, whole, tiny):
        return tiny if self.tiny else whole


def scenarios_text():
    width = max(map(len, SCENARIOS)) + 2
    return "\n".join("  %-*s %s" % (width, "(%s)" % each.name if each.by_name else each.name, each.work)
                     for each in SCENARIOS.values())


def parse(arguments):
    parser = argparse.ArgumentParser(prog="run", description=ABOUT, epilog="scenarios:\n%s\n%s" % (scenarios_text(), NOTES),
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="scenarios, or usual (without any name), asked, all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of a round of what is measured for a time")
    parser.add_argument("--gigabytes", type=float, default=0.5, help="of a round of what is measured for an amount")
    parser.add_argument("--stored", type=float, default=10, help="GiB for large")
    parser.add_argument("--backlog-gb", type=float, default=10, help="for mixed")
    parser.add_argument("--flush-ms", type=float, default=2, help="of a flush in slow, at least")
    parser.add_argument("--durability", choices=("os", "auto", "disk"), default="os", help="acks.all.durability of ours")
    parser.add_argument("--only-ours", action="store_true", help="without Apache Kafka")
    parser.add_argument("--tiny", action="store_true", help="as short as can be, every scenario: does it still run?")
    parser.add_argument("--folder", help="where the data goes for the time of the run; the system's for temporary files without")
    parser.add_argument("--json", help="every figure of every round, to this file")
    parser.add_argument("--record", metavar="NAME", help="a dated table and its JSON, in --results")
    parser.add_argument("--readme", action="store_true", help="the short table of --record replaces the one in README.md")
    parser.add_argument("--results", default=os.path.join(ROOT, "bench", "results"))
    options = parser.parse_args(arguments, namespace=Options())
    unknown = set(options.names) - set(SCENARIOS) - set(KINDS)
    if unknown:
        parser.error("no scenario " + ", ".join(sorted(unknown)))
    if options.rounds < 1 or options.seconds <= 0 or options.gigabytes <= 0 or options.backlog_gb <= 0:
        parser.error("--rounds, --seconds, --gigabytes and --backlog-gb are above 0")
    options.names = options.names or (["all"] if options.tiny else ["usual"])
    if options.readme and not options.record:
        parser.error("--readme shows what --record keeps")
    if options.tiny:
        options.rounds, options.seconds, options.gigabytes = 1, 0.2, 0.01
    return options


def build():
    if os.environ.get("BUILD_DIR"):
        return
    subprocess.run([os.path.join(ROOT, "deploy", "install-packages"), os.path.join(ROOT, "third_party", "packages"),
                    os.path.join(ROOT, "test", "packages")], check=True)
    subprocess.run(["cmake", "--preset", "release", "-DBUILD_TESTING=ON"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", BUILD, "--quiet", *PROGRAMS], check=True)


def apache_kafka(options):
    """The folder with its classes, or None."""
    if options.only_ours or options.tiny:
        return None
    done = subprocess.run([os.path.join(ROOT, "test", "interop", "java", "fetch")], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print("without Apache Kafka: " + done.stderr.strip())
        return None
    return os.path.dirname(done.stdout.strip())


def command_line(arguments):
    """As it is recorded: without the paths of this machine."""
    return " ".join(["bench/run"] + [word for word in arguments if not word.startswith(("--json", "--folder", "--results")) and
                                     "/" not in word])


def raise_descriptor_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536) if hard > 0 else 65536, hard))


def run(options, oracle, folder, about, results):
    """Fills `results`; the names of the scenarios that failed. One that fails takes nothing of the others with it."""
    failed = []
    sides = [BrokerSide(None, folder, options.durability)]
    if oracle:
        sides.append(BrokerSide(oracle, folder, None))
    sides.append(LimitSide(folder))
    for scenario in named(options.names):
        try:
            rounds = measure(scenario, sides, options)
            output.show(about, scenario, rounds)
            results.append((scenario, rounds))
        except Exception:  # noqa: B902  whatever it was, it is told, and the exit status says so
            failed.append(scenario.name)
            print("\n%s failed:\n%s" % (scenario.name, traceback.format_exc()))
            for side in sides:
                side.revive()
        sys.stdout.flush()
        if options.json:  # what is there, should the rest not come
            output.write_json(options.json, about, results)
    for side in sides:
        side.stop()
    return failed


def main(arguments):
    options = parse(arguments)
    build()
    raise_descriptor_limit()
    oracle = apache_kafka(options)
    folder = tempfile.mkdtemp(prefix="kafka-broker-bench-", dir=options.folder)
    about = {"date": output.today(), "name": options.record or "run", "rounds": options.rounds, "durability": options.durability,
             "command": command_line(arguments), "machine": machine.describe(folder, oracle)}
    print("\n".join("%s: %s" % item for item in about["machine"].items()))
    print("our acks.all.durability=%s, medians of %d rounds by turns [lowest … highest]" % (options.durability, options.rounds))
    options.scratch, options.picture = folder, None
    if options.record:
        os.makedirs(options.results, exist_ok=True)
        options.picture = output.recorded(options.results, about) + "-latency.svg"
    others, results = machine.Others(), []
    try:
        failed = run(options, oracle, folder, about, results)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    about["busy"] = others.busy()
    print("\nprocessors that something else kept busy, on average: %(others).2f; stolen: %(stolen).2f" % about["busy"])
    if options.json:
        output.write_json(options.json, about, results)
    if options.record:
        path = output.record(options.results, about, results)
        print(os.path.relpath(path + ".md", ROOT))
        if options.readme:
            readme = os.path.join(ROOT, "README.md")
            with open(readme, encoding="utf-8") as text:
                output.write(readme, output.in_readme(text.read(), about, results, os.path.relpath(path + ".md", ROOT)))
    if failed:
        print("failed: " + ", ".join(failed))
    return 1 if failed else 0
