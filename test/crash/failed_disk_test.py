#!/usr/bin/python3
"""One of two disks fails under a running broker, for real: its partitions answer KAFKA_STORAGE_ERROR, those of the other
disk go on, the process lives and stops cleanly; with the disk back everything that was acknowledged is there. And a disk
that is mounted read-only.
"""
import base64
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop", "lib"))
import batch  # noqa: E402
import harness  # noqa: E402
import machine  # noqa: E402

KAFKA_STORAGE_ERROR = 56
RECORDS = 50


@harness.ours_only
class FailedDisk(harness.WithLastWords):

    def use(self, disk):
        """A broker with a directory on that disk, and another one elsewhere."""
        self.disk = disk
        self.addCleanup(self.disk.close)
        self.broker = harness.Broker()
        self.addCleanup(self.broker.close)
        self.failing = os.path.join(self.disk.path, "data")
        self.broker.config["log.dirs"] = self.broker.data + "," + self.failing

    def partition_on(self, folder):
        return next(p for p in (0, 1) if os.path.isdir(os.path.join(folder, "topic-%d" % p)))

    def produce(self, connection, partition, value):
        answer = connection.call("Produce", 9, acks=-1, timeoutMs=10000, topicData=[{"name": "topic", "partitionData": [
            {"index": partition, "records": base64.b64encode(batch.build([(None, value)])).decode()}]}])
        return answer["responses"][0]["partitionResponses"][0]["errorCode"]

    def fetch(self, connection, partition, offset):
        answer = connection.call("Fetch", 12, maxWaitMs=0, minBytes=0, maxBytes=1 << 26, sessionEpoch=-1, topics=[
            {"topic": "topic", "partitions": [
                {"partition": partition, "fetchOffset": offset, "partitionMaxBytes": 1 << 22}]}])
        part = answer["responses"][0]["partitions"][0]
        batches = batch.read(base64.b64decode(part["records"] or ""))
        return part["errorCode"], [value for _, rows in batches for _, _, value, _ in rows]

    def test_the_other_disk_goes_on(self):
        self.use(machine.Machine())
        self.broker.start()
        self.broker.create_topic("topic", 2)
        failing, sound = self.partition_on(self.failing), self.partition_on(self.broker.data)
        values = [b"%d" % i for i in range(RECORDS)]
        with self.broker.connect(30) as connection:
            for partition in (failing, sound):
                for value in values:
                    self.assertEqual(0, self.produce(connection, partition, value))
            self.disk.cut()
            self.assertEqual(KAFKA_STORAGE_ERROR, self.produce(connection, failing, b"lost"))
            self.broker.process.wait_for_line("partition topic-%d is offline: .*%s" % (failing, self.failing))
            self.assertEqual(KAFKA_STORAGE_ERROR, self.produce(connection, failing, b"lost"))
            self.assertEqual(KAFKA_STORAGE_ERROR, self.fetch(connection, failing, 0)[0])
            self.assertEqual(0, self.produce(connection, sound, b"goes on"))
            self.assertEqual((0, values + [b"goes on"]), self.fetch(connection, sound, 0))
        self.broker.kill()
        self.disk.power_off()
        self.disk.power_on()
        self.broker.start()
        with self.broker.connect(30) as connection:
            self.assertEqual((0, values), self.fetch(connection, failing, 0))
            self.assertEqual((0, values + [b"goes on"]), self.fetch(connection, sound, 0))
            self.assertEqual(0, self.produce(connection, failing, b"goes on"))

    def test_a_disk_that_fails_while_it_is_written_to(self):
        self.use(machine.Machine(backed_by="48m"))
        self.broker.start()
        self.broker.create_topic("topic", 2, retention_ms="-1")
        failing, sound = self.partition_on(self.failing), self.partition_on(self.broker.data)
        acknowledged = []
        with self.broker.connect(60) as connection:
            while len(acknowledged) < 1000:
                value = b"%08d" % len(acknowledged) + os.urandom(100000)
                error = self.produce(connection, failing, value)
                if error:
                    break
                acknowledged.append(value)
            self.assertEqual(KAFKA_STORAGE_ERROR, error)
            self.assertGreater(len(acknowledged), 20)
            self.assertEqual(0, self.produce(connection, sound, b"goes on"))
        self.broker.kill()
        self.disk.power_off()
        self.disk.give_room()
        self.disk.power_on()
        self.broker.start()
        with self.broker.connect(60) as connection:
            read = []
            while len(read) < len(acknowledged):
                error, values = self.fetch(connection, failing, len(read))
                self.assertEqual(0, error)
                if not values:
                    break
                read += values
            self.assertEqual(acknowledged, read[:len(acknowledged)])
            self.assertEqual(0, self.produce(connection, failing, b"goes on"))

    def test_a_disk_that_is_read_only_is_named_at_the_start(self):
        self.use(machine.Machine())
        subprocess.run(["mount", "-o", "remount,ro", self.disk.path], check=True)
        self.broker.config["log.dirs"] = self.failing
        self.broker.write_properties()
        process = harness.Process(self.broker.command(), cwd=self.broker.folder)
        self.assertEqual(74, process.wait(), process.output())
        self.assertRegex(process.output(), "%s.*Read-only file system" % self.failing)
        process.end()


if __name__ == "__main__":
    harness.main()
