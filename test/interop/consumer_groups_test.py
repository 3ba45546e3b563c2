#!/usr/bin/python3
"""Consumer groups of the new protocol (group.protocol=consumer): Apache Kafka's own Java consumer, version 4.3.1, against
one broker. Members come, go, are killed and come back, and so does the broker: each record is processed, and nothing is
passed over. What kafka-consumer-groups.sh makes of such groups: consumer_groups_tool_test.py.
"""
import collections
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import groups  # noqa: E402
import harness  # noqa: E402

SECONDS = groups.SECONDS
LATER = (14, 15, 16)  # the coordinator is loading, not there yet, or elsewhere


class Members:
    """A JVM with members of one group in it."""

    def __init__(self, test, group):
        self.test, self.group = test, group
        self.host = groups.java_host(CLASSES, test.events)
        self.command, self.close, self.kill = self.host.command, self.host.close, self.host.kill
        test.addCleanup(self.kill)

    def start(self, name, how, what, **config):
        self.host.start(name, how, what, **{
            "bootstrap.servers": self.test.broker.address, "group.id": self.group, "group.protocol": "consumer",
            "client.id": name, **groups.QUICK, **{k.replace("_", "."): v for k, v in config.items()}})


class ConsumerGroups(groups.GroupTest):
    CONFIG = {"group.consumer.min.heartbeat.interval.ms": "100", "group.consumer.heartbeat.interval.ms": "200",
              "group.consumer.min.session.timeout.ms": "1000", "group.consumer.session.timeout.ms": "8000",
              "group.consumer.assignment.interval.ms": "0"}

    def group(self):
        return "group-" + self._testMethodName.replace("_", "-")

    def all_processed(self):
        """Waits until every record that was produced was processed; and none was passed over on the way."""
        self.until_processed()
        reached = collections.Counter()
        for words in self.events.list:
            if words[1] == "got":
                place, offset = (words[2], int(words[3])), int(words[4])
                self.assertLessEqual(offset, reached[place], "passed over: " + " ".join(words))
                reached[place] = max(reached[place], offset + 1)

    # ---- members

    def test_members_come_and_go(self):
        topic = self.topic(partitions=6)
        members = Members(self, self.group())
        members.start("a", "names", topic)
        self.until_owners(self.places(topic, 6), "a")
        self.produce(topic, 6)
        members.start("b", "names", topic)
        has = self.until_owners(self.places(topic, 6), "a", "b")
        self.assertEqual([3, 3], sorted(map(len, has.values())))
        members.start("c", "names", topic)
        has = self.until_owners(self.places(topic, 6), "a", "b", "c")
        self.assertEqual([2, 2, 2], sorted(map(len, has.values())))
        self.produce(topic, 6)
        members.close("b")
        self.until_owners(self.places(topic, 6), "a", "c")
        self.produce(topic, 6)
        self.all_processed()
        self.assertEqual([], [words for words in self.events.list if words[1] in ("failed", "lost")])

    def test_topics_that_grow_and_come_by_an_expression(self):
        one = self.topic(partitions=2)
        prefix = one.split("-")[0]
        members = Members(self, self.group())
        members.start("a", "regex", prefix + "-.*")
        members.start("b", "regex", prefix + "-.*")
        self.produce(one, 2)
        self.until_owners(self.places(one, 2), "a", "b")
        with self.broker.connect(30) as connection:
            grown = connection.call("CreatePartitions", 3, timeoutMs=30000, topics=[
                {"name": one, "count": 4, "assignments": None}])
            self.assertEqual(0, grown["results"][0]["errorCode"])
        self.until_owners(self.places(one, 4), "a", "b")
        other = self.topic(partitions=3)  # found when the expression is looked at again, ten seconds after the last time
        self.until_owners(self.places(one, 4) + self.places(other, 3), "a", "b")
        self.produce(one, 4)
        self.produce(other, 3)
        self.all_processed()
        members.command("regex", "a", other + ".*")
        self.events.until(lambda _: all(place.startswith(other) for place in self.events.owners()["a"]), "a has the other")
        self.until_owners(self.places(one, 4) + self.places(other, 3), "a", "b")

    def test_a_member_that_is_killed(self):
        topic = self.topic(partitions=4)
        here, there = Members(self, self.group()), Members(self, self.group())
        here.start("a", "names", topic)
        there.start("b", "names", topic)
        self.produce(topic, 4)
        self.until_owners(self.places(topic, 4), "a", "b")
        there.kill()
        self.produce(topic, 4)
        self.until_owners(self.places(topic, 4), "a")  # when the session of the other has ended
        self.produce(topic, 4)
        self.all_processed()

    def test_static_members_roll(self):
        topic = self.topic(partitions=4)
        members = Members(self, self.group())
        for name in ("a", "b"):
            members.start(name, "names", topic, group_instance_id="instance-" + name)
        before = self.until_owners(self.places(topic, 4), "a", "b")
        for name in ("a", "b"):
            self.produce(topic, 4)
            members.close(name)
            members.start(name, "names", topic, group_instance_id="instance-" + name)
            self.assertEqual(before, self.until_owners(self.places(topic, 4), "a", "b"), "each has what it had")
        self.produce(topic, 4)
        self.all_processed()

    def test_a_broker_that_is_killed_and_comes_back(self):
        topic = self.topic(partitions=4)
        members = Members(self, self.group())
        for name in ("a", "b", "c"):
            members.start(name, "names", topic)
        self.until_owners(self.places(topic, 4), "a", "b", "c")
        for _ in range(3):
            self.produce(topic, 4)
            self.broker.kill()
            self.broker.start()
            self.produce(topic, 4)
        self.all_processed()
        self.until_owners(self.places(topic, 4), "a", "b", "c")
        self.assertEqual([], [words for words in self.events.list if words[1] == "lost"], "nobody lost its place")

    def test_range(self):
        topic = self.topic(partitions=4)
        members = Members(self, self.group())
        for name in ("a", "b"):
            members.start(name, "names", topic, group_remote_assignor="range")
        has = self.until_owners(self.places(topic, 4), "a", "b")
        self.assertEqual([set(self.places(topic, 4)[:2]), set(self.places(topic, 4)[2:])],
                         sorted(has.values(), key=sorted))

    def test_members_move_to_the_new_protocol_and_back(self):
        """One after the other, while records come; static members among them."""
        topic = self.topic(partitions=6)
        members, group = Members(self, self.group()), self.group()
        names = ("a", "b", "c")
        instance = {"c": {"group_instance_id": "instance-c"}}
        config = {"classic": {"group_protocol": "classic", "heartbeat_interval_ms": "200"}, "consumer": {}}

        def group_type():
            with self.broker.connect(30) as connection:
                answer = connection.call("ListGroups", 5, statesFilter=[], typesFilter=[])
            return [g["groupType"] for g in answer["groups"] if g["groupId"] == group]

        for name in names:
            members.start(name, "names", topic, **config["classic"], **instance.get(name, {}))
        self.until_owners(self.places(topic, 6), *names)
        self.assertEqual(["classic"], group_type())
        for protocol_name in ("consumer", "classic", "consumer"):
            for name in names:
                self.produce(topic, 6)
                members.close(name)
                members.start(name, "names", topic, **config[protocol_name], **instance.get(name, {}))
                self.until_owners(self.places(topic, 6), *names)
            self.events.until(lambda _: all(len(mine) == 2 for mine in self.events.owners().values()), "each has two")
            self.assertEqual([protocol_name], group_type())
        self.produce(topic, 6)
        self.all_processed()
        self.assertEqual([], [words for words in self.events.list if words[1] == "failed"])

    # ---- what is refused, as clients see it

    def beat(self, version=1, **values):
        values = {"groupId": "refused", "memberId": "m", "memberEpoch": 0, "instanceId": None, "rackId": None,
                  "rebalanceTimeoutMs": 10000, "subscribedTopicNames": [], "serverAssignor": None,
                  "topicPartitions": [], **values}
        if version > 0:
            values.setdefault("subscribedTopicRegex", None)

        def ask(connection):
            connection.call("FindCoordinator", 4, keyType=0, coordinatorKeys=["g"])  # makes __consumer_offsets
            deadline = time.monotonic() + SECONDS
            while True:
                answer = connection.call("ConsumerGroupHeartbeat", version, **values)
                if answer["errorCode"] not in LATER or time.monotonic() > deadline:
                    return answer
                time.sleep(0.05)
        with self.broker.connect(30) as connection:
            return ask(connection)

    def test_what_is_refused(self):
        somewhere = [{"topicId": "AAAAAAAAAAAAAAAAAAAABA", "partitions": [0]}]
        members = Members(self, "refused")
        members.start("a", "names", self.topic(), group_instance_id="taken")
        self.events.until(lambda e: any(w[:2] == ["a", "has"] for w in e), "a is in")
        for error, message, version, values in (
                (42, "MemberId can't be empty.", 1, {"memberId": ""}),
                (42, "MemberId can't be empty.", 0, {"memberId": " ", "memberEpoch": -1}),
                (0, None, 0, {"memberId": ""}),
                (42, "GroupId can't be empty.", 1, {"groupId": " "}),
                (42, "InstanceId can't be empty.", 1, {"instanceId": ""}),
                (42, "RackId can't be empty.", 1, {"rackId": ""}),
                (42, "RebalanceTimeoutMs must be provided in first request.", 1, {"rebalanceTimeoutMs": -1}),
                (42, "TopicPartitions must be empty when (re-)joining.", 1, {"topicPartitions": None}),
                (42, "TopicPartitions must be empty when (re-)joining.", 1, {"topicPartitions": somewhere}),
                (42, "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.", 1,
                 {"subscribedTopicNames": None}),
                (42, "InstanceId can't be null.", 1, {"memberEpoch": -2}),
                (42, "MemberEpoch is invalid.", 1, {"memberEpoch": -3}),
                (112, "ServerAssignor é is not supported. Supported assignors: uniform, range.", 1,
                 {"serverAssignor": "é"}),
                (69, "Consumer group nobody not found.", 1, {"groupId": "nobody", "memberEpoch": 1}),
                (25, "Member nobody is not a member of group refused.", 1, {"memberId": "nobody", "memberEpoch": 1}),
                (25, "Member nobody is not a member of group refused.", 1, {"memberId": "nobody", "memberEpoch": -1}),
                (111, None, 1, {"memberId": "other", "instanceId": "taken"}),
                (82, None, 1, {"memberId": "other", "instanceId": "taken", "memberEpoch": 7}),
                (128, None, 1, {"memberId": "expression", "subscribedTopicRegex": "["})):
            with self.subTest(error=error, **values):
                answer = self.beat(version, **values)
                self.assertEqual(error, answer["errorCode"], answer)
                if message:
                    self.assertEqual(message, answer["errorMessage"])

    def test_offsets_go_by_the_members_epoch(self):
        topic = self.topic()
        group = self.group()
        joined = self.beat(groupId=group, memberId="m", subscribedTopicNames=[topic])
        epoch = joined["memberEpoch"]
        with self.broker.connect(30) as connection:
            def commit(version, epoch, member="m"):
                answer = connection.call("OffsetCommit", version, groupId=group, generationIdOrMemberEpoch=epoch,
                                         memberId=member, groupInstanceId=None, topics=[{"name": topic, "partitions": [
                                             {"partitionIndex": 0, "committedOffset": 5, "committedLeaderEpoch": -1,
                                              "committedMetadata": ""}]}])
                return answer["topics"][0]["partitions"][0]["errorCode"]

            def fetch(version, epoch, member="m"):
                answer = connection.call("OffsetFetch", version, requireStable=True, groups=[
                    {"groupId": group, "memberId": member, "memberEpoch": epoch, "topics": [
                        {"name": topic, "partitionIndexes": [0]}]}])["groups"][0]
                return answer["errorCode"] or answer["topics"][0]["partitions"][0]["committedOffset"]

            self.assertEqual((0, 113, 25, 25), (commit(9, epoch), commit(9, epoch + 1), commit(9, epoch, "other"),
                                                commit(9, -1, "")))
            self.assertEqual((35, 35), (commit(8, epoch + 1), commit(8, 0)))
            self.assertEqual((5, 113, 25, 5), (fetch(9, epoch), fetch(9, epoch + 1), fetch(9, epoch, "other"),
                                               fetch(9, -1, None)))
            deleted = connection.call("OffsetDelete", 0, groupId=group, topics=[
                {"name": topic, "partitions": [{"partitionIndex": 0}]}])
            self.assertEqual((0, 86), (deleted["errorCode"], deleted["topics"][0]["partitions"][0]["errorCode"]))
            self.assertEqual(-1, self.beat(groupId=group, memberId="m", memberEpoch=-1)["memberEpoch"])
            self.assertEqual((0, 25), (commit(9, -1, ""), commit(9, epoch)))

    def test_what_describe_says_of_groups_that_are_none(self):
        self.beat(groupId="consumers", memberId="m")
        with self.broker.connect(30) as connection:
            answer = connection.call("ConsumerGroupDescribe", 1, groupIds=["none", "", "consumers"],
                                     includeAuthorizedOperations=True)
        found = {group["groupId"]: group for group in answer["groups"]}
        self.assertEqual((69, "Group none not found."), (found["none"]["errorCode"], found["none"]["errorMessage"]))
        self.assertEqual((24, None), (found[""]["errorCode"], found[""]["errorMessage"]))
        described = found["consumers"]
        self.assertEqual((0, "Stable", "uniform", ["m"]), (
            described["errorCode"], described["groupState"], described["assignorName"],
            [member["memberId"] for member in described["members"]]))
        self.assertEqual((328, 1), (described["authorizedOperations"] & 328, described["members"][0]["memberType"]))

    def refuses_the_protocol(self, broker):
        with broker, broker.connect(30) as connection:
            answer = connection.call("ConsumerGroupHeartbeat", 1, groupId="g", memberId="m", memberEpoch=0, instanceId=None,
                                     rackId=None, rebalanceTimeoutMs=1, subscribedTopicNames=[], serverAssignor=None,
                                     subscribedTopicRegex=None, topicPartitions=[])
            self.assertEqual((35, None), (answer["errorCode"], answer["errorMessage"]))
            answer = connection.call("ConsumerGroupDescribe", 1, groupIds=["g"], includeAuthorizedOperations=False)
            self.assertEqual([("g", 35)], [(group["groupId"], group["errorCode"]) for group in answer["groups"]])

    def test_without_the_protocol(self):
        self.refuses_the_protocol(harness.Broker({"group.coordinator.rebalance.protocols": "classic"}))

    def test_a_directory_that_has_not_finalized_it(self):
        broker = harness.Broker()
        broker.write_properties()
        subprocess.run(harness.oracle_java(CLASSES, *harness.QUICK_JVM) + [
            "kafka.tools.StorageTool", "format", "-t", "MMvRdwH_R1O3ixIh1-EdSw", "-c", broker.properties,
            "--feature", "group.version=0"], check=True, capture_output=True)
        self.refuses_the_protocol(broker)


if __name__ == "__main__":
    CLASSES = harness.ORACLE or harness.need_apache_kafka()
    harness.main()
