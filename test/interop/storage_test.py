#!/usr/bin/python3
"""`kafka-broker storage` beside Apache Kafka's kafka-storage.sh on the same arguments: the same exit code, the same words on the
standard output, and the same things in the directories. Then each of the two starts on a directory that the other one formatted.
"""
import base64
import hashlib
import hmac
import ipaddress
import json
import os
import re
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import harness  # noqa: E402
import java_tools  # noqa: E402

THEIRS = "kafka.tools.StorageTool"
CLUSTER = "MMvRdwH_R1O3ixIh1-EdSw"
ID_1, ID_2 = "JEXY6aqzQY-32P5TStzaFg", "MvDxzVmcRsaTz33bUuRU6A"
VOTERS = "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"
ALICE = "SCRAM-SHA-256=[name=alice,password=alice-secret]"
BOB = 'SCRAM-SHA-512=[name="bob",iterations=8192,salt="N3E=",saltedpassword="YCE="]'
CAROL = "SCRAM-SHA-512=[name=carol,salt=c2FsdA==,password=a=b,iterations=5000]"


def ours(*arguments):
    done = harness.run([harness.BROKER, "storage", *arguments], check=False)
    return done.returncode, done.stdout, done.stderr


def records_of(path):
    """The records of a snapshot, without offsets and times; control records as their names and contents."""
    text = harness.run([harness.BROKER, "dump-log", "--cluster-metadata-decoder", "--files", path]).stdout
    found = []
    for line in text.splitlines():
        payload = re.search(r"payload: (\{.*\})$", line)
        control = re.search(r" (SnapshotHeader|SnapshotFooter|KRaftVersion|KRaftVoters) (\{.*\})$", line)
        if payload:
            found.append(json.loads(payload.group(1)))
        elif control:
            body = json.loads(control.group(2))
            body.pop("lastContainedLogTimestamp", None)
            found.append({"type": control.group(1), "data": body})
    return found


