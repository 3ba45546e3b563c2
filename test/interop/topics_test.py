#!/usr/bin/python3
"""Requests about topics, replicas, leaders and data directories, valid and not, answered as Apache Kafka 4.3.1 answers them:
code for code, element for element. The answers in test/golden/topics were recorded from it by this file:

    BROKER=oracle:build/java RECORD=1 /usr/bin/python3 test/interop/topics_test.py
"""
import gzip
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import harness  # noqa: E402

RECORDING = os.path.join(harness.GOLDEN, "..", "topics", "answers.json.gz")
ZERO, UNKNOWN = "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAZQ"
TOPICS = {"base": 3, "a.b": 1, "other": 2}
# What is another one at every run; and texts, which are ours.
LEFT_OUT = {"throttleTimeMs", "errorMessage", "configs", "clusterId", "port", "totalBytes", "usableBytes"}


def topic(name, partitions=1, factor=1, assignments=(), configs=()):
    return {"name": name, "numPartitions": partitions, "replicationFactor": factor,
            "assignments": [{"partitionIndex": index, "brokerIds": list(brokers)} for index, brokers in assignments],
            "configs": [{"name": key, "value": value} for key, value in configs]}


def named(*names):
    return [{"name": name} for name in names]


def creations():
    topics = [
        topic("base"), topic("dup"), topic("dup"), topic(""), topic("."), topic(".."), topic("x" * 250), topic("bad name"),
        topic("a_b"), topic("__cluster_metadata"), topic("p0", 0), topic("pneg", -2), topic("r0", 1, 0), topic("r9", 1, 9),
        topic("rneg", 1, -2), topic("m1", 1, 1, [(0, [1])]), topic("m2", -1, 1, [(0, [1])]), topic("m3", 1, -1, [(0, [1])]),
        topic("m4", -1, -1, [(0, [])]), topic("m5", -1, -1, [(0, [1, 1])]), topic("m6", -1, -1, [(0, [7])]),
        topic("m7", -1, -1, [(1, [1])]), topic("m8", -1, -1, [(0, [1]), (0, [1])]), topic("c1", configs=[("nokey", "1")]),
        topic("c2", configs=[("retention.ms", "x")]), topic("c3", configs=[("retention.ms", None)]),
        topic("c4", configs=[("cleanup.policy", "nope")])]
    for version in (2, 4, 5, 7):
        for validate_only in (True, False):
            yield "CreateTopics", version, {"timeoutMs": 30000, "validateOnly": validate_only, "topics": topics}
    yield "CreateTopics", 7, {"timeoutMs": 30000, "topics": [topic("big", 10001)]}


def deletions():
    for version in (1, 3, 5):
        yield "DeleteTopics", version, {"timeoutMs": 30000, "topicNames": ["none", "none2", "none"]}
    yield "DeleteTopics", 6, {"timeoutMs": 30000, "topics": [
        {"name": "none", "topicId": ZERO}, {"name": None, "topicId": UNKNOWN}, {"name": None, "topicId": ZERO},
        {"name": "base", "topicId": UNKNOWN}, {"name": "", "topicId": ZERO}]}


def growths():
    def grown(name, count, *assignments):
        return {"name": name, "count": count,
                "assignments": [{"brokerIds": brokers} for brokers in assignments] if assignments else None}
    for version in (0, 3):
        for topics in ([grown("base", 5), grown("other", 2), grown("none", 3)],
                       [grown("base", 5, [1]), grown("other", 3, [9]), grown("a.b", 0)],
                       [grown("base", 4, [1, 1]), grown("base", 4), grown("other", -1),
                        {"name": "a.b", "count": 2, "assignments": []}]):
            yield "CreatePartitions", version, {"timeoutMs": 30000, "validateOnly": True, "topics": topics}


def pages():
    for cursor in (None, ("base", 1), ("base", -1), ("base", 3), ("zzz", 0), ("", 0)):
        for names in ((), ("base", "other", "none", "bad name"), ("other",)):
            for limit in (2000, 2, 1, 0, -1):
                yield "DescribeTopicPartitions", 0, {
                    "topics": named(*names), "responsePartitionLimit": limit,
                    "cursor": cursor and {"topicName": cursor[0], "partitionIndex": cursor[1]}}


def descriptions(ids):
    for version in (0, 1, 4, 8, 9, 10, 11, 12, 13):
        more = {"allowAutoTopicCreation": False} if version >= 4 else {}
        more.update({"includeTopicAuthorizedOperations": True} if version >= 8 else {})
        more.update({"includeClusterAuthorizedOperations": True} if 8 <= version <= 10 else {})
        asked = [named("base", "none", "bad name", ""), [], named("base", "base")]
        if version >= 10:
            asked += [[{"name": None, "topicId": topic_id} for topic_id in (ids["base"], UNKNOWN, ZERO)],
                      [{"name": "other", "topicId": ids["base"]}, {"name": "base", "topicId": ZERO}]]
        for topics in asked:
            yield "Metadata", version, {"topics": topics, **more}
    for version in (0, 1, 2):
        yield "DescribeCluster", version, {"includeClusterAuthorizedOperations": True}


def record_deletions():
    for version in (0, 1, 2):
        yield "DeleteRecords", version, {"timeoutMs": 1000, "topics": [
            {"name": "base", "partitions": [{"partitionIndex": index, "offset": offset}
                                            for index, offset in ((0, -1), (1, 5), (2, -2), (9, 0))]},
            {"name": "none", "partitions": [{"partitionIndex": 0, "offset": 0}]},
            {"name": "bad name", "partitions": [{"partitionIndex": 0, "offset": 0}]}]}


