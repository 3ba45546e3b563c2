#!/usr/bin/python3
"""How the process starts and ends: arguments, configuration, exit codes, the one line that says what is wrong, signals.

Exit codes: 0 clean, 64 usage, 65 damaged or foreign data directory, 74 input/output, 78 configuration.
"""
import hashlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import harness  # noqa: E402
import sparse  # noqa: E402

if harness.ORACLE:
    harness.skip("Apache Kafka's command line is its own")

USAGE, DATA, IO, CONFIG = 64, 65, 74, 78


def tree(folder):
    """What a directory holds: every name and the digest of its content."""
    out = {}
    for path, _, files in os.walk(folder):
        for name in files:
            with open(os.path.join(path, name), "rb") as content:
                out[os.path.relpath(os.path.join(path, name), folder)] = hashlib.sha256(content.read()).hexdigest()
        out[os.path.relpath(path, folder) + "/"] = ""
    out.pop(".lock", None)  # an advisory lock's file is no data
    return out


class CommandLine(harness.WithLastWords):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="kafka-broker-cli-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def new_broker(self, config=None, **options):
        broker = harness.Broker(config, **options)
        self.addCleanup(broker.close)
        self.broker = broker
        return broker

    def refused(self, broker, status, *words):
        """It ends at once with this status, and one line has all these words."""
        broker.write_properties()
        before = tree(broker.data) if os.path.exists(broker.data) else None
        process = harness.Process(broker.command(), cwd=broker.folder)
        self.addCleanup(process.end)
        got = process.wait(20)
        self.assertEqual(status, got, process.output())
        matching = [line for line in process.lines if all(word in line for word in words)]
        self.assertEqual(1, len(matching), "one line with %s in:\n%s" % (words, process.output()))
        self.assertLessEqual(len(process.lines), 5, "no more than the matter needs:\n" + process.output())
        after = tree(broker.data) if os.path.exists(broker.data) else None
        self.assertEqual(before, after, "nothing is touched")
        return matching[0]

    def stopped_broker(self):
        """One that has run, so that its data directory is a real one."""
        broker = self.new_broker()
        broker.start()
        broker.create_topic("kept")
        broker.stop()
        return broker

    # ---- configuration

    def test_an_invalid_value_is_named_with_its_key_and_what_is_allowed(self):
        for key, value in (("num.partitions", "none"), ("num.partitions", "0"), ("log.segment.bytes", "12"),
                           ("log.cleanup.policy", "shred"), ("compression.type", "rar"), ("listeners", "nonsense"),
                           ("auto.create.topics.enable", "perhaps"), ("node.id", "-5")):
            with self.subTest(key, value=value):
                self.refused(self.new_broker({key: value}), CONFIG, key, value)

    def test_an_unknown_key_is_named_in_one_warning(self):
        broker = self.new_broker({"no.such.key": "1", "nor.this.one": "2"}).start()
        warnings = [line for line in broker.process.lines if "no.such.key" in line]
        self.assertEqual(1, len(warnings))
        self.assertIn("nor.this.one", warnings[0])

    def test_what_would_weaken_security_is_refused(self):
        broker = self.new_broker()
        for key, value in (
                ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
                ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_PLAINTEXT"),
                ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:SSL"),
                ("ssl.keystore.location", "/etc/kafka/keystore.jks"),
                ("client.quota.callback.class", "org.example.Quotas")):
            with self.subTest(key, value=value):
                self.refused(self.new_broker({key: value}), CONFIG, key)
        del broker

    def test_a_map_that_merely_knows_secure_protocols_is_no_obstacle(self):
        self.new_broker({"listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,"
                         "SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL"}).start().stop()

    def test_combined_mode_with_bootstrap_servers(self):
        broker = self.new_broker({"controller.quorum.voters": None})
        broker.config["controller.quorum.bootstrap.servers"] = "127.0.0.1:%d" % broker.controller_port
        broker.start().stop()

    def test_a_file_that_is_not_there(self):
        broker = self.new_broker()
        process = harness.Process([harness.BROKER, os.path.join(self.folder, "none.properties")])
        self.addCleanup(process.end)
        self.assertIn(process.wait(20), (USAGE, IO, CONFIG))
        self.assertIn("none.properties", process.output())
        del broker

    def test_an_override_wins_over_the_file(self):
        broker = self.new_broker({"auto.create.topics.enable": "true"}, arguments=["--override", "num.partitions=7"]).start()
        with broker.connect() as connection:
            entries = connection.call("DescribeConfigs", 4, resources=[
                {"resourceType": 4, "resourceName": "1", "configurationKeys": ["num.partitions"]}])["results"][0]["configs"]
        self.assertEqual([("num.partitions", "7")], [(e["name"], e["value"]) for e in entries])

    # ---- usage

    def test_wrong_usage(self):
        for arguments in (["--no-such-flag"], ["--reactors=many"], ["--override"], ["--override", "no-equals-sign"],
                          ["second.properties"]):
            with self.subTest(arguments):
                broker = self.new_broker(arguments=arguments)
                self.refused(broker, USAGE, arguments[-1].split("=")[0].lstrip("-"))

    def test_the_number_of_reactors(self):
        for count in ("1", "3"):
            with self.subTest(count):
                broker = self.new_broker(arguments=["--reactors=" + count]).start()
                broker.create_topic("spread", 5)
                broker.stop()

    def test_without_a_file_there_is_a_default(self):
        broker = self.new_broker()
        process = harness.Process([harness.BROKER, "--override", "listeners=" + broker.config["listeners"], "--override",
                                   "controller.quorum.voters=" + broker.config["controller.quorum.voters"], "--override",
                                   "advertised.listeners=" + broker.config["advertised.listeners"]], cwd=self.folder)
        self.addCleanup(process.end)
        process.wait_for_line("Kafka Server started")
        with broker.connect() as connection:
            self.assertEqual(0, connection.call("ApiVersions", 0)["errorCode"])
        self.assertTrue(os.path.exists(os.path.join(self.folder, "data", "meta.properties")))
        process.signal(signal.SIGINT)
        self.assertEqual(0, process.wait())

    # ---- ports and directories

    def test_a_port_in_use(self):
        broker = self.stopped_broker()
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", broker.port))
            taken.listen()
            self.refused(broker, IO, str(broker.port))

    def test_a_data_directory_that_cannot_be_written(self):
        with open(os.path.join(self.folder, "file"), "w", encoding="ascii"):
            pass
        broker = self.new_broker({"log.dirs": os.path.join(self.folder, "file", "data")})
        self.refused(broker, IO, os.path.join(self.folder, "file"))

    def test_a_data_directory_that_another_broker_uses(self):
        first = self.new_broker().start()
        second = self.new_broker({"log.dirs": first.data})
        second.write_properties()
        process = harness.Process(second.command())
        self.addCleanup(process.end)
        self.assertEqual(IO, process.wait(20), process.output())
        self.assertIn(first.data, process.output())
        self.assertTrue(first.alive())
        first.create_topic("still-works")

    def test_a_data_directory_of_another_node(self):
        broker = self.stopped_broker()
        broker.config["node.id"] = "2"
        broker.config["controller.quorum.voters"] = "2@127.0.0.1:%d" % broker.controller_port
        self.refused(broker, DATA, broker.data)

    def test_data_directories_of_two_clusters(self):
        one, other = self.stopped_broker(), self.stopped_broker()
        one.config["log.dirs"] = one.data + "," + other.data
        self.refused(one, DATA, other.data)

    def test_a_damaged_meta_properties(self):
        broker = self.stopped_broker()
        with open(os.path.join(broker.data, "meta.properties"), "w", encoding="ascii") as damaged:
            damaged.write("version=1\nnode.id=what\n")
        self.refused(broker, DATA, "meta.properties")

    def test_a_metadata_version_from_the_future(self):
        broker = self.new_broker()
        was, sparse.METADATA_VERSION = sparse.METADATA_VERSION, 99
        try:
            sparse.DataDirectory(broker.data, {})
        finally:
            sparse.METADATA_VERSION = was
        self.refused(broker, DATA, "metadata.version", "99")

    def test_foreign_files_in_the_data_directory_are_ignored(self):
        broker = self.stopped_broker()
        os.mkdir(os.path.join(broker.data, "lost+found"))
        with open(os.path.join(broker.data, "notes.txt"), "w", encoding="ascii") as notes:
            notes.write("mine")
        broker.start()
        broker.stop()
        self.assertTrue(os.path.exists(os.path.join(broker.data, "notes.txt")))

    # ---- starting and stopping

    def test_what_is_said_at_the_start(self):
        broker = self.new_broker().start()
        broker.process.wait_for_line("Transitioning from RECOVERY to RUNNING", 1)
        broker.process.wait_for_line("Kafka Server started", 1)
        said = broker.process.output()
        for what in (broker.data, broker.address):
            self.assertIn(what, said)

    def test_a_clean_stop_leaves_the_marker_and_the_next_start_takes_it(self):
        marker = os.path.join(self.stopped_broker().data, ".kafka_cleanshutdown")
        self.assertTrue(os.path.exists(marker))
        self.broker.start()
        self.assertFalse(os.path.exists(marker))
        self.broker.process.signal(signal.SIGINT)
        self.assertEqual(0, self.broker.process.wait())
        self.assertTrue(os.path.exists(marker))

    def test_a_start_takes_a_moment(self):
        broker = self.stopped_broker()

        def start_seconds():
            at = time.monotonic()
            broker.start()
            seconds = time.monotonic() - at
            broker.stop()
            return seconds
        self.assertTrue(any(start_seconds() < 2 for _ in range(5)), "a busy machine may delay one, not all")

    def test_a_stop_answers_those_who_wait(self):
        broker = self.new_broker().start()
        broker.create_topic("quiet")
        with broker.connect(30) as connection:
            connection.start("Fetch", 12, maxWaitMs=25000, minBytes=1, sessionEpoch=-1, topics=[
                {"topic": "quiet", "partitions": [{"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 1000}]}])
            with broker.connect() as other:  # by now the first request has been read, if not quite surely
                other.call("ApiVersions", 0)
            at = time.monotonic()
            broker.stop()
            self.assertLess(time.monotonic() - at, 10)
            outcome, _ = connection.receive()
            self.assertEqual("response", outcome)

    def test_a_second_signal_ends_it_at_once(self):
        broker = self.new_broker().start()
        broker.process.signal(signal.SIGTERM)
        broker.process.signal(signal.SIGTERM)
        self.assertIsNotNone(broker.process.wait(10))

    def test_few_descriptors_do_not_end_it(self):
        broker = self.new_broker(wrapper=["sh", "-c", 'ulimit -n 120; exec "$@"', "sh"]).start()
        broker.create_topic("before")
        crowd = []
        try:
            for _ in range(300):
                crowd.append(socket.create_connection(("127.0.0.1", broker.port), 5))
        except OSError:
            pass  # the backlog is full: as good as refused
        self.assertTrue(broker.process.running())
        for one in crowd:
            one.close()
        deadline = time.monotonic() + 20
        while True:
            try:
                with broker.connect(2) as connection:
                    if connection.call("ApiVersions", 0)["errorCode"] == 0:
                        break
            except (OSError, harness.protocol.NoAnswer):
                self.assertLess(time.monotonic(), deadline, "serves again when the crowd is gone")
        broker.create_topic("after")
        broker.stop()


if __name__ == "__main__":
    harness.main()
