#!/usr/bin/python3
"""Compaction of the real binary: internal topics, what a configuration says, what a restart finds."""
import base64
import glob
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import batch  # noqa: E402
import harness  # noqa: E402

COORDINATOR_LOAD_IN_PROGRESS = 14
WEEK_MS = 7 * 24 * 3600 * 1000
NOW_MS = int(time.time() * 1000)


def until(what, look, seconds=30):
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain until " + what)
        time.sleep(0.02)


class Cleaning(harness.WithLastWords):
    CONFIG = {"log.cleaner.backoff.ms": "100", "offsets.topic.num.partitions": "1",
              "offsets.topic.segment.bytes": str(1 << 20), "log.cleaner.min.cleanable.ratio": "0.01"}

    def setUp(self):
        self.broker = harness.Broker(self.CONFIG).start()
        self.addCleanup(self.broker.close)

    def size(self, topic):
        return sum(os.path.getsize(path) for path in glob.glob(os.path.join(self.broker.data, topic + "-0", "*.log")))

    def clean_end(self, topic):
        try:
            with open(os.path.join(self.broker.data, "cleaner-offset-checkpoint"), encoding="ascii") as lines:
                return next((int(line.split()[2]) for line in lines if line.startswith(topic + " 0 ")), None)
        except FileNotFoundError:
            return None

    def produce(self, topic, *records, timestamp=NOW_MS, codec=batch.NONE):
        data = batch.build(records, timestamp=timestamp, codec=codec)
        with self.broker.connect(30) as connection:
            answer = connection.call("Produce", 9, acks=-1, timeoutMs=30000, topicData=[
                {"name": topic, "partitionData": [{"index": 0, "records": base64.b64encode(data).decode()}]}])
        return answer["responses"][0]["partitionResponses"][0]

    def contents(self, topic):
        """[(offset, key, value)] of everything, as a consumer finds it."""
        found, offset = [], 0
        with self.broker.connect(30) as connection:
            while True:
                answer = connection.call("Fetch", 11, replicaId=-1, maxWaitMs=0, minBytes=0, maxBytes=1 << 24,
                                         isolationLevel=0, sessionId=0, sessionEpoch=-1, forgottenTopicsData=[],
                                         rackId="", topics=[{"topic": topic, "partitions": [{
                                             "partition": 0, "currentLeaderEpoch": -1, "fetchOffset": offset,
                                             "logStartOffset": -1, "partitionMaxBytes": 1 << 24}]}])
                partition = answer["responses"][0]["partitions"][0]
                self.assertEqual(0, partition["errorCode"])
                batches = batch.read(base64.b64decode(partition["records"] or ""))
                if not batches:
                    self.assertEqual(partition["highWatermark"], offset)
                    return found
                found += [(r[0], r[1], r[2]) for _, records in batches for r in records]
                offset = batches[-1][0]["last_offset"] + 1

    # ---- committed offsets

    def commit(self, connection, offset, metadata):
        answer = connection.call("OffsetCommit", 8, groupId="g", generationIdOrMemberEpoch=-1, memberId="", groupInstanceId=None,
                                 topics=[{"name": "t", "partitions": [{
                                     "partitionIndex": 0, "committedOffset": offset, "committedLeaderEpoch": -1,
                                     "committedMetadata": metadata}]}])
        return answer["topics"][0]["partitions"][0]["errorCode"]

    def committed(self):
        """The offset, or None as long as the group's coordinator is loading."""
        with self.broker.connect(30) as connection:
            answer = connection.call("OffsetFetch", 8, requireStable=False, groups=[
                {"groupId": "g", "topics": [{"name": "t", "partitionIndexes": [0]}]}])
        group = answer["groups"][0]
        if group["errorCode"] == COORDINATOR_LOAD_IN_PROGRESS:
            return None
        self.assertEqual(0, group["errorCode"])
        return group["topics"][0]["partitions"][0]["committedOffset"]

    def test_committed_offsets_are_compacted(self):
        self.broker.create_topic("t")
        with self.broker.connect(30) as connection:
            until("the coordinator is there", lambda: connection.call(
                "FindCoordinator", 4, keyType=0, coordinatorKeys=["g"])["coordinators"][0]["errorCode"] == 0)
            until("the coordinator has loaded", lambda: self.commit(connection, 0, "") == 0)
            for i in range(1, 601):
                self.assertEqual(0, self.commit(connection, i, "m" * 4000))
        until("two segments are clean", lambda: (self.clean_end("__consumer_offsets") or 0) > 500)
        self.assertLess(self.size("__consumer_offsets"), 1 << 20)
        self.assertEqual(600, self.committed())
        for end in (self.broker.stop, self.broker.kill):
            end()
            self.broker.start()
            until("the group is loaded", lambda: self.committed() == 600)
        self.broker.stop()
        self.assertIn("0 findings", harness.run([harness.BROKER, "verify", self.broker.data]).stdout)

    # ---- topics

    def test_only_the_latest_of_each_key_stays_also_after_kill(self):
        config = {"cleanup_policy": "compact", "message_timestamp_after_max_ms": str(2**63 - 1)}
        self.broker.create_topic("t", **config)
        self.broker.create_topic("lagging", min_compaction_lag_ms=str(2**63 - 1), **config)
        for topic in ("t", "lagging"):
            for i in range(100):
                answer = self.produce(topic, (b"key-%d" % (i % 5), b"%d" % i), (b"other-%d" % (i % 7), b"%d" % i),
                                      codec=i % 5)
                self.assertEqual(0, answer["errorCode"])
            self.produce(topic, (b"last", b"x"), timestamp=NOW_MS + 2 * WEEK_MS)  # seals what was before
        until("it is clean", lambda: self.clean_end("t") == 200)
        left = [(2 * i, b"key-%d" % (i % 5), b"%d" % i) for i in range(95, 100)]
        left += [(2 * i + 1, b"other-%d" % (i % 7), b"%d" % i) for i in range(93, 100)] + [(200, b"last", b"x")]
        self.assertEqual(sorted(left), self.contents("t"))
        self.assertEqual(201, len(self.contents("lagging")))
        self.assertIsNone(self.clean_end("lagging"))
        self.broker.kill()
        self.broker.start()
        self.assertEqual(sorted(left), self.contents("t"))
        self.assertEqual(201, self.produce("t", (b"next", b"x"))["baseOffset"])

    def test_a_damaged_partition_is_left_alone(self):
        for topic in ("damaged", "sound"):
            self.broker.create_topic(topic, cleanup_policy="compact", message_timestamp_after_max_ms=str(2**63 - 1))
            for i in range(20):
                self.produce(topic, (b"key", b"%d" % i))
        with open(os.path.join(self.broker.data, "damaged-0", "0" * 20 + ".log"), "r+b") as log:
            log.seek(200)
            log.write(b"\xff" * 8)
        for topic in ("damaged", "sound"):
            self.produce(topic, (b"last", b"x"), timestamp=NOW_MS + 2 * WEEK_MS)
        self.broker.process.wait_for_line("cleaning damaged-0 ended: .*not cleaned any more until a restart")
        until("the other is clean", lambda: self.clean_end("sound") == 20)
        self.assertEqual([(19, b"key", b"19"), (20, b"last", b"x")], self.contents("sound"))
        self.assertEqual(21, self.produce("damaged", (b"next", b"x"))["baseOffset"])
        self.assertEqual(1, sum("cleaning damaged-0" in line for line in self.broker.process.lines))


if __name__ == "__main__":
    if harness.ORACLE:
        harness.skip("internals of our broker")
    harness.main()
