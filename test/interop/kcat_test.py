#!/usr/bin/python3
"""kcat (librdkafka): what people type first."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import harness  # noqa: E402

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


class Kcat(harness.BrokerTest):
    CONFIG = {"auto.create.topics.enable": "true", "num.partitions": "2"}

    def kcat(self, *arguments, stdin=None, seconds=60):
        return harness.run(["kcat", "-b", self.broker.address, *arguments], seconds, stdin).stdout

    def produce(self, topic, lines, *arguments):
        self.kcat("-P", "-t", topic, *arguments, stdin="".join(line + "\n" for line in lines))

    def consume(self, topic, *arguments):
        return self.kcat("-C", "-t", topic, "-e", "-q", "-X", "fetch.wait.max.ms=50", *arguments).splitlines()

    def test_every_codec(self):
        for codec in CODECS:
            with self.subTest(codec):
                topic = self.topic()
                lines = ["%s line %d %s" % (codec, i, "again and " * 20) for i in range(500)]
                self.produce(topic, lines, "-z", codec)
                self.assertEqual(lines, self.consume(topic, "-p", "0", "-o", "beginning"))
                self.assertEqual(codec, self.stored_codec(topic))

    def stored_codec(self, topic):
        """Codec of the first batch on disk: librdkafka stops compressing without a word where Produce starts above 0."""
        with open(os.path.join(self.broker.data, topic + "-0", "00000000000000000000.log"), "rb") as log:
            return CODECS[log.read(23)[22] & 7]

    def test_acks(self):
        for acks in ("0", "1", "all"):
            with self.subTest(acks):
                topic = self.topic()
                lines = ["%s %d" % (acks, i) for i in range(100)]
                self.produce(topic, lines, "-X", "acks=" + acks)
                self.assertEqual(lines, self.consume(topic, "-c", "100", "-o", "beginning"))

    def test_idempotent_producer(self):
        topic = self.topic()
        lines = [str(i) for i in range(2000)]
        self.produce(topic, lines, "-X", "enable.idempotence=true", "-X", "linger.ms=0", "-X", "batch.num.messages=50")
        self.assertEqual(lines, self.consume(topic, "-o", "beginning"))

    def test_keys_headers_and_null_values(self):
        topic = self.topic()
        self.kcat("-P", "-t", topic, "-K", ":", "-Z", "-H", "a=1", "-H", "a=2", "-H", "empty=", stdin="k1:v1\nk2:\n")
        rows = [json.loads(line) for line in self.consume(topic, "-J", "-o", "beginning")]
        self.assertEqual([("k1", "v1"), ("k2", None)], [(row["key"], row["payload"]) for row in rows])
        self.assertEqual(["a", "1", "a", "2", "empty", ""], rows[0]["headers"])
        self.assertEqual([0, 1], [row["offset"] for row in rows])

    def test_listing(self):
        topic = self.topic(partitions=3)
        listing = json.loads(self.kcat("-L", "-J", "-t", topic))
        self.assertEqual([{"id": 1, "name": self.broker.address}], listing["brokers"])
        self.assertEqual(topic, listing["topics"][0]["topic"])
        self.assertEqual([(i, 1, [{"id": 1}], [{"id": 1}]) for i in range(3)], sorted(
            (p["partition"], p["leader"], p["replicas"], p["isrs"]) for p in listing["topics"][0]["partitions"]))
        self.assertIn(topic, self.kcat("-L"))

    def test_a_topic_is_created_by_producing_to_it(self):
        topic = "made-by-" + self._testMethodName
        self.produce(topic, ["one"])
        self.assertEqual(["one"], self.consume(topic, "-o", "beginning"))
        self.assertEqual(2, len(json.loads(self.kcat("-L", "-J", "-t", topic))["topics"][0]["partitions"]))

    def test_offsets_by_number_end_and_time(self):
        topic = self.topic()
        self.produce(topic, [str(i) for i in range(10)])
        self.assertEqual(["7", "8", "9"], self.consume(topic, "-p", "0", "-o", "7"))
        self.assertEqual(["8", "9"], self.consume(topic, "-p", "0", "-o", "-2"))
        self.assertEqual([], self.consume(topic, "-p", "0", "-o", "end"))
        self.assertEqual([str(i) for i in range(10)], self.consume(topic, "-p", "0", "-o", "s@1000"))
        self.assertEqual("%s [0] offset 10" % topic, self.kcat("-Q", "-t", topic + ":0:-1").strip())
        self.assertEqual("%s [0] offset 0" % topic, self.kcat("-Q", "-t", topic + ":0:1000").strip())

    def test_consumer_group_goes_on_where_it_stopped(self):
        topic = self.topic(partitions=2)
        group = "group-of-" + topic
        first = {"a%d" % i for i in range(50)}
        for partition in ("0", "1"):
            self.produce(topic, sorted(first)[int(partition)::2], "-p", partition)
        self.assertEqual(first, set(self.in_group(group, topic)))
        self.produce(topic, ["b0", "b1"], "-p", "1")
        self.assertEqual({"b0", "b1"}, set(self.in_group(group, topic)))

    def in_group(self, group, topic):
        return self.kcat("-G", group, "-e", "-q", "-X", "auto.offset.reset=earliest", topic).splitlines()

    def test_a_waiting_consumer_is_woken_by_a_record(self):
        topic = self.topic()
        waiting = harness.Process(["kcat", "-b", self.broker.address, "-C", "-t", topic, "-p", "0", "-o", "end", "-u",
                                   "-X", "fetch.wait.max.ms=1000"])
        self.addCleanup(waiting.end)
        waiting.wait_for_line("Reached end of topic")
        self.produce(topic, ["wake up"], "-p", "0")
        waiting.wait_for_line("^wake up$", seconds=10)

    def test_large_records(self):
        topic = self.topic()
        line = "x" * 900000
        self.produce(topic, [line, line], "-X", "message.max.bytes=1000000")
        self.assertEqual([line, line], self.consume(topic, "-o", "beginning"))


if __name__ == "__main__":
    harness.need_programs("kcat")
    harness.main()
