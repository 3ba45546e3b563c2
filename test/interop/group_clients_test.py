#!/usr/bin/python3
"""Consumer groups of every client there is, one group for each, all at once against one broker: members are paused beyond
their sessions and killed, static members roll, and the broker is stopped and killed in the middle of a rebalance. Every
record is processed by somebody, and no committed offset is ahead of what was processed.

What is covered, and where: here unless it says otherwise.

| client               | protocol | paused, then killed | static members roll    | broker stopped, killed while rebalancing |
| -------------------- | -------- | ------------------- | ---------------------- | ---------------------------------------- |
| Java consumer        | classic  | yes                 | yes                    | yes                                      |
| Java consumer        | consumer | yes                 | yes                    | yes                                      |
| librdkafka (Python)  | classic  | yes                 | yes                    | yes                                      |
| librdkafka (Python)  | consumer | yes                 | yes                    | yes                                      |
| kcat                 | classic  | yes                 | yes                    | yes                                      |
| kafka-python         | classic  | yes                 | impossible (1)         | yes                                      |
(1) Version 2.0.2 does not know static members. It and kcat do not speak the new protocol.

consumer_groups_test.py has more of the Java consumer's: members that come and go one by one, expressions, moves between the
protocols.
"""
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import groups  # noqa: E402
import harness  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PARTITIONS = 4
SHORT_MS, LASTING_MS = 3000, 60000  # sessions: one that is to end, one that must not, however busy the machine is
WAITS = {"classic": {"PreparingRebalance"}, "consumer": {"Reconciling", "Assigning"}}  # states of an unfinished rebalance


class Kind:
    """host: what hosts its members, shared by the kinds that name the same; make: one of these for these events."""

    def __init__(self, host, make, protocol, instances=True, reports_before_it_knows=False, **config):
        self.host, self.make, self.protocol, self.instances = host, make, protocol, instances
        self.reports_before_it_knows = reports_before_it_knows  # may commit what it has not printed yet
        self.config = config


