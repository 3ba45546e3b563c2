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
