#!/usr/bin/python3
"""kill -9 while a replica is on its way to another data directory, under load: the next start serves every acknowledged
record in its order, brings the move to its end, and finds one replica. And a disk that fails under the one that is to come.

CRASH_CYCLES makes it longer (default 10).
"""
import base64
import os
import random
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "interop", "lib"), HERE]
import batch  # noqa: E402
import harness  # noqa: E402
import machine  # noqa: E402
import protocol  # noqa: E402

CYCLES = int(os.environ.get("CRASH_CYCLES", "10"))
KAFKA_STORAGE_ERROR = 56
PADDING = b"." * 50000
LONGEST_MOVE_S = 0.4


@harness.ours_only
class Moves(harness.WithLastWords):

    def use(self, second):
        self.broker = harness.Broker({"log.segment.delete.delay.ms": "100", "log.segment.bytes": "4000000"})
        self.addCleanup(self.broker.close)
        self.folders = [self.broker.data, second or self.broker.data + "-2"]
        self.broker.config["log.dirs"] = ",".join(self.folders)
        self.broker.start()
        self.broker.create_topic("topic", retention_ms="-1")  # the records are old
        self.sent = self.acknowledged = 0

    def produce(self, connection):
        value = b"%d;" % self.sent + PADDING
        self.sent += 1
        answer = connection.call("Produce", 9, acks=-1, timeoutMs=10000, topicData=[{"name": "topic", "partitionData": [
            {"index": 0, "records": base64.b64encode(batch.build([(None, value)])).decode()}]}])
        return answer["responses"][0]["partitionResponses"][0]["errorCode"]

    def produce_until(self, stop):
        """One record after the other; a retriable answer is tried again, the end of the connection is the end."""
        try:
            with self.broker.connect(30) as connection:
                while not stop.is_set():
                    code = self.produce(connection)
                    if code == 0:
                        self.acknowledged = self.sent
                    else:
                        self.codes.add(code)
                        self.sent -= 1
        except (OSError, protocol.NoAnswer):
            pass

    def move(self, folder):
        with self.broker.connect(30) as connection:
            answer = connection.call("AlterReplicaLogDirs", 2, dirs=[
                {"path": folder, "topics": [{"name": "topic", "partitions": [0]}]}])
            return answer["results"][0]["partitions"][0]["errorCode"]

    def places(self):
        """[(folder, is future)]"""
        with self.broker.connect(30) as connection:
            described = connection.call("DescribeLogDirs", 4, topics=None)["results"]
        return [(one["logDir"], partition["isFutureKey"]) for one in described for topic in one["topics"]
                for partition in topic["partitions"] if topic["name"] == "topic"]

    def directories(self):
        return [name for folder in self.folders for name in os.listdir(folder) if name.startswith("topic-")]

    def until(self, look):
        deadline = time.monotonic() + 60
        while not look():
            self.assertLess(time.monotonic(), deadline, "%s %s" % (self.places(), self.directories()))
            time.sleep(0.02)

    def numbers(self):
        numbers, at = [], 0
        with self.broker.connect(30) as connection:
            while True:
                answer = connection.call("Fetch", 12, maxWaitMs=0, minBytes=0, maxBytes=1 << 26, sessionEpoch=-1, topics=[
                    {"topic": "topic", "partitions": [{"partition": 0, "fetchOffset": at, "partitionMaxBytes": 1 << 22}]}])
                part = answer["responses"][0]["partitions"][0]
                self.assertEqual(0, part["errorCode"], "at offset %d, log start %d" % (at, part["logStartOffset"]))
                found = batch.read(base64.b64decode(part["records"] or ""))
                if not found:
                    return numbers
                numbers += [int(value.split(b";")[0]) for _, rows in found for _, _, value, _ in rows]
                at = found[-1][0]["last_offset"] + 1

    def check(self):
        numbers = self.numbers()
        self.assertEqual(list(range(self.acknowledged)), numbers[:self.acknowledged])
        # What was under way may be there, too; the next run goes on behind it.
        self.assertLessEqual(len(numbers), self.acknowledged + 1)
        self.sent = self.acknowledged = len(numbers)

    def test_killed_on_the_way(self):
        self.use(None)
        choice = random.Random(int(os.environ.get("CRASH_SEED", "1")))
        moved = 0
        for cycle in range(CYCLES):
            with self.subTest(cycle=cycle):
                self.codes = set()
                stop = threading.Event()
                load = threading.Thread(target=self.produce_until, args=(stop,))
                load.start()
                (here, _), = self.places()
                there = next(folder for folder in self.folders if folder != here)
                self.assertEqual(0, self.move(there))
                time.sleep(choice.random() * LONGEST_MOVE_S)
                self.broker.kill()
                stop.set()
                load.join()
                self.assertLessEqual(self.codes, {6}, "NOT_LEADER_OR_FOLLOWER at most, which is tried again")
                self.broker.start()
                self.check()
                self.until(lambda f=there: self.places() == [(f, False)])
                self.until(lambda: self.directories() == ["topic-0"])
                self.check()
                moved += 1
        self.assertEqual(CYCLES, moved)

    def test_moves_under_load_without_an_end(self):
        self.use(None)
        self.codes = set()
        stop = threading.Event()
        load = threading.Thread(target=self.produce_until, args=(stop,))
        load.start()
        for cycle in range(6):
            (here, _), = self.places()
            there = next(folder for folder in self.folders if folder != here)
            self.assertEqual(0, self.move(there))
            self.until(lambda f=there: self.places() == [(f, False)])
            before = self.acknowledged
            self.until(lambda b=before: self.acknowledged > b + 5)
        stop.set()
        load.join()
        self.assertLessEqual(self.codes, {6})
        self.check()
        self.until(lambda: self.directories() == ["topic-0"])
        self.broker.stop()
        self.broker.start()
        self.check()

    def test_a_group_keeps_its_offsets_while_their_partition_moves(self):
        self.use(None)
        retriable = {14, 15, 16}  # COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR
        with self.broker.connect(30) as connection:
            connection.call("FindCoordinator", 4, keyType=0, coordinatorKeys=["group"])
            for committed in range(1, 200):
                if committed % 20 == 10:
                    folder = self.folders[committed // 20 % 2]
                    answer = connection.call("AlterReplicaLogDirs", 2, dirs=[{"path": folder, "topics": [
                        {"name": "__consumer_offsets", "partitions": [0, 1, 2, 3]}]}])
                    self.assertEqual({0}, {p["errorCode"] for t in answer["results"] for p in t["partitions"]})
                code = 16
                deadline = time.monotonic() + 30
                while code in retriable:
                    self.assertLess(time.monotonic(), deadline)
                    answer = connection.call(
                        "OffsetCommit", 8, groupId="group", generationIdOrMemberEpoch=-1, memberId="", groupInstanceId=None,
                        topics=[{"name": "topic", "partitions": [{"partitionIndex": 0, "committedOffset": committed,
                                                                  "committedLeaderEpoch": -1, "committedMetadata": ""}]}])
                    code = answer["topics"][0]["partitions"][0]["errorCode"]
                self.assertEqual(0, code)
        for is_after_a_restart in (False, True):
            if is_after_a_restart:
                self.broker.stop()
                self.broker.start()
            code, deadline = 16, time.monotonic() + 30
            while code in retriable:
                self.assertLess(time.monotonic(), deadline)
                with self.broker.connect(30) as connection:
                    group = connection.call("OffsetFetch", 8, requireStable=False, groups=[
                        {"groupId": "group", "topics": [{"name": "topic", "partitionIndexes": [0]}]}])["groups"][0]
                code = group["errorCode"]
            self.assertEqual(0, code)
            self.assertEqual(199, group["topics"][0]["partitions"][0]["committedOffset"])

    def test_the_disk_that_it_goes_to_fails(self):
        disk = machine.Machine()
        self.addCleanup(disk.close)
        self.use(os.path.join(disk.path, "data"))
        if self.places()[0][0] != self.folders[0]:
            self.assertEqual(0, self.move(self.folders[0]))
            self.until(lambda: self.places() == [(self.folders[0], False)])
        with self.broker.connect(30) as connection:
            for _ in range(300):
                self.assertEqual(0, self.produce(connection))
            self.acknowledged = self.sent
            self.assertEqual(0, self.move(self.folders[1]))
            disk.cut()
            self.broker.process.wait_for_line("stays in " + self.folders[0])
            self.assertEqual(KAFKA_STORAGE_ERROR, self.move(self.folders[1]), "as long as it is gone")
            for _ in range(10):
                self.assertEqual(0, self.produce(connection))
            self.acknowledged = self.sent
        self.check()
        self.broker.kill()
        disk.power_off()
        disk.power_on()
        self.broker.start()
        self.check()
        self.until(lambda: self.places() == [(self.folders[1], False)])
        self.check()


if __name__ == "__main__":
    harness.main()
