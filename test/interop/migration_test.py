#!/usr/bin/python3
"""A group that moves from the classic protocol to the consumer protocol and back (KIP-848), request by request: what each
is answered and what the group looks like, compared line by line with what Apache Kafka 4.3.1 said (migration.txt). Asked of
this broker, and of Apache Kafka itself where it can be had.

In migration.txt a line that begins with "kafka|" is Apache Kafka's, and the one below, "ours|", what this broker says
instead, on purpose (see src/group/README.md).
"""
import base64
import os
import random
import struct
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "lib"))
import harness  # noqa: E402
import kmsg  # noqa: E402
import protocol  # noqa: E402
import served  # noqa: E402

CONFIG = {"group.initial.rebalance.delay.ms": "0", "group.consumer.assignment.interval.ms": "0"}
LATER = (14, 15, 16)  # the coordinator is loading, not there yet, or elsewhere
ALL = {"t": [0, 1, 2, 3, 4, 5]}


def text_of(data):
    return base64.b64encode(data).decode()


def subscription(topics, owned=None, version=3):
    values = {"topics": topics}
    if version >= 1:
        values["ownedPartitions"] = [{"topic": t, "partitions": p} for t, p in (owned or {}).items()]
    return struct.pack(">h", version) + protocol.encode("ConsumerProtocolSubscription", version, values)


def assignment(partitions, version=3, user_data=None):
    return struct.pack(">h", version) + protocol.encode("ConsumerProtocolAssignment", version, {
        "assignedPartitions": [{"topic": t, "partitions": p} for t, p in partitions.items()],
        "userData": None if user_data is None else text_of(user_data)})


def shown(text, numbers=sorted):
    """The bytes of an assignment, in base64, for people. numbers: what to make of the partitions of a topic."""
    data = base64.b64decode(text)
    if not data:
        return "(none)"
    version = struct.unpack(">h", data[:2])[0]
    schema, reader = protocol.message("ConsumerProtocolAssignment"), kmsg.Reader(data[2:])
    read = kmsg.dec_struct(reader, schema, schema, version)
    assert reader.p == len(reader.d)
    return "v%d %s %s" % (version, sorted((t["topic"], numbers(t["partitions"])) for t in read["assignedPartitions"]),
                          read["userData"])


def some(_):
    return "some"


