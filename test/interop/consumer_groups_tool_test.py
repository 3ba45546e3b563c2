#!/usr/bin/python3
"""kafka-consumer-groups.sh, version 4.3.1, unmodified: list, describe, reset-offsets in all its ways, delete-offsets and
delete, on groups of either protocol, with members and without, and on groups that are none. The same commands go to this
broker and to Apache Kafka, and what the tool prints is the same.
"""
import base64
import datetime
import difflib
import os
import re
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import batch  # noqa: E402
import groups  # noqa: E402
import harness  # noqa: E402
import java_tools  # noqa: E402

GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
CONFIG = {"group.consumer.min.heartbeat.interval.ms": "100", "group.consumer.heartbeat.interval.ms": "200",
          "group.consumer.assignment.interval.ms": "0", "group.consumer.session.timeout.ms": "50000"}
HOUR_MS = 3600 * 1000
NOW_MS = int(time.time() * 1000)
RECORDS = 10  # of each partition, an hour between them, the last half an hour ago
TOPICS = {"one": 3, "two": 1}


def hours_ago(hours):
    at = datetime.datetime.fromtimestamp(NOW_MS / 1000 - hours * 3600, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.000")


class Stage:
    """One broker with groups in every state, and what the tool has printed there."""

    def __init__(self, test, broker, name):
        self.test, self.broker, self.name, self.printed = test, broker, name, []
        for topic, partitions in TOPICS.items():
            broker.create_topic(topic, partitions)
            self.produce(topic, partitions)
        self.commit("simple", {"one": {0: 3, 1: 0, 2: 10}, "two": {0: 5}})
        self.commit("other", {"two": {0: 9}}, leader_epoch=0)
        self.start("a-classic", "classic", **{"group.protocol": "classic", "group.instance.id": "instance"})
        self.until_has("a-classic")
        self.start("a-consumer", "consumer")
        self.until_has("a-consumer")
        self.start("b-consumer", "consumer")
        self.until_has("a-consumer", "b-consumer")
        self.start("left-classic", "left-classic", **{"group.protocol": "classic"})
        self.start("left-consumer", "left-consumer")
        for member in ("left-classic", "left-consumer"):
            self.until_has(member)
        everything = {("one", partition, str(RECORDS)) for partition in range(3)}
        test.events.until(lambda _: all(self.last_committed(member) == everything for member in (
            "a-classic", "left-classic", "left-consumer")), "all is committed")
        for member in ("left-classic", "left-consumer"):
            test.members.close(self.name + member)

    def end(self):
        for member in ("a-classic", "a-consumer", "b-consumer"):
            self.test.members.close(self.name + member)

    def last_committed(self, member):
        return {(w[2], int(w[3]), w[4]) for w in self.test.events.list if w[:2] == [self.name + member, "committed"]
                and w[4] == str(RECORDS)}

    def produce(self, topic, partitions):
        first = NOW_MS - int((RECORDS - 0.5) * HOUR_MS)
        records = batch.build([(None, b"%d" % i) for i in range(RECORDS)], timestamp=first, timestamp_step=HOUR_MS)
        with self.broker.connect(60) as connection:
            for partition in range(partitions):
                answer = connection.call("Produce", 9, acks=-1, timeoutMs=30000, topicData=[{
                    "name": topic, "partitionData": [{"index": partition, "records": base64.b64encode(records).decode()}]}])
                self.test.assertEqual(0, answer["responses"][0]["partitionResponses"][0]["errorCode"])

    def commit(self, group, offsets, leader_epoch=-1):
        with self.broker.connect(60) as connection:
            connection.call("FindCoordinator", 4, keyType=0, coordinatorKeys=[group])
            deadline = time.monotonic() + groups.SECONDS
            while True:
                answer = connection.call("OffsetCommit", 8, groupId=group, generationIdOrMemberEpoch=-1, memberId="",
                                         groupInstanceId=None, topics=[
                    {"name": topic, "partitions": [
                        {"partitionIndex": p, "committedOffset": offset, "committedLeaderEpoch": leader_epoch,
                         "committedMetadata": ""} for p, offset in of_topic.items()]}
                    for topic, of_topic in offsets.items()])
                errors = {p["errorCode"] for t in answer["topics"] for p in t["partitions"]}
                if errors == {0}:
                    return
                self.test.assertLess(time.monotonic(), deadline, errors)
                time.sleep(0.05)

    def start(self, member, group, **config):
        self.test.members.start(self.name + member, "names", "one", **{
            "bootstrap.servers": self.broker.address, "group.id": group, "group.protocol": "consumer", "client.id": member,
            **groups.QUICK, **config})

    def until_has(self, *members):
        def settled(_):
            owners = self.test.events.owners()
            has = [owners.get(self.name + member, ()) for member in members]
            return all(has) and sorted(p for mine in has for p in mine) == ["one-0", "one-1", "one-2"]
        self.test.events.until(settled, "%s have topic one" % (members,))

    # ---- the tool

    def tool(self, *arguments):
        status, output, errors = self.test.tools.run(GROUPS, "--bootstrap-server", self.broker.address, *arguments)
        lines = [self.plain(line) for line in (output + errors).splitlines() if not line.startswith("\t")]  # no stacks
        self.printed += ["$ " + " ".join(arguments), "exit status %d" % status] + sorted(line for line in lines if line)
        return output

    def plain(self, line):
        """Without what is another each time: ids, and the broker's port; columns one space apart."""
        line = line.replace(self.broker.address, "ADDRESS").replace(str(self.broker.port), "PORT")
        line = line.replace(self.test.folder, "FOLDER")
        line = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", line)
        line = re.sub(r"(?<=\s)[0-9A-Za-z_-]{22}(?=\s)", "ID", line)
        return re.sub(r"\s+", " ", line).strip()

    def reset(self, *arguments, group="simple"):
        return self.tool("--reset-offsets", "--group", group, *arguments)

    def list_and_describe(self):
        for arguments in ((), ("--state",), ("--state", "Stable"), ("--state", "empty,stable"), ("--state", "Dead"),
                          ("--type",), ("--type", "classic"), ("--type", "consumer", "--state")):
            self.tool("--list", *arguments)
        for arguments in ((), ("--offsets", "--verbose"), ("--members",), ("--members", "--verbose"), ("--state",),
                          ("--state", "--verbose")):
            self.tool("--describe", "--all-groups", *arguments)
            self.tool("--describe", "--group", "none", *arguments)
        for group in ("classic", "consumer", "left-classic", "left-consumer", "simple"):
            self.tool("--describe", "--group", group)
        self.tool("--describe", "--group", "simple", "--group", "classic")

    def reset_in_all_ways(self):
        for way in (("--to-earliest",), ("--to-latest",), ("--to-current",), ("--to-offset", "4"), ("--to-offset", "999"),
                    ("--shift-by", "2"), ("--shift-by", "-3"), ("--shift-by", "1000"), ("--shift-by", "-1000"),
                    ("--by-duration", "PT4H"), ("--by-duration", "PT0S"), ("--to-datetime", hours_ago(7) + "Z"),
                    ("--to-datetime", hours_ago(-1))):
            self.reset("--topic", "one:0,1", *way, "--execute")
            self.tool("--describe", "--group", "simple", "--offsets")
        self.reset("--topic", "one", "--shift-by", "-1", "--dry-run")
        self.reset("--topic", "two", "--to-earliest")  # neither: a dry run, and a warning
        self.tool("--describe", "--group", "simple")
        for topics in (("--all-topics",), ("--topic", "one", "--topic", "two"), ("--topic", "nowhere"),
                       ("--topic", "one:9")):
            self.reset(*topics, "--to-latest", "--dry-run")
        self.reset("--all-topics", "--to-offset", "2", "--execute")
        for group in ("classic", "consumer", "left-classic", "left-consumer", "made-by-it"):
            self.reset("--topic", "one", "--to-offset", "1", "--execute", group=group)
            self.tool("--describe", "--group", group)
        self.tool("--reset-offsets", "--all-groups", "--all-topics", "--to-latest", "--dry-run")

    def reset_from_a_file(self):
        path = os.path.join(self.test.folder, "offsets.csv")
        for groups_named in (("--group", "simple"), ("--group", "simple", "--group", "left-consumer")):
            exported = self.tool("--reset-offsets", *groups_named, "--all-topics", "--to-current", "--export", "--dry-run")
            self.tool("--reset-offsets", *groups_named, "--all-topics", "--to-earliest", "--execute")
            with open(path, "w", encoding="ascii") as out:
                out.write("".join(line + "\n" for line in exported.splitlines() if "," in line))
            self.tool("--reset-offsets", *groups_named, "--from-file", path, "--dry-run")
            self.tool("--reset-offsets", *groups_named, "--from-file", path, "--execute")
            self.tool("--describe", *groups_named)
        for content in ("one,0\n", "nowhere,0,1\n"):
            with open(path, "w", encoding="ascii") as out:
                out.write(content)
            self.reset("--from-file", path, "--execute")

    def delete(self):
        for group, topic in (("simple", "one:2"), ("simple", "one"), ("simple", "nowhere"), ("simple", "one:9"),
                             ("classic", "one"), ("consumer", "one:0"), ("left-consumer", "one"), ("none", "one")):
            self.tool("--delete-offsets", "--group", group, "--topic", topic)
        for group in ("simple", "left-classic", "left-consumer"):
            self.tool("--describe", "--group", group)
        for named in (("simple",), ("none",), ("classic",), ("consumer",), ("left-classic", "left-consumer", "none")):
            self.tool("--delete", *(word for group in named for word in ("--group", group)))
        self.tool("--list")
        self.tool("--delete", "--all-groups")
        self.tool("--list", "--state")


class ConsumerGroupsTool(harness.WithLastWords):
    def test_what_it_prints_is_what_it_prints_of_apache_kafka(self):
        folder = tempfile.TemporaryDirectory(prefix="kafka-broker-tool-")
        self.addCleanup(folder.cleanup)
        self.folder, self.events, self.tools = folder.name, groups.Events(), java_tools.Tools(CLASSES)
        self.addCleanup(self.tools.close)
        self.members = groups.java_host(CLASSES, self.events)
        self.addCleanup(self.members.kill)
        printed = {}
        for name, oracle in (("ours/", None), ("theirs/", CLASSES)):
            self.broker = harness.Broker(CONFIG, oracle=oracle)
            with self.broker:
                stage = Stage(self, self.broker, name)
                stage.list_and_describe()
                stage.reset_in_all_ways()
                stage.reset_from_a_file()
                stage.delete()
                stage.end()
            printed[name] = stage.printed
        self.assertGreater(len(printed["ours/"]), 400)
        differs = "\n".join(difflib.unified_diff(printed["theirs/"], printed["ours/"], "Apache Kafka", "this broker",
                                                 n=8, lineterm=""))
        self.assertEqual("", differs, differs)


if __name__ == "__main__":
    if harness.ORACLE:
        harness.skip("it compares the two itself")
    CLASSES = harness.need_apache_kafka()
    harness.main()
