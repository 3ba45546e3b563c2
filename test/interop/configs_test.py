#!/usr/bin/python3
"""AlterConfigs, IncrementalAlterConfigs, DescribeConfigs and ListConfigResources: one sequence of requests, each answered
as Apache Kafka 4.3.1 answered it (test/golden/config/alter.jsonl), code for code and value for value.

The texts of errors are ours and only named to be there. RECORD=FILE with BROKER=oracle:FOLDER writes the recording anew.
"""
import base64
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import batch  # noqa: E402
import harness  # noqa: E402
import protocol  # noqa: E402

GOLDEN = os.path.join(os.environ.get("GOLDEN_CONFIG", os.path.join(harness.ROOT, "test", "golden", "config")), "alter.jsonl")
RECORD = os.environ.get("RECORD")

TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3
INVALID_REQUEST, INVALID_CONFIG = 42, 40

# Where we differ, and why.
OURS = {
    # Apache Kafka forgets to check the number of the operation but for brokers, and its controller falls over it.
    "an operation that is none": INVALID_REQUEST,
    "an operation that is none, of a logger": INVALID_REQUEST,
    # Without TLS, plug-ins and providers these would be believed to protect something.
    "a key of TLS for a listener": INVALID_CONFIG,
    "a provider of values": INVALID_CONFIG,
    # A name would have to be looked up by whoever takes connections in.
    "a limit for a host's name": INVALID_REQUEST,
    # Apache Kafka's controller takes what its broker refuses.
    "at the controller: a key that is read at the start only": INVALID_REQUEST,
    "at the controller: a value that is not allowed": INVALID_REQUEST,
    "at the controller: a null value": INVALID_REQUEST,
    "at the controller: a key twice": INVALID_REQUEST,
    "at the controller: twice": "both are named",
}


def resource(type_, name, *changes):
    return {"resourceType": type_, "resourceName": name, "configs": [
        {"name": key, "configOperation": operation, "value": value} for operation, key, value in changes]}


STEPS = []


def step(label, api, version, at="broker", **values):
    STEPS.append({"label": label, "api": api, "version": version, "at": at, "values": values})


def alter(label, *resources, at="broker", version=1, **options):
    step(label, "IncrementalAlterConfigs", version, at, resources=list(resources), **options)


def replace(label, *resources, at="broker", version=2, **options):
    plain = [dict(r, configs=[{"name": c["name"], "value": c["value"]} for c in r["configs"]]) for r in resources]
    step(label, "AlterConfigs", version, at, resources=plain, **options)


def describe(type_, name, *keys, at="broker", version=4):
    step("describe %d %s %s" % (type_, name, " ".join(keys)), "DescribeConfigs", version, at, includeSynonyms=True, resources=[
        {"resourceType": type_, "resourceName": name, "configurationKeys": list(keys) or None}])


