#!/usr/bin/python3
"""python3-kafka: a client with its own codec, that speaks older versions of the requests and frames snappy as xerial does."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import batch  # noqa: E402
import harness  # noqa: E402

try:
    import kafka
    from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
    from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError
except ImportError:
    harness.need_modules("kafka")

SECONDS = 30
MODULE_OF_CODEC = {"gzip": "zlib", "snappy": "snappy", "lz4": "lz4.frame", "zstd": "zstandard"}


class KafkaPython(harness.BrokerTest):

    def producer(self, **config):
        producer = kafka.KafkaProducer(bootstrap_servers=self.broker.address, linger_ms=5, **config)
        self.addCleanup(producer.close)
        return producer

    def produce(self, topic, values, **config):
        producer = self.producer(**config)
        pending = [producer.send(topic, value, partition=0) for value in values]
        producer.flush(SECONDS)
        return [p.get(SECONDS).offset for p in pending]

    def consumer(self, *topics, **config):
        consumer = kafka.KafkaConsumer(*topics, bootstrap_servers=self.broker.address, auto_offset_reset="earliest",
                                       consumer_timeout_ms=SECONDS * 1000, fetch_max_wait_ms=50, **config)
        self.addCleanup(consumer.close, autocommit=False)
        return consumer

    def read_all(self, topic, count):
        consumer = self.consumer()
        where = kafka.TopicPartition(topic, 0)
        consumer.assign([where])
        consumer.seek_to_beginning(where)
        return [next(consumer).value for _ in range(count)]

    def test_every_codec(self):
        for codec in (None, "gzip", "snappy", "lz4", "zstd"):
            with self.subTest(codec):
                module = MODULE_OF_CODEC.get(codec)
                if module:
                    try:
                        __import__(module)
                    except ImportError:
                        self.skipTest("this Python lacks the module " + module)
                topic = self.topic()
                values = [b"%s %d" % (str(codec).encode(), i) * 20 for i in range(500)]
                self.assertEqual(list(range(500)), self.produce(topic, values, compression_type=codec))
                self.assertEqual(values, self.read_all(topic, 500))

    def test_snappy_with_and_without_framing_is_read_by_either_client(self):
        harness_kcat = harness.shutil.which("kcat")
        if not harness_kcat:
            self.skipTest("this machine lacks the program kcat")
        topic = self.topic()
        ours = ["framed %d" % i * 5 for i in range(50)]
        theirs = ["bare %d" % i * 5 for i in range(50)]
        self.produce(topic, [v.encode() for v in ours], compression_type="snappy")
        harness.run(["kcat", "-b", self.broker.address, "-P", "-t", topic, "-z", "snappy"], stdin="\n".join(theirs) + "\n")
        self.assertEqual({True, False}, self.framings(topic))
        self.assertEqual(ours + theirs, [v.decode() for v in self.read_all(topic, 100)])
        read = harness.run(["kcat", "-b", self.broker.address, "-C", "-t", topic, "-e", "-q"]).stdout.splitlines()
        self.assertEqual(ours + theirs, read)

    def framings(self, topic):
        """Which framings the stored batches have: as their producers sent them."""
        with open(os.path.join(self.broker.data, topic + "-0", "00000000000000000000.log"), "rb") as log:
            return {head["bytes"][batch.HEADER_BYTES:].startswith(batch.XERIAL) for head, _ in batch.read(log.read())}

    def test_every_way_to_acknowledge(self):
        for acks in (0, 1, "all"):
            with self.subTest(acks=acks):
                topic = self.topic()
                self.produce(topic, [b"x"] * 100, acks=acks)
                self.assertEqual([b"x"] * 100, self.read_all(topic, 100))

    def test_group_commits_and_goes_on(self):
        topic = self.topic()
        self.produce(topic, [b"%d" % i for i in range(20)])
        group = "group-" + topic
        first = self.consumer(topic, group_id=group, enable_auto_commit=False)
        self.assertEqual([b"%d" % i for i in range(7)], [next(first).value for _ in range(7)])
        first.commit({kafka.TopicPartition(topic, 0): kafka.OffsetAndMetadata(7, "seven")})
        first.close(autocommit=False)
        second = self.consumer(topic, group_id=group, enable_auto_commit=False)
        self.assertEqual(b"7", next(second).value)
        self.assertEqual((7, "seven"), tuple(second.committed(kafka.TopicPartition(topic, 0), metadata=True))[:2])

    def test_begin_end_and_times(self):
        topic = self.topic()
        producer = self.producer()
        for i in range(5):
            producer.send(topic, b"x", partition=0, timestamp_ms=1000 * (i + 1))
        producer.flush(SECONDS)
        consumer = self.consumer()
        where = kafka.TopicPartition(topic, 0)
        self.assertEqual({where: 0}, consumer.beginning_offsets([where]))
        self.assertEqual({where: 5}, consumer.end_offsets([where]))
        found = consumer.offsets_for_times({where: 2500})[where]
        self.assertEqual((2, 3000), (found.offset, found.timestamp))
        self.assertIsNone(consumer.offsets_for_times({where: 9000})[where])

    def test_administration(self):
        admin = KafkaAdminClient(bootstrap_servers=self.broker.address)
        self.addCleanup(admin.close)
        name = "python-admin-%d" % os.getpid()
        admin.create_topics([NewTopic(name, 1, 1, topic_configs={"max.message.bytes": "2000"})])
        with self.assertRaises(TopicAlreadyExistsError):
            admin.create_topics([NewTopic(name, 1, 1)])
        self.until(lambda: admin.describe_topics([name])[0]["error_code"] == 0)
        admin.create_partitions({name: NewPartitions(3)})
        self.until(lambda: len(admin.describe_topics([name])[0]["partitions"]) == 3)
        described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])[0].resources[0]
        values = {entry[0]: entry[1] for entry in described[4]}
        self.assertEqual("2000", values["max.message.bytes"])
        self.assertEqual(1, admin.describe_cluster()["brokers"][0]["node_id"])
        admin.delete_topics([name])
        self.until(lambda: name not in admin.list_topics())
        with self.assertRaises(UnknownTopicOrPartitionError):
            admin.delete_topics([name])

    def test_groups_are_listed_and_described(self):
        topic = self.topic()
        group = "group-" + topic
        consumer = self.consumer(topic, group_id=group, client_id="the-client")
        self.produce(topic, [b"x"])
        self.assertEqual(b"x", next(consumer).value)
        admin = KafkaAdminClient(bootstrap_servers=self.broker.address)
        self.addCleanup(admin.close)
        self.assertIn((group, "consumer"), admin.list_consumer_groups())
        described = admin.describe_consumer_groups([group])[0]
        self.assertEqual((0, group, "Stable", "consumer"),
                         (described.error_code, described.group, described.state, described.protocol_type))
        self.assertEqual(["the-client"], [member.client_id for member in described.members])
        self.assertEqual([(topic, [0])], described.members[0].member_assignment.assignment)

    def until(self, condition):
        deadline = time.monotonic() + SECONDS
        while not condition():
            self.assertLess(time.monotonic(), deadline)


if __name__ == "__main__":
    harness.main()
