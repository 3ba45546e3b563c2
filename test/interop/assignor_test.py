#!/usr/bin/python3
"""Random groups, step by step, in Apache Kafka's own assignors and in ours: the same member gets the same partitions.

java/Assignments.java makes up the groups and writes what Apache Kafka makes of them; the golden test of our assignors
(test/group/assignor_golden_test.cc) reads it. ASSIGNOR_SEED in the environment is another input, ASSIGNOR_SEQUENCES a longer
one. A recording for test/golden/assignor is what Assignments.java writes, with `gzip -9n`.
"""
import os
import random
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import harness  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
GROUP_TEST = os.path.join(os.environ["TOOLS"], "group_test")
SEED = int(os.environ.get("ASSIGNOR_SEED", random.getrandbits(31)))
SEQUENCES = int(os.environ.get("ASSIGNOR_SEQUENCES", 1000))


class Assignors(unittest.TestCase):

    def test_random_groups(self):
        with tempfile.NamedTemporaryFile() as results:
            command = harness.oracle_java(KAFKA, *harness.QUICK_JVM) + [os.path.join(HERE, "java", "Assignments.java")]
            done = subprocess.run([*command, str(SEED), str(SEQUENCES)], stdout=results, stderr=subprocess.PIPE, text=True,
                                  check=False, timeout=240)
            if done.returncode == 2:
                harness.skip(done.stderr.strip())
            self.assertEqual(0, done.returncode, done.stderr)
            said = harness.run([GROUP_TEST, "--gtest_filter=AssignorGoldenTest.*:JavaOrderGoldenTest.*"], seconds=240,
                               env={**os.environ, "ASSIGNOR_RESULTS": results.name})
        self.assertIn("[  PASSED  ] 2 tests.", said.stdout)
        steps = [line for line in said.stdout.splitlines() if line.endswith(" steps")]
        print("seed %d: %s" % (SEED, *steps))


if __name__ == "__main__":
    if not os.access(GROUP_TEST, os.X_OK):
        print("no " + GROUP_TEST)
        sys.exit(1)
    KAFKA = harness.ORACLE or harness.need_apache_kafka()
    harness.main()
