#!/usr/bin/python3
"""Every method of Apache Kafka's Admin client (4.3.1) that means something on one broker: java/AdminCalls.java makes the same
calls in the same order of Apache Kafka and of this broker, and what comes of each is the same, but for what DIFFERENT names.
"""
import os
import re
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import harness  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))

# Calls, by how their names begin, that need a request which the broker may not serve yet, by its key: as long as it does
# not, their outcome is another one. README.md lists what is not served.
NEEDS = {
    "addRaftVoter": 80, "removeRaftVoter": 81, "clientInstanceId": 71, "listTransactions": 66, "describeTransactions": 65,
    "abortTransaction": 27, "fenceProducers": 24, "forceTerminateTransaction": 24,
    "describeShareGroups": 77, "listShareGroupOffsets": 90, "alterShareGroupOffsets": 91, "deleteShareGroupOffsets": 92,
    "deleteShareGroups": 76, "describeStreamsGroups": 89,
}
# Those whose outcome differs for good or for now, and why. A call that does not differ has no business here.
DIFFERENT = {
    "describeFeatures finalized": "formatting leaves out transactions, share and streams groups, which are not served yet",
    "updateFeatures kraft.version 1 UPGRADE": "a quorum of controller.quorum.voters is not made a dynamic one yet",
    "deleteConsumerGroups without offsets": "a group is gone with its last offset, not at a clean-up ten minutes later",
}


# Keys that Apache Kafka does not have, as describeConfigs has them.
OWN_KEYS = re.compile(r"\b(?:acks\.all\.durability|http\.listeners|log\.scrub\.[a-z.]+|request\.slow\.ms|"
                      r"storage\.min\.free\.bytes)=[^,\]]*(?:, )?")


def outcomes(command, port, controller_port, folders):
    done = harness.run(command + [str(port), str(controller_port), *folders], seconds=600)
    lines = [line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line]
    return dict(lines)


class AdminCalls(unittest.TestCase):

    def ask(self, oracle):
        folder = tempfile.mkdtemp(prefix="kafka-broker-admin-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        folders = [os.path.join(folder, "a"), os.path.join(folder, "b")]
        config = {"log.dirs": ",".join(folders), "share.coordinator.state.topic.replication.factor": "1",
                  "share.coordinator.state.topic.min.isr": "1"}
        with harness.Broker(config, folder=folder, oracle=oracle) as broker:
            java = harness.oracle_java(CLASSES, "-Xmx256m", *harness.QUICK_JVM)
            java[-1] += os.pathsep + self.compiled
            with broker.connect() as connection:
                served = {api["apiKey"] for api in connection.call("ApiVersions", 0)["apiKeys"]}
            return outcomes(java + ["AdminCalls"], broker.port, broker.controller_port, folders), served

    def test_every_call_has_the_outcome_it_has_at_apache_kafka(self):
        self.compiled = tempfile.mkdtemp(prefix="kafka-broker-admin-")
        self.addCleanup(shutil.rmtree, self.compiled, ignore_errors=True)
        harness.run(["javac", "-nowarn", "-cp", os.path.join(CLASSES, "libs", "*"), "-d", self.compiled,
                     os.path.join(HERE, "java", "AdminCalls.java")], seconds=120)
        (theirs, _), (ours, served) = self.ask(CLASSES), self.ask(None)
        self.assertGreater(len(theirs), 250)
        self.assertEqual(set(theirs), set(ours))
        excused = set(DIFFERENT) | {call for call, key in NEEDS.items() if key not in served}
        unexpected, idle = [], set(DIFFERENT)
        for name, outcome in theirs.items():
            if OWN_KEYS.sub("", ours[name]) == outcome:
                continue
            expected = {begin for begin in excused if name.startswith(begin)}
            idle -= expected
            if not expected:
                unexpected.append("%s\n  Apache Kafka: %s\n  this broker:  %s" % (name, outcome, ours[name]))
        if unexpected:
            self.fail("%d outcomes differ:\n%s" % (len(unexpected), "\n".join(unexpected)))
        self.assertEqual(set(), idle, "these do not differ any more")


if harness.ORACLE:
    harness.skip("compares this broker with Apache Kafka")
CLASSES = harness.need_apache_kafka()
harness.need_programs("javac")

if __name__ == "__main__":
    harness.main()
