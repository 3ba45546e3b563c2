#!/usr/bin/python3
"""The limits of the network layer that have a key of Apache Kafka's."""
import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import harness  # noqa: E402
import protocol  # noqa: E402


class Limits(harness.WithLastWords):

    def start(self, **config):
        self.broker = harness.Broker({key.replace("_", "."): value for key, value in config.items()})
        self.addCleanup(self.broker.close)
        return self.broker.start()

    def served(self, connection):
        try:
            return connection.call("ApiVersions", 0)["errorCode"] == 0
        except (protocol.NoAnswer, OSError):
            return False

    def test_connections_of_one_address(self):
        broker = self.start(max_connections_per_ip="5")
        crowd = self.crowd(broker)
        one_more = broker.connect()
        self.addCleanup(one_more.close)
        self.assertFalse(self.served(one_more))
        crowd.pop().close()
        self.until(lambda: self.served_anew(broker))
        for connection in crowd:
            self.assertTrue(self.served(connection))

    def crowd(self, broker):
        """Five that are served, as soon as the harness's own connection is forgotten."""
        crowd = []
        deadline = time.monotonic() + 20
        while len(crowd) < 5:
            self.assertLess(time.monotonic(), deadline)
            connection = broker.connect(1)
            if self.served(connection):
                crowd.append(connection)
                connection.socket.settimeout(20)
                self.addCleanup(connection.close)
            else:
                connection.close()
        return crowd

    def served_anew(self, broker):
        with broker.connect() as connection:
            return self.served(connection)

    def test_connections_of_the_whole_broker(self):
        broker = self.start(max_connections="5")
        crowd = self.crowd(broker)
        one_more = broker.connect(1)  # accepted by the kernel; the broker takes it up when another has left
        self.addCleanup(one_more.close)
        self.assertFalse(self.served(one_more))
        for connection in crowd[1:]:
            self.assertTrue(self.served(connection))
        crowd[0].close()
        one_more.socket.settimeout(20)
        self.assertEqual("response", one_more.receive()[0])

    def test_idle_connections_are_closed(self):
        broker = self.start(connections_max_idle_ms="3000")
        with broker.connect(20) as idle, broker.connect(20) as busy:
            at = time.monotonic()
            self.assertTrue(self.served(idle))
            while True:
                self.assertTrue(self.served(busy))
                try:
                    idle.socket.settimeout(0.1)
                    self.assertEqual(b"", idle.socket.recv(1))
                    break
                except socket.timeout:
                    self.assertLess(time.monotonic() - at, 30)
            self.assertGreater(time.monotonic() - at, 2.9)
            self.assertTrue(self.served(busy))

    def test_requests_beyond_the_limit_close_their_connection(self):
        broker = self.start(socket_request_max_bytes="10000")
        with broker.connect() as connection:
            connection.send(struct.pack(">i", 10001))
            self.assertEqual(("closed", b""), connection.receive())
        with broker.connect() as connection:  # exactly the limit: an ApiVersions v0 with bytes behind it
            payload = protocol.header(18, 0, 5) + bytes(10000 - len(protocol.header(18, 0, 5)))
            connection.send(protocol.frame(payload))
            outcome, data = connection.receive()
            self.assertEqual(("response", 5), (outcome, struct.unpack(">i", data[4:8])[0]))

    def until(self, condition):
        deadline = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), deadline)


if __name__ == "__main__":
    harness.main()
