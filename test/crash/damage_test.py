#!/usr/bin/python3
"""A disk that returns other bytes than were written: the batch is found when it is read, or by the scrub when nobody reads
it; it is answered with CORRUPT_MESSAGE, all others are served, and clients go past it."""
import base64
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop", "lib"))
import batch  # noqa: E402
import harness  # noqa: E402
import served  # noqa: E402

CORRUPT_MESSAGE = 2
BATCHES, RECORDS = 40, 3
FOUND = r"topic-0: .*\.log is damaged from byte %d to %d: who asks for offsets %d to %d "


@harness.ours_only
class Damage(harness.WithLastWords):

    def setUp(self):
        self.broker = harness.Broker()
        self.addCleanup(self.broker.close)
        self.broker.start()

    def write(self, topic="topic"):
        self.broker.create_topic(topic)
        with self.broker.connect(30) as connection:
            for i in range(BATCHES):
                values = [(None, b"%08d" % (i * RECORDS + j)) for j in range(RECORDS)]
                answer = connection.call("Produce", 9, acks=-1, timeoutMs=30000, topicData=[
                    {"name": topic, "partitionData": [
                        {"index": 0, "records": base64.b64encode(batch.build(values)).decode()}]}])
                self.assertEqual(0, answer["responses"][0]["partitionResponses"][0]["errorCode"])

    def log_of(self, topic="topic"):
        return os.path.join(self.broker.data, topic + "-0", "%020d.log" % 0)

    def damage(self, victims, at, topic="topic"):
        """Flips a bit of some batches. All are of one size."""
        path = self.log_of(topic)
        size = os.path.getsize(path) // BATCHES
        with open(path, "r+b") as file:
            for victim in victims:
                file.seek(victim * size + at)
                byte = file.read(1)[0]
                file.seek(victim * size + at)
                file.write(bytes([byte ^ 0x10]))
        return size

    def fetch(self, connection, offset, topic="topic"):
        answer = connection.call("Fetch", 12, maxWaitMs=0, minBytes=0, maxBytes=1 << 26, sessionEpoch=-1, topics=[
            {"topic": topic, "partitions": [{"partition": 0, "fetchOffset": offset, "partitionMaxBytes": 1 << 22}]}])
        part = answer["responses"][0]["partitions"][0]
        return part["errorCode"], batch.read(base64.b64decode(part["records"] or ""))

    def check_all(self, victims):
        with self.broker.connect(30) as connection:
            for offset in reversed(range(BATCHES * RECORDS)):
                error, batches = self.fetch(connection, offset)
                number = offset // RECORDS
                if number in victims:
                    self.assertEqual((CORRUPT_MESSAGE, []), (error, batches), offset)
                    continue
                self.assertEqual(0, error, offset)
                values = [value for _, rows in batches for _, _, value, _ in rows]
                end = min([v for v in victims if v > number], default=BATCHES)
                self.assertEqual([b"%08d" % i for i in range(number * RECORDS, end * RECORDS)], values, offset)

    def restart_damaged(self, is_clean, victims, at, **config):
        self.write()
        self.broker.stop()
        if not is_clean:
            os.remove(os.path.join(self.broker.data, ".kafka_cleanshutdown"))
        size = self.damage(victims, at)
        self.broker.config.update(config)
        self.broker.start()
        return size

    def check_restart(self, is_clean):
        size = self.restart_damaged(is_clean, [12, 20], at=75)
        self.check_all([12, 20])
        for victim in (12, 20):
            self.broker.process.wait_for_line(
                FOUND % (victim * size, victim * size + size, victim * RECORDS, victim * RECORDS + RECORDS - 1))
        # What comes next gets the next offset, and a restart changes nothing.
        self.broker.stop()
        self.broker.start()
        self.check_all([12, 20])

    def test_after_a_clean_stop(self):
        self.check_restart(is_clean=True)

    def test_after_an_unclean_stop(self):
        self.check_restart(is_clean=False)

    def test_a_length_and_a_base_offset_that_are_lies(self):
        self.restart_damaged(True, [12], at=11)
        self.check_all([12])
        self.broker.stop()
        self.damage([20], at=6)
        self.broker.start()
        self.check_all([12, 20])

    def test_kcat_goes_past_it(self):
        self.restart_damaged(True, [12], at=75)

        def kcat(*arguments):
            done = subprocess.run(["kcat", "-b", self.broker.address, "-C", "-t", "topic", "-q", "-u", *arguments],
                                  capture_output=True, timeout=60, check=False)
            return done.stdout.split()
        every = [b"%08d" % i for i in range(BATCHES * RECORDS)]
        self.assertEqual(every[:12 * RECORDS], kcat("-o", "0", "-c", str(12 * RECORDS)))
        self.assertEqual(every[13 * RECORDS:], kcat("-o", str(13 * RECORDS), "-e"))

    def test_the_scrub_finds_it_without_a_reader(self):
        size = self.restart_damaged(True, [30], at=75, **{"log.initial.task.delay.ms": "0", "log.retention.ms": "-1"})
        self.broker.process.wait_for_line(FOUND % (30 * size, 31 * size, 30 * RECORDS, 30 * RECORDS + RECORDS - 1))
        self.check_all([30])

    def test_groups_live_on_when_an_offset_is_lost(self):
        self.write()
        with self.broker.connect(30) as connection:
            connection.call("FindCoordinator", 4, keyType=0, coordinatorKeys=["group"])
            for i in range(20):
                answer = connection.call("OffsetCommit", 7, groupId="group", generationIdOrMemberEpoch=-1, memberId="",
                                         topics=[{"name": "topic", "partitions": [
                                             {"partitionIndex": 0, "committedOffset": i, "committedLeaderEpoch": -1}]}])
                self.assertEqual(0, answer["topics"][0]["partitions"][0]["errorCode"])
        self.broker.stop()
        folder = next(f for f in sorted(os.listdir(self.broker.data)) if f.startswith("__consumer_offsets-") and
                      os.path.getsize(os.path.join(self.broker.data, f, "%020d.log" % 0)) > 0)
        path = os.path.join(self.broker.data, folder, "%020d.log" % 0)
        with open(path, "r+b") as file:
            file.seek(70)
            file.write(b"\xff\xff")
        self.broker.start()
        with self.broker.connect(30) as connection:
            def fetched():
                answer = connection.call("OffsetFetch", 7, groupId="group", topics=None, requireStable=False)
                self.assertEqual(0, answer["errorCode"])
                return answer
            answer = served.eventually(fetched)
            self.assertEqual(19, answer["topics"][0]["partitions"][0]["committedOffset"])


if __name__ == "__main__":
    harness.main()
