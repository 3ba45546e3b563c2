"""Members of consumer groups, real clients of several kinds in processes of their own, and what they say has happened.

A process hosts members; it takes the commands and says the events that are listed in java/Members.java, whatever client
it is made of. Processes can be killed and paused. The clients say what they got before they commit it.
"""
import base64
import collections
import os
import signal
import subprocess
import sys
import threading
import time

import batch
import harness

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 120
# What every client understands, each with its own way to write it.
QUICK = {"retry.backoff.ms": "50", "reconnect.backoff.ms": "50", "reconnect.backoff.max.ms": "200"}


class Events:
    """What all members say, in the order in which it was heard: [member, event, …]."""

    def __init__(self):
        self.list, self.news = [], threading.Condition(threading.RLock())
        self._got, self._has = collections.defaultdict(dict), {}

    def add(self, words):
        name, what = words[:2]
        with self.news:
            self.list.append(words)
            named = frozenset(words[2].split(",")) - {""} if len(words) > 2 else frozenset()
            if what == "got":
                self._got[words[2], int(words[3])][int(words[4])] = words[5]
            elif what == "has":
                self._has[name] = named
            elif what in ("revoked", "lost"):
                self._has[name] = self._has.get(name, frozenset()) - named
            elif what == "closed":
                self._has.pop(name, None)
            self.news.notify_all()

    def until(self, holds, what, seconds=SECONDS):
        deadline = time.monotonic() + seconds
        with self.news:
            while not holds(self.list):
                if not self.news.wait(max(0, deadline - time.monotonic())) and not holds(self.list):
                    raise AssertionError("not in time: %s\n%s" % (what, "\n".join(
                        " ".join(words) for words in self.list if words[1] != "got")[-3000:]))

    def got(self):
        """{(topic, partition): {offset: value}}"""
        with self.news:
            return {place: dict(values) for place, values in self._got.items()}

    def number(self, topic, partition):
        """How many different records of this partition somebody got."""
        return len(self._got[topic, partition])

    def has_all_below(self, offset, topic, partition):
        return all(i in self._got[topic, partition] for i in range(offset))

    def owners(self):
        """{member: set of partitions} as they were told last."""
        with self.news:
            return dict(self._has)


