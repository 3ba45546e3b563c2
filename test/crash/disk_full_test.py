#!/usr/bin/python3
"""A disk that is full: the Produce fails, what was acknowledged stays, other directories go on, and the process lives."""
import base64
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop", "lib"))
import batch  # noqa: E402
import harness  # noqa: E402

KAFKA_STORAGE_ERROR = 56


class SmallDisk:
    """A file system of a few MiB in memory."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="kafka-broker-small-disk-")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", self.path], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            os.rmdir(self.path)
            harness.skip("no right to mount a small file system: " + done.stderr.strip())

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=False)
        os.rmdir(self.path)


@harness.ours_only
class DiskFull(harness.WithLastWords):

    def setUp(self):
        self.disk = SmallDisk()
        self.addCleanup(self.disk.close)
        self.broker = harness.Broker()
        self.addCleanup(self.broker.close)
        self.small = os.path.join(self.disk.path, "data")
        self.broker.config["log.dirs"] = self.broker.data + "," + self.small
        self.broker.start()
        # One partition in each directory.
        self.broker.create_topic("topic", 2, retention_ms="-1", segment_index_bytes="100000")

    def partition_on(self, folder):
        return next(p for p in (0, 1) if os.path.isdir(os.path.join(folder, "topic-%d" % p)))

    def produce(self, connection, partition, value):
        answer = connection.call("Produce", 9, acks=-1, timeoutMs=30000, topicData=[{"name": "topic", "partitionData": [
            {"index": partition, "records": base64.b64encode(batch.build([(None, value)])).decode()}]}])
        self.answer = answer["responses"][0]["partitionResponses"][0]
        return self.answer["errorCode"]

    def read(self, connection, partition):
        values, offset = [], 0
        while True:
            answer = connection.call("Fetch", 12, maxWaitMs=0, minBytes=0, maxBytes=1 << 26, sessionEpoch=-1, topics=[
                {"topic": "topic", "partitions": [
                    {"partition": partition, "fetchOffset": offset, "partitionMaxBytes": 1 << 22}]}])
            part = answer["responses"][0]["partitions"][0]
            self.assertEqual(0, part["errorCode"], self.broker.process.output())
            records = batch.read(base64.b64decode(part["records"] or ""))
            if not records:
                return values
            values += [value[:8] for _, rows in records for _, _, value, _ in rows]
            offset = records[-1][0]["last_offset"] + 1

    def test_the_other_directory_goes_on_and_nothing_acknowledged_is_lost(self):
        small, large = self.partition_on(self.small), self.partition_on(self.broker.data)
        acknowledged, error = [], 0
        with self.broker.connect(30) as connection:
            while error == 0 and len(acknowledged) < 1000:
                value = b"%08d" % len(acknowledged) + os.urandom(100000)
                error = self.produce(connection, small, value)
                if error == 0:
                    acknowledged.append(value[:8])
            self.assertEqual(KAFKA_STORAGE_ERROR, error)
            self.assertGreater(len(acknowledged), 10)
            self.assertTrue(self.broker.process.running())
            for i in range(20):
                self.assertEqual(0, self.produce(connection, large, b"%08d" % i))
            self.assertEqual([b"%08d" % i for i in range(20)], self.read(connection, large))
        self.broker.kill()
        os.makedirs(self.small, exist_ok=True)
        subprocess.run(["mount", "-o", "remount,size=64m", self.disk.path], check=True)
        self.broker.start()
        with self.broker.connect(30) as connection:
            self.assertEqual(acknowledged, self.read(connection, small))
            self.assertEqual(0, self.produce(connection, small, b"goes on."))

    def test_below_the_reserve_producers_wait_and_all_else_goes_on(self):
        self.broker.stop()
        self.broker.config["storage.min.free.bytes"] = str(6 << 20)
        self.broker.config["log.segment.delete.delay.ms"] = "0"
        self.broker.start()
        small = self.partition_on(self.small)
        acknowledged, error = [], 0
        with self.broker.connect(30) as connection:
            while error == 0:
                value = b"%08d" % len(acknowledged) + os.urandom(100000)
                error = self.produce(connection, small, value)
                if error == 0:
                    acknowledged.append(value[:8])
                    # Slower than it looks: once a second.
                    free = os.statvfs(self.small).f_bavail * os.statvfs(self.small).f_frsize
                    if free < 6 << 20:
                        self.broker.process.wait_for_line("the disk is nearly full")
            self.assertEqual(KAFKA_STORAGE_ERROR, error)
            self.assertIn("storage.min.free.bytes", self.answer["errorMessage"])
            self.assertGreater(os.statvfs(self.small).f_bavail * os.statvfs(self.small).f_frsize, 4 << 20)
            self.assertEqual(acknowledged, self.read(connection, small))
            self.assertEqual(0, self.produce(connection, self.partition_on(self.broker.data), b"goes on."))
            # Deletion makes room, and writing goes on by itself.
            connection.call("DeleteTopics", 6, topics=[{"name": "topic"}], timeoutMs=10000)
            self.broker.process.wait_for_line("records are taken again")
            self.broker.create_topic("next", 2)
            for partition in (0, 1):
                self.assertEqual(0, self.produce_to(connection, "next", partition))

    def produce_to(self, connection, topic, partition):
        answer = connection.call("Produce", 9, acks=-1, timeoutMs=30000, topicData=[{"name": topic, "partitionData": [
            {"index": partition, "records": base64.b64encode(batch.build([(None, b"x")])).decode()}]}])
        return answer["responses"][0]["partitionResponses"][0]["errorCode"]


if __name__ == "__main__":
    harness.main()