def topics():
    alter("a topic's key", resource(TOPIC, "t", (SET, "retention.ms", "1000")))
    alter("an older version", resource(TOPIC, "t", (SET, "retention.ms", "1001")), version=0)
    alter("an unknown key", resource(TOPIC, "t", (SET, "no.such", "1")))
    alter("a value that is not allowed", resource(TOPIC, "t", (SET, "retention.ms", "x")))
    alter("a null value", resource(TOPIC, "t", (SET, "retention.ms", None)))
    alter("a key twice", resource(TOPIC, "t", (SET, "retention.ms", "1"), (SET, "retention.ms", "2")))
    alter("a key twice, with two operations", resource(TOPIC, "t", (SET, "retention.ms", "1"), (DELETE, "retention.ms", None)))
    alter("a resource twice", resource(TOPIC, "t", (SET, "retention.ms", "1")), resource(TOPIC, "t", (SET, "retention.ms", "2")),
          resource(GROUP, "other", (SET, "consumer.session.timeout.ms", "50000")))
    alter("no such topic", resource(TOPIC, "nope", (SET, "retention.ms", "1")))
    alter("no such topic, and a wrong value", resource(TOPIC, "nope", (SET, "retention.ms", "x")))
    alter("no name", resource(TOPIC, "", (SET, "retention.ms", "1")))
    alter("a name that is none", resource(TOPIC, "a b", (SET, "retention.ms", "1")))
    alter("append to what is no list", resource(TOPIC, "t", (APPEND, "retention.ms", "1")))
    alter("append to an unknown key", resource(TOPIC, "t", (APPEND, "no.such", "1")))
    alter("append to the default", resource(TOPIC, "t", (APPEND, "cleanup.policy", "compact")))
    describe(TOPIC, "t", "cleanup.policy", "retention.ms")
    alter("append what is there", resource(TOPIC, "t", (APPEND, "cleanup.policy", "compact")))
    alter("subtract", resource(TOPIC, "t", (SUBTRACT, "cleanup.policy", "delete")))
    alter("subtract what is not there", resource(TOPIC, "t", (SUBTRACT, "cleanup.policy", "foo")))
    describe(TOPIC, "t", "cleanup.policy")
    alter("subtract the last", resource(TOPIC, "t", (SUBTRACT, "cleanup.policy", "compact")))
    describe(TOPIC, "t", "cleanup.policy")
    alter("append what is not allowed", resource(TOPIC, "t", (APPEND, "cleanup.policy", "shred")))
    alter("append null", resource(TOPIC, "t", (APPEND, "cleanup.policy", None)))
    alter("delete, with a value", resource(TOPIC, "t", (DELETE, "cleanup.policy", "zz")))
    alter("delete an unknown key", resource(TOPIC, "t", (DELETE, "no.such", None)))
    alter("delete what is not set", resource(TOPIC, "t", (DELETE, "segment.ms", None)))
    alter("an operation that is none", resource(TOPIC, "t", (9, "segment.ms", "1")))
    alter("lags against each other", resource(TOPIC, "t", (SET, "min.compaction.lag.ms", "100"), (SET,
          "max.compaction.lag.ms", "10")))
    alter("tiered storage", resource(TOPIC, "t", (SET, "remote.storage.enable", "true")))
    alter("more in-sync replicas than there are", resource(TOPIC, "t", (SET, "min.insync.replicas", "5")))
    alter("no in-sync replicas", resource(TOPIC, "t", (SET, "min.insync.replicas", "0")))
    alter("in-sync replicas deleted", resource(TOPIC, "t", (DELETE, "min.insync.replicas", None)))
    alter("each by itself", resource(TOPIC, "t", (SET, "segment.ms", "5000")), resource(TOPIC, "nope", (SET,
          "segment.ms", "5000")),
          resource(GROUP, "", (SET, "x", "1")))
    alter("a resource wholly or not", resource(TOPIC, "t", (SET, "segment.ms", "6000"), (SET, "segment.bytes", "1")))
    describe(TOPIC, "t", "segment.ms", "segment.bytes")
    alter("only looked at", resource(TOPIC, "t", (SET, "segment.ms", "7000")), validateOnly=True)
    alter("only looked at, and wrong", resource(TOPIC, "t", (SET, "segment.ms", "0")), validateOnly=True)
    describe(TOPIC, "t", "segment.ms")
    alter("no keys", resource(TOPIC, "t"))
    alter("no keys of no such topic", resource(TOPIC, "nope"))
    alter("no resources")
    long = ",".join("0:%d" % i for i in range(4500))
    alter("a long value", resource(TOPIC, "t", (SET, "leader.replication.throttled.replicas", long)))
    alter("a value that grows too long", resource(TOPIC, "t", (
        APPEND, "leader.replication.throttled.replicas", ",".join("0:%d" % i for i in range(4500, 7000)))))
    alter("a long value deleted", resource(TOPIC, "t", (DELETE, "leader.replication.throttled.replicas", None)))
    alter("a type that is none", resource(99, "t", (SET, "a", "1")))
    alter("type 0", resource(0, "t", (SET, "a", "1")))
    replace("replaced", resource(TOPIC, "t", (SET, "retention.ms", "5000")))
    describe(TOPIC, "t", "segment.ms", "retention.ms")
    replace("replaced with null", resource(TOPIC, "t", (SET, "retention.ms", None)))
    replace("replaced, only looked at", resource(TOPIC, "t"), validateOnly=True)
    describe(TOPIC, "t", "retention.ms")
    replace("replaced with nothing", resource(TOPIC, "t"), version=0)
    describe(TOPIC, "t", "segment.ms", "retention.ms")
    replace("loggers cannot be replaced", resource(LOGGER, "1", (SET, "root", "INFO")))
    replace("replaced with an unknown key", resource(TOPIC, "t", (SET, "no.such", "5")))
    replace("replaced with a key twice", resource(TOPIC, "t", (SET, "retention.ms", "5"), (SET, "retention.ms", "6")))
    replace("replaced: no such topic", resource(TOPIC, "nope", (SET, "retention.ms", "5")), version=1)


