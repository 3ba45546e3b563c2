#!/usr/bin/python3
"""Consumer groups of the new protocol as librdkafka speaks it: members come and go, and outlive the broker."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import harness  # noqa: E402

fetched = subprocess.run([os.path.join(os.path.dirname(os.path.abspath(__file__)), "python", "fetch")],
                         capture_output=True, text=True, check=False)
if fetched.returncode != 0:
    harness.skip(fetched.stderr.strip())
sys.path.insert(0, fetched.stdout.strip())
import confluent_kafka  # noqa: E402

SECONDS = 60


class Member:
    """Commits what it has read, at once."""

    def __init__(self, test, group, topic):
        self.read = {}  # (partition, offset): value
        self.consumer = confluent_kafka.Consumer({
            "bootstrap.servers": test.broker.address, "group.id": group, "group.protocol": "consumer",
            "auto.offset.reset": "earliest", "enable.auto.commit": False, "fetch.wait.max.ms": 50, "log_level": 2,
            "reconnect.backoff.max.ms": 200})
        self.consumer.subscribe([topic])

    def turn(self):
        message = self.consumer.poll(0.05)
        if message is None or message.error():
            return
        self.read[message.partition(), message.offset()] = message.value()
        try:
            self.consumer.commit(message, asynchronous=False)
        except confluent_kafka.KafkaException:
            pass  # read again by whoever has the partition then

    def has(self):
        return sorted(p.partition for p in self.consumer.assignment())


class Groups(harness.BrokerTest):
    CONFIG = {"group.consumer.min.heartbeat.interval.ms": "100", "group.consumer.heartbeat.interval.ms": "200",
              "group.consumer.min.session.timeout.ms": "1000", "group.consumer.session.timeout.ms": "8000",
              "group.consumer.assignment.interval.ms": "0"}

    def produce(self, topic, count):
        producer = confluent_kafka.Producer({"bootstrap.servers": self.broker.address, "log_level": 2})
        for i in range(count):
            producer.produce(topic, b"%d" % i, partition=i % 4)
        self.assertEqual(0, producer.flush(SECONDS))

    def turn_until(self, members, holds):
        deadline = time.monotonic() + SECONDS
        while not holds():
            for member in members:
                member.turn()
            self.assertLess(time.monotonic(), deadline, [member.has() for member in members])

    def test_members_share_what_there_is(self):
        topic = self.topic(partitions=4)
        members = [Member(self, "shared", topic)]
        self.turn_until(members, lambda: members[0].has() == [0, 1, 2, 3])
        self.produce(topic, 100)
        members.append(Member(self, "shared", topic))
        self.turn_until(members, lambda: [len(member.has()) for member in members] == [2, 2])
        self.produce(topic, 100)
        read = lambda: len({place for member in members for place in member.read})  # noqa: E731
        self.turn_until(members, lambda: read() == 200)
        self.broker.kill()
        self.broker.start()
        self.produce(topic, 100)
        self.turn_until(members, lambda: read() == 300)
        gone = members.pop()
        before = set(gone.read)
        gone.consumer.close()
        self.turn_until(members, lambda: members[0].has() == [0, 1, 2, 3])
        self.produce(topic, 100)
        self.turn_until(members, lambda: len(before | set(members[0].read)) == 400)
        members[0].consumer.close()


if __name__ == "__main__":
    harness.main()