class Storage(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.tools = java_tools.Tools(CLASSES)
        cls.addClassCleanup(cls.tools.close)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="kafka-broker-storage-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.dirs = [os.path.join(self.folder, name) for name in ("d1", "d0")]
        self.config = os.path.join(self.folder, "server.properties")
        self.configure()

    def configure(self, **changes):
        keys = {"process.roles": "broker,controller", "node.id": "3", "log.dirs": ",".join(self.dirs),
                "listeners": "PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093",
                "controller.listener.names": "CONTROLLER", "controller.quorum.bootstrap.servers": "127.0.0.1:19093"}
        keys.update({key.replace("_", "."): value for key, value in changes.items()})
        with open(self.config, "w", encoding="ascii") as out:
            out.writelines("%s=%s\n" % item for item in keys.items() if item[1] is not None)

    def wipe(self):
        for folder in self.dirs:
            shutil.rmtree(folder, ignore_errors=True)
            if os.path.exists(folder):
                os.remove(folder)

    # ---- what is compared

    def directory(self, folder, left_out):
        if not os.path.isdir(folder):
            return None
        found = {}
        for base, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(base, name)
                key = os.path.relpath(path, folder)
                if name == "meta.properties":
                    with open(path, encoding="ascii") as text:
                        found[key] = dict(line.strip().split("=", 1) for line in text if not line.startswith("#") and "=" in line)
                else:
                    found[key] = [self.checked(r) for r in records_of(path)
                                  if not (r["type"] == "FEATURE_LEVEL_RECORD" and r["data"]["name"] in left_out)]
        return found

    def checked(self, record):
        """A user's keys are those of the password; then salt and keys that were drawn at random are out of it. An address is the
        same in any spelling, and voters are in any order (theirs is a hash table's)."""
        record["data"].get("voters", []).sort(key=lambda voter: voter["voterId"])
        for voter in record["data"].get("voters", []):
            for endpoint in voter["endpoints"]:
                if ":" in endpoint["host"]:
                    endpoint["host"] = ipaddress.ip_address(endpoint["host"]).compressed
        if record["type"] != "USER_SCRAM_CREDENTIAL_RECORD" or record["data"]["name"] != "alice":
            return record
        data = record["data"]
        salt = base64.b64decode(data.pop("salt"))
        salted = hashlib.pbkdf2_hmac("sha256", b"alice-secret", salt, data["iterations"])
        client = hmac.digest(salted, b"Client Key", "sha256")
        self.assertEqual(hashlib.sha256(client).digest(), base64.b64decode(data.pop("storedKey")))
        self.assertEqual(hmac.digest(salted, b"Server Key", "sha256"), base64.b64decode(data.pop("serverKey")))
        self.assertGreaterEqual(len(salt), 16)
        return record

    @staticmethod
    def text(output, left_out):
        for name in left_out:
            output = re.sub(r", ApiMessageAndVersion\(FeatureLevelRecord\(name='%s', featureLevel=\d+\) at version 0\)" %
                            re.escape(name), "", output)
        output = re.sub(r" (salt|storedKey|serverKey)=\[[-0-9, ]*\],", "", output)
        output = re.sub(r"(?m)^\s+at .*\n|^.*(Exception|Error): .*\n|^Caused by.*\n", "", output)  # a stack trace
        return sorted(re.sub(r"directory\.id=[\w-]{22}", "directory.id=ID", output).splitlines())

    def outcome(self, run, arguments, left_out):
        status, output, errors = run(*arguments)
        return {"status": status, "output": self.text(output, left_out), "errors": errors,
                "directories": [self.directory(folder, left_out) for folder in self.dirs]}

    def settle(self, outcome):
        """Random directory ids, once they are seen to be the voters', count as equal."""
        for directory in outcome["directories"]:
            if not directory or "meta.properties" not in directory:
                continue
            voters = [v for record in directory.get(VOTERS, []) for v in record["data"].get("voters", [])]
            drawn = directory["meta.properties"].get("directory.id")
            for voter in voters:
                if drawn is None or voter["voterDirectoryId"] == drawn not in (ID_1, ID_2):
                    voter["voterDirectoryId"] = "drawn"
            if drawn not in (ID_1, ID_2, None):
                self.assertRegex(drawn, r"^[A-Za-z0-9_][\w-]{21}$")
                directory["meta.properties"]["directory.id"] = "drawn"
        return outcome

    def compare(self, *arguments, before=()):
        """Both on the same arguments, each on fresh directories on which `before` was called. Returns our standard error."""
        seen = []
        left_out = set()  # features that we say we did not finalize

        def noted(*them):
            status, output, errors = ours(*them)
            said = re.search(r"does not serve them yet .*?: (.*)", errors)
            left_out.update(re.findall(r"([\w.]+)=\d+", said.group(1)) if said else [])
            return status, output, errors

        for run in (noted, lambda *them: self.tools.run(THEIRS, *them)):
            self.wipe()
            for prepare in before:
                prepare(run)
            outcome = self.outcome(run, arguments, left_out)
            if outcome["status"] != 0 and "info" not in arguments:
                self.assertNotEqual("", outcome["errors"], arguments)
            errors = outcome.pop("errors")
            seen.append((self.settle(outcome), errors))
        self.assertEqual(seen[1][0], seen[0][0], arguments)
        return seen[0][1]

    def format(self, *more, before=()):
        return self.compare("format", "-c", self.config, "-t", CLUSTER, *more, before=before)

    # ---- format

    def test_a_dynamic_quorum(self):
        self.format("--standalone")
        self.format("-N")
        self.format("--initial-controllers", "3@127.0.0.1:19093:%s,4@[::1]:19094:%s" % (ID_1, ID_2))
        self.format("-I", "4@127.0.0.1:19093:%s" % ID_2)
        for listeners in ("PLAINTEXT://:19092,CONTROLLER://:19093", "PLAINTEXT://127.0.0.1:19092,CONTROLLER://localhost:19093"):
            self.configure(listeners=listeners, **{"advertised.listeners": "PLAINTEXT://127.0.0.1:19092"})
            self.format("-s")

    def test_a_static_quorum(self):
        self.configure(**{"controller.quorum.voters": "3@127.0.0.1:19093", "controller.quorum.bootstrap.servers": None})
        self.format()
        self.format("-N")
        self.format("-s")
        self.format("-f", "kraft.version=1")
        self.format("-f", "kraft.version=0")

    def test_a_directory_for_the_metadata_alone(self):
        self.dirs.append(os.path.join(self.folder, "m"))
        self.configure(**{"log.dirs": ",".join(self.dirs[:2]), "metadata.log.dir": self.dirs[2]})
        self.format("-s")

    def test_users(self):
        self.format("-s", "--add-scram", ALICE, "--add-scram", BOB, "-S", CAROL)
        for wrong in ("", "x", "PLAIN=[name=a,password=b]", "SCRAM-SHA-256=name=a,password=b", "SCRAM-SHA-256=[name=a,password=b",
                      "SCRAM-SHA-256=[]", "SCRAM-SHA-256=[password=b]", "SCRAM-SHA-256=[name=a]",
                      "SCRAM-SHA-256=[name=a,password=]", "SCRAM-SHA-256=[name=a,password=b,iterations=4095]",
                      "SCRAM-SHA-256=[name=a,password=b,iterations=16385]", "SCRAM-SHA-256=[name=a,password=b,iterations=x]",
                      "SCRAM-SHA-256=[name=a,password=b,salt=*]", "SCRAM-SHA-256=[name=a,password=b,other=1]",
                      "SCRAM-SHA-256=[name=a,saltedpassword=YCE=]", "SCRAM-SHA-256=[name=a,salt=YCE=,saltedpassword=]"):
            self.format("-s", "--add-scram=" + wrong)
        self.format("-s", "-r", "3.4", "-S", BOB)

    def test_features(self):
        for release in ("3.3-IV3", "3.9", "4.0.1", "4.1", "4.2-IV1", "4.3", "4.3-IV0"):
            self.format("-s", "-r", release)
        self.format("-s", "-f", "metadata.version=25")
        self.format("-s", "-f", "group.version=0", "-f", "share.version=1", "-f", "transaction.version=1")
        self.format("-s", "-r", "4.0", "-f", "eligible.leader.replicas.version=1", "-f", "kraft.version=1")
        for wrong in (("-f", "nope=1"), ("-f", "group.version"), ("-f", "group.version=2"), ("-f", "group.version=x"),
                      ("-f", "kraft.version=0"), ("-f", "kraft.version=2"), ("-f", "metadata.version=31"),
                      ("-f", "metadata.version=6"), ("-f", "metadata.version=30", "-r", "4.3"), ("-r", "4.4"), ("-r", "4.4-IV0"),
                      ("-r", "3.2"), ("-r", ""), ("-r", "3.9", "-f", "eligible.leader.replicas.version=1")):
            self.format("-s", *wrong)

    def test_what_is_formatted_already(self):
        first = lambda run: run("format", "-c", self.config, "-t", CLUSTER, "-s")  # noqa: E731
        second_gone = lambda run: shutil.rmtree(self.dirs[1])  # noqa: E731
        said = self.format("-s", before=[first])
        self.assertIn("is already formatted. Use --ignore-formatted", said)
        self.format("-s", "--ignore-formatted", before=[first])
        self.format("-s", "-g", before=[first, second_gone])
        self.compare("format", "-c", self.config, "-t", "other", "-s", "-g", before=[first])

        def other_node(_):
            self.configure(**{"node.id": "4"})
        self.format("-s", "-g", before=[lambda _: self.configure(), first, other_node])

    def test_a_file_in_the_place_of_a_directory(self):
        def block(_):
            with open(self.dirs[1], "w", encoding="ascii"):
                pass
        self.format("-s", before=[block])
        self.compare("info", "-c", self.config, before=[block])

    def test_ways_to_write_arguments(self):
        file = os.path.join(self.folder, "arguments")
        with open(file, "w", encoding="ascii") as out:
            out.write("-c\n%s\n-t%s\n-sg\n" % (self.config, CLUSTER))
        for arguments in (("@" + file,), ("--conf", self.config, "--clus", CLUSTER, "--stand"),
                          ("-c=" + self.config, "-t=" + CLUSTER, "-gs"), ("--config=" + self.config, "--cluster-id=-x", "-N"),
                          ("-c", self.config, "-s"), ("-t", CLUSTER, "-s"), ("-c", self.config, "-t", "-s"),
                          ("-c", self.config, "-t", CLUSTER, "-s", "-N"), ("-c", self.config, "-t", CLUSTER),
                          ("-c", self.config, "-t", CLUSTER, "-s", "more"), ("-c", self.config, "-t", CLUSTER, "-s", "-x"),
                          ("-c", "/nowhere/none", "-t", CLUSTER, "-s")):
            self.compare("format", *arguments)
        self.assertEqual(0, ours("format", "--help")[0])
        for arguments in ((), ("bogus",)):
            self.compare(*arguments)

    # ---- the rest

    def test_info(self):
        first = lambda run: run("format", "-c", self.config, "-t", CLUSTER, "-s")  # noqa: E731

        def rewrite(old, new):
            def change(_):
                path = os.path.join(self.dirs[0], "meta.properties")
                with open(path, encoding="ascii") as text:
                    content = text.read()
                with open(path, "w", encoding="ascii") as out:
                    out.write(content.replace(old, new))
            return change
        self.compare("info", "-c", self.config)
        self.compare("info", "-c", self.config, before=[first])
        self.compare("info", "-c", self.config, before=[first, lambda run: shutil.rmtree(self.dirs[1])])
        self.compare("info", "-c", self.config, before=[first, lambda run: os.remove(self.dirs[1] + "/meta.properties")])
        self.compare("info", "-c", self.config, before=[first, rewrite("cluster.id=", "cluster.id=x")])
        self.compare("info", "-c", self.config, before=[first, rewrite("node.id=3", "node.id=4")])

        def age(_):
            for folder in self.dirs:
                with open(os.path.join(folder, "meta.properties"), "w", encoding="ascii") as out:
                    out.write("version=0\nbroker.id=3\ncluster.id=a\n")
        self.compare("info", "-c", self.config, before=[first, age])
        self.compare("info")

    def test_ids(self):
        self.assertRegex(ours("random-uuid")[1], r"^[A-Za-z0-9_][\w-]{21}\n$")
        self.assertNotEqual(ours("random-uuid")[1], ours("random-uuid")[1])

    def test_releases_and_what_features_need(self):
        self.compare("version-mapping")
        for release in ("3.3", "3.5-IV0", "3.9", "4.0", "4.1.0", "4.2-IV0", "4.4-IV0", "4.4", "3.2", "x"):
            self.compare("version-mapping", "--release-version", release)
        for features in (("group.version=1",), ("eligible.leader.replicas.version=1", "metadata.version=31", "kraft.version=0"),
                         ("transaction.version=2", "nope=1"), ("group.version=2",), ("group.version",), ("metadata.version=6",)):
            self.compare("feature-dependencies", *[part for f in features for part in ("--feature", f)])

    # ---- each on what the other formatted

    def start_on(self, oracle, run):
        broker = harness.Broker({"controller.quorum.voters": None}, oracle=oracle)
        broker.config["controller.quorum.bootstrap.servers"] = "127.0.0.1:%d" % broker.controller_port
        broker.write_properties()
        self.addCleanup(broker.close)
        status, output, errors = run("format", "-c", broker.properties, "-t", CLUSTER, "-s", "-S", BOB)
        self.assertEqual(0, status, output + errors)
        broker.start()
        broker.create_topic("here")
        with broker.connect() as connection:
            self.assertEqual(CLUSTER, connection.call("DescribeCluster", 1)["clusterId"])
            users = connection.call("DescribeUserScramCredentials", 0, users=None)["results"]
            self.assertEqual([("bob", [{"mechanism": 2, "iterations": 8192}])], [
                (user["user"], [{key: info[key] for key in ("mechanism", "iterations")} for info in user["credentialInfos"]])
                for user in users])
        broker.stop()
        written = harness.run([harness.BROKER, "dump-log", "--cluster-metadata-decoder", "--files", os.path.join(
            broker.data, "__cluster_metadata-0", "00000000000000000000.log")]).stdout
        self.assertIn('"name":"bob","mechanism":2,"salt":"N3E="', written)
        self.assertIn('"name":"here"', written)
        return broker

    def test_we_start_on_what_they_formatted_and_they_on_what_we_did(self):
        self.start_on(None, lambda *arguments: self.tools.run(THEIRS, *arguments))
        self.start_on(CLASSES, ours)


if harness.ORACLE:
    harness.skip("compares this broker with Apache Kafka")
CLASSES = harness.need_apache_kafka()

if __name__ == "__main__":
    harness.main()