def brokers():
    alter("read at the start only", resource(BROKER, "1", (SET, "log.dirs", "/x")))
    alter("read at the start only, for all", resource(BROKER, "", (SET, "broker.rack", "x")))
    alter("read at the start only, deleted", resource(BROKER, "1", (DELETE, "log.dirs", None)))
    alter("a key of somebody's", resource(BROKER, "1", (SET, "no.such.key", "x")))
    describe(BROKER, "1", "no.such.key")
    alter("a key of somebody's for all", resource(BROKER, "", (SET, "no.such.key", "y")))
    describe(BROKER, "1", "no.such.key")
    alter("keys of somebody's deleted", resource(BROKER, "", (DELETE, "no.such.key", None)),
          resource(BROKER, "1", (DELETE, "no.such.key", None)))
    alter("a broker's value that is not allowed", resource(BROKER, "1", (SET, "log.retention.ms", "x")))
    alter("a broker's value against a rule", resource(BROKER, "1", (SET, "log.retention.ms", "0")))
    alter("a single broker's key for all", resource(BROKER, "", (SET, "listeners", "PLAINTEXT://:1")))
    alter("another broker", resource(BROKER, "2", (SET, "log.retention.ms", "5")))
    alter("a broker that is no number", resource(BROKER, "x", (SET, "log.retention.ms", "5")))
    alter("a broker below zero", resource(BROKER, "-1", (SET, "log.retention.ms", "5")))
    alter("a broker with a sign", resource(BROKER, "+1"))
    alter("a broker with a zero in front", resource(BROKER, "01"))
    describe(BROKER, "+1", "log.retention.ms")
    describe(BROKER, "2", "log.retention.ms")
    describe(BROKER, "x", "log.retention.ms")
    alter("append to a broker's number", resource(BROKER, "1", (APPEND, "log.retention.ms", "5")))
    alter("append to a key of somebody's", resource(BROKER, "1", (APPEND, "nono", "5")))
    alter("append to a broker's list", resource(BROKER, "1", (APPEND, "log.cleanup.policy", "compact")))
    describe(BROKER, "1", "log.cleanup.policy")
    describe(TOPIC, "t", "cleanup.policy")
    alter("subtract from a broker's list", resource(BROKER, "1", (SUBTRACT, "log.cleanup.policy", "delete")))
    describe(BROKER, "1", "log.cleanup.policy")
    alter("delete a broker's list", resource(BROKER, "1", (DELETE, "log.cleanup.policy", None)))
    alter("a broker's operation that is none", resource(BROKER, "1", (9, "log.cleanup.policy", "x")))
    alter("a broker's null", resource(BROKER, "1", (SET, "log.cleanup.policy", None)))
    alter("a key of TLS", resource(BROKER, "1", (SET, "ssl.keystore.location", "/x")))
    alter("a password of TLS", resource(BROKER, "1", (SET, "ssl.keystore.password", "secret")))
    alter("a key of TLS for a listener", resource(BROKER, "1", (SET, "listener.name.plaintext.ssl.keystore.password", "secret")))
    alter("a key of TLS for a listener of all", resource(BROKER, "", (SET,
          "listener.name.plaintext.ssl.keystore.password", "secret")))
    alter("a key of TLS for a listener deleted", resource(BROKER, "1", (DELETE,
          "listener.name.plaintext.ssl.keystore.password", None)))
    alter("too many threads", resource(BROKER, "1", (SET, "num.io.threads", "100")))
    alter("too few threads", resource(BROKER, "1", (SET, "num.io.threads", "1")))
    alter("more threads", resource(BROKER, "1", (SET, "num.io.threads", "10")))
    alter("too many threads for the network", resource(BROKER, "", (SET, "num.network.threads", "100")))
    alter("no cleaner", resource(BROKER, "", (SET, "log.cleaner.threads", "0")))
    alter("five cleaners", resource(BROKER, "", (SET, "log.cleaner.threads", "5")))
    alter("two cleaners", resource(BROKER, "", (SET, "log.cleaner.threads", "2")))
    alter("too little memory for cleaners", resource(BROKER, "", (SET, "log.cleaner.dedupe.buffer.size", "100")))
    alter("in-sync replicas of one broker", resource(BROKER, "1", (SET, "min.insync.replicas", "1")))
    alter("in-sync replicas of all", resource(BROKER, "", (SET, "min.insync.replicas", "2")))
    alter("in-sync replicas of all deleted", resource(BROKER, "", (DELETE, "min.insync.replicas", None)))
    alter("in-sync replicas of all set back", resource(BROKER, "", (SET, "min.insync.replicas", "1")))
    alter("no connections", resource(BROKER, "", (SET, "max.connections", "0")))
    alter("no connections of an address", resource(BROKER, "", (SET, "max.connections.per.ip", "0")))
    alter("limits that are none", resource(BROKER, "", (SET, "max.connections.per.ip.overrides", "127.0.0.1:10,x")))
    alter("a limit for a host's name", resource(BROKER, "", (SET, "max.connections.per.ip.overrides", "localhost:500")))
    alter("limits", resource(BROKER, "", (SET, "max.connections.per.ip.overrides", "127.0.0.1:100")))
    alter("a limit of replication", resource(BROKER, "1", (SET, "leader.replication.throttled.rate", "1000")))
    alter("a limit of replication that is none", resource(BROKER, "1", (SET, "leader.replication.throttled.rate", "x")))
    describe(BROKER, "1", "leader.replication.throttled.rate")
    describe(BROKER, "")
    alter("the listeners that there are", resource(
        BROKER, "1", (SET, "listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT")))
    alter("listeners without a protocol", resource(BROKER, "1", (SET, "listeners", "FOO://:1")))
    alter("a reporter that cannot be loaded", resource(BROKER, "", (SET, "metric.reporters", "no.Such")))
    alter("all and one", resource(BROKER, "", (SET, "log.retention.ms", "1000")), resource(BROKER, "1", (SET,
          "log.retention.ms", "2000")))
    describe(BROKER, "1", "log.retention.ms", "log.retention.hours")
    describe(TOPIC, "t", "retention.ms")
    alter("the topic before the broker", resource(TOPIC, "t", (SET, "retention.ms", "3000")))
    describe(TOPIC, "t", "retention.ms")
    alter("the topic's own deleted", resource(TOPIC, "t", (DELETE, "retention.ms", None)))
    alter("another unit", resource(BROKER, "", (SET, "log.retention.minutes", "1000")))
    alter("above another key", resource(BROKER, "", (SET, "group.consumer.assignment.interval.ms", "100000")))
    alter("a directory that is none", resource(BROKER, "1", (SET, "cordoned.log.dirs", "/x")))
    alter("a directory for all", resource(BROKER, "", (SET, "cordoned.log.dirs", "/x")))
    alter("a provider of values", resource(BROKER, "1", (SET, "config.providers", "file")))
    alter("a provider of values deleted", resource(BROKER, "1", (DELETE, "config.providers", None)))
    replace("all replaced, without in-sync replicas", resource(BROKER, "", (SET, "log.retention.ms", "7000")))
    describe(BROKER, "")
    replace("a broker replaced with what is read at the start", resource(BROKER, "1", (SET, "log.dirs", "/x")))
    replace("all replaced", resource(BROKER, "", (SET, "min.insync.replicas", "1"), (SET, "log.retention.ms", "8000")))
    describe(BROKER, "")
    replace("a broker replaced with nothing", resource(BROKER, "1"))
    alter("more local than whole", resource(BROKER, "1", (SET, "log.local.retention.ms", "99999999999")))