def elections():
    for version in (0, 1, 2):
        for kind in (0,) if version == 0 else (0, 1, 2, -1):
            more = {"electionType": kind} if version else {}
            yield "ElectLeaders", version, {"timeoutMs": 1000, "topicPartitions": [
                {"topic": "base", "partitions": [0, 1, 0, 7]}, {"topic": "none", "partitions": [0]}], **more}
            yield "ElectLeaders", version, {"timeoutMs": 1000, "topicPartitions": None, **more}


def reassignments():
    def wanted(name, *partitions):
        return {"name": name, "partitions": [{"partitionIndex": index, "replicas": replicas} for index, replicas in partitions]}
    for version in (0, 1):
        yield "AlterPartitionReassignments", version, {"timeoutMs": 1000, "topics": [
            wanted("base", (0, [1]), (1, [9]), (2, None), (8, [1])), wanted("none", (0, [1])),
            wanted("other", (0, [1, 1]), (1, []), (1, [1]), (1, [-1]))]}
    yield "AlterPartitionReassignments", 1, {"timeoutMs": 1000, "allowReplicationFactorChange": False,
                                             "topics": [wanted("base", (0, [1]), (1, [1, 2]))]}
    yield "ListPartitionReassignments", 0, {"timeoutMs": 1000, "topics": None}
    yield "ListPartitionReassignments", 0, {"timeoutMs": 1000, "topics": [
        {"name": "base", "partitionIndexes": [0]}, {"name": "none", "partitionIndexes": [0]}]}


def places(first):
    for version in (1, 2):
        yield "AlterReplicaLogDirs", version, {"dirs": [
            {"path": "/nowhere", "topics": [{"name": "base", "partitions": [0]}]},
            {"path": first, "topics": [
                {"name": "none", "partitions": [0, 1]}, {"name": "x" * 240, "partitions": [0]},
                {"name": "bad name", "partitions": [0]}, {"name": "base", "partitions": [9]}]},
            {"path": "relative", "topics": [{"name": "base", "partitions": [1]}]},
            {"path": first + "/", "topics": [{"name": "base", "partitions": [2]}]}]}
        yield "AlterReplicaLogDirs", version, {"dirs": []}
    for version in (1, 2, 3, 4, 5):
        yield "DescribeLogDirs", version, {"topics": []}
        yield "DescribeLogDirs", version, {"topics": [{"topic": "none", "partitions": [0]}]}
    yield "DescribeProducers", 0, {"topics": [
        {"name": "base", "partitionIndexes": [0, 9]}, {"name": "none", "partitionIndexes": [0]},
        {"name": "bad name", "partitionIndexes": [0]}]}


class Topics(harness.BrokerTest):
    @classmethod
    def new_broker(cls):
        broker = harness.Broker({"max.request.partition.size.limit": "5", "auto.create.topics.enable": "false"})
        broker.config["log.dirs"] = broker.data + "," + broker.data + "-2"
        return broker

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ids = {name: cls.broker.create_topic(name, partitions) for name, partitions in TOPICS.items()}
        cls.recorded = []
        if not os.environ.get("RECORD"):
            with gzip.open(RECORDING, "rt", encoding="utf-8") as recording:
                cls.recorded = json.load(recording)

    def plain(self, value):
        """Without what is different at every run; lists of things in an order of their own."""
        if isinstance(value, dict):
            return {key: self.plain(one) for key, one in value.items() if key not in LEFT_OUT}
        if isinstance(value, list):
            plain = [self.plain(one) for one in value]
            if plain and isinstance(plain[0], dict):
                plain.sort(key=lambda one: json.dumps(one, sort_keys=True))
            return plain
        if isinstance(value, str):
            names = {topic_id: "id of " + name for name, topic_id in self.ids.items()}
            return names.get(value, value.replace(self.broker.folder, "FOLDER"))
        return value

    def ask(self):
        requests = [*creations(), *deletions(), *growths(), *pages(), *descriptions(self.ids), *record_deletions(),
                    *elections(), *reassignments(), *places(self.broker.data)]
        answers = []
        for api, version, fields in requests:
            with self.broker.connect(timeout=60) as connection:
                answer = connection.call(api, version, **fields)
            answers.append([api, version, self.plain(fields), self.plain(answer)])
        return answers

    def test_every_answer_is_the_recorded_one(self):
        answers = self.ask()
        if os.environ.get("RECORD"):
            with gzip.GzipFile(RECORDING, "wb", mtime=0) as recording:
                recording.write(json.dumps(answers).encode())
            return
        self.assertEqual(len(self.recorded), len(answers))
        for (api, version, fields, expected), (_, _, _, answer) in zip(self.recorded, answers):
            with self.subTest(api=api, version=version, fields=fields):
                self.assertEqual(expected, answer)

    def test_replicas_are_where_they_were_sent(self):
        for folder in (self.broker.data, self.broker.data + "-2"):
            with self.broker.connect(timeout=60) as connection:
                answer = connection.call("AlterReplicaLogDirs", 2, dirs=[{"path": folder, "topics": [
                    {"name": name, "partitions": list(range(count))} for name, count in TOPICS.items()]}])
                self.assertEqual({0}, {p["errorCode"] for t in answer["results"] for p in t["partitions"]})
                deadline = time.monotonic() + 60
                while True:
                    found = {(one["logDir"], t["name"], p["partitionIndex"], p["isFutureKey"])
                             for one in connection.call("DescribeLogDirs", 5, topics=None)["results"]
                             for t in one["topics"] for p in t["partitions"] if t["name"] in TOPICS}
                    if found == {(folder, name, index, False) for name, count in TOPICS.items() for index in range(count)}:
                        break
                    self.assertLess(time.monotonic(), deadline, found)
                    time.sleep(0.02)


if __name__ == "__main__":
    harness.main()
