#!/usr/bin/python3
"""librdkafka's AdminClient, through confluent-kafka for Python: every call that it has, with good and bad input."""
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
from confluent_kafka import ConsumerGroupTopicPartitions, ConsumerGroupState, ElectionType, TopicCollection  # noqa: E402
from confluent_kafka import TopicPartition  # noqa: E402
from confluent_kafka import admin as ck  # noqa: E402

SECONDS = 60
FINE = "fine"


def outcome(future):
    """A future's result, or the name of the error."""
    try:
        return future.result(SECONDS)
    except confluent_kafka.KafkaException as error:
        return error.args[0].name()


def outcomes(futures):
    """By key, FINE where the result says nothing."""
    return {key: FINE if (got := outcome(future)) is None else got for key, future in futures.items()}


class ConfluentAdmin(harness.BrokerTest):

    def setUp(self):
        super().setUp()
        self.admin = ck.AdminClient({"bootstrap.servers": self.broker.address, "log_level": 2})

    def until(self, holds):
        deadline = time.monotonic() + SECONDS
        while not holds():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def produce(self, topic, count, partition=0):
        producer = confluent_kafka.Producer({"bootstrap.servers": self.broker.address, "log_level": 2})
        for i in range(count):
            producer.produce(topic, b"%d" % i, partition=partition)
        self.assertEqual(0, producer.flush(SECONDS))

    # ---- topics

    def test_topics(self):
        name = self.topic() + "-new"
        new = [ck.NewTopic(name, 2, 1, config={"retention.ms": "99999"}), ck.NewTopic("bad name", 1, 1),
               ck.NewTopic(name + "-3", 1, 3), ck.NewTopic(name + "-c", 1, 1, config={"nope": "1"}),
               ck.NewTopic(name + "-r", 2, replica_assignment=[[1], [1]])]
        self.assertEqual({name: FINE, "bad name": "TOPIC_EXCEPTION", name + "-3": "INVALID_REPLICATION_FACTOR",
                          name + "-c": "INVALID_CONFIG", name + "-r": FINE}, outcomes(self.admin.create_topics(new)))
        self.assertEqual({name: "TOPIC_ALREADY_EXISTS"}, outcomes(self.admin.create_topics([ck.NewTopic(name, 1, 1)])))
        validated = self.admin.create_topics([ck.NewTopic(name + "-v", 1, 1)], validate_only=True)
        self.assertEqual({name + "-v": FINE}, outcomes(validated))
        self.assertEqual({name: FINE}, outcomes(self.admin.create_partitions([ck.NewPartitions(name, 3)])))
        self.assertEqual({name: "INVALID_PARTITIONS", "nowhere": "UNKNOWN_TOPIC_OR_PART"}, outcomes(
            self.admin.create_partitions([ck.NewPartitions(name, 2), ck.NewPartitions("nowhere", 2)])))
        self.until(lambda: len(self.admin.list_topics(name).topics[name].partitions) == 3)
        self.assertNotIn(name + "-v", self.admin.list_topics().topics)
        described = self.admin.describe_topics(TopicCollection([name, "nowhere"]), include_authorized_operations=True)
        self.assertEqual("UNKNOWN_TOPIC_OR_PART", outcome(described["nowhere"]))
        topic = outcome(described[name])
        self.assertEqual((name, False, [0, 1, 2]), (topic.name, topic.is_internal, sorted(p.id for p in topic.partitions)))
        self.assertEqual({1}, {p.leader.id for p in topic.partitions})
        self.assertEqual(8, len(topic.authorized_operations))
        self.assertEqual({name: FINE, "nowhere": "UNKNOWN_TOPIC_OR_PART"}, outcomes(self.admin.delete_topics([name, "nowhere"])))
        self.until(lambda: name not in self.admin.list_topics().topics)

    def test_cluster(self):
        cluster = outcome(self.admin.describe_cluster(include_authorized_operations=True))
        self.assertEqual([1], [node.id for node in cluster.nodes])
        self.assertEqual(1, cluster.controller.id)
        self.assertEqual(7, len(cluster.authorized_operations))
        self.assertEqual(cluster.cluster_id, self.admin.list_topics().cluster_id)

    # ---- configurations

    def config(self, kind, name):
        resource = ck.ConfigResource(kind, name)
        return outcome(self.admin.describe_configs([resource])[resource])

    def change(self, kind, name, *changes):
        resource = ck.ConfigResource(kind, name, incremental_configs=[
            ck.ConfigEntry(key, value, incremental_operation=operation) for key, value, operation in changes])
        got = outcome(self.admin.incremental_alter_configs([resource])[resource])
        return FINE if got is None else got

    def test_configs(self):
        name, topic = self.topic(), ck.ResourceType.TOPIC
        op = ck.AlterConfigOpType
        self.assertEqual(FINE, self.change(topic, name, ("retention.ms", "123456", op.SET),
                                           ("cleanup.policy", "compact", op.APPEND)))
        self.until(lambda: self.config(topic, name)["retention.ms"].value == "123456")
        entry = self.config(topic, name)["cleanup.policy"]
        self.assertEqual(("delete,compact", ck.ConfigSource.DYNAMIC_TOPIC_CONFIG.value), (entry.value, entry.source))
        self.assertEqual(FINE, self.change(topic, name, ("retention.ms", None, op.DELETE),
                                           ("cleanup.policy", "delete", op.SUBTRACT)))
        self.until(lambda: self.config(topic, name)["cleanup.policy"].value == "compact")
        self.assertEqual("604800000", self.config(topic, name)["retention.ms"].value)
        self.assertEqual("INVALID_CONFIG", self.change(topic, name, ("retention.ms", "soon", op.SET)))
        self.assertEqual("INVALID_CONFIG", self.change(topic, name, ("nope", "1", op.SET)))
        self.assertEqual("UNKNOWN_TOPIC_OR_PART", self.change(topic, "nowhere", ("retention.ms", "1", op.SET)))
        self.assertEqual("UNKNOWN_TOPIC_OR_PART", self.config(topic, "nowhere"))
        # All at once, as older programs do: what is not named goes back to its default.
        whole = ck.ConfigResource(topic, name, set_config={"segment.ms": "600000"})
        self.assertEqual({whole: FINE}, outcomes(self.admin.alter_configs([whole])))
        self.until(lambda: self.config(topic, name)["segment.ms"].value == "600000")
        self.assertEqual("delete", self.config(topic, name)["cleanup.policy"].value)
        broker = self.config(ck.ResourceType.BROKER, "1")
        self.assertTrue(broker["log.dirs"].is_read_only)
        self.assertEqual(FINE, self.change(ck.ResourceType.BROKER, "1", ("log.cleaner.threads", "2", op.SET)))
        self.until(lambda: self.config(ck.ResourceType.BROKER, "1")["log.cleaner.threads"].value == "2")
        self.assertEqual(FINE, self.change(ck.ResourceType.BROKER, "1", ("log.cleaner.threads", None, op.DELETE)))
        self.assertEqual("INVALID_REQUEST", self.change(ck.ResourceType.BROKER, "1", ("node.id", "9", op.SET)))

    # ---- groups

    def group(self, name):
        return outcome(self.admin.describe_consumer_groups([name])[name])

    def member(self, group, topic, protocol):
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.broker.address, "group.id": group, "log_level": 2,
                                             "group.protocol": protocol, "auto.offset.reset": "earliest",
                                             "enable.auto.commit": False})
        consumer.subscribe([topic])
        self.until(lambda: (consumer.poll(0.1), consumer.assignment())[1])
        return consumer

    def test_groups(self):
        topic = self.topic(partitions=2)
        for protocol in ("classic", "consumer"):
            with self.subTest(protocol):
                name = "%s-%s" % (topic, protocol)
                member = self.member(name, topic, protocol)
                described = self.group(name)
                self.assertEqual((name, ConsumerGroupState.STABLE, False), (
                    described.group_id, described.state, described.is_simple_consumer_group))
                self.assertEqual([0, 1], sorted(p.partition for p in described.members[0].assignment.topic_partitions))
                listed = outcome(self.admin.list_consumer_groups(states={ConsumerGroupState.STABLE}))
                self.assertIn(name, [g.group_id for g in listed.valid])
                self.assertEqual("NON_EMPTY_GROUP", outcome(self.admin.delete_consumer_groups([name])[name]))
                member.commit(offsets=[TopicPartition(topic, 0, 5)], asynchronous=False)
                member.close()
                self.until(lambda which=name: self.group(which).state == ConsumerGroupState.EMPTY)
                altered = outcome(self.admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(
                    name, [TopicPartition(topic, 1, 7), TopicPartition("nowhere", 0, 1)])])[name])
                self.assertEqual({(topic, 1): None, ("nowhere", 0): "UNKNOWN_TOPIC_OR_PART"}, {
                    (p.topic, p.partition): p.error and p.error.name() for p in altered.topic_partitions})
                committed = outcome(self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(name)])[name])
                self.assertEqual({0: 5, 1: 7}, {p.partition: p.offset for p in committed.topic_partitions})
                self.assertEqual({name: FINE, "nobody": "GROUP_ID_NOT_FOUND"},
                                 outcomes(self.admin.delete_consumer_groups([name, "nobody"])))
                self.assertNotIn(name, [g.group_id for g in outcome(self.admin.list_consumer_groups()).valid])

    # ---- records, offsets, leaders

    def test_offsets_and_deleted_records(self):
        topic = self.topic()
        at, lost = TopicPartition(topic, 0), TopicPartition("nowhere", 0)
        self.produce(topic, 10)

        def offset(spec):
            return outcome(self.admin.list_offsets({at: spec})[at]).offset
        self.assertEqual((0, 10, -1), (offset(ck.OffsetSpec.earliest()), offset(ck.OffsetSpec.latest()),
                                       offset(ck.OffsetSpec.for_timestamp(4102444800000))))
        self.assertIn(offset(ck.OffsetSpec.max_timestamp()), range(10))
        self.assertEqual(0, offset(ck.OffsetSpec.for_timestamp(1000)))
        deleted = self.admin.delete_records([TopicPartition(topic, 0, 4)])
        self.assertEqual([4], [outcome(future).low_watermark for future in deleted.values()])
        self.assertEqual(4, offset(ck.OffsetSpec.earliest()))
        beyond = self.admin.delete_records([TopicPartition(topic, 0, 99)])
        self.assertEqual(["OFFSET_OUT_OF_RANGE"], [outcome(f) for f in beyond.values()])
        self.assertEqual(["_NOENT"], [outcome(f) for f in self.admin.delete_records([lost]).values()])  # says the client itself

    def test_leaders(self):
        topic = self.topic()
        for kind in (ElectionType.PREFERRED, ElectionType.UNCLEAN):
            elected = outcome(self.admin.elect_leaders(kind, [TopicPartition(topic, 0), TopicPartition("nowhere", 0)]))
            self.assertEqual({topic: "ELECTION_NOT_NEEDED", "nowhere": "UNKNOWN_TOPIC_OR_PART"},
                             {p.topic: error.name() for p, error in elected.items()})

    # ---- users, rights

    def test_users(self):
        kind = ck.ScramMechanism
        changed = self.admin.alter_user_scram_credentials([
            ck.UserScramCredentialUpsertion("ck-alice", ck.ScramCredentialInfo(kind.SCRAM_SHA_256, 8192), b"secret"),
            ck.UserScramCredentialUpsertion("ck-few", ck.ScramCredentialInfo(kind.SCRAM_SHA_512, 100), b"secret"),
            ck.UserScramCredentialDeletion("ck-nobody", kind.SCRAM_SHA_512)])
        self.assertEqual({"ck-alice": FINE, "ck-few": "UNACCEPTABLE_CREDENTIAL", "ck-nobody": "RESOURCE_NOT_FOUND"},
                         outcomes(changed))

        def described(name):
            return outcome(self.admin.describe_user_scram_credentials([name])[name])
        self.until(lambda: described("ck-alice") != "RESOURCE_NOT_FOUND")
        self.assertEqual([(kind.SCRAM_SHA_256, 8192)], [(c.mechanism, c.iterations) for c in
                                                        described("ck-alice").scram_credential_infos])
        self.assertEqual("RESOURCE_NOT_FOUND", described("ck-nobody"))
        gone = self.admin.alter_user_scram_credentials([ck.UserScramCredentialDeletion("ck-alice", kind.SCRAM_SHA_256)])
        self.assertEqual({"ck-alice": FINE}, outcomes(gone))
        self.until(lambda: described("ck-alice") == "RESOURCE_NOT_FOUND")

    def test_there_are_no_rights_without_an_authorizer(self):
        rule = ck.AclBinding(ck.ResourceType.TOPIC, "t", ck.ResourcePatternType.LITERAL, "User:a", "*", ck.AclOperation.READ,
                             ck.AclPermissionType.ALLOW)
        any_ = ck.AclBindingFilter(ck.ResourceType.ANY, None, ck.ResourcePatternType.ANY, None, None, ck.AclOperation.ANY,
                                   ck.AclPermissionType.ANY)
        self.assertEqual(["SECURITY_DISABLED"], list(outcomes(self.admin.create_acls([rule])).values()))
        self.assertEqual([], outcome(self.admin.describe_acls(any_)))  # the client says nothing of the error
        self.assertEqual(["SECURITY_DISABLED"], list(outcomes(self.admin.delete_acls([any_])).values()))


if __name__ == "__main__":
    harness.main()