def loggers():
    alter("a logger of a broker that is no number", resource(LOGGER, "x", (SET, "root", "INFO")))
    alter("a logger of another broker", resource(LOGGER, "2", (SET, "root", "INFO")))
    alter("a logger of no broker", resource(LOGGER, "", (SET, "root", "INFO")))
    alter("no such logger", resource(LOGGER, "1", (SET, "no.such", "INFO")))
    alter("no such level", resource(LOGGER, "1", (SET, "root", "LOUD")))
    alter("a level in small letters", resource(LOGGER, "1", (SET, "root", "info")))
    alter("off", resource(LOGGER, "1", (SET, "root", "OFF")))
    alter("a level", resource(LOGGER, "1", (SET, "root", "ERROR")))
    alter("no level for root", resource(LOGGER, "1", (DELETE, "root", None)))
    alter("append to a level", resource(LOGGER, "1", (APPEND, "root", "INFO")))
    alter("subtract from a level", resource(LOGGER, "1", (SUBTRACT, "root", "INFO")))
    alter("an operation that is none, of a logger", resource(LOGGER, "1", (9, "root", "INFO")))
    alter("loggers wholly or not", resource(LOGGER, "1", (SET, "root", "WARN"), (SET, "no", "WARN")))
    alter("a null level", resource(LOGGER, "1", (SET, "root", None)))
    alter("a logger twice", resource(LOGGER, "1", (SET, "root", "WARN"), (SET, "root", "INFO")))
    describe(LOGGER, "1", "root")
    describe(LOGGER, "1", "nosuch")
    describe(LOGGER, "2")
    describe(LOGGER, "")
    describe(LOGGER, "x")
    alter("a level, only looked at", resource(LOGGER, "1", (SET, "root", "DEBUG")), validateOnly=True)
    describe(LOGGER, "1", "root")
    alter("a level set back", resource(LOGGER, "1", (SET, "root", "INFO")))


