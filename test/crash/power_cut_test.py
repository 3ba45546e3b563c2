#!/usr/bin/python3
"""The power fails under load, for real: an ext4 of its own is shut down without writing its journal, as if the machine had
lost its power, and mounted again. With default settings no record that was acknowledged for acks=all is missing, none
appears twice or at another offset, no committed offset has gone back, and every topic whose creation was answered is there.

POWER_CUTS makes it longer (default 2). Needs root and a loop device.
"""
import base64
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop", "lib"))
import batch  # noqa: E402
import harness  # noqa: E402
import machine  # noqa: E402

CUTS = int(os.environ.get("POWER_CUTS", "2"))
PARTITIONS = 4
WRITERS = 8
SECONDS = 90
TOPIC, GROUP = "written", "group"


class Load:
    """Writers, a committer and a maker of topics, each in a thread with a connection of its own, until the broker is gone."""

    def __init__(self, broker, promises, cut):
        self._broker, self._promises, self._cut = broker, promises, cut
        self._threads = [threading.Thread(target=self._until_the_end, args=(self._write, i)) for i in range(WRITERS)]
        self._threads += [threading.Thread(target=self._until_the_end, args=(work,)) for work in (self._commit, self._make)]
        self.unexpected = []
        self.powered = True  # what is answered behind a cut may be anything but success
        for thread in self._threads:
            thread.start()

    def _until_the_end(self, work, *arguments):
        try:
            with self._broker.connect(SECONDS) as connection:
                i = 0
                while work(connection, i, *arguments):
                    i += 1
        except (OSError, harness.protocol.NoAnswer):
            pass

    def _refused(self, what, error):
        if self.powered:
            self.unexpected.append("%s: error %d" % (what, error))
        return False

    def _write(self, connection, i, writer):
        partition = writer % PARTITIONS
        value = b"%d-%d-%d:" % (self._cut, writer, i) + os.urandom(random.randrange(2000))
        answer = connection.call("Produce", 9, acks=-1, timeoutMs=30000, topicData=[{"name": TOPIC, "partitionData": [
            {"index": partition, "records": base64.b64encode(batch.build([(None, value)])).decode()}]}])
        outcome = answer["responses"][0]["partitionResponses"][0]
        if outcome["errorCode"]:
            return self._refused("Produce", outcome["errorCode"])
        self._promises.written(partition, outcome["baseOffset"], value)
        return True

    def _commit(self, connection, i):
        offset = self._promises.attempt_commit()
        answer = connection.call("OffsetCommit", 8, groupId=GROUP, generationIdOrMemberEpoch=-1, memberId="", topics=[
            {"name": TOPIC, "partitions": [{"partitionIndex": 0, "committedOffset": offset, "committedMetadata": ""}]}])
        error = answer["topics"][0]["partitions"][0]["errorCode"]
        if error in (14, 15, 16):  # the coordinator is not there yet
            connection.call("FindCoordinator", 4, keyType=0, coordinatorKeys=[GROUP])
            return True
        if error:
            return self._refused("OffsetCommit", error)
        self._promises.committed = offset
        return True

    def _make(self, connection, i):
        name = "made-%d-%d" % (self._cut, i)
        topic = connection.call("CreateTopics", 7, timeoutMs=10000, topics=[
            {"name": name, "numPartitions": 2, "replicationFactor": 1}])["topics"][0]
        if topic["errorCode"]:
            return self._refused("CreateTopics", topic["errorCode"])
        self._promises.topics.append(name)
        time.sleep(0.05)  # a load beside others, not a flood of directories
        return True

    def finish(self):
        for thread in self._threads:
            thread.join()


class Promises:
    """What the broker has acknowledged."""

    def __init__(self):
        self._news = threading.Condition()
        self.records = [{} for _ in range(PARTITIONS)]  # offset to value
        self.count = 0
        self.topics = []
        self.committed, self.attempted = 0, 0

    def written(self, partition, offset, value):
        with self._news:
            self.records[partition][offset] = value
            self.count += 1
            self._news.notify_all()

    def attempt_commit(self):
        self.attempted = self.committed + 1
        return self.attempted

    def wait_for_more(self, count):
        with self._news:
            target = self.count + count
            return self._news.wait_for(lambda: self.count >= target, SECONDS)