class Transcript:
    """Asks, and notes the answers. Member ids that the broker made are M1, M2, … in the order of coming."""

    def __init__(self, broker):
        self.broker, self.lines, self.names = broker, [], {}
        self.numbers = sorted  # of the partitions that a member has: which; with len how many; or some
        self.prefix = "g%d-" % random.getrandbits(40)
        self.connection, self.other = broker.connect(60), broker.connect(60)
        self.topics = {name: broker.create_topic(name, count) for name, count in (("t", 6), ("u", 2))}
        self.by_id = {topic_id: name for name, topic_id in self.topics.items()}
        self.connection.call("FindCoordinator", 4, keyType=0, coordinatorKeys=["g"])  # makes the topic of the groups

    def close(self):
        self.connection.close()
        self.other.close()

    def note(self, *words):
        self.lines.append(" ".join(str(word) for word in words).replace(self.prefix, "").rstrip())

    def title(self, text):
        self.note("==", text)

    def name(self, member):
        return repr(member) if not member else self.names.setdefault(member, "M%d" % (len(self.names) + 1))

    def ask(self, api, version, **values):
        """Again while there is no coordinator; not when nothing is in doubt but the answer."""
        def asked():
            answer = self.connection.call(api, version, **values)
            assert answer.get("errorCode") not in LATER
            return answer
        return served.eventually(asked)

    # ── the classic protocol

    def joining(self, group, member, version, instance, metadata, kind, protocols):
        values = {"groupId": self.prefix + group, "sessionTimeoutMs": 300000, "rebalanceTimeoutMs": 300000,
                  "memberId": member, "protocolType": kind, "protocols": protocols if protocols is not None else [
                      {"name": "range", "metadata": text_of(metadata or subscription(["t"]))}]}
        return values | ({"groupInstanceId": instance} if version >= 5 else {})

    def join(self, label, group, member="", version=9, instance=None, metadata=None, kind="consumer", protocols=None):
        return self.joined(label, self.ask("JoinGroup", version, **self.joining(
            group, member, version, instance, metadata, kind, protocols)))

    def join_aside(self, group, version=9, instance=None):
        """Whose answer comes later: on the other connection."""
        self.other.start("JoinGroup", version, **self.joining(group, "", version, instance, None, "consumer", None))

    def joined_aside(self, label, version=9):
        return self.joined(label, self.other.finish("JoinGroup", version)[1])

    def joined(self, label, answer):
        self.note(label, "join", answer["errorCode"], "gen", answer["generationId"], answer.get("protocolType"),
                  answer["protocolName"], "leader", self.name(answer["leader"]), "member", self.name(answer["memberId"]),
                  "n", len(answer["members"]), "skip", answer.get("skipAssignment"))
        return answer

    def sync(self, label, group, member, generation, assignments=(), instance=None, kind="consumer", name="range",
             version=5):
        values = {"groupId": self.prefix + group, "generationId": generation, "memberId": member,
                  "groupInstanceId": instance,
                  "assignments": [{"memberId": m, "assignment": text_of(a)} for m, a in assignments]}
        if version >= 5:
            values |= {"protocolType": kind, "protocolName": name}
        answer = self.connection.call("SyncGroup", version, **values)
        self.note(label, "sync", answer["errorCode"], answer.get("protocolType"), answer.get("protocolName"),
                  shown(answer["assignment"], self.numbers))

    def beat(self, label, group, member, generation, instance=None):
        answer = self.connection.call("Heartbeat", 4, groupId=self.prefix + group, generationId=generation,
                                      memberId=member, groupInstanceId=instance)
        self.note(label, "beat", answer["errorCode"])
        return answer["errorCode"]

    def leave(self, label, group, members):
        answer = self.connection.call("LeaveGroup", 5, groupId=self.prefix + group, members=[
            {"memberId": m, "groupInstanceId": i} for m, i in members])
        self.note(label, "leave", answer["errorCode"],
                  [(m["groupInstanceId"], m["errorCode"]) for m in answer["members"]])

    # ── the consumer protocol

    def consume(self, label, group, member, epoch, instance=None):
        values = {"groupId": self.prefix + group, "memberId": member, "memberEpoch": epoch, "instanceId": instance}
        if epoch == 0:
            values |= {"rebalanceTimeoutMs": 300000, "subscribedTopicNames": ["t"], "topicPartitions": []}
        answer = self.ask("ConsumerGroupHeartbeat", 1, **values)
        told = answer["assignment"] and sorted((self.by_id[t["topicId"]], self.numbers(t["partitions"]))
                                               for t in answer["assignment"]["topicPartitions"])
        self.note(label, "cbeat", answer["errorCode"], answer["errorMessage"], "member", self.name(answer["memberId"]),
                  "epoch", answer["memberEpoch"], "asg", told)

    # ── what others see

    def commit(self, label, group, member, generation, version=9):
        answer = self.connection.call("OffsetCommit", version, groupId=self.prefix + group, memberId=member,
                                      generationIdOrMemberEpoch=generation, topics=[
                                          {"name": "t", "partitions": [{"partitionIndex": 0, "committedOffset": 5}]}])
        self.note(label, "commit", answer["topics"][0]["partitions"][0]["errorCode"])

    def fetch(self, label, group, member, epoch):
        answer = self.connection.call("OffsetFetch", 9, groups=[{
            "groupId": self.prefix + group, "memberId": member, "memberEpoch": epoch,
            "topics": [{"name": "t", "partitionIndexes": [0]}]}])
        self.note(label, "fetch", answer["groups"][0]["errorCode"])

    def state(self, label, group):
        def partitions(of):
            return sorted((t["topicName"], self.numbers(t["partitions"])) for t in of["topicPartitions"])
        one = self.connection.call("ConsumerGroupDescribe", 1, groupIds=[self.prefix + group])["groups"][0]
        self.note(label, "describe", one["errorCode"], one["groupState"], "epoch", one["groupEpoch"],
                  one["assignmentEpoch"], one["assignorName"])
        for m in sorted(one["members"], key=lambda m: self.name(m["memberId"])):
            self.note("   ", self.name(m["memberId"]), m["instanceId"], m["rackId"], "epoch", m["memberEpoch"],
                      m["subscribedTopicNames"], partitions(m["assignment"]), partitions(m["targetAssignment"]), "type",
                      m.get("memberType"))
        classic = self.connection.call("DescribeGroups", 5, groups=[self.prefix + group])["groups"][0]
        self.note("    classic", classic["groupState"], classic["protocolType"], classic["protocolData"],
                  [(self.name(m["memberId"]), shown(m["memberAssignment"], self.numbers))
                   for m in sorted(classic["members"], key=lambda m: self.name(m["memberId"]))])