def groups():
    alter("a group's key", resource(GROUP, "g", (SET, "consumer.session.timeout.ms", "50000")))
    alter("an unknown key of a group", resource(GROUP, "g", (SET, "no.such", "50000")))
    alter("a group's value that is not allowed", resource(GROUP, "g", (SET, "consumer.session.timeout.ms", "x")))
    alter("below the broker's least", resource(GROUP, "g", (SET, "consumer.session.timeout.ms", "1")))
    alter("above the broker's most", resource(GROUP, "g", (SET, "consumer.session.timeout.ms", "100000000")))
    alter("heartbeats as rare as sessions", resource(GROUP, "g", (SET, "consumer.session.timeout.ms", "45000"),
                                                     (SET, "consumer.heartbeat.interval.ms", "45000")))
    alter("append to a group's key", resource(GROUP, "g", (APPEND, "consumer.session.timeout.ms", "1")))
    alter("a group without a name", resource(GROUP, "", (SET, "consumer.session.timeout.ms", "50000")))
    alter("too many standbys", resource(GROUP, "g", (SET, "streams.num.standby.replicas", "5")))
    alter("one key wrong", resource(GROUP, "g", (SET, "share.auto.offset.reset", "earliest"), (SET,
          "share.isolation.level", "x")))
    describe(GROUP, "g", "consumer.session.timeout.ms")
    describe(GROUP, "none", "consumer.session.timeout.ms")
    describe(GROUP, "")
    replace("a group replaced", resource(GROUP, "g", (SET, "consumer.heartbeat.interval.ms", "6000")))
    describe(GROUP, "g", "consumer.session.timeout.ms", "consumer.heartbeat.interval.ms")


