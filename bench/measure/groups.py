"""Scenarios of consumer groups."""
import json
import os
import time

from measure import BUILD
from measure.scenario import OURS, scenario
from measure.sides import first_answer, restart, until_served, until_started
import harness


@scenario("2,000 members in 200 groups, of the classic and the new protocol", connections="one each")
def members(side, options):
    figures = {}
    topic = side.topic(20)
    for protocol_name in ("classic", "consumer"):
        crowd = {"members": 20, "groups": 2} if options.tiny else {}
        done = members_program(side, topic, protocol_name, seconds=options.seconds, **crowd)
        figures.update({protocol_name + ": CPU per heartbeat, µs": done["cpu_us_per_heartbeat"],
                        protocol_name + ": CPU per commit, µs": done["cpu_us_per_commit"],
                        protocol_name + ": until all have settled, s": done["settle_ms"] / 1000,
                        protocol_name + ": CPU until then, ms": done["settle_cpu_ms"]})
    if side.name == OURS:  # a JVM takes its heap from the system whether it is full or not
        figures["classic, each a group: memory per member, B"] = memory_per_member(side, topic, "classic", 1, options)
        figures["consumer, ten a group: memory per member, B"] = memory_per_member(side, topic, "consumer", 10, options)
    side.drop(topic)
    return figures


def members_program(side, topic, protocol_name, **flags):
    side.kept["crowds"] = side.kept.get("crowds", 0) + 1
    flags = {"port": side.broker.port, "pid": side.broker.process.pid, "protocol": protocol_name, "topic": topic,
             "partitions": 20, "prefix": "crowd-%d" % side.kept["crowds"], **flags}
    done = harness.run([os.path.join(BUILD, "members")] + ["--%s=%s" % flag for flag in flags.items()], seconds=600)
    return json.loads(done.stdout)


def memory_per_member(side, topic, protocol_name, places, options):
    """Beside its connection, whose memory `idle` shows: 10,000 members share 160 that were opened before. A JoinGroup keeps
    its connection waiting for the others of its group; alone in its group it has nobody to wait for."""
    delay = "group.initial.rebalance.delay.ms"
    was = side.broker.config[delay]
    restart(side.broker, {delay: "0"})  # so that it has no memory of earlier members to use again
    number = options.size(10000, 200)
    done = members_program(side, topic, protocol_name, seconds=0, members=number, groups=number // places, connections=160)
    restart(side.broker, {delay: was})
    return done["resident_bytes_per_member"]


@scenario("1,000,000 offsets committed, and a start", connections="1", warm=False, by_name=True)
def offsets(side, options):
    groups, partitions = options.size(1000, 2), options.size(1000, 10)
    topic = side.topic(partitions)
    broker = side.broker
    names = ["offsets-%d-%d" % (side.topics, i) for i in range(groups)]
    committed = [{"name": topic, "partitions": [{"partitionIndex": p, "committedOffset": p + 1, "committedLeaderEpoch": -1,
                                                 "committedMetadata": ""} for p in range(partitions)]}]
    with broker.connect(120) as connection:
        for name in names:
            until_served(lambda name=name: connection.call(
                "FindCoordinator", 4, keyType=0, coordinatorKeys=[name])["coordinators"][0])
            until_served(lambda name=name: connection.call(
                "OffsetCommit", 8, groupId=name, generationIdOrMemberEpoch=-1, memberId="", groupInstanceId=None,
                topics=committed)["topics"][0]["partitions"][-1])
    broker.stop()
    at = time.perf_counter()
    first = first_answer(broker)
    with broker.connect(120) as connection:
        for name in names:
            found = until_served(lambda name=name: connection.call("OffsetFetch", 8, requireStable=False, groups=[
                {"groupId": name, "topics": [{"name": topic, "partitionIndexes": [partitions - 1]}]}])["groups"][0])
            assert found["topics"][0]["partitions"][0]["committedOffset"] == partitions, found
        every = time.perf_counter() - at
    until_started(broker)
    memory = broker.resident_bytes()
    side.drop(topic)
    return {"until all can be fetched, s": every, "to the first answer of all, s": first, "memory then, MiB": memory / (1 << 20)}
