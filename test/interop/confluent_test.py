#!/usr/bin/python3
"""python3-confluent-kafka: librdkafka's producer, consumer group and admin client; restarts, orderly and not."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import harness  # noqa: E402

try:
    import confluent_kafka
    from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic
except ImportError:
    harness.need_modules("confluent_kafka")

SECONDS = 30


class Confluent(harness.BrokerTest):

    def producer(self, **config):
        return confluent_kafka.Producer({"bootstrap.servers": self.broker.address, "linger.ms": 5, "log_level": 2,
                                         **{k.replace("_", "."): v for k, v in config.items()}})

    def produce(self, topic, values, partition=0, **config):
        """Offsets that the broker acknowledged, in order."""
        producer = self.producer(**config)
        offsets = []

        def delivered(error, message):
            self.assertIsNone(error)
            offsets.append(message.offset())

        for value in values:
            producer.produce(topic, value, partition=partition, on_delivery=delivered)
        self.assertEqual(0, producer.flush(SECONDS))
        return offsets

    def consumer(self, group, **config):
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": self.broker.address, "group.id": group, "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50, "log_level": 2, **{k.replace("_", "."): v for k, v in config.items()}})
        self.addCleanup(consumer.close)
        return consumer

    def read(self, consumer, count):
        """`count` messages, or fewer when the time is over."""
        messages = []
        deadline = time.monotonic() + SECONDS
        while len(messages) < count and time.monotonic() < deadline:
            message = consumer.poll(0.2)
            if message is not None:
                self.assertIsNone(message.error())
                messages.append(message)
        return messages

    def read_all(self, topic, count, partition=0):
        consumer = self.consumer("reader", enable_auto_commit=False)
        consumer.assign([confluent_kafka.TopicPartition(topic, partition, 0)])
        return [m.value() for m in self.read(consumer, count)]

    # ---- producing and consuming

    def test_every_codec_idempotent_or_not(self):
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            for idempotent in (False, True):
                with self.subTest(codec, idempotent=idempotent):
                    topic = self.topic()
                    values = [b"%s %d" % (codec.encode(), i) * 10 for i in range(1000)]
                    offsets = self.produce(topic, values, compression_type=codec, enable_idempotence=idempotent)
                    self.assertEqual(list(range(1000)), offsets)
                    self.assertEqual(values, self.read_all(topic, 1000))

    def test_headers_keys_and_timestamps(self):
        topic = self.topic()
        producer = self.producer()
        headers = [("a", b"1"), ("a", None), ("b", b"")]
        producer.produce(topic, None, b"key", 0, timestamp=1600000000123, headers=headers)
        self.assertEqual(0, producer.flush(SECONDS))
        consumer = self.consumer("reader")
        consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
        message = self.read(consumer, 1)[0]
        self.assertEqual((b"key", None, headers), (message.key(), message.value(), message.headers()))
        self.assertEqual((confluent_kafka.TIMESTAMP_CREATE_TIME, 1600000000123), message.timestamp())

    def test_watermarks_and_offsets_for_times(self):
        topic = self.topic()
        producer = self.producer()
        for i in range(10):
            producer.produce(topic, b"%d" % i, partition=0, timestamp=1000 * (i + 1))
        producer.flush(SECONDS)
        consumer = self.consumer("reader")
        where = confluent_kafka.TopicPartition
        self.assertEqual((0, 10), consumer.get_watermark_offsets(where(topic, 0), SECONDS))
        found = consumer.offsets_for_times([where(topic, 0, 4500)], SECONDS)
        self.assertEqual(4, found[0].offset)
        found = consumer.offsets_for_times([where(topic, 0, 99000)], SECONDS)
        self.assertEqual(confluent_kafka.OFFSET_END, found[0].offset)

    def committed(self, consumer, *partitions):
        """Their committed offsets; asks again while a broker that has just started still loads them."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return [p.offset for p in consumer.committed(list(partitions), SECONDS)]
            except confluent_kafka.KafkaException as error:
                if not error.args[0].retriable() and error.args[0].code() not in (14, 15, 16):
                    raise
                self.assertLess(time.monotonic(), deadline)

    # ---- groups

    def test_committed_offsets_are_kept_and_read_back(self):
        topic = self.topic(partitions=2)
        self.produce(topic, [b"x"] * 10)
        where = confluent_kafka.TopicPartition
        consumer = self.consumer("committer-" + topic, enable_auto_commit=False)
        consumer.commit(offsets=[where(topic, 0, 7)], asynchronous=False)
        again = self.consumer("committer-" + topic)
        self.assertEqual([7, confluent_kafka.OFFSET_INVALID],
                         self.committed(again, where(topic, 0), where(topic, 1)))

    def test_two_members_share_the_partitions_and_the_second_takes_over(self):
        topic = self.topic(partitions=4)
        group = "group-" + topic
        assigned = {}

        def member(name):
            consumer = self.consumer(group, session_timeout_ms=6000, heartbeat_interval_ms=200)
            consumer.subscribe([topic], on_assign=lambda _, partitions: assigned.update(
                {name: {p.partition for p in partitions}}))
            return consumer

        def until(condition, *consumers):
            deadline = time.monotonic() + SECONDS
            while not condition() and time.monotonic() < deadline:
                for consumer in consumers:
                    consumer.poll(0.05)
            self.assertTrue(condition(), assigned)

        first = member("first")
        until(lambda: assigned.get("first") == {0, 1, 2, 3}, first)
        second = member("second")
        until(lambda: len(assigned.get("first")) == 2 and len(assigned.get("second", ())) == 2, first, second)
        self.assertEqual({0, 1, 2, 3}, assigned["first"] | assigned["second"])
        first.close()
        until(lambda: assigned["second"] == {0, 1, 2, 3}, second)
        self.produce(topic, [b"for the second"], partition=2)
        self.assertEqual([b"for the second"], [m.value() for m in self.read(second, 1)])

    # ---- administration

    def admin(self):
        return AdminClient({"bootstrap.servers": self.broker.address, "log_level": 2})

    def test_topics_are_created_grown_described_and_deleted(self):
        admin = self.admin()
        name = "admin-%d" % os.getpid()
        admin.create_topics([NewTopic(name, 1, 1, config={"retention.ms": "12345"})])[name].result(SECONDS)
        with self.assertRaises(confluent_kafka.KafkaException) as refused:
            admin.create_topics([NewTopic(name, 1, 1)])[name].result(SECONDS)
        self.assertEqual(confluent_kafka.KafkaError.TOPIC_ALREADY_EXISTS, refused.exception.args[0].code())
        self.broker_lists(admin, name, 1)
        admin.create_partitions([NewPartitions(name, 3)])[name].result(SECONDS)
        self.broker_lists(admin, name, 3)
        admin.delete_topics([name], operation_timeout=SECONDS)[name].result(SECONDS)
        self.broker_lists(admin, name, None)

    def broker_lists(self, admin, name, partitions):
        """Within a moment: Apache Kafka answers before its metadata has arrived everywhere."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            topic = admin.list_topics(timeout=SECONDS).topics.get(name)
            if (topic and len(topic.partitions)) == partitions:
                return
        self.fail("%s: %s partitions expected, %s" % (name, partitions, topic))

    def test_configs_are_described_with_their_source(self):
        name = self.topic(retention_ms="4711")
        resource = ConfigResource(confluent_kafka.admin.RESOURCE_TOPIC, name)
        admin = self.admin()
        entries = admin.describe_configs([resource])[resource].result(SECONDS)
        self.assertEqual(("4711", False), (entries["retention.ms"].value, entries["retention.ms"].is_default))
        self.assertEqual(("delete", True), (entries["cleanup.policy"].value, entries["cleanup.policy"].is_default))
        self.assertGreaterEqual(len(entries), 30)
        resource = ConfigResource(confluent_kafka.admin.RESOURCE_BROKER, "1")
        entries = admin.describe_configs([resource])[resource].result(SECONDS)
        self.assertEqual("1", entries["node.id"].value)
        self.assertTrue(entries["node.id"].is_read_only)
        self.assertEqual("1048588", entries["message.max.bytes"].value)

    def test_a_topic_that_is_not_there(self):
        consumer, admin = self.consumer("reader"), self.admin()
        with self.assertRaises(confluent_kafka.KafkaException) as refused:
            admin.delete_topics(["never-made"])["never-made"].result(SECONDS)
        self.assertEqual(confluent_kafka.KafkaError.UNKNOWN_TOPIC_OR_PART, refused.exception.args[0].code())
        self.assertEqual({}, consumer.list_topics("never-made", SECONDS).topics["never-made"].partitions)

    # ---- restarts

    def check_restart(self, end):
        topic = self.topic(partitions=2, segment_bytes="1048576")
        values = [b"%06d" % i * 20 for i in range(20000)]
        offsets = self.produce(topic, values, compression_type="lz4", acks="all")
        self.assertEqual(list(range(20000)), offsets)
        committer = self.consumer("group-" + topic, enable_auto_commit=False)
        committer.commit(offsets=[confluent_kafka.TopicPartition(topic, 0, 12345)], asynchronous=False)
        end()
        self.broker.start()
        self.assertEqual(values, self.read_all(topic, 20000))
        group = self.consumer("group-" + topic)
        self.assertEqual([12345], self.committed(group, confluent_kafka.TopicPartition(topic, 0)))
        self.assertEqual([20000], self.produce(topic, [b"after"]))
        self.assertEqual([0], self.produce(topic, [b"the other"], partition=1))

    def test_everything_is_still_there_after_an_orderly_stop(self):
        self.check_restart(self.broker.stop)

    def test_everything_acknowledged_is_still_there_after_a_kill(self):
        self.check_restart(self.broker.kill)

    def test_a_producer_survives_a_restart(self):
        """Idempotent and in the middle of its work: nothing lost, nothing twice, nothing out of order."""
        topic = self.topic()
        producer = self.producer(enable_idempotence=True, linger_ms=1)
        done = []
        for i in range(500):
            producer.produce(topic, b"%d" % i, partition=0, on_delivery=lambda e, m: done.append(e))
            producer.poll(0)
            if i == 250:
                producer.flush(SECONDS)
                self.broker.stop()
                self.broker.start()
        self.assertEqual(0, producer.flush(SECONDS))
        self.assertEqual([None] * 500, done)
        self.assertEqual([b"%d" % i for i in range(500)], self.read_all(topic, 500))


if __name__ == "__main__":
    harness.main()