def metrics():
    alter("a subscription", resource(METRICS, "m", (SET, "interval.ms", "5000"), (SET, "metrics", "a,b"),
                                     (SET, "match", "client_id=x.*")))
    alter("an unknown key of a subscription", resource(METRICS, "m", (SET, "no.such", "5000")))
    alter("too often", resource(METRICS, "m", (SET, "interval.ms", "99")))
    alter("too rarely", resource(METRICS, "m", (SET, "interval.ms", "3600001")))
    alter("an interval that is none", resource(METRICS, "m", (SET, "interval.ms", "x")))
    alter("a pattern that is none", resource(METRICS, "m", (SET, "match", "nonsense")))
    alter("a pattern of no property", resource(METRICS, "m", (SET, "match", "foo=x")))
    alter("a broken regular expression", resource(METRICS, "m", (SET, "match", "client_id=(")))
    alter("append to a subscription", resource(METRICS, "m", (APPEND, "metrics", "c")))
    alter("a subscription without a name", resource(METRICS, "", (SET, "interval.ms", "5000")))
    describe(METRICS, "m")
    describe(METRICS, "none")
    describe(METRICS, "")


def lists():
    step("list v0", "ListConfigResources", 0)
    for types in ([], [METRICS], [GROUP], [LOGGER, BROKER], [TOPIC], [99], [0], [METRICS, 99]):
        step("list %s" % types, "ListConfigResources", 1, resourceTypes=types)
    alter("a group's last key deleted", resource(GROUP, "g", (DELETE, "consumer.heartbeat.interval.ms", None)))
    alter("a subscription deleted", resource(METRICS, "m", (DELETE, "interval.ms", None), (DELETE, "metrics", None),
          (DELETE, "match", None)))
    step("list what is left", "ListConfigResources", 1, resourceTypes=[METRICS, GROUP])


def controllers():
    at = "controller"
    alter("at the controller: a key that is read at the start only", resource(BROKER, "1", (SET, "log.dirs", "/x")), at=at)
    alter("at the controller: a value that is not allowed", resource(BROKER, "1", (SET, "log.retention.ms", "x")), at=at)
    alter("at the controller: deleted", resource(BROKER, "1", (DELETE, "log.dirs", None), (DELETE,
          "log.retention.ms", None)), at=at)
    alter("at the controller: another broker", resource(BROKER, "2", (SET, "log.retention.ms", "5")), at=at)
    alter("at the controller: no number", resource(BROKER, "x", (SET, "log.retention.ms", "5")), at=at)
    alter("at the controller: below zero", resource(BROKER, "-1", (SET, "log.retention.ms", "5")), at=at)
    alter("at the controller: twice", resource(TOPIC, "t", (SET, "segment.ms", "5")), resource(TOPIC, "t", (SET,
          "segment.ms", "6")), at=at)
    alter("at the controller: a key twice", resource(TOPIC, "t", (SET, "segment.ms", "5"), (SET, "segment.ms", "6")), at=at)
    alter("at the controller: a null value", resource(TOPIC, "t", (SET, "segment.ms", None)), at=at)
    alter("at the controller: a type that is none", resource(99, "t", (SET, "segment.ms", "5")), at=at)
    alter("at the controller: a logger", resource(LOGGER, "1", (SET, "root", "WARN")), at=at)
    alter("at the controller: a logger of another", resource(LOGGER, "2", (SET, "root", "WARN")), at=at)
    alter("at the controller: each by itself", resource(TOPIC, "t", (SET, "segment.ms", "77")), resource(GROUP, "",
          (SET, "a", "b")),
          resource(METRICS, "", (SET, "a", "b")), at=at)
    replace("at the controller: loggers cannot be replaced", resource(LOGGER, "1", (SET, "root", "WARN")), at=at)
    describe(TOPIC, "t", "segment.ms", at=at)
    describe(LOGGER, "1", "root", at=at)
    alter("at the controller: a level set back", resource(LOGGER, "1", (SET, "root", "INFO")), at=at)