def upgraded_in_steps(say):
    say.title("classic group of two, upgraded, joined in steps")
    g = "a"
    m1 = say.join("m1", g)["memberId"]
    m1 = say.join("m1", g, m1)["memberId"]
    say.sync("m1", g, m1, 1, [(m1, assignment(ALL))])
    say.consume("not joining", g, "x", 3)
    say.consume("consumer joins", g, "c1", 0)
    say.state("after", g)
    say.beat("m1", g, m1, 1)
    say.sync("m1 late", g, m1, 1)
    say.commit("m1", g, m1, 1)
    say.commit("m1 newer", g, m1, 2)
    say.commit("x", g, "x", 1)
    say.commit("m1 v8", g, m1, 1, 8)
    say.fetch("m1", g, m1, 1)
    say.fetch("m1 stale", g, m1, 0)
    joined = say.join("m1 owns all", g, m1, metadata=subscription(["t"], ALL))
    say.sync("m1", g, m1, joined["generationId"])
    say.beat("m1 still", g, m1, joined["generationId"])
    say.consume("c1 waits", g, "c1", 2)
    joined = say.join("m1 gave up", g, m1, metadata=subscription(["t"], {"t": [0, 1, 2]}))
    say.sync("m1", g, m1, joined["generationId"])
    say.beat("m1", g, m1, joined["generationId"])
    say.consume("c1 gets", g, "c1", 2)
    say.commit("m1 older generation", g, m1, 1)
    say.state("settled", g)
    turned_away(say, g, m1)
    say.note("-- version 0 speaker, then it leaves with c1: downgrade")
    joined = say.join("m3 v3 again", g, "third", version=3, metadata=subscription(["t"], version=0))
    say.sync("m3", g, "third", joined["generationId"], version=3)
    say.leave("c1 by admin", g, [("c1", None)])
    say.numbers = some  # who of four keeps two of six depends on the random ids of the members
    say.state("downgraded", g)
    say.numbers = sorted
    say.beat("m1", g, m1, 2)


def turned_away(say, g, m1):
    say.note("-- errors")
    say.beat("bad gen", g, m1, 77)
    say.beat("unknown", g, "x", 2)
    say.beat("consumer member", g, "c1", 2)
    say.beat("bad instance", g, m1, 2, "nope")
    say.sync("bad gen", g, m1, 77)
    say.sync("unknown", g, "x", 2)
    say.sync("consumer member", g, "c1", 2)
    say.sync("bad name", g, m1, 2, name="roundrobin")
    say.sync("bad type", g, m1, 2, kind="connect")
    say.sync("no names v4", g, m1, 2, version=4)
    say.join("bad type", g, m1, kind="connect")
    say.join("bad proto", g, "y", protocols=[{"name": "other", "metadata": text_of(subscription(["t"]))}])
    say.join("no protocols", g, m1, protocols=[])
    say.join("garbage", g, "y", metadata=b"garbage")
    say.join("short", g, "y", metadata=b"\0")
    say.join("unknown instance", g, "y", instance="nope")
    say.join("v3", g, "", version=3, metadata=subscription(["t"], version=0))
    say.state("third", g)
    say.leave("batch", g, [("x", None), ("", None), ("", "nope")])
    say.state("nothing left", g)


def static_members(say):
    say.title("static members")
    g = "s"
    a = say.join("a", g, "", instance="a")["memberId"]
    say.sync("a", g, a, 1, [(a, assignment({"t": [0, 1, 2]}, 1))])
    say.join_aside(g, instance="b")
    while say.connection.call("Heartbeat", 4, groupId=say.prefix + g, generationId=1, memberId=a,
                              groupInstanceId="a")["errorCode"] == 0:
        pass  # until the other has come
    say.beat("a", g, a, 1, "a")
    say.join("a again", g, a, instance="a")
    b = say.joined_aside("b")["memberId"]
    say.sync("a leads", g, a, 2, [(a, assignment({"t": [0, 1, 2]}, 1)), (b, assignment({"t": [3, 4, 5]}, 0))], "a")
    say.sync("b", g, b, 2, (), "b")
    say.consume("consumer as a", g, "ca", 0, "a")
    say.state("mixed", g)
    say.beat("a fenced", g, a, 2, "a")
    say.beat("b", g, b, 2, "b")
    say.consume("another consumer as a", g, "ca2", 0, "a")
    joined = say.join("b again, unknown id", g, "", instance="b")
    say.sync("b", g, joined["memberId"], joined["generationId"], (), "b")
    b = joined["memberId"]
    say.consume("ca", g, "ca", joined["generationId"])
    say.state("b replaced", g)
    joined = say.join("a classic again", g, "", instance="a")
    say.state("classic", g)
    say.sync("a", g, joined["memberId"], joined["generationId"], (), "a")
    say.beat("b", g, b, 2, "b")
    say.consume("consumer as a again", g, "cb", 0, "a")
    joined = say.join("a with more topics", g, "", instance="a", metadata=subscription(["t", "u"]))
    say.state("rebalancing", g)
    say.sync("a", g, joined["memberId"], joined["generationId"], (), "a")
    say.beat("b", g, b, 2, "b")


