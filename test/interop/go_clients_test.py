#!/usr/bin/python3
"""Go's clients: franz-go as members of groups of both protocols, one of which is killed, and a round of administration through
its kadm and through Sarama. What the program of go/ says is looked at here; the same holds against Apache Kafka.
"""
import collections
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import harness  # noqa: E402

fetched = subprocess.run([os.path.join(os.path.dirname(os.path.abspath(__file__)), "go", "fetch")],
                         capture_output=True, text=True, check=False)
if fetched.returncode != 0:
    harness.skip(fetched.stderr.strip())
CLIENTS = os.path.join(fetched.stdout.strip(), "clients")
SECONDS = 90

KADM = """\
create bad name: INVALID_TOPIC_EXCEPTION -1 -1
create franz: fine 3 1
create again: franz TOPIC_ALREADY_EXISTS
validate: fine 2
partitions: fine
ends: 4 100
delete records: 0 fine 5
commit: 0 fine
committed: 0 5 fine
lag: franz-group Empty 95 fine
lag: no-such-group Dead 0 GROUP_ID_NOT_FOUND
group: franz-group Empty
delete group: franz-group fine
delete group: no-such-group GROUP_ID_NOT_FOUND
alter: franz fine
alter: no-such-topic UNKNOWN_TOPIC_OR_PARTITION
config: cleanup.policy delete,compact DYNAMIC_TOPIC_CONFIG
config: retention.ms 600000 DYNAMIC_TOPIC_CONFIG
user: franz fine
user: franz fine [SCRAM-SHA-256=iterations=4096]
user: nobody RESOURCE_NOT_FOUND []
delete: franz fine
delete: no-such-topic UNKNOWN_TOPIC_OR_PARTITION
"""

# Errors and sources as numbers and words of Sarama's.
SARAMA = """\
create: fine
create again: 36
create bad name: 17
validate: fine
partitions: fine
fewer partitions: 37
topic sarama: 4 1 600000
describe no-such-topic: 3 0
describe sarama: 0 4
cluster: 1 1
delete records: fine
alter incrementally: fine
alter: fine
config: cleanup.policy delete Default
config: retention.ms 604800000 Default
config: segment.ms 600000 Topic
groups: 0
delete group: 69
user: sarama 0
directories: 1 0
quota: fine
quota: map[producer_byte_rate:1e+09]
delete: fine
delete again: 3
"""


class Member:
    """A member as a process of its own."""

    def __init__(self, test, group, topic, protocol):
        self.process = harness.Process([CLIENTS, "member", test.broker.address, group, topic, protocol], stdin=subprocess.PIPE)
        test.addCleanup(self.process.end)

    def lines(self, word):
        return [line.split(None, 3)[1:] for line in self.process.output().splitlines() if line.startswith(word + " ")]

    def read(self):
        """(partition, offset, value) of each record that it processed."""
        return [(int(partition), int(offset), value) for partition, offset, value in self.lines("read")]

    def has(self):
        """The partitions that it owns by what it said."""
        owned = set()
        for line in self.process.output().splitlines():
            word, _, rest = line.partition(" ")
            partitions = {int(p) for p in rest.strip("[]").split()} if word in ("assigned", "revoked") else set()
            owned = owned | partitions if word == "assigned" else owned - partitions
        return owned

    def leave(self):
        self.process.process.stdin.close()
        self.process.wait_for_line("^closed$", SECONDS)
        self.process.wait(SECONDS)


class GoClients(harness.BrokerTest):
    CONFIG = {"group.consumer.min.heartbeat.interval.ms": "100", "group.consumer.heartbeat.interval.ms": "200",
              "group.consumer.min.session.timeout.ms": "1000", "group.consumer.session.timeout.ms": "6000"}

    def until(self, holds, what):
        deadline = time.monotonic() + SECONDS
        while not holds():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.05)

    def produce(self, topic, first, count):
        harness.run([CLIENTS, "produce", self.broker.address, topic, str(first), str(count)], seconds=SECONDS)

    def share(self, members, partitions):
        """Each partition is owned by one of them, and each of them owns some."""
        owned = collections.Counter(p for member in members for p in member.has())
        return all(member.has() for member in members) and owned == collections.Counter(range(partitions))

    def every_record_is_processed(self, protocol):
        topic = self.topic(partitions=6)
        group = "group-" + topic
        self.produce(topic, 0, 600)
        first, second = Member(self, group, topic, protocol), Member(self, group, topic, protocol)
        self.until(lambda: self.share([first, second], 6), "two members do not share the partitions")
        self.produce(topic, 600, 600)
        third = Member(self, group, topic, protocol)
        self.until(lambda: self.share([first, second, third], 6), "three members do not share the partitions")
        self.until(lambda: third.read() or second.read(), "nothing is read")
        second.process.signal(9)
        self.produce(topic, 1200, 600)
        self.until(lambda: self.share([first, third], 6), "the partitions of the one that was killed stay its own")
        read = lambda: [r for member in (first, second, third) for r in member.read()]  # noqa: E731
        self.until(lambda: len({value for _, _, value in read()}) == 1800, "not every record was processed")
        self.assertEqual({str(i) for i in range(1800)}, {value for _, _, value in read()})
        self.assertEqual(1800, len({(partition, offset) for partition, offset, _ in read()}))
        # Only what the one that was killed had not committed was processed twice.
        twice = [r for r, times in collections.Counter(read()).items() if times > 1]
        self.assertLessEqual(len(twice), 20, twice)
        self.assertFalse(set(first.read()) & set(third.read()))
        first.leave()
        third.leave()
        with self.broker.connect() as connection:
            answer = connection.call("OffsetFetch", 8, requireStable=True, groups=[{"groupId": group, "topics": None}])
        committed = [p["committedOffset"] for t in answer["groups"][0]["topics"] for p in t["partitions"]]
        self.assertEqual(1800, sum(committed))

    def test_members_of_the_classic_protocol(self):
        self.every_record_is_processed("classic")

    def test_members_of_the_new_protocol(self):
        self.every_record_is_processed("consumer")

    def round(self, client):
        with harness.Broker(self.CONFIG) as broker:  # one where nothing else is
            return harness.run([CLIENTS, client, broker.address], seconds=SECONDS).stdout

    def test_a_round_through_kadm(self):
        self.assertEqual(KADM, self.round("kadm"))

    def test_a_round_through_sarama(self):
        self.assertEqual(SARAMA, self.round("sarama"))


if __name__ == "__main__":
    harness.main()