for part in (topics, brokers, loggers, groups, metrics, lists, controllers):
    part()


def plain(api, answer):
    """What the two are compared by: no texts but whether there is one, and no order that the other leaves open."""
    answer = json.loads(json.dumps(answer))
    for result in answer.get("responses", []) + answer.get("results", []):
        result["errorMessage"] = bool(result["errorMessage"]) if result["errorCode"] else None
    if "responses" in answer:
        answer["responses"].sort(key=lambda r: (r["resourceType"], r["resourceName"]))
    answer.get("configResources", []).sort(key=lambda r: (r.get("resourceType", 0), r["resourceName"]))
    for result in answer.get("results", []):
        result["configs"].sort(key=lambda c: c["name"])
        for config in result["configs"]:
            config["documentation"] = None
    return answer


class Sequence(harness.WithLastWords):
    maxDiff = None

    def setUp(self):
        self.broker = harness.Broker().start()
        self.addCleanup(self.broker.close)
        self.broker.create_topic("t")

    def ask(self, one):
        port = self.broker.controller_port if one["at"] == "controller" else self.broker.port
        with self.broker.connect(port=port) as connection:
            return plain(one["api"], connection.call(one["api"], one["version"], **one["values"]))

    def asked_again(self, one, wanted):
        """Apache Kafka answers before the change is in force."""
        deadline = time.monotonic() + (10 if harness.ORACLE else 0)
        got = self.ask(one)
        while got != wanted and one["api"] in ("DescribeConfigs", "ListConfigResources") and time.monotonic() < deadline:
            time.sleep(0.1)
            got = self.ask(one)
        return got

    def test_each_is_answered_as_apache_kafka_does(self):
        with open(GOLDEN, encoding="utf-8") as text:
            recorded = [json.loads(line) for line in text]
        self.assertEqual([one["label"] for one in STEPS], [line["label"] for line in recorded])
        for one, line in zip(STEPS, recorded):
            wanted, label = plain(one["api"], line["answer"]), one["label"]
            got = self.asked_again(one, wanted)
            with self.subTest(label):
                if harness.ORACLE or label not in OURS:
                    self.assertEqual(wanted, got)
                elif OURS[label] == "both are named":
                    self.assertEqual([r["errorCode"] for r in wanted["responses"]] * 2,
                          [r["errorCode"] for r in got["responses"]])
                else:
                    self.assertEqual([OURS[label]], [r["errorCode"] for r in got["responses"]])

    def record(self):
        with open(RECORD, "w", encoding="utf-8") as out:
            for one in STEPS:
                if one["api"] in ("DescribeConfigs", "ListConfigResources"):
                    time.sleep(0.5)
                out.write(json.dumps({"label": one["label"], "answer": self.ask(one)}) + "\n")


class Asking:
    """One connection, for changes and looks at what is set."""

    def __init__(self, broker):
        self.connection = broker.connect(timeout=30)

    def set(self, type_, name, **keys):
        """None deletes. Fails unless all is well."""
        changes = [(SET if value is not None else DELETE, key.replace("_", "."), value) for key, value in keys.items()]
        answer = self.connection.call("IncrementalAlterConfigs", 1, resources=[resource(type_, name, *changes)])
        if answer["responses"][0]["errorCode"]:
            raise AssertionError(answer["responses"][0])

    def get(self, type_, name, key):
        answer = self.connection.call("DescribeConfigs", 4, resources=[
            {"resourceType": type_, "resourceName": name, "configurationKeys": [key]}])
        return answer["results"][0]["configs"][0]["value"]