def fetched(folder):
    done = subprocess.run([os.path.join(HERE, folder, "fetch")], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print("left out: " + done.stderr.strip())
        return None
    return done.stdout.strip()


def has_module(name):
    done = subprocess.run([sys.executable, "-c", "import " + name], capture_output=True, check=False)
    if done.returncode != 0:
        print("left out: this Python (%s) lacks the module %s" % (sys.executable, name))
    return done.returncode == 0


def kinds():
    """{name: kind} of the clients that this machine has."""
    found = {}
    libs = fetched("java")
    if libs:
        classes = os.path.dirname(libs)
        for protocol in ("classic", "consumer"):
            found["java-" + protocol] = Kind("java", lambda events: groups.java_host(classes, events), protocol,
                                             **{"group.protocol": protocol})
    if has_module("confluent_kafka"):
        found["librdkafka-classic"] = Kind(
            "librdkafka", lambda events: groups.python_host("confluent_kafka", events), "classic")
    modules = fetched("python")
    if modules:
        found["librdkafka-consumer"] = Kind(
            "librdkafka-new", lambda events: groups.python_host("confluent_kafka", events, modules), "consumer",
            **{"group.protocol": "consumer"})
    if has_module("kafka"):
        found["kafka-python"] = Kind("kafka-python", lambda events: groups.python_host("kafka", events), "classic",
                                     instances=False)
    if shutil.which("kcat"):
        found["kcat"] = Kind("kcat", groups.KcatHost, "classic", reports_before_it_knows=True)
    else:
        print("left out: this machine lacks the program kcat")
    return found


class Clients(groups.GroupTest):
    """For each kind a topic and a group. Members a, b, … live in processes by role: what happens to one, happens to the
    members in it of all kinds."""

    def setUp(self):
        super().setUp()
        self.hosts = {}
        self.kinds = dict(KINDS)
        self.topics = {kind: self.topic(partitions=PARTITIONS) for kind in self.kinds}
        self.members = {kind: {} for kind in self.kinds}  # name: role
        self.addCleanup(self.end_hosts)

    def end_hosts(self):
        for host in self.hosts.values():
            host.kill()

    def group(self, kind):
        return "group-%s-%s" % (self._testMethodName, kind)

    def host(self, kind, role):
        place = KINDS[kind].host, role
        if place not in self.hosts:
            self.hosts[place] = KINDS[kind].make(self.events)
        return self.hosts[place]

    def hosts_of(self, role):
        return [host for (_, its_role), host in self.hosts.items() if its_role == role]

    # ---- members

    def start(self, name, role, session_ms, static=False):
        for kind, what in self.kinds.items():
            self.start_one(kind, name, role, session_ms, static)

    def start_one(self, kind, name, role, session_ms, static=False):
        config = {"bootstrap.servers": self.broker.address, "group.id": self.group(kind), "client.id": name,
                  **groups.QUICK, **KINDS[kind].config}
        if KINDS[kind].protocol == "classic":
            config.update({"session.timeout.ms": str(session_ms), "heartbeat.interval.ms": "200"})
        if static:
            config["group.instance.id"] = "instance-" + name
        self.members[kind][name] = role
        self.host(kind, role).start(kind + "/" + name, "names", self.topics[kind], **config)

    def close(self, kind, name):
        self.host(kind, self.members[kind].pop(name)).close(kind + "/" + name)

    def until_shared(self, *names):
        """{kind: who has what} when these have it all between them in each group."""
        return {kind: self.until_shared_in(kind, *names) for kind in self.kinds}

    def until_shared_in(self, kind, *names):
        return self.until_owners(self.places(self.topics[kind], PARTITIONS), *(kind + "/" + name for name in names))

    # ---- records

    def produce_to_all(self):
        for kind in self.kinds:
            self.produce(self.topics[kind], PARTITIONS)

    def committed(self, kind):
        """{partition: offset}; -1 where there is none."""
        topic = self.topics[kind]
        with self.broker.connect(30) as connection:
            deadline = time.monotonic() + groups.SECONDS
            while True:
                answer = connection.call("OffsetFetch", 8, requireStable=True, groups=[
                    {"groupId": self.group(kind), "topics": [
                        {"name": topic, "partitionIndexes": list(range(PARTITIONS))}]}])["groups"][0]
                if answer["errorCode"] not in (14, 15, 16):
                    break
                self.assertLess(time.monotonic(), deadline, answer)
                time.sleep(0.05)
        self.assertEqual(0, answer["errorCode"], answer)
        return {p["partitionIndex"]: p["committedOffset"] for p in answer["topics"][0]["partitions"]}

    def no_commit_is_ahead(self):
        """Whoever commits has said before what it has processed, so that is heard by and by."""
        for kind, topic in self.topics.items():
            for partition, offset in self.committed(kind).items():
                self.events.until(lambda _, place=(offset, topic, partition): self.events.has_all_below(*place),
                                  "%s-%d: all below %d, which is committed" % (topic, partition, offset))

    def until_all_is_committed(self):
        self.until_processed()
        for kind, topic in self.topics.items():
            expected = {partition: self.produced[topic, partition] for partition in range(PARTITIONS)}
            deadline = time.monotonic() + groups.SECONDS
            while self.committed(kind) != expected:
                self.assertLess(time.monotonic(), deadline, (kind, self.committed(kind), expected))
                time.sleep(0.05)

    # ---- states of groups

    def states(self):
        with self.broker.connect(30) as connection:
            answer = connection.call("ListGroups", 5, statesFilter=[], typesFilter=[])
        return {group["groupId"]: group["groupState"] for group in answer["groups"]}

    def until_rebalancing(self):
        """Every group is in the middle of a rebalance, which cannot end while one of its members is paused."""
        deadline = time.monotonic() + groups.SECONDS
        while True:
            states = self.states()
            if all(states.get(self.group(kind)) in WAITS[KINDS[kind].protocol] for kind in self.kinds):
                return
            self.assertLess(time.monotonic(), deadline, states)
            time.sleep(0.02)


class MembersThatFail(Clients):
    CONFIG = {"group.min.session.timeout.ms": "1000", "group.consumer.min.heartbeat.interval.ms": "100",
              "group.consumer.heartbeat.interval.ms": "200", "group.consumer.min.session.timeout.ms": "1000",
              "group.consumer.session.timeout.ms": str(SHORT_MS), "group.consumer.assignment.interval.ms": "0"}

    def test_a_member_is_paused_beyond_its_session_and_then_killed(self):
        self.start("a", "here", LASTING_MS)
        self.start("b", "here", LASTING_MS)
        self.start("c", "there", SHORT_MS)
        self.until_shared("a", "b", "c")
        self.produce_to_all()
        for host in self.hosts_of("there"):
            host.pause()
        self.produce_to_all()
        self.until_shared("a", "b")
        self.no_commit_is_ahead_of_those_who_run()
        for host in self.hosts_of("there"):
            host.resume()
        self.until_shared("a", "b", "c")
        self.until_processed()
        self.produce_to_all()
        self.until_processed(*(self.topics[kind] for kind in self.kinds if KINDS[kind].reports_before_it_knows))
        for host in self.hosts_of("there"):
            host.kill()
        self.no_commit_is_ahead()
        self.produce_to_all()
        self.until_shared("a", "b")
        self.until_all_is_committed()

    def no_commit_is_ahead_of_those_who_run(self):
        was = self.topics
        self.topics = {kind: topic for kind, topic in was.items() if not KINDS[kind].reports_before_it_knows}
        self.no_commit_is_ahead()
        self.topics = was


class MembersThatLast(Clients):
    CONFIG = {**MembersThatFail.CONFIG, "group.consumer.session.timeout.ms": str(LASTING_MS)}

    def test_static_members_roll(self):
        self.kinds = {name: kind for name, kind in KINDS.items() if kind.instances}
        self.topics = {kind: self.topics[kind] for kind in self.kinds}
        for name in ("a", "b"):
            self.start(name, "here", LASTING_MS, static=True)
        before = self.until_shared("a", "b")
        for name, other in (("a", "b"), ("b", "a")):
            for kind in self.kinds:
                self.produce(self.topics[kind], PARTITIONS)
                if KINDS[kind].reports_before_it_knows:
                    self.until_processed(self.topics[kind])
                moved = self.moves(kind, other)
                self.close(kind, name)
                self.produce(self.topics[kind], PARTITIONS)
                self.start_one(kind, name, "here", LASTING_MS, static=True)
                self.assertEqual(before[kind], self.until_shared_in(kind, "a", "b"), "each has what it had")
                self.assertEqual(moved, self.moves(kind, other), "the other is not disturbed")
        self.until_all_is_committed()

    def moves(self, kind, name):
        """What it was told about what it has."""
        return [words for words in self.events.list
                if words[0] == kind + "/" + name and words[1] in ("has", "revoked", "lost")]

    def test_the_broker_ends_in_the_middle_of_a_rebalance(self):
        self.start("a", "here", LASTING_MS)
        self.start("b", "there", LASTING_MS)
        self.until_shared("a", "b")

        def in_the_middle(change, end):
            self.produce_to_all()
            for host in self.hosts_of("there"):
                host.pause()
            change()
            self.until_rebalancing()
            self.produce_to_all()
            end()
            self.broker.start()
            for host in self.hosts_of("there"):
                host.resume()

        in_the_middle(lambda: self.start("c", "here", SHORT_MS), self.broker.stop)
        self.until_shared("a", "b", "c")
        self.no_commit_is_ahead()
        in_the_middle(lambda: [self.close(kind, "c") for kind in self.kinds], self.broker.kill)
        self.until_shared("a", "b")
        in_the_middle(lambda: self.start("c", "here", SHORT_MS), self.broker.kill)
        self.until_shared("a", "b", "c")
        self.no_commit_is_ahead()
        self.produce_to_all()
        self.until_all_is_committed()


if __name__ == "__main__":
    if harness.ORACLE:
        print("against Apache Kafka")
    KINDS = kinds()
    if not KINDS:
        harness.skip("no client")
    harness.main()