def refused_upgrades(say):
    say.title("refused upgrades")
    for label, metadata, assigned, kind in (
            ("malformed subscription", b"\0\1\0\0", assignment({"t": [0]}), "consumer"),
            ("malformed assignment", subscription(["t"]), b"x", "consumer"),
            ("user data", subscription(["t"]), assignment({"t": [0]}, 1, b"custom"), "consumer"),
            ("connect", b"metadata", b"x", "connect"),
            ("no such topic", subscription(["nope"]), assignment({"nope": [0], "t": [7, 1]}), "consumer")):
        g = "r" + label.replace(" ", "")
        member = say.join(label, g, "", 3, metadata=metadata, kind=kind)["memberId"]
        say.connection.call("SyncGroup", 3, groupId=say.prefix + g, generationId=1, memberId=member,
                            assignments=[{"memberId": member, "assignment": text_of(assigned)}])
        say.consume(label, g, "c", 0)
        if label == "no such topic":
            say.state(label, g)


def rebalancing_groups(say):
    say.title("rebalancing groups are upgraded")
    say.numbers = len  # which ones depends on the random ids of the members
    g = "w"
    m1 = say.join("m1", g, "", 3)["memberId"]
    say.sync("m1", g, m1, 1, [(m1, assignment({"t": [0]}))], version=4)
    say.join_aside(g, 3)
    while say.connection.call("Heartbeat", 4, groupId=say.prefix + g, generationId=1, memberId=m1)["errorCode"] == 0:
        pass  # until the other has come
    say.consume("c", g, "c", 0)
    say.joined_aside("m2 waited", 3)
    say.state("rebalancing", g)


def downgraded(say):
    say.title("downgrade while stable, generation")
    g = "d"
    m1 = say.join("m1", g, "", 3)["memberId"]
    say.sync("m1", g, m1, 1, [(m1, assignment(ALL))], version=4)
    say.consume("c", g, "c", 0)
    say.consume("c leaves", g, "c", -1)
    say.state("downgraded", g)
    joined = say.join("m1", g, m1, 3)
    say.sync("m1", g, m1, joined["generationId"], [(m1, assignment({"t": [0]}))], version=4)
    say.state("again", g)
    say.title("all leave")
    say.consume("c", g, "c", 0)
    say.leave("all", g, [("c", None), (m1, None), (m1, None)])
    say.state("empty", g)


def transcript(broker):
    say = Transcript(broker)
    try:
        for part in (upgraded_in_steps, static_members, refused_upgrades, rebalancing_groups, downgraded):
            part(say)
        return say.lines
    finally:
        say.close()


def expected(whose):
    """The lines of migration.txt that are for "kafka" or for "ours"."""
    with open(os.path.join(HERE, "migration.txt"), encoding="utf-8") as recorded:
        lines = [line.rstrip("\n") for line in recorded]
    other = {"kafka": "ours|", "ours": "kafka|"}[whose]
    return [line.removeprefix(whose + "|") for line in lines if not line.startswith(other)]


class Migration(harness.BrokerTest):
    CONFIG = CONFIG

    def test_members_move_to_the_other_protocol_and_back(self):
        self.maxDiff = None
        self.assertEqual(expected("kafka" if harness.ORACLE else "ours"), transcript(self.broker))


class OnApacheKafka(unittest.TestCase):
    @unittest.skipIf(harness.ORACLE, "the other test asks it")
    def test_members_move_to_the_other_protocol_and_back(self):
        try:
            folder = harness.need_apache_kafka()
        except SystemExit:
            self.skipTest("no Apache Kafka")
        self.maxDiff = None
        with harness.Broker(CONFIG, oracle=folder) as broker:
            self.assertEqual(expected("kafka"), transcript(broker))


if __name__ == "__main__":
    harness.main()
