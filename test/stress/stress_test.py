#!/usr/bin/python3
"""At least 64 clients at once on several partitions of several topics; every record is counted (stress.cc).

STRESS_RECORDS makes it longer, STRESS_SEED repeats one.
"""
import os
import random
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop", "lib"))
import harness  # noqa: E402
import protocol  # noqa: E402

STRESS = os.path.join(os.environ.get("TOOLS", os.path.join(harness.ROOT, "build", "release")), "stress")
SEED = int(os.environ.get("STRESS_SEED", random.getrandbits(31)))
RECORDS = os.environ.get("STRESS_RECORDS", "4000")


class Stress(harness.BrokerTest):
    CONFIG = {"log.segment.bytes": "4194304"}  # so that segments roll under load

    def stress(self, topics, partitions, **options):
        flags = {"port": self.broker.port, "topics": ",".join(topics), "partitions": partitions, "seed": SEED, **options}
        done = harness.run([STRESS] + ["--%s=%s" % flag for flag in flags.items()], seconds=540)
        print(done.stdout.strip())

    def test_every_record_of_many_clients_is_counted(self):
        print("seed %d (STRESS_SEED)" % SEED)
        self.stress([self.topic(partitions=3) for _ in range(3)], 3, producers=64, records=RECORDS, readers=2)
        self.assertTrue(self.broker.alive())

    def test_others_come_and_go_meanwhile(self):
        """Nobody's answer is lost with somebody else's connection."""
        topic = self.topic(partitions=4)
        done = threading.Event()
        errors = []

        def come_and_go():
            half_a_request = protocol.request("Metadata", 12, {"topics": None})[:15]
            try:
                while not done.is_set():
                    for ending in (b"", half_a_request, half_a_request * 3):
                        with self.broker.connect() as connection:
                            connection.send(ending)
            except OSError as error:
                errors.append(error)

        crowd = [threading.Thread(target=come_and_go) for _ in range(3)]
        for thread in crowd:
            thread.start()
        try:
            self.stress([topic], 4, producers=16, records=2000, readers=1)
        finally:
            done.set()
            for thread in crowd:
                thread.join()
        self.assertEqual([], errors)


class StressWithMoreReactorsThanCores(Stress):
    ARGUMENTS = ["--reactors=5"]


if __name__ == "__main__":
    harness.main()
