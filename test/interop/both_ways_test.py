#!/usr/bin/python3
"""One data directory, used by turns: Apache Kafka has written it, this broker opens it and writes more, Apache Kafka starts
on that and writes more, and this broker opens it again; after clean stops, and after kill -9. Whoever serves it serves every
batch byte for byte, the same aborted transactions, and the same committed offsets; a producer goes on as if nobody had
changed places; and Apache Kafka's own look at the files finds no fault.
"""
import base64
import glob
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import batch  # noqa: E402
import harness  # noqa: E402
import served  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden", "storage", "clean.tar.zst")
COMMITTED = {"g-simple": [("a.b-c_d-7", 0), ("codecs", 0)], "g-classic": [("grp", 0), ("grp", 1)], "ours": [("codecs", 1)]}
CONFIG = {"log.cleaner.enable": "false", "log.initial.task.delay.ms": "100000000",  # nothing is to go of itself
          "log.flush.offset.checkpoint.interval.ms": "1000"}


class Members:
    """Two members of one consumer group (KIP-848), spoken for by hand: each says what it has, and gives up what it must."""

    def __init__(self, test, topic_id, partitions):
        self.test, self.topic_id, self.partitions = test, topic_id, partitions
        self.epochs, self.has = {"m-1": 0, "m-2": 0}, {"m-1": [], "m-2": []}

    def beat(self, connection, name, **values):
        joins = self.epochs[name] == 0
        answer = connection.call("ConsumerGroupHeartbeat", 1, **{
            "groupId": "g-848", "memberId": name, "memberEpoch": self.epochs[name], "instanceId": None, "rackId": None,
            "rebalanceTimeoutMs": 60000 if joins else -1, "subscribedTopicNames": ["grp"] if joins else None,
            "subscribedTopicRegex": None, "serverAssignor": None,
            "topicPartitions": [{"topicId": self.topic_id, "partitions": self.has[name]}] if self.has[name] else [],
            **values})
        self.test.assertEqual(0, answer["errorCode"], (name, answer))
        self.epochs[name] = answer["memberEpoch"]
        if answer["assignment"] is not None:
            self.has[name] = sorted(p for t in answer["assignment"]["topicPartitions"] for p in t["partitions"])
        return answer

    def beat_until_settled(self, connection):
        """Until all partitions are theirs, under one epoch, half of them each."""
        def all_settled():
            for name in self.epochs:
                self.beat(connection, name)
            self.test.assertEqual(list(range(self.partitions)), sorted(self.has["m-1"] + self.has["m-2"]))
            self.test.assertEqual(self.partitions // 2, len(self.has["m-1"]))
            self.test.assertEqual(1, len(set(self.epochs.values())))
        served.eventually(all_settled)

    def go_on(self, connection):
        """The coordinator is another, and knows them: no new epoch, and they commit under the one they have."""
        before = dict(self.epochs), dict(self.has)
        for name in self.epochs:
            served.eventually(lambda who=name: self.beat(connection, who))
        self.test.assertEqual(before, (self.epochs, self.has))

    def commit(self, connection, offset):
        """Each its own partitions; and what an epoch that is over says does not count."""
        for name in self.epochs:
            for epoch, error in ((self.epochs[name], 0), (self.epochs[name] + 1, 113)):
                answer = connection.call("OffsetCommit", 10, groupId="g-848", generationIdOrMemberEpoch=epoch, memberId=name,
                                         groupInstanceId=None, topics=[{"topicId": self.topic_id, "partitions": [
                                             {"partitionIndex": p, "committedOffset": offset, "committedLeaderEpoch": -1,
                                              "committedMetadata": name} for p in self.has[name]]}])
                self.test.assertEqual({error}, {p["errorCode"] for t in answer["topics"] for p in t["partitions"]})

    def committed(self, connection):
        """Asked for by a member, under its epoch."""
        answer = connection.call("OffsetFetch", 10, requireStable=True, groups=[
            {"groupId": "g-848", "memberId": "m-1", "memberEpoch": self.epochs["m-1"], "topics": None}])["groups"][0]
        self.test.assertEqual(0, answer["errorCode"])
        return {p["partitionIndex"]: p["committedOffset"] for t in answer["topics"] for p in t["partitions"]}

    def described(self, connection):
        def ask():
            group = connection.call("ConsumerGroupDescribe", 1, groupIds=["g-848"],
                                    includeAuthorizedOperations=False)["groups"][0]
            self.test.assertEqual(0, group["errorCode"])
            group["members"].sort(key=lambda member: member["memberId"])
            return group
        return served.eventually(ask)


class Turn(served.Served):
    """One of the two at work on the directory."""

    def __init__(self, test, folder, oracle, **config):
        super().__init__(test)
        self.broker = harness.Broker(CONFIG | {key.replace("_", "."): value for key, value in config.items()},
                                     folder=folder, oracle=oracle)

    def __enter__(self):
        self.broker.start()
        self.connection = self.broker.connect(60)
        self.connection.__enter__()
        for place in self.partitions():
            served.eventually(lambda at=place: self.offset(*at, -1))  # Apache Kafka has said it is there before it leads
        return self

    def __exit__(self, *_):
        self.connection.__exit__(None, None, None)
        self.broker.close()

    def produce(self, topic, partition, records, **how):
        answer = self.connection.call("Produce", 9, acks=-1, timeoutMs=30000, topicData=[{
            "name": topic, "partitionData": [{"index": partition, "records": base64.b64encode(
                batch.build(records, **how)).decode()}]}])
        outcome = answer["responses"][0]["partitionResponses"][0]
        self.test.assertEqual(0, outcome["errorCode"], (topic, partition, outcome))
        return outcome["baseOffset"]

    def write(self, mark):
        """Something for each kind of topic."""
        for topic, partition in self.partitions():
            if topic.startswith("__"):
                continue
            for codec in (batch.NONE, batch.GZIP, batch.SNAPPY, batch.LZ4, batch.ZSTD):
                value = b"%s-%d " % (mark, codec) + b"x" * 60
                self.produce(topic, partition, [(b"key-%d" % codec, value), (b"key", value)], codec=codec)

    def commit(self, offset):
        served.eventually(lambda: self.test.assertEqual(0, self.connection.call(
            "OffsetCommit", 8, groupId="ours", generationIdOrMemberEpoch=-1, memberId="", topics=[
                {"name": "codecs", "partitions": [{"partitionIndex": 1, "committedOffset": offset,
                                                   "committedMetadata": "m%d" % offset}]}]
        )["topics"][0]["partitions"][0]["errorCode"]))

    def committed(self):
        found = {}
        for group, places in COMMITTED.items():
            def ask():
                answer = self.connection.call("OffsetFetch", 7, groupId=group, requireStable=False, topics=[
                    {"name": topic, "partitionIndexes": [partition]} for topic, partition in places])
                self.test.assertEqual(0, answer["errorCode"], group)
                return {(t["name"], p["partitionIndex"]): (p["committedOffset"], p["metadata"])
                        for t in answer["topics"] for p in t["partitions"]}
            found[group] = served.eventually(ask)
        return found


@harness.ours_only
class BothWays(harness.WithLastWords):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="kafka-broker-both-ways-")
        self.addCleanup(subprocess.run, ["rm", "-rf", self.folder], check=False)
        subprocess.run("zstd -dc %s | tar x -C %s" % (GOLDEN, self.folder), shell=True, check=True)

    def no_fault_in_the_files(self):
        logs = sorted(glob.glob(os.path.join(self.folder, "data", "*-*", "*.log")))
        done = subprocess.run(harness.oracle_java(KAFKA, "-Xmx512m", *harness.QUICK_JVM) + [
            "org.apache.kafka.tools.DumpLogSegments", "--deep-iteration", "--files", ",".join(logs)],
            capture_output=True, text=True, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        # "Non-consecutive offsets" it says of every segment that does not begin at 0.
        complaints = [line for line in (done.stdout + done.stderr).splitlines()
                      if re.search(r"ismatch|nvalid|orrupt|Exception|isvalid: false", line)]
        self.assertEqual([], complaints)
        self.assertGreater(done.stdout.count("isvalid: true"), 500)

    def test_by_turns(self):
        with Turn(self, self.folder, KAFKA) as kafka:
            golden, committed = kafka.everything(), kafka.committed()
            kafka.broker.stop()
        self.assertGreater(sum(len(batches) for batches, _ in golden.values()), 100)
        self.assertTrue(any(aborted for _, aborted in golden.values()))
        with Turn(self, self.folder, None) as ours:
            self.assertEqual(committed, ours.committed())
            self.assertEqual(golden, self.but_for_control(ours.everything(), golden))
            ours.broker.create_topic("from-ours", 3, segment_ms="1000", retention_ms="-1")
            ours.write(b"ours")
            self.produce_in_segments(ours)
            who = ours.connection.call("InitProducerId", 4, transactionalId=None, transactionTimeoutMs=1)
            # Apache Kafka forgets producers by the time of their records.
            producer = {"producer_id": who["producerId"], "producer_epoch": who["producerEpoch"],
                        "timestamp": int(time.time() * 1000)}
            for sequence in range(7):
                ours.produce("from-ours", 0, [(None, b"%d" % sequence)], base_sequence=sequence, **producer)
            last = ours.offset("from-ours", 0, -1) - 1
            ours.commit(7)
            written, committed = ours.everything(), ours.committed()
            ours.broker.stop()
        self.no_fault_in_the_files()
        with Turn(self, self.folder, KAFKA) as kafka:
            self.assertEqual(committed, kafka.committed())
            self.assertEqual(written, self.but_for_control(kafka.everything(), written))
            self.assertEqual(last, kafka.produce("from-ours", 0, [(None, b"6")], base_sequence=6, **producer))
            self.assertEqual(last + 1, kafka.produce("from-ours", 0, [(None, b"7")], base_sequence=7, **producer))
            kafka.broker.create_topic("from-kafka", 2)
            kafka.write(b"kafka")
            kafka.commit(9)
            written, committed = kafka.everything(), kafka.committed()
            kafka.broker.kill()
        with Turn(self, self.folder, None) as ours:
            self.assertEqual(committed, ours.committed())
            self.assertEqual(written, self.but_for_control(ours.everything(), written))
            self.assertEqual(last + 1, ours.produce("from-ours", 0, [(None, b"7")], base_sequence=7, **producer))
            ours.write(b"ours again")
            self.assertEqual(last + 1, ours.produce("from-ours", 0, [(None, b"7")], base_sequence=7, **producer))
            ours.commit(11)
            written, committed = ours.everything(), ours.committed()
            ours.broker.kill()
        with Turn(self, self.folder, KAFKA) as kafka:
            self.assertEqual(committed, kafka.committed())
            self.assertEqual(written, self.but_for_control(kafka.everything(), written))
            kafka.broker.stop()
        with Turn(self, self.folder, None, log_cleaner_enable="true", log_cleaner_backoff_ms="100") as ours:
            ours.broker.create_topic("cleaned", 1, cleanup_policy="compact", min_cleanable_dirty_ratio="0",
                                     segment_ms="1000", retention_ms="-1")
            for i in range(20):
                ours.produce("cleaned", 0, [(b"k%d" % (i % 3), b"%d" % i), (b"other", None)], codec=i % 5,
                             timestamp=1700000000000 + 2000 * i)
            ours.broker.process.wait_for_line("cleaned cleaned-0 ")
            ours.broker.stop()
        with Turn(self, self.folder, None) as ours:
            cleaned = ours.everything()
            ours.broker.stop()
        self.assertLess(len(cleaned["cleaned", 0][0]), 20)
        with Turn(self, self.folder, KAFKA) as kafka:
            self.assertEqual(cleaned, self.but_for_control(kafka.everything(), cleaned))
            kafka.broker.stop()
        self.no_fault_in_the_files()

    def test_a_consumer_group_changes_brokers(self):
        with Turn(self, self.folder, KAFKA) as kafka:
            topic = kafka.connection.call("Metadata", 12, topics=[{"name": "grp"}])["topics"][0]
            members = Members(self, topic["topicId"], len(topic["partitions"]))
            self.assertEqual(0, members.partitions % 2)
            served.eventually(lambda: members.beat(kafka.connection, "m-1"))
            members.beat_until_settled(kafka.connection)
            members.commit(kafka.connection, 1)
            described = members.described(kafka.connection)
            kafka.broker.stop()
        for turn, oracle in enumerate((None, None, KAFKA, None, KAFKA)):
            with Turn(self, self.folder, oracle) as broker:
                self.assertEqual(described, members.described(broker.connection))
                members.go_on(broker.connection)
                self.assertEqual({1 + turn}, set(members.committed(broker.connection).values()))
                members.commit(broker.connection, 2 + turn)
                if turn == 3:  # one leaves and comes back as another
                    members.beat(broker.connection, "m-2", memberEpoch=-1, topicPartitions=None)
                    members.epochs["m-2"], members.has["m-2"] = 0, []
                    members.beat_until_settled(broker.connection)
                described = members.described(broker.connection)
                if turn % 2:
                    broker.broker.stop()
                else:
                    broker.broker.kill()

    def configurations(self, turn):
        """All that is set, of every kind, with the values that count and where they come from."""
        found = {}
        resources = turn.connection.call("ListConfigResources", 1, resourceTypes=[2, 4, 16, 32])["configResources"]
        for kind, name in sorted((r["resourceType"], r["resourceName"]) for r in resources) + [(4, "")]:
            result = turn.connection.call("DescribeConfigs", 4, includeSynonyms=True, resources=[
                {"resourceType": kind, "resourceName": name, "configurationKeys": None}])["results"][0]
            self.assertEqual(0, result["errorCode"], (kind, name))
            found[kind, name] = {entry["name"]: (entry["value"], entry["configSource"], [
                (s["name"], s["value"], s["source"]) for s in entry["synonyms"]])
                for entry in result["configs"] if entry["configSource"] not in (4, 5)}
        return found

    def same(self, wanted, got):
        self.assertEqual(sorted(wanted), sorted(got))
        for one, entries in wanted.items():
            self.assertEqual(entries, got[one], one)

    def test_configurations_of_every_kind(self):
        """What the one has set the other shows: set by turns, replaced, and taken away."""
        def alter(turn, *changes):
            resources = [{"resourceType": kind, "resourceName": name, "configs": [
                {"name": key, "configOperation": 1 if value is None else 0, "value": value} for key, value in keys.items()]}
                for kind, name, keys in changes]
            answer = turn.connection.call("IncrementalAlterConfigs", 1, resources=resources)
            self.assertEqual([0] * len(changes), [r["errorCode"] for r in answer["responses"]], answer)

        before = None
        for number, oracle in enumerate((None, KAFKA, None, KAFKA, None)):
            with Turn(self, self.folder, oracle) as turn:
                if before is not None:
                    served.eventually(lambda: self.same(before, self.configurations(turn)))
                text = str(100000 + number)
                before = self.configurations(turn)
                alter(turn, (2, "grp", {"retention.ms": text, "segment.ms": text if number % 2 else None}),
                      (4, "", {"log.retention.bytes": text, "somebodys.key": text}),
                      (4, "1", {"log.retention.bytes": "1" + text, "num.io.threads": str(8 + number % 2)}),
                      (16, "subscription-%d" % number, {"interval.ms": text}),
                      (32, "group", {"consumer.session.timeout.ms": str(50000 + number)}),
                      (32, "group-%d" % (number % 2), {"consumer.heartbeat.interval.ms": None if number > 2 else "6000"}))

                def changed():
                    self.assertEqual(text, self.configurations(turn)[2, "grp"]["retention.ms"][0])
                    self.assertIn((16, "subscription-%d" % number), self.configurations(turn))
                served.eventually(changed)
                before = self.configurations(turn)
                if number % 3:
                    turn.broker.kill()
                else:
                    turn.broker.stop()

    def but_for_control(self, now, before):
        """`now`, without what the one at work writes of itself: the group coordinator's and the share coordinator's records."""
        return {place: (found if not place[0].startswith("__") else before.get(place, found))
                for place, found in now.items()}

    def produce_in_segments(self, turn):
        for i in range(8):
            turn.produce("from-ours", 1, [(b"k", b"v%d" % i)], timestamp=1700000000000 + 2000 * i)
        self.assertGreater(len(glob.glob(os.path.join(self.folder, "data", "from-ours-1", "*.log"))), 5)


if __name__ == "__main__":
    KAFKA = harness.need_apache_kafka()
    harness.main()
