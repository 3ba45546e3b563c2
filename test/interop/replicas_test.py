#!/usr/bin/python3
"""Where replicas lie, who leads them, and their way to another data directory: Apache Kafka's own tools, unmodified, on a
broker with two data directories. The same file runs against Apache Kafka."""
import base64
import glob
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import batch  # noqa: E402
import harness  # noqa: E402
import java_tools  # noqa: E402

LOG_DIRS = "org.apache.kafka.tools.LogDirsCommand"
REASSIGN = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"
ELECT = "org.apache.kafka.tools.LeaderElectionCommand"
DELETE_RECORDS = "org.apache.kafka.tools.DeleteRecordsCommand"
GET_OFFSETS = "org.apache.kafka.tools.GetOffsetShell"
TRANSACTIONS = "org.apache.kafka.tools.TransactionsCommand"
PRODUCER = "org.apache.kafka.tools.ConsoleProducer"


class Replicas(java_tools.ToolsTest):
    CONFIG = {"log.segment.delete.delay.ms": "100", "log.initial.task.delay.ms": "100"}

    @classmethod
    def new_broker(cls):
        broker = harness.Broker(cls.CONFIG)
        broker.config["log.dirs"] = ",".join([broker.data, broker.data + "-2"])
        return broker

    def write(self, name, content):
        path = os.path.join(self.broker.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            json.dump(content, out)
        return path

    def until(self, look, expected):
        deadline = time.monotonic() + 60
        while True:
            got = look()
            if got == expected:
                return
            self.assertLess(time.monotonic(), deadline, "%r expected, last %r" % (expected, got))
            time.sleep(0.05)

    def directories(self):
        return self.broker.config["log.dirs"].split(",")

    def places(self, topic):
        """{partition: {(directory, is future)}}, and the sizes {partition: bytes}"""
        said = self.tool(LOG_DIRS, "--describe", "--topic-list", topic)
        described = json.loads([line for line in said.splitlines() if line.startswith("{")][0])
        places, sizes = {}, {}
        for directory in described["brokers"][0]["logDirs"]:
            self.assertIsNone(directory["error"])
            for one in directory["partitions"]:
                partition = int(one["partition"].rsplit("-", 1)[1])
                places.setdefault(partition, set()).add((directory["logDir"], one["isFuture"]))
                sizes[partition] = one["size"]
        return places, sizes

    def move(self, topic, wanted):
        """wanted: {partition: directory}"""
        return self.write("moves.json", {"version": 1, "partitions": [
            {"topic": topic, "partition": partition, "replicas": [1], "log_dirs": [directory]}
            for partition, directory in wanted.items()]})

    # ---- kafka-log-dirs.sh

    def test_log_dirs_tells_sizes(self):
        topic = self.topic(partitions=2)
        self.tool(PRODUCER, "--topic", topic, stdin="some record\n" * 100)
        places, sizes = self.places(topic)
        self.assertEqual({0, 1}, set(places))
        for partition, where in places.items():
            (directory, is_future), = where
            self.assertFalse(is_future)
            files = glob.glob(os.path.join(directory, "%s-%d" % (topic, partition), "*.log"))
            self.assertEqual(sum(os.path.getsize(path) for path in files), sizes[partition])
        self.assertGreater(sum(sizes.values()), 1000)

    # ---- kafka-reassign-partitions.sh

    def test_replicas_move_between_directories(self):
        topic = self.topic(partitions=4)
        lines = ["record %d" % i for i in range(500)]
        self.tool(PRODUCER, "--topic", topic, stdin="\n".join(lines) + "\n")
        before = self.offsets(topic)
        first, second = self.directories()
        for target in (second, first, second):
            wanted = {partition: target for partition in range(4)}
            moves = self.move(topic, wanted)
            said = self.tool(REASSIGN, "--execute", "--reassignment-json-file", moves)
            self.assertIn("Successfully started", said)
            self.until(lambda t=target: self.places(topic)[0], {p: {(target, False)} for p in range(4)})
            verify = ("--verify", "--preserve-throttles", "--reassignment-json-file", moves)
            self.until(lambda v=verify: "is still in progress" in self.tool(REASSIGN, *v), False)
            said = self.tool(REASSIGN, *verify)
            self.assertEqual(4, said.count("completed successfully"), said)
            self.assertEqual(before, self.offsets(topic))
        self.until(lambda: sorted(os.path.basename(path) for directory in self.directories()
                                  for path in glob.glob(os.path.join(directory, topic + "-*"))),
                   ["%s-%d" % (topic, partition) for partition in range(4)])
        self.assertEqual(sorted(lines), sorted(self.values(topic, 4)))

    def test_a_reassignment_to_nobody(self):
        topic = self.topic()
        moves = self.write("nobody.json", {"version": 1, "partitions": [{"topic": topic, "partition": 0, "replicas": [9]}]})
        said = self.tool(REASSIGN, "--execute", "--reassignment-json-file", moves, status=1)
        self.assertIn("9", said)
        same = self.write("same.json", {"version": 1, "partitions": [{"topic": topic, "partition": 0, "replicas": [1]}]})
        self.assertIn("Successfully started", self.tool(REASSIGN, "--execute", "--reassignment-json-file", same))
        self.assertIn("is completed", self.tool(REASSIGN, "--verify", "--preserve-throttles", "--reassignment-json-file", same))
        self.assertIn("No partition reassignments found", self.tool(REASSIGN, "--list"))
        self.assertIn("None of the specified partition reassignments", self.tool(
            REASSIGN, "--cancel", "--preserve-throttles", "--reassignment-json-file", same))

    # ---- kafka-leader-election.sh

    def test_nothing_is_to_be_elected(self):
        topic = self.topic()
        for kind in ("preferred", "unclean"):
            said = self.tool(ELECT, "--election-type", kind, "--topic", topic, "--partition", "0")
            self.assertIn("Valid replica already elected for partitions", said)
            self.tool(ELECT, "--election-type", kind, "--all-topic-partitions")
            said = self.tool(ELECT, "--election-type", kind, "--topic", topic, "--partition", "7", status=1)
            self.assertIn("UnknownTopicOrPartition", said.replace(" ", ""))

    # ---- kafka-delete-records.sh, kafka-get-offsets.sh

    def offsets(self, topic, when="latest"):
        rows = self.tool(GET_OFFSETS, "--topic", topic, "--time", when).split()
        return sorted(row for row in rows if row.startswith(topic + ":"))

    def values(self, topic, partitions):
        values = []
        with self.broker.connect() as connection:
            for partition in range(partitions):
                answer = connection.call("Fetch", 12, maxWaitMs=0, minBytes=0, maxBytes=1 << 26, isolationLevel=0,
                                         sessionEpoch=-1, topics=[{"topic": topic, "partitions": [
                                             {"partition": partition, "fetchOffset": 0, "partitionMaxBytes": 1 << 26,
                                              "currentLeaderEpoch": -1}]}])
                records = answer["responses"][0]["partitions"][0]["records"]
                values += [value.decode() for value in batch.values(base64.b64decode(records or ""))]
        return values

    def test_records_are_deleted(self):
        topic = self.topic()
        self.tool(PRODUCER, "--topic", topic, stdin="x\n" * 20)
        path = self.write("delete.json", {"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": 12}]})
        self.assertIn("low_watermark: 12", self.tool(DELETE_RECORDS, "--offset-json-file", path))
        self.assertEqual([topic + ":0:12"], self.offsets(topic, "earliest"))
        path = self.write("delete.json", {"version": 1, "partitions": [
            {"topic": topic, "partition": 0, "offset": 100}, {"topic": topic, "partition": 3, "offset": 1}]})
        said = self.tool(DELETE_RECORDS, "--offset-json-file", path)
        self.assertIn("OffsetOutOfRange", said)
        path = self.write("delete.json", {"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": -1}]})
        self.assertIn("low_watermark: 20", self.tool(DELETE_RECORDS, "--offset-json-file", path))
        self.assertEqual([topic + ":0:20"], self.offsets(topic, "earliest"))

    # ---- kafka-transactions.sh

    def test_producers_are_described(self):
        topic = self.topic()
        self.tool(PRODUCER, "--topic", topic, stdin="a\nb\nc\n")
        said = self.tool(TRANSACTIONS, "describe-producers", "--topic", topic, "--partition", "0")
        rows = [line.split() for line in said.splitlines() if line and line[0].isdigit()]
        self.assertEqual(1, len(rows), said)
        self.assertEqual(["0", "-1"], rows[0][1:3], "epoch and coordinator epoch")
        self.assertEqual(["2", "None"], [rows[0][3], rows[0][5]], "last sequence, open transaction")


if __name__ == "__main__":
    java_tools.main()
