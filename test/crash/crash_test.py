#!/usr/bin/python3
"""kill -9 under load, again and again: no acknowledged record is lost, none appears twice, none out of its order.

CRASH_CYCLES makes it longer (default 10).
"""
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop", "lib"))
import batch  # noqa: E402
import harness  # noqa: E402

try:
    import confluent_kafka
except ImportError:
    harness.need_modules("confluent_kafka")

CYCLES = int(os.environ.get("CRASH_CYCLES", "10"))
PARTITIONS = 3
SECONDS = 90


class Load:
    """An idempotent producer in a thread of its own that numbers its records per partition and knows what was acknowledged."""

    def __init__(self, address, topic, **config):
        self.topic = topic
        self.sent = [0] * PARTITIONS
        self.acknowledged = [[] for _ in range(PARTITIONS)]  # (number, offset), in the order of the acknowledgements
        self.errors = []
        self._count = 0
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._may_send = threading.Event()
        self._may_send.set()
        self._is_idle = threading.Event()
        self._producer = confluent_kafka.Producer({
            "bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 1, "batch.num.messages": 50,
            "log_level": 2, "message.timeout.ms": SECONDS * 1000, "retry.backoff.ms": 50, "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200, "error_cb": self._error, **config})
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _error(self, error):
        if error.fatal():
            self.errors.append(error)

    def _delivered(self, partition, number, error, message):
        if error is not None:
            self.errors.append(error)
            return
        self.acknowledged[partition].append((number, message.offset()))
        with self._news:
            self._count += 1
            self._news.notify_all()

    def key(self, choice, partition, number):
        """Of the next record. One that could not be sent is asked for again."""
        return None

    def _run(self):
        choice = random.Random(1)
        while not self._stop.is_set() and not self.errors:
            if not self._may_send.is_set():
                self._producer.flush(SECONDS)
                self._is_idle.set()
                self._may_send.wait()
                continue
            partition = choice.randrange(PARTITIONS)
            number = self.sent[partition]
            value = b"%d:" % number + b"x" * choice.randrange(300)
            try:
                self._producer.produce(self.topic, value, self.key(choice, partition, number), partition=partition,
                                       on_delivery=lambda e, m, p=partition, n=number: self._delivered(p, n, e, m))
            except BufferError:
                self._producer.poll(0.05)
                continue
            self.sent[partition] += 1
            self._producer.poll(0.0005)
        self.left = self._producer.flush(SECONDS)

    def wait_for_more(self, count):
        with self._news:
            target = self._count + count
            deadline = time.monotonic() + SECONDS
            while self._count < target and not self.errors and time.monotonic() < deadline:
                self._news.wait(0.5)
            return self._count >= target

    def pause(self):
        """Returns when all that was sent is acknowledged, or cannot be."""
        self._is_idle.clear()
        self._may_send.clear()
        self._is_idle.wait(SECONDS)

    def resume(self):
        self._may_send.set()

    def finish(self):
        self._stop.set()
        self._may_send.set()
        self._thread.join()


class KillUnderLoad(harness.BrokerTest):
    CONFIG = {"log.segment.bytes": "1048576"}

    def log_of(self, topic, partition):
        """Numbers in the order of the log, with their offsets."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.broker.address, "group.id": "reader",
                                             "auto.offset.reset": "earliest", "fetch.wait.max.ms": 20, "log_level": 2})
        where = confluent_kafka.TopicPartition(topic, partition, 0)
        end = consumer.get_watermark_offsets(where, 30)[1]
        consumer.assign([where])
        found = []
        deadline = time.monotonic() + SECONDS
        while len(found) < end and time.monotonic() < deadline:
            for message in consumer.consume(1000, 0.5):
                self.assertIsNone(message.error())
                found.append((int(message.value().split(b":")[0]), message.offset()))
        consumer.close()
        return found

    def check(self, acks):
        topic = self.topic(partitions=PARTITIONS)
        load = Load(self.broker.address, topic, acks=acks)
        try:
            for _ in range(CYCLES):
                self.assertTrue(load.wait_for_more(random.randrange(200, 3000)), load.errors)
                self.broker.kill()
                self.broker.start()
            self.assertTrue(load.wait_for_more(500), load.errors)
        finally:
            load.finish()
        self.assertEqual([], load.errors)
        self.assertEqual(0, load.left)
        for partition in range(PARTITIONS):
            found = self.log_of(topic, partition)
            self.assertEqual(list(range(load.sent[partition])), [number for number, _ in found])
            offsets = dict(found)
            wrong = [(number, offset, offsets[number]) for number, offset in load.acknowledged[partition]
                     if offset not in (offsets[number], -1)]  # -1: a duplicate whose offset the broker no longer knew
            self.assertEqual([], wrong, "acknowledged with the offset that it has")
        print("%d kills, %d records" % (CYCLES, sum(load.sent)))

    def test_acks_all(self):
        self.check("all")

    def test_a_kill_while_topics_are_made(self):
        """Each topic whose creation was answered is there; each other one is whole or absent."""
        answered, done = [], threading.Event()

        def create():
            i = 0
            try:
                with self.broker.connect(30) as connection:
                    while not done.is_set():
                        name = "made-%d-%d" % (len(answered), i)
                        i += 1
                        topic = connection.call("CreateTopics", 7, timeoutMs=10000, topics=[
                            {"name": name, "numPartitions": 3, "replicationFactor": 1}])["topics"][0]
                        if topic["errorCode"] == 0:
                            answered.append(name)
            except (OSError, harness.protocol.NoAnswer):
                pass

        for _ in range(CYCLES):
            before = len(answered)
            maker = threading.Thread(target=create)
            maker.start()
            while len(answered) < before + 5 and maker.is_alive():
                time.sleep(0.005)
            self.broker.kill()
            done.set()
            maker.join()
            done.clear()
            self.broker.start()
            self.until_listed(answered)

    def until_listed(self, names):
        """Apache Kafka lists them a moment after it has started; we at once."""
        deadline = time.monotonic() + 30
        while True:
            with self.broker.connect(30) as connection:
                topics = {t["name"]: t for t in connection.call("Metadata", 12, topics=None)["topics"]}
            missing = [name for name in names if name not in topics]
            if not missing:
                break
            self.assertLess(time.monotonic(), deadline, missing)
        for name, topic in topics.items():
            if name.startswith("made-"):
                self.assertEqual(3, len(topic["partitions"]), name)


class TornTails(harness.BrokerTest):
    """What a power cut can leave of a segment's end is cut off at the next start; what was whole is kept."""

    def damaged(self, damage):
        """A topic with three batches whose log was damaged after a kill; what is then read from it."""
        topic = self.topic()
        with self.broker.connect() as connection:
            for value in (b"one", b"two", b"three"):
                self.produce(connection, topic, value)
        self.broker.kill()
        path = os.path.join(self.broker.data, topic + "-0", "00000000000000000000.log")
        with open(path, "r+b") as log:
            damage(log)
        self.broker.start()
        with self.broker.connect() as connection:
            values = self.read(connection, topic)
            self.produce(connection, topic, b"after")
            self.assertEqual(values + [b"after"], self.read(connection, topic))
        return values

    @staticmethod
    def produce(connection, topic, value):
        import base64
        answer = connection.call("Produce", 9, acks=-1, timeoutMs=30000, topicData=[{"name": topic, "partitionData": [
            {"index": 0, "records": base64.b64encode(batch.build([(None, value)])).decode()}]}])
        if answer["responses"][0]["partitionResponses"][0]["errorCode"]:
            raise AssertionError(answer)

    @staticmethod
    def read(connection, topic):
        import base64
        answer = connection.call("Fetch", 12, maxWaitMs=0, minBytes=0, maxBytes=1 << 24, sessionEpoch=-1, topics=[
            {"topic": topic, "partitions": [{"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 1 << 24}]}])
        return batch.values(base64.b64decode(answer["responses"][0]["partitions"][0]["records"] or ""))

    def test_half_a_batch(self):
        self.assertEqual([b"one", b"two"], self.damaged(lambda log: log.truncate(log.seek(0, 2) - 10)))

    def test_zeros_behind_the_last_batch(self):
        self.assertEqual([b"one", b"two", b"three"], self.damaged(lambda log: (log.seek(0, 2), log.write(bytes(4096)))))

    def test_a_flipped_bit_in_the_last_batch(self):
        def flip(log):
            at = log.seek(-3, 2)
            byte = log.read(1)
            log.seek(at)
            log.write(bytes([byte[0] ^ 4]))
        self.assertEqual([b"one", b"two"], self.damaged(flip))

    def test_indexes_that_are_gone_or_nonsense(self):
        topic = self.topic()
        with self.broker.connect() as connection:
            self.produce(connection, topic, b"one")
        for end in (self.broker.stop, self.broker.kill):
            end()
            folder = os.path.join(self.broker.data, topic + "-0")
            for name in os.listdir(folder):
                if name.endswith("index"):
                    with open(os.path.join(folder, name), "wb") as index:
                        index.write(b"\xff" * 24)
            self.broker.start()
            with self.broker.connect() as connection:
                self.assertEqual([b"one"], self.read(connection, topic))


if __name__ == "__main__":
    harness.main()