class Host:
    """A process with members in it that takes commands."""

    def __init__(self, command, events, environment=None):
        self.events = events
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True,
                                        stderr=subprocess.DEVNULL, preexec_fn=harness.die_with_parent)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            words = line.rstrip("\n").split(" ")
            if len(words) >= 2 and line.endswith("\n"):  # a process that is killed may leave half a line
                self.events.add(words)

    def command(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()

    def start(self, name, how, what, **config):
        self.command("start", name, how, what, *("%s=%s" % pair for pair in config.items()))

    def close(self, name):
        since = len(self.events.list)
        self.command("close", name)
        self.events.until(lambda e: any(w[:2] == [name, "closed"] for w in e[since:]), name + " closes")

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """All that it has said is heard afterwards."""
        self.process.kill()
        self.process.wait()
        self.reader.join(SECONDS)
        self.process.stdin.close()
        self.process.stdout.close()

    def running(self):
        return self.process.poll() is None


class KcatHost:
    """kcat -G takes no commands: a process for each member, and the events are made of what it prints."""

    def __init__(self, events):
        self.events, self.processes = events, {}

    def start(self, name, _how, what, **config):
        options = [word for key, value in config.items() for word in ("-X", "%s=%s" % (key, value))]
        process = subprocess.Popen(
            ["kcat", "-G", config["group.id"], "-E", "-u", "-f", "%t %p %o %s\\n", "-X", "auto.offset.reset=earliest",
             "-X", "auto.commit.interval.ms=200", "-X", "fetch.wait.max.ms=50", *options, what],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=harness.die_with_parent)
        readers = [threading.Thread(target=read, args=(name, stream), daemon=True) for read, stream in (
            (self._read_records, process.stdout), (self._read_rebalances, process.stderr))]
        for reader in readers:
            reader.start()
        self.processes[name] = process, readers

    def _read_records(self, name, stream):
        for line in stream:
            if line.endswith("\n"):
                self.events.add([name, "got", *line.rstrip("\n").split(" ")])

    def _read_rebalances(self, name, stream):
        """% Group g rebalanced (memberid …): assigned: topic [0], topic [1]"""
        for line in stream:
            if " rebalanced (memberid " in line:
                what, _, partitions = line.rstrip("\n").partition("): ")[2].partition(": ")
                named = ",".join(part.strip().replace(" [", "-").rstrip("]") for part in partitions.split(","))
                if what in ("assigned", "revoked"):
                    self.events.add([name, what, named])
                if what == "assigned":
                    self.events.add([name, "has", named])

    def _end(self, name, number):
        process, readers = self.processes.pop(name)
        process.send_signal(number)
        process.wait(SECONDS)
        for reader in readers:
            reader.join(SECONDS)
        process.stdout.close()
        process.stderr.close()

    def close(self, name):
        self._end(name, signal.SIGTERM)
        self.events.add([name, "closed"])

    def pause(self):
        for process, _ in self.processes.values():
            process.send_signal(signal.SIGSTOP)

    def resume(self):
        for process, _ in self.processes.values():
            process.send_signal(signal.SIGCONT)

    def kill(self):
        for name in list(self.processes):
            self._end(name, signal.SIGKILL)

    def running(self):
        return True


def java_host(classes, events):
    return Host(harness.oracle_java(classes, "-Xmx256m", *harness.QUICK_JVM) +
                [os.path.join(HERE, "..", "java", "Members.java")], events)


def python_host(client, events, modules=None):
    """client: kafka or confluent_kafka; modules: a folder to find it in before the system's."""
    environment = {**os.environ, **({"PYTHONPATH": modules} if modules else {})}
    return Host([sys.executable, "-u", os.path.join(HERE, "..", "python", "members.py"), client], events, environment)


class GroupTest(harness.BrokerTest):
    """Counts what was produced, and holds it against what the members have processed."""

    def setUp(self):
        super().setUp()
        self.events = Events()
        self.produced = collections.Counter()

    def produce(self, topic, partitions, count=50):
        """`count` records for each partition, one after another in small batches."""
        with self.broker.connect(60) as connection:
            for partition in range(partitions):
                for _ in range(count // 10):
                    first = self.produced[topic, partition]
                    records = [(None, b"%d" % (first + i)) for i in range(10)]
                    answer = connection.call("Produce", 9, acks=-1, timeoutMs=30000, topicData=[{
                        "name": topic, "partitionData": [{"index": partition, "records": base64.b64encode(
                            batch.build(records, timestamp=int(time.time() * 1000))).decode()}]}])
                    self.assertEqual(0, answer["responses"][0]["partitionResponses"][0]["errorCode"])
                    self.produced[topic, partition] += 10

    def until_processed(self, *topics):
        """Waits until every record that was produced (to these topics, if any are named) was processed by somebody."""
        def done(_):
            return all(self.events.number(*place) == count for place, count in self.produced.items()
                       if not topics or place[0] in topics)
        try:
            self.events.until(done, "everything is processed")
        except AssertionError as late:
            got = self.events.got()
            missing = {place: sorted(set(range(count)) - set(got.get(place, ())))[:5]
                       for place, count in self.produced.items()}
            raise AssertionError("missing: %s\n%s" % ({k: v for k, v in missing.items() if v}, late)) from None
        for place, values in self.events.got().items():
            self.assertEqual({i: str(i) for i in range(len(values))}, values, place)

    def until_owners(self, partitions, *names):
        """Until these members, each with something, have all these partitions between them, each once."""
        expected = sorted(partitions)

        def settled(_):
            has = {name: mine for name, mine in self.events.owners().items() if name in names}
            parts = sorted(p for mine in has.values() for p in mine)
            return len(has) == len(names) and all(has.values()) and parts == expected
        self.events.until(settled, "%s have %s" % (names, expected))
        return {name: self.events.owners()[name] for name in names}

    @staticmethod
    def places(topic, partitions):
        return ["%s-%d" % (topic, i) for i in range(partitions)]
