#!/usr/bin/python3
"""The same records cleaned by Apache Kafka and by us leave the same: every batch with its header, every record with its
offset, key, value, headers and timestamp, every entry of the transaction index.

A directory that Apache Kafka has written (java/CleanerInput.java: all codecs, tombstones, transactions) is copied before
anything of it is cleaned, and our broker is started on the copy. Then each cleans its own. A second round brings the same few
batches to both, so that what the first left with an expired delete horizon goes.

COMPACTION_SEED in the environment is another input, COMPACTION_ROUNDS a longer one.
"""
import base64
import glob
import os
import random
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import batch  # noqa: E402
import harness  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = int(os.environ.get("COMPACTION_SEED", random.getrandbits(31)))
ROUNDS = int(os.environ.get("COMPACTION_ROUNDS", 400))
FOREVER = str(2**63 - 1)
COMPACTED = {"cleanup_policy": "compact", "min_cleanable_dirty_ratio": "0", "message_timestamp_after_max_ms": FOREVER}
TOPICS = {
    "tombstones-stay": {**COMPACTED, "segment_ms": "1000"},
    "tombstones-go": {**COMPACTED, "segment_ms": "1000", "delete_retention_ms": "0"},
    "both": {**COMPACTED, "segment_ms": "3000", "cleanup_policy": "compact,delete", "retention_ms": "-1"},
    "append-time": {**COMPACTED, "segment_ms": "100", "message_timestamp_type": "LogAppendTime"},
}
# Until it is taken away nothing is cleaned; then all of it is.
LAG = "log.cleaner.min.compaction.lag.ms"
CONFIG = {"log.cleaner.backoff.ms": "200", "transaction.state.log.num.partitions": "1", "offsets.topic.num.partitions": "1"}
WEEK_MS = 7 * 24 * 3600 * 1000


def replica(broker, topic):
    return os.path.join(broker.data, topic + "-0")


def segments(broker, topic):
    return sorted(glob.glob(replica(broker, topic) + "/*.log"))


def cleaned_to(broker):
    """cleaner-offset-checkpoint, by topic."""
    try:
        with open(os.path.join(broker.data, "cleaner-offset-checkpoint"), encoding="ascii") as lines:
            return {row[0]: int(row[2]) for row in (line.split() for line in lines) if len(row) == 3}
    except FileNotFoundError:
        return {}


def until(what, look, seconds=60):
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain until " + what)
        time.sleep(0.05)


def wait_until_clean(broker, topics):
    """Everything below the active segment."""
    def is_clean():
        done = cleaned_to(broker)
        return all(done.get(topic, -1) == int(os.path.basename(segments(broker, topic)[-1])[:20]) for topic in topics)
    until("%s is clean" % broker.data, is_clean)


def dump(files):
    return harness.run([harness.BROKER, "dump-log", "--print-data-log", "--files", ",".join(files)], check=False).stdout


def content(broker, topic):
    """What is in the log: batches and records as dump-log shows them, without what the bytes' place and packing decides."""
    lines = []
    for line in dump(segments(broker, topic)).splitlines():
        if not line.startswith(("baseOffset", "|")):
            continue
        if line.startswith("baseOffset") and "isvalid: true" not in line:
            raise AssertionError("damaged: " + line)
        line = re.sub(r" (position|size|crc): \d+", "", line)
        lines.append(re.sub(r"OptionalLong\[\d+\]", "OptionalLong[later]", line))
    return lines


def aborted(broker, topic):
    files = sorted(glob.glob(replica(broker, topic) + "/*.txnindex"))
    return [line for line in dump(files).splitlines() if not line.startswith(("Dumping", "Log starting"))] if files else []


def let_clean(broker):
    """Apache Kafka only: ours is started without the lag."""
    with broker.connect(30) as connection:
        answer = connection.call("IncrementalAlterConfigs", 1, validateOnly=False, resources=[
            {"resourceType": 4, "resourceName": "", "configs": [{"name": LAG, "configOperation": 0, "value": "0"}]}])
    if answer["responses"][0]["errorCode"]:
        raise AssertionError("configuration: %s" % answer["responses"])


