#!/usr/bin/python3
"""2,000 members in 200 groups join, heartbeat and commit as fast as they are answered (members.cc), of either protocol and
of both at once."""
import json
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop", "lib"))
import harness  # noqa: E402

MEMBERS = os.path.join(os.environ.get("TOOLS", os.path.join(harness.ROOT, "build", "release")), "members")


class Members(harness.BrokerTest):
    def crowd(self, protocol, **options):
        flags = {"port": self.broker.port, "pid": self.broker.process.pid, "protocol": protocol, "prefix": protocol,
                 "topic": self.topic(partitions=20), "partitions": 20, "seconds": 2, **options}
        done = harness.run([MEMBERS] + ["--%s=%s" % flag for flag in flags.items()], seconds=240)
        print(done.stdout.strip())
        return json.loads(done.stdout)

    def test_of_the_classic_protocol(self):
        done = self.crowd("classic")
        self.assertGreater(done["heartbeats"], 2000)
        self.assertGreater(done["commits"], 2000)

    def test_of_the_consumer_protocol(self):
        done = self.crowd("consumer")
        self.assertGreater(done["heartbeats"], 2000)
        self.assertGreater(done["commits"], 2000)

    def test_of_both_at_once(self):
        crowds = [threading.Thread(target=self.crowd, args=(protocol,),
                                   kwargs={"members": 500, "groups": 50, "prefix": "both-" + protocol, "seconds": 1})
                  for protocol in ("classic", "consumer")]
        failed = []
        threading.excepthook = lambda args: failed.append(args.exc_value)
        for crowd in crowds:
            crowd.start()
        for crowd in crowds:
            crowd.join()
        self.assertEqual([], failed)


if __name__ == "__main__":
    harness.main()
