#!/usr/bin/python3
"""Apache Kafka's own tools on quotas, users, features, the quorum and the cluster; and what they have changed here is what
Apache Kafka finds when it starts on the same directory, and the other way round.
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import harness  # noqa: E402
import served  # noqa: E402

CONFIGS = "kafka.admin.ConfigCommand"
FEATURES = "org.apache.kafka.tools.FeatureCommand"
QUORUM = "org.apache.kafka.tools.MetadataQuorumCommand"
CLUSTER = "org.apache.kafka.tools.ClusterTool"
ACLS = "org.apache.kafka.tools.AclCommand"


@harness.ours_only
class Tools(harness.WithLastWords):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="kafka-broker-cluster-tools-")
        self.addCleanup(subprocess.run, ["rm", "-rf", self.folder], check=False)

    def start(self, oracle=None):
        self.broker = harness.Broker(folder=self.folder, oracle=oracle).start()
        self.addCleanup(self.broker.close)

    def tool(self, name, *arguments, check=True):
        where = [] if name == CLUSTER else ["--bootstrap-server", self.broker.address]
        done = harness.run(harness.oracle_java(KAFKA, "-Xmx256m", *harness.QUICK_JVM) + [name, *where, *arguments],
                           seconds=120, check=check)
        return done.stdout + ("" if check else done.stderr)

    def configure(self, *arguments):
        return self.tool(CONFIGS, "--alter", *arguments)

    def kept(self):
        """Quotas, users and features, as the one at work says."""
        with self.broker.connect(30) as connection:
            quotas = connection.call("DescribeClientQuotas", 1, components=[], strict=False)["entries"]
            users = connection.call("DescribeUserScramCredentials", 0, users=None)["results"]
            features = connection.call("ApiVersions", 4, clientSoftwareName="a", clientSoftwareVersion="1")
        def named(entry):
            return tuple(sorted((part["entityType"], part["entityName"]) for part in entry["entity"]))
        return ({named(entry): {value["key"]: value["value"] for value in entry["values"]} for entry in quotas},
                {user["user"]: {c["mechanism"]: c["iterations"] for c in user["credentialInfos"]} for user in users},
                {feature["name"]: feature["maxVersionLevel"] for feature in features["finalizedFeatures"]})

    def test_by_turns(self):
        self.start()
        alice = ("--entity-type", "users", "--entity-name", "alice")  # the tool takes quotas and passwords one at a time
        self.configure(*alice, "--add-config", "producer_byte_rate=1048576,consumer_byte_rate=2097152")
        self.configure(*alice, "--add-config", "SCRAM-SHA-256=[iterations=8192,password=secret]")
        self.configure("--entity-type", "users", "--entity-default", "--entity-type", "clients", "--entity-name", "app",
                       "--add-config", "request_percentage=150.5")
        self.configure("--entity-type", "ips", "--entity-name", "10.0.0.1", "--add-config", "connection_creation_rate=100")
        described = self.tool(CONFIGS, "--describe", "--entity-type", "users", "--entity-name", "alice")
        for word in ("producer_byte_rate=1048576.0", "consumer_byte_rate=2097152.0", "SCRAM-SHA-256=iterations=8192"):
            self.assertIn(word, described)
        self.assertIn("connection_creation_rate=100.0", self.tool(CONFIGS, "--describe", "--entity-type", "ips"))
        self.tool(FEATURES, "downgrade", "--feature", "group.version=0")
        quotas, users, features = ours = self.kept()
        self.assertEqual({(("user", "alice"),): {"producer_byte_rate": 1048576.0, "consumer_byte_rate": 2097152.0},
                          (("client-id", "app"), ("user", None)): {"request_percentage": 150.5},
                          (("ip", "10.0.0.1"),): {"connection_creation_rate": 100.0}}, quotas)
        self.assertEqual({"alice": {1: 8192}}, users)
        self.assertNotIn("group.version", features)
        self.broker.stop()

        self.start(KAFKA)
        served.eventually(lambda: self.assertEqual(ours, self.kept()))
        self.configure(*alice, "--delete-config", "producer_byte_rate")
        self.configure(*alice, "--delete-config", "SCRAM-SHA-256")
        bob = ("--entity-type", "users", "--entity-name", "bob")
        self.configure(*bob, "--add-config", "controller_mutation_rate=5")
        self.configure(*bob, "--add-config", "SCRAM-SHA-512=[password=other]")
        self.tool(FEATURES, "upgrade", "--feature", "group.version=1")
        served.eventually(lambda: self.assertEqual(1, self.kept()[2].get("group.version")))
        theirs = self.kept()
        self.assertNotEqual(ours, theirs)
        self.broker.stop()

        self.start()
        self.assertEqual(theirs, self.kept())
        self.assertEqual({"bob": {2: 4096}}, theirs[1])
        self.broker.stop()

    def test_the_other_tools(self):
        self.start()
        features = self.tool(FEATURES, "describe")
        self.assertRegex(features, r"Feature: metadata.version\s+SupportedMinVersion: 3.3-IV3\s+"
                                   r"SupportedMaxVersion: 4.3-IV0\s+FinalizedVersionLevel: 4.3-IV0")
        refused = self.tool(FEATURES, "upgrade", "--feature", "share.version=1", check=False)
        self.assertIn("does not serve the feature yet", refused)
        status = self.tool(QUORUM, "describe", "--status")
        for word in ("LeaderId:", "LeaderEpoch:", "HighWatermark:", "CurrentVoters:", "CurrentObservers:"):
            self.assertIn(word, status)
        self.assertRegex(status, r"MaxFollowerLag:\s+0")
        self.assertIn("Leader", self.tool(QUORUM, "describe", "--replication"))
        with self.broker.connect() as connection:
            cluster_id = connection.call("DescribeCluster", 0)["clusterId"]
        where = ["--bootstrap-server", self.broker.address]
        self.assertIn("Cluster ID: " + cluster_id, self.tool(CLUSTER, "cluster-id", *where))
        self.assertIn("127.0.0.1", self.tool(CLUSTER, "list-endpoints", *where))
        self.assertIn("not", self.tool(CLUSTER, "unregister", "--id", "7", *where, check=False))
        self.assertIn("SecurityDisabledException", self.tool(ACLS, "--list", check=False))
        self.broker.stop()


if __name__ == "__main__":
    KAFKA = harness.need_apache_kafka()
    harness.main()
