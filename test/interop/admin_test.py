#!/usr/bin/python3
"""Every method of Apache Kafka's Admin client (4.3.1) that means something on one broker: java/AdminCalls.java makes the same
calls in the same order of Apache Kafka and of this broker, and what comes of each is the same, but for what DIFFERENT names.
"""
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import harness  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))

# Calls, by how their names begin, whose outcome differs, and why. A call that does not differ has no business here.
TRANSACTIONS = "transactions are not served yet"
SHARE = "share groups are not served yet"
STREAMS = "streams groups are not served yet"
DIFFERENT = {
    "describeFeatures finalized": TRANSACTIONS + ", " + SHARE + ", " + STREAMS,
    "describeTransactions": TRANSACTIONS,
    "fenceProducers": TRANSACTIONS,
    "forceTerminateTransaction": TRANSACTIONS,
    "deleteConsumerGroups without offsets": "a group is gone with its last offset, not at the next clean-up ten minutes later",
}


def outcomes(command, port, controller_port, folders):
    done = harness.run(command + [str(port), str(controller_port), *folders], seconds=280)
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
            return outcomes(java + ["AdminCalls"], broker.port, broker.controller_port, folders)

    def test_every_call_has_the_outcome_it_has_at_apache_kafka(self):
        self.compiled = tempfile.mkdtemp(prefix="kafka-broker-admin-")
        self.addCleanup(shutil.rmtree, self.compiled, ignore_errors=True)
        harness.run(["javac", "-nowarn", "-cp", os.path.join(CLASSES, "libs", "*"), "-d", self.compiled,
                     os.path.join(HERE, "java", "AdminCalls.java")], seconds=120)
        theirs = self.ask(CLASSES)
        ours = self.ask(None)
        self.assertGreater(len(theirs), 250)
        found, unexpected, idle = set(), [], set(DIFFERENT)
        for name, outcome in theirs.items():
            if ours.get(name) == outcome:
                continue
            expected = [begin for begin in DIFFERENT if name.startswith(begin)]
            idle -= set(expected)
            found.add(name)
            if not expected:
                unexpected.append("%s\n  Apache Kafka: %s\n  this broker:  %s" % (name, outcome, ours.get(name)))
        self.assertEqual(set(theirs), set(ours))
        self.assertEqual("", "\n".join(unexpected), "%d outcomes differ" % len(unexpected))
        self.assertEqual(set(), idle, "these do not differ any more")


if harness.ORACLE:
    harness.skip("compares this broker with Apache Kafka")
CLASSES = harness.need_apache_kafka()
harness.need_programs("javac")

if __name__ == "__main__":
    harness.main()
