#!/usr/bin/python3
"""Wrong requests about groups, and the error codes of their answers, which are Apache Kafka's: the table is
lib/group_cases.py. It is asked of this broker, and of Apache Kafka itself where it can be had.
"""
import base64
import os
import random
import struct
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import group_cases  # noqa: E402
import harness  # noqa: E402
import protocol  # noqa: E402
import served  # noqa: E402

LATER = (14, 15, 16)  # the coordinator is loading, not there yet, or elsewhere


def text_of(data):
    return base64.b64encode(data).decode()


def versioned(name, version, **values):
    return text_of(struct.pack(">h", version) + protocol.encode(name, version, values))


class World:
    """Groups of every kind, for requests to be wrong about."""

    def __init__(self, broker, connection):
        self.connection = connection
        tail = "-%d" % random.getrandbits(32)
        self.topic, self.other_topic, self.no_topic = "topic" + tail, "other" + tail, "none" + tail
        self.topic_id = broker.create_topic(self.topic, 3)
        broker.create_topic(self.other_topic, 1)
        self.no_topic_id = "AAECAwQFBgcICQoLDA0ODw"
        self.subscription = versioned("ConsumerProtocolSubscription", 3, topics=[self.topic])
        self.wait_for_coordinators(tail)
        self.classic, self.member = "classic" + tail, self.join("classic" + tail)
        self.sync(self.classic, self.member)
        self.static, self.instance = "static" + tail, "instance"
        self.sync(self.static, self.join(self.static, instance=self.instance))
        self.completing = "completing" + tail
        self.completing_member = self.join(self.completing)
        self.connect = "connect" + tail
        self.sync(self.connect, self.join(self.connect, kind="connect"), "connect")
        self.preparing = "preparing" + tail
        self.preparing_member = self.join(self.preparing)
        self.sync(self.preparing, self.preparing_member)
        self.waiting = broker.connect(60)
        self.waiting.start("JoinGroup", 3, **self.joining(self.preparing))
        served.eventually(lambda: self.is_preparing() or self.fail())
        self.empty = "empty" + tail
        left = self.join(self.empty)
        self.ask("LeaveGroup", 5, groupId=self.empty, members=[{"memberId": left}])
        self.simple = "simple" + tail
        self.ask("OffsetCommit", 9, groupId=self.simple, topics=[{"name": self.topic, "partitions": [
            {"partitionIndex": 0, "committedOffset": 1}]}])
        self.consumer, self.consumer_member, self.consumer_instance = "consumer" + tail, "c1", "instance"
        self.beat("c1")
        self.beat("c2", instanceId=self.consumer_instance)
        served.eventually(self.consumers_settle)

    @property
    def nothing(self):
        """A group that is not there. Each time another: Apache Kafka makes some of those that it refuses."""
        return "nothing-%d" % random.getrandbits(62)

    def fail(self):
        raise AssertionError("the group does not rebalance")

    def close(self):
        self.waiting.close()

    def ask(self, api, version, **values):
        """Until a coordinator answers."""
        def asked():
            answer = self.connection.call(api, version, **values)
            codes = set(error_codes(answer))
            assert not codes & set(LATER), (api, codes)
            assert codes <= {0}, (api, answer)
            return answer
        return served.eventually(asked)

    def wait_for_coordinators(self, tail):
        for group in [""] + ["warm-%d%s" % (i, tail) for i in range(32)]:
            def found(name=group):
                self.connection.call("FindCoordinator", 4, keyType=0, coordinatorKeys=[name])
                answer = self.connection.call("Heartbeat", 4, groupId=name, memberId="x")
                assert answer["errorCode"] not in LATER
            served.eventually(found)

    def joining(self, group, kind="consumer"):
        return {"groupId": group, "sessionTimeoutMs": 300000, "rebalanceTimeoutMs": 300000, "memberId": "",
                "protocolType": kind, "protocols": [{"name": "range", "metadata": self.subscription}]}

    def join(self, group, kind="consumer", instance=None):
        """At a version without member ids that are given out first; with an instance id, at one that has those."""
        values = self.joining(group, kind)
        if instance is not None:
            values["groupInstanceId"] = instance
        return self.ask("JoinGroup", 3 if instance is None else 9, **values)["memberId"]

    def sync(self, group, member, kind="consumer"):
        assigned = versioned("ConsumerProtocolAssignment", 3, assignedPartitions=[
            {"topic": self.topic, "partitions": [0, 1, 2]}])
        self.ask("SyncGroup", 5, groupId=group, generationId=1, memberId=member, protocolType=kind, protocolName="range",
                 assignments=[{"memberId": member, "assignment": assigned}])

    def is_preparing(self):
        described = self.ask("DescribeGroups", 5, groups=[self.preparing])["groups"][0]
        return described["groupState"] == "PreparingRebalance"

    def beat(self, member, epoch=0, has=(), **values):
        answer = self.ask("ConsumerGroupHeartbeat", 1, **{
            "groupId": self.consumer, "memberId": member, "memberEpoch": epoch, "rebalanceTimeoutMs": 300000,
            "subscribedTopicNames": [self.topic], "topicPartitions": [
                {"topicId": self.topic_id, "partitions": list(has)}] if has else [], **values})
        if answer["assignment"] is not None:
            self.has = getattr(self, "has", {})
            self.has[member] = [p for t in answer["assignment"]["topicPartitions"] for p in t["partitions"]]
        self.epochs = getattr(self, "epochs", {}) | {member: answer["memberEpoch"]}
        return answer

    def consumers_settle(self):
        self.beat("c1", self.epochs["c1"], self.has["c1"])
        self.beat("c2", self.epochs["c2"], self.has["c2"], instanceId=self.consumer_instance)
        assert sorted(self.has["c1"] + self.has["c2"]) == [0, 1, 2] and len(set(self.epochs.values())) == 1
        self.epoch = self.epochs["c1"]

    def fill(self, value):
        if isinstance(value, str) and value.startswith("@"):
            return getattr(self, value[1:])
        if isinstance(value, dict):
            return {key: self.fill(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.fill(inner) for inner in value]
        return value


def error_codes(answer):
    """All that are in an answer, at every depth, ascending."""
    if isinstance(answer, dict):
        own = [answer["errorCode"]] if "errorCode" in answer else []
        return sorted(own + [code for value in answer.values() for code in error_codes(value)])
    if isinstance(answer, list):
        return sorted(code for value in answer for code in error_codes(value))
    return []


class Table:
    """Asks for every line of the table; what the answers are."""

    def __init__(self, broker):
        self.broker = broker

    def answers(self):
        with self.broker.connect(60) as connection:
            world = World(self.broker, connection)
            try:
                return [(case, self.answer(world, *case[:4])) for case in group_cases.CASES]
            finally:
                world.close()

    def answer(self, world, api, version, what, changes):
        schema = protocol.message(api + "Request")
        known = {f.json for f in schema.fields if protocol.kmsg.has(f.versions, version)}
        values = {k: v for k, v in (group_cases.BASES[api] | changes).items() if k in known}
        with self.broker.connect(60) as connection:  # one of its own: some of them close it
            try:
                return error_codes(connection.call(api, version, **world.fill(values)))
            except (protocol.NoAnswer, ConnectionError):
                return group_cases.CLOSED


class GroupErrors(harness.BrokerTest):
    CONFIG = {"group.initial.rebalance.delay.ms": "0", "group.consumer.assignment.interval.ms": "0",
              "group.consumer.min.heartbeat.interval.ms": "100", "group.consumer.heartbeat.interval.ms": "200"}

    def test_error_codes_are_those_of_the_table(self):
        compare(self, Table(self.broker).answers(), 1 if not harness.ORACLE else 0)


class OnApacheKafka(unittest.TestCase):
    @unittest.skipIf(harness.ORACLE, "the other test asks it")
    def test_error_codes_are_those_of_the_table(self):
        try:
            folder = harness.need_apache_kafka()
        except SystemExit:
            self.skipTest("no Apache Kafka")
        with harness.Broker(GroupErrors.CONFIG, oracle=folder) as broker:
            compare(self, Table(broker).answers(), 0)


def compare(test, answers, whose):
    wrong = []
    for (api, version, what, _, expected), answer in answers:
        if isinstance(expected, tuple):
            expected = expected[whose]
        if answer != expected:
            wrong.append("%s v%d, %s: %s instead of %s" % (api, version, what, answer, expected))
    test.assertEqual([], wrong, "\n" + "\n".join(wrong))


if __name__ == "__main__":
    harness.main()
