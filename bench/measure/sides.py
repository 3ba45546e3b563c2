"""What a scenario runs on. All sides answer the same calls, so that a scenario reads the same for each of them:

    topic = side.topic(4)
    figures = side.load("produce", topic=topic, partitions=4, connections=32)
    side.drop(topic)
"""
import contextlib
import json
import os
import shutil
import time

from measure import BUILD
from measure.scenario import KAFKA, LIMIT, OURS
import harness
import protocol

# What kafka-server-start.sh gives its JVM.
JVM = ["-Xms1g", "-Xmx1g", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
       "-XX:InitiatingHeapOccupancyPercent=35", "-Djava.awt.headless=true"]
CONFIG = {"offsets.topic.num.partitions": None, "group.initial.rebalance.delay.ms": None,
          "log.segment.delete.delay.ms": "1000"}  # or a run would fill the disk with topics that are done with
LOAD_SECONDS = 1200


def load(port, pid, mode, flags, *more):
    """One run of the load generator: what it says in JSON. An error that the broker answered ends it, and the scenario."""
    command = [os.path.join(BUILD, "load"), "--json", "--mode=" + mode, *more]
    command += ["--%s=%s" % flag for flag in {"port": port, "pid": pid, **flags}.items()]
    return json.loads(harness.run(command, seconds=LOAD_SECONDS).stdout.splitlines()[-1])


@contextlib.contextmanager
def silent(port, connections):
    """So many more that were served once and are kept open meanwhile. Each is opened when the one before is answered."""
    holder = harness.Process([os.path.join(BUILD, "load"), "--json", "--mode=idle", "--port=%d" % port,
                              "--connections=%d" % connections, "--hold_seconds=%d" % LOAD_SECONDS])
    try:
        while holder.running() and len(os.listdir("/proc/%d/fd" % holder.pid)) < connections:
            time.sleep(0.01)
        if not holder.running():
            raise RuntimeError("no %d connections:\n%s" % (connections, holder.output()))
        yield
    finally:
        holder.end()


def first_answer(broker):
    """Seconds from exec to the first answered ApiVersions."""
    broker.write_properties()
    at = time.perf_counter()
    broker.process = harness.Process(broker.command(), cwd=broker.folder)
    while True:
        try:
            with broker.connect() as connection:
                connection.call("ApiVersions", 0)
                return time.perf_counter() - at
        except (OSError, protocol.NoAnswer):
            if not broker.process.running():
                raise RuntimeError("the broker ended:\n" + broker.process.output()) from None
            time.sleep(0.0005)


def until_started(broker):
    """After first_answer: whatever it still does before it says that it has started."""
    broker.process.wait_for_line("Kafka Server started")
    broker._wait_until_served()


def until_served(ask):
    """Asks again until the answer has no error."""
    while True:
        try:
            answer = ask()
            if answer["errorCode"] == 0:
                return answer
        except (OSError, protocol.NoAnswer):
            pass
        time.sleep(0.001)


def restart(broker, config=None, arguments=None):
    broker.stop()
    broker.config.update(config or {})
    if arguments is not None:
        broker.arguments = list(arguments)
    broker.start()


class BrokerSide:
    """Our broker, or the Apache Kafka whose classes are in the folder `oracle`."""

    def __init__(self, oracle, folder, durability):
        self.name = KAFKA if oracle else OURS
        self._oracle, self._folder = oracle, os.path.join(folder, "kafka" if oracle else "ours")
        self._config = CONFIG | ({} if oracle else {"acks.all.durability": durability})
        os.makedirs(self._folder)
        self.broker = self._broker(self._folder)
        self.broker.start()
        self.topics = 0
        self.kept = {}  # what scenarios made once and use again

    def _broker(self, folder, arguments=()):
        return harness.Broker(self._config, folder=folder, arguments=arguments, oracle=self._oracle, jvm=JVM)

    def begin(self, scenario):
        """Before the rounds of a scenario; the limit program starts here."""

    def end(self):
        pass

    def stop(self):
        if self.broker.process.running():
            self.broker.stop()

    def revive(self):
        """After a scenario that failed wherever it did."""
        self.broker.env = None
        self.kept = {}
        if not self.broker.process.running():
            self.broker.start()

    @contextlib.contextmanager
    def fresh(self, arguments=()):
        """A second one in a directory of its own, which is formatted and nothing else; not started."""
        folder = os.path.join(self._folder, "fresh")
        os.makedirs(folder)
        broker = self._broker(folder, arguments)
        try:
            if self._oracle:
                broker.write_properties()
                broker.format()
            yield broker
        finally:
            broker.close()
            shutil.rmtree(folder, ignore_errors=True)

    def topic(self, partitions, **config):
        self.topics += 1
        name = "bench-%d" % self.topics
        self.broker.create_topic(name, partitions, **config)
        return name

    def drop(self, topic):
        """Returns when its files are gone, so that the disk is not busy with them in the next round."""
        with self.broker.connect(30) as connection:
            connection.call("DeleteTopics", 6, topics=[{"name": topic}], timeoutMs=30000)
        deadline = time.monotonic() + 90
        while any(name.startswith(topic + "-") for name in os.listdir(self.broker.data)) and time.monotonic() < deadline:
            time.sleep(0.02)

    def load(self, mode, broker=None, **flags):
        broker = broker or self.broker
        return load(broker.port, broker.process.pid, mode, flags)

    def silent(self, connections):
        return silent(self.broker.port, connections)


class LimitSide:
    """The program that makes only the system calls which the work needs, under the same load. Each topic is a process of its
    own, whose files are gone when it ends."""
    name = LIMIT

    def __init__(self, folder):
        self._folder = os.path.join(folder, "limit")
        os.makedirs(self._folder)
        self._process, self._port, self._mode = None, None, None
        self.kept = {}

    def begin(self, scenario):
        self._mode = scenario.limit

    def end(self):
        if self._process:
            self._process.end()
            self._process = None
        self.kept = {}

    stop = end

    def revive(self):
        pass  # the next topic starts another

    def topic(self, partitions, **flags):
        self.end()
        flags = {"mode": self._mode, "folder": self._folder, "partitions": partitions, **flags}
        self._process = harness.Process([os.path.join(BUILD, "limit")] + ["--%s=%s" % flag for flag in flags.items()])
        self._port = int(self._process.wait_for_line(r"^port \d+$").split()[1])
        return "limit"

    def drop(self, topic):
        self.end()

    def load(self, mode, **flags):
        checked = () if mode in ("storm", "idle") else ("--no_check",)
        return load(self._port, self._process.pid, mode, flags, *checked)

    def silent(self, connections):
        return silent(self._port, connections)