@harness.ours_only
class AfterACrash(harness.WithLastWords):

    def test_what_was_answered_is_there_after_kill_9(self):
        """One change after the other; after each of some kills the last that was answered counts, or one more."""
        folder = tempfile.mkdtemp(prefix="kafka-broker-configs-")
        self.addCleanup(shutil.rmtree, folder, True)
        broker = self.broker = harness.Broker(folder=folder).start()
        self.addCleanup(broker.close)
        broker.create_topic("t")
        number = 0
        for _ in range(4):
            asking = Asking(broker)
            until = number + 25
            killer = threading.Timer(random.uniform(0.0, 0.1), broker.kill)
            killer.start()
            try:
                while number < until:
                    asking.set(TOPIC, "t", retention_ms=str(1000 + number + 1))
                    number += 1
                    asking.set(BROKER, "", message_max_bytes=str(10000 + number))
            except (OSError, protocol.NoAnswer):
                pass
            killer.join()
            broker.start()
            asking = Asking(broker)
            if number == 0:
                continue
            kept = int(asking.get(TOPIC, "t", "retention.ms")) - 1000
            self.assertIn(kept, (number, number + 1))
            of_all = int(asking.get(BROKER, "1", "message.max.bytes")) - 10000
            self.assertIn(of_all, (number - 1, number), "answered, or under way")
            number = kept


class UnderLoad(harness.BrokerTest):

    def test_changes_disturb_nobody(self):
        """A producer and a consumer go on while the keys of their topic and of all brokers change again and again."""
        topic = self.topic(partitions=2)
        stop, errors, counts = threading.Event(), [], [0, 0]

        def produce():
            with self.broker.connect(timeout=30) as connection:
                while not stop.is_set():
                    data = batch.build([(None, b"x" * 100)], timestamp=int(time.time() * 1000))
                    answer = connection.call("Produce", 9, acks=-1, timeoutMs=30000, topicData=[
                        {"name": topic, "partitionData": [{"index": counts[0] % 2, "records": base64.b64encode(data).decode()}]}])
                    code = answer["responses"][0]["partitionResponses"][0]["errorCode"]
                    if code:
                        errors.append(("produce", code))
                    counts[0] += 1

        def fetch():
            with self.broker.connect(timeout=30) as connection:
                while not stop.is_set():
                    answer = connection.call("Fetch", 12, maxWaitMs=10, minBytes=1, maxBytes=1 << 20, sessionEpoch=-1, topics=[
                        {"topic": topic, "partitions": [{"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 1 << 16}]}])
                    part = answer["responses"][0]["partitions"][0]
                    if answer["errorCode"] or part["errorCode"]:
                        errors.append(("fetch", answer["errorCode"], part["errorCode"]))
                    counts[1] += 1

        threads = [threading.Thread(target=produce), threading.Thread(target=fetch)]
        for thread in threads:
            thread.start()
        try:
            asking = Asking(self.broker)
            i, deadline = 0, time.monotonic() + 60
            while i < 30 or (min(counts) <= 10 and time.monotonic() < deadline):
                i += 1
                asking.set(TOPIC, topic, segment_bytes=str(1048576 + i), retention_ms=str(100000000 + i),
                           max_message_bytes=str(2000000 + i), flush_messages=str(1 + i % 3),
                           compression_type=("producer", "gzip", "zstd")[i % 3],
                           message_timestamp_type=("CreateTime", "LogAppendTime")[i % 2])
                asking.set(BROKER, "", log_index_interval_bytes=str(4096 + i), log_cleaner_backoff_ms=str(1000 + i))
            for key in ("segment_bytes", "retention_ms", "max_message_bytes", "flush_messages", "compression_type",
                        "message_timestamp_type"):
                asking.set(TOPIC, topic, **{key: None})
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual([], errors)
        self.assertGreater(min(counts), 10)


if RECORD:
    Sequence.test_each_is_answered_as_apache_kafka_does = Sequence.record

if __name__ == "__main__":
    harness.main()
