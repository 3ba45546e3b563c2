#!/usr/bin/python3
"""Apache Kafka's own command-line tools, version 4.3.1, unmodified: the classes behind kafka-topics.sh and its siblings."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import harness  # noqa: E402
import java_tools  # noqa: E402

TOPICS = "org.apache.kafka.tools.TopicCommand"
PRODUCER = "org.apache.kafka.tools.ConsoleProducer"
CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
GET_OFFSETS = "org.apache.kafka.tools.GetOffsetShell"
API_VERSIONS = "org.apache.kafka.tools.BrokerApiVersionsCommand"
CONFIGS = "kafka.admin.ConfigCommand"


class JavaTools(java_tools.ToolsTest):

    def consume(self, topic, count, *arguments):
        """`count` records as the console consumer prints them; it ends by itself when it has that many."""
        lines = self.tool(CONSUMER, "--topic", topic, "--max-messages", str(count), "--timeout-ms", "30000",
                          *arguments).splitlines()
        return [line for line in lines if "KIP-848" not in line]  # advice of the tool's

    def until(self, look, expected):
        deadline = time.monotonic() + 30
        while True:
            got = look()
            if got == expected:
                return
            self.assertLess(time.monotonic(), deadline, "%r expected, last %r" % (expected, got))

    # ---- kafka-topics.sh

    def test_topics_from_creation_to_deletion(self):
        topic = "java-topic"
        self.assertIn("Created topic " + topic, self.tool(
            TOPICS, "--create", "--topic", topic, "--partitions", "2", "--replication-factor", "1",
            "--config", "retention.ms=99"))
        self.assertIn("already exists", self.tool(TOPICS, "--create", "--topic", topic, status=1))
        self.tool(TOPICS, "--create", "--if-not-exists", "--topic", topic)
        self.until(lambda: topic in self.tool(TOPICS, "--list").split(), True)
        described = self.tool(TOPICS, "--describe", "--topic", topic)
        self.assertIn("PartitionCount: 2", described)
        self.assertIn("retention.ms=99", described)
        self.assertIn("Leader: 1\tReplicas: 1\tIsr: 1", described)
        self.tool(TOPICS, "--alter", "--topic", topic, "--partitions", "3")
        self.until(lambda: "PartitionCount: 3" in self.tool(TOPICS, "--describe", "--topic", topic), True)
        self.assertIn("3", self.tool(TOPICS, "--alter", "--topic", topic, "--partitions", "2", status=1))
        self.tool(TOPICS, "--delete", "--topic", topic)
        self.until(lambda: topic in self.tool(TOPICS, "--list").split(), False)
        self.assertIn("does not exist", self.tool(TOPICS, "--delete", "--topic", topic, status=1))

    def test_a_refused_topic(self):
        for arguments in (("--topic", "too-many", "--replication-factor", "3"),
                          ("--topic", "bad-config", "--config", "retention.ms=soon"),
                          ("--topic", "bad name!")):
            self.assertIn("Error while executing", self.tool(TOPICS, "--create", *arguments, status=1))

    # ---- kafka-console-producer.sh, kafka-console-consumer.sh, kafka-get-offsets.sh

    def test_every_codec_through_the_consoles(self):
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            with self.subTest(codec):
                topic = self.topic()
                lines = ["%s %d" % (codec, i) for i in range(200)]
                self.tool(PRODUCER, "--topic", topic, "--compression-codec", codec, stdin="\n".join(lines) + "\n")
                self.assertEqual(lines, self.consume(topic, 200, "--from-beginning", "--partition", "0"))

    def test_keys_and_headers(self):
        topic = self.topic()
        self.tool(PRODUCER, "--topic", topic, "--reader-property", "parse.key=true", "--reader-property", "parse.headers=true",
                  stdin="h1:v1\tkey\tvalue\n")
        self.assertEqual(["h1:v1\tkey\tvalue"], self.consume(
            topic, 1, "--from-beginning", "--formatter-property", "print.key=true", "--formatter-property", "print.headers=true"))

    def test_acks_and_a_producer_without_idempotence(self):
        for acks in ("0", "1", "all"):
            with self.subTest(acks):
                topic = self.topic()
                self.tool(PRODUCER, "--topic", topic, "--producer-property", "enable.idempotence=false",
                          "--producer-property", "acks=" + acks, stdin="one\ntwo\n")
                self.assertEqual(["one", "two"], self.consume(topic, 2, "--from-beginning"))

    def test_a_group_goes_on_where_it_stopped(self):
        topic = self.topic(partitions=2)
        group = "group-" + topic
        self.tool(PRODUCER, "--topic", topic, stdin="a\nb\nc\n")
        self.assertEqual({"a", "b", "c"}, set(self.consume(topic, 3, "--group", group, "--from-beginning")))
        self.tool(PRODUCER, "--topic", topic, stdin="d\n")
        self.assertEqual(["d"], self.consume(topic, 1, "--group", group))

    def test_offsets(self):
        topic = self.topic(partitions=2)
        self.tool(PRODUCER, "--topic", topic, stdin="".join("%d\n" % i for i in range(30)))
        at = {}
        for when in ("earliest", "latest", "-1", "-2", "max-timestamp", "earliest-local", "1000"):
            rows = self.tool(GET_OFFSETS, "--topic", topic, "--time", when).split()
            at[when] = sum(int(row.rsplit(":", 1)[1]) for row in rows if row.startswith(topic))
        self.assertEqual((0, 30, 30, 0, 0), (at["earliest"], at["latest"], at["-1"], at["-2"], at["earliest-local"]))
        self.assertEqual(0, at["1000"], "the first record after 1970")

    # ---- what the broker says of itself

    def test_broker_api_versions(self):
        said = self.tool(API_VERSIONS)
        self.assertIn("%s (id: 1 " % self.broker.address, said)
        for row in ("Produce(0): 0 to 13 [usable: 13]", "Fetch(1): 4 to 18 [usable: 18]",
                    "ApiVersions(18): 0 to 4 [usable: 4]", "DescribeTopicPartitions(75): 0 [usable: 0]"):
            self.assertIn(row, said)

    def test_configs(self):
        topic = self.topic(cleanup_policy="compact")
        said = self.tool(CONFIGS, "--describe", "--all", "--entity-type", "topics", "--entity-name", topic)
        self.assertIn("cleanup.policy=compact", said)
        self.assertIn("DYNAMIC_TOPIC_CONFIG", said)
        self.assertIn("segment.bytes=1073741824", said)
        said = self.tool(CONFIGS, "--describe", "--all", "--entity-type", "brokers", "--entity-name", "1")
        self.assertIn("node.id=1", said)
        self.assertIn("STATIC_BROKER_CONFIG", said)

    def configs(self, *arguments, **options):
        """kafka-configs.sh: the lines it prints."""
        return [line.strip() for line in self.tool(CONFIGS, *arguments, **options).splitlines()]

    def until_configs(self, expected, *arguments):
        """Apache Kafka answers a change before it shows it."""
        self.until(lambda: sorted(self.configs("--describe", *arguments)), sorted(expected))

    def test_a_topics_configuration_changed_and_set_back(self):
        topic = self.topic()
        who = "--entity-type", "topics", "--entity-name", topic
        head = "Dynamic configs for topic %s are:" % topic
        self.assertEqual(["Completed updating config for topic %s." % topic], self.configs(
            "--alter", *who, "--add-config", "retention.ms=12345,cleanup.policy=[compact,delete]"))
        self.until_configs([
            head, "cleanup.policy=compact,delete sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete, "
            "DEFAULT_CONFIG:log.cleanup.policy=delete}",
            "retention.ms=12345 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=12345}"], *who)
        self.configs("--alter", *who, "--delete-config", "cleanup.policy,retention.ms")
        self.until_configs([head], *who)
        self.assertIn("InvalidConfigurationException",
                      self.tool(CONFIGS, "--alter", *who, "--add-config", "no.such=1", status=1))

    def test_a_brokers_and_all_brokers_configurations(self):
        one, of_all = ("--entity-type", "brokers", "--entity-name", "1"), ("--entity-type", "brokers", "--entity-default")
        self.configs("--alter", *of_all, "--add-config", "log.retention.ms=5000")
        self.configs("--alter", *one, "--add-config", "log.retention.ms=6000")
        self.until_configs(["Dynamic configs for broker 1 are:",
                            "log.retention.ms=6000 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.retention.ms=6000, "
                            "DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=5000, DEFAULT_CONFIG:log.retention.hours=168}"], *one)
        self.until(lambda: "log.retention.ms=5000 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=5000}"
                   in self.configs("--describe", *of_all), True)
        self.assertIn("InvalidRequestException", self.tool(CONFIGS, "--alter", *one, "--add-config", "log.dirs=/x", status=1))
        self.assertIn("InvalidRequestException",
                      self.tool(CONFIGS, "--alter", *of_all, "--add-config", "listeners=PLAINTEXT://:1", status=1))
        self.configs("--alter", *one, "--delete-config", "log.retention.ms")
        self.configs("--alter", *of_all, "--delete-config", "log.retention.ms")
        self.until_configs(["Dynamic configs for broker 1 are:"], *one)

    def test_levels_of_loggers(self):
        who = "--entity-type", "broker-loggers", "--entity-name", "1"
        self.configs("--alter", *who, "--add-config", "root=ERROR")
        self.until(lambda: "root=ERROR sensitive=false synonyms={}" in self.configs("--describe", *who), True)
        self.assertIn("InvalidConfigurationException", self.tool(CONFIGS, "--alter", *who, "--add-config", "root=LOUD", status=1))
        self.configs("--alter", *who, "--add-config", "root=INFO")

    def test_configurations_of_groups_and_of_client_metrics(self):
        group = "--entity-type", "groups", "--entity-name", "java-configured"
        self.configs("--alter", *group, "--add-config", "consumer.session.timeout.ms=50000")
        self.until_configs(["Dynamic configs for group java-configured are:",
                            "consumer.session.timeout.ms=50000 sensitive=false synonyms={DYNAMIC_GROUP_CONFIG:"
                            "consumer.session.timeout.ms=50000, DEFAULT_CONFIG:group.consumer.session.timeout.ms=45000}"], *group)
        metrics = "--entity-type", "client-metrics", "--entity-name", "java-metrics"
        self.configs("--alter", *metrics, "--add-config", "interval.ms=5000,match=[client_id=java.*]")
        self.until_configs(["Dynamic configs for client-metric java-metrics are:",
                            "interval.ms=5000 sensitive=false synonyms={DYNAMIC_CLIENT_METRICS_CONFIG:interval.ms=5000}",
                            "match=client_id=java.* sensitive=false "
                            "synonyms={DYNAMIC_CLIENT_METRICS_CONFIG:match=client_id=java.*}"],
                           *metrics)
        self.assertIn("InvalidRequestException", self.tool(CONFIGS, "--alter", *metrics, "--add-config",
              "interval.ms=1", status=1))
        self.until(lambda: any("java-metrics" in line for line in self.configs("--describe", "--entity-type",
              "client-metrics")), True)
        self.configs("--alter", *group, "--delete-config", "consumer.session.timeout.ms")
        self.configs("--alter", *metrics, "--delete-config", "interval.ms,match")


if __name__ == "__main__":
    java_tools.main()