def produce(broker, topic, data):
    with broker.connect(30) as connection:
        answer = connection.call("Produce", 9, acks=-1, timeoutMs=30000, topicData=[
            {"name": topic, "partitionData": [{"index": 0, "records": base64.b64encode(data).decode()}]}])
    code = answer["responses"][0]["partitionResponses"][0]["errorCode"]
    if code:
        raise AssertionError("produce: error %d" % code)


class Compaction(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        print("seed %d" % SEED)
        cls.theirs = harness.Broker(CONFIG | {LAG: FOREVER}, oracle=CLASSES).start()
        cls.addClassCleanup(cls.theirs.close)
        for topic, config in TOPICS.items():
            cls.theirs.create_topic(topic, **config)
        harness.run(harness.oracle_java(CLASSES, "-Xmx256m", *harness.QUICK_JVM) + [
            os.path.join(HERE, "java", "CleanerInput.java"), cls.theirs.address, str(SEED), str(ROUNDS), *TOPICS],
                    seconds=200)
        cls.ours = harness.Broker(CONFIG, oracle=None)
        cls.addClassCleanup(cls.ours.close)
        # Indexes are sparse files of 10 MiB.
        subprocess.run(["cp", "-a", "--sparse=always", cls.theirs.data, cls.ours.folder], check=True)

    def compare(self, topics, but_not=None):
        """but_not: a field of the batches in which they may differ."""
        def shown(broker, topic):
            return [re.sub(" %s: \\S+" % but_not, "", line) if but_not else line for line in content(broker, topic)]
        for topic in topics:
            with self.subTest(topic):
                self.assertEqual(shown(self.theirs, topic), shown(self.ours, topic))
                self.assertEqual(aborted(self.theirs, topic), aborted(self.ours, topic))

    def test_what_is_left_is_the_same(self):
        before = {topic: content(self.ours, topic) for topic in TOPICS}
        self.compare(TOPICS)
        for topic in TOPICS:
            self.assertGreater(len(segments(self.ours, topic)), 5, topic)
        let_clean(self.theirs)
        self.ours.start()
        for broker in (self.theirs, self.ours):
            wait_until_clean(broker, TOPICS)
        self.compare(TOPICS)
        for topic in TOPICS:
            left = content(self.ours, topic)
            self.assertLess(len(left), len(before[topic]) / 2, topic)
            self.assertIn("OptionalLong[later]", "\n".join(left), topic)

        # More of the same for both; LogAppendTime would give each its own time.
        again = ("tombstones-stay", "tombstones-go", "both")
        with_tombstones = sum("valueSize: -1" in line for line in content(self.ours, "tombstones-go"))
        next_ms = int(time.time() * 1000) + 2 * WEEK_MS  # later than all before, so that segments roll
        for round_ in range(5):
            data = batch.build([(b"key-%d" % (7 * round_ + k), b"new" if k else None) for k in range(7)], codec=batch.GZIP,
                               timestamp=next_ms + round_ * WEEK_MS)
            for broker in (self.theirs, self.ours):
                for topic in again:
                    produce(broker, topic, data)
            # Each batch seals the one before it: one more cleaning, which is waited for, since their number counts.
            for broker in (self.theirs, self.ours):
                wait_until_clean(broker, again)
            self.compare(again, but_not="partitionLeaderEpoch")  # ours was started later
        self.assertLess(sum("valueSize: -1" in line for line in content(self.ours, "tombstones-go")), with_tombstones)

        self.ours.stop()
        self.assertIn("0 findings", harness.run([harness.BROKER, "verify", self.ours.data]).stdout)


if __name__ == "__main__":
    if harness.ORACLE:
        harness.skip("it compares Apache Kafka with our broker, and needs that one")
    CLASSES = harness.need_apache_kafka()
    harness.main()