@harness.ours_only
class PowerCut(harness.WithLastWords):

    def setUp(self):
        self.machine = machine.Machine()
        self.addCleanup(self.machine.close)
        self.broker = harness.Broker({"log.dirs": os.path.join(self.machine.path, "data"), "log.segment.bytes": "2097152"})
        self.addCleanup(self.broker.close)

    def read(self, connection, partition):
        """Offset to value, and that they ascend."""
        found, offset = {}, 0
        while True:
            answer = connection.call("Fetch", 12, maxWaitMs=0, minBytes=0, maxBytes=1 << 26, sessionEpoch=-1, topics=[
                {"topic": TOPIC, "partitions": [
                    {"partition": partition, "fetchOffset": offset, "partitionMaxBytes": 1 << 22}]}])
            entry = answer["responses"][0]["partitions"][0]
            self.assertEqual(0, entry["errorCode"])
            batches = batch.read(base64.b64decode(entry["records"] or ""))
            if not batches:
                return found
            for header, rows in batches:
                self.assertGreaterEqual(header["base_offset"], offset)
                offset = header["last_offset"] + 1
                for i, (_, _, value, _) in enumerate(rows):
                    found[header["base_offset"] + i] = value

    def check(self, promises):
        with self.broker.connect(SECONDS) as connection:
            for partition in range(PARTITIONS):
                found = self.read(connection, partition)
                lost = [offset for offset, value in promises.records[partition].items() if found.get(offset) != value]
                self.assertEqual([], lost, "acknowledged and lost")
                self.assertEqual(len(found), len(set(found.values())), "a record is there twice")
            listed = {t["name"]: t for t in connection.call("Metadata", 12, topics=None)["topics"]}
            self.assertEqual([], [name for name in promises.topics if name not in listed])
            self.assertEqual([], [t["name"] for t in listed.values() if t["errorCode"] or
                                  any(p["errorCode"] for p in t["partitions"])])
            if promises.committed:
                committed = self.committed(connection)
                self.assertGreaterEqual(committed, promises.committed)
                self.assertLessEqual(committed, promises.attempted)
                promises.committed = committed

    def committed(self, connection):
        deadline = time.monotonic() + SECONDS
        while True:
            connection.call("FindCoordinator", 4, keyType=0, coordinatorKeys=[GROUP])
            group = connection.call("OffsetFetch", 8, groups=[
                {"groupId": GROUP, "topics": [{"name": TOPIC, "partitionIndexes": [0]}]}])["groups"][0]
            if group["errorCode"] == 0:
                return group["topics"][0]["partitions"][0]["committedOffset"]
            self.assertIn(group["errorCode"], (14, 15, 16))
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def test_nothing_acknowledged_is_lost(self):
        promises = Promises()
        self.broker.start()
        self.broker.create_topic(TOPIC, PARTITIONS)
        for cut in range(CUTS):
            load = Load(self.broker, promises, cut)
            self.assertTrue(promises.wait_for_more(random.randrange(100, 2000)), load.unexpected)
            load.powered = False
            self.machine.cut()
            self.broker.kill()
            load.finish()
            self.assertEqual([], load.unexpected)
            self.machine.power_off()
            self.machine.power_on()
            self.broker.start()
            self.check(promises)
        self.broker.stop()
        self.broker.start()
        self.check(promises)
        print("%d cuts, %d records acknowledged, %d topics, committed %d" % (
            CUTS, promises.count, len(promises.topics), promises.committed))

    def test_a_cut_right_behind_the_first_start(self):
        for _ in range(CUTS):
            self.broker.start()
            self.machine.cut()
            self.broker.kill()
            self.machine.power_off()
            self.machine.power_on()
        self.broker.start()
        self.assertTrue(self.broker.alive())


if __name__ == "__main__":
    harness.main()
