#!/usr/bin/python3
"""What a cluster is asked about itself: quorum, brokers, features, quotas, users, access control entries, tokens, telemetry;
on the broker's listener and on the controller's. Passes against Apache Kafka 4.3.1, where the case does not say otherwise.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import base64  # noqa: E402

import batch  # noqa: E402
import harness  # noqa: E402
import served  # noqa: E402

METADATA = {"topicName": "__cluster_metadata", "partitions": [{"partitionIndex": 0}]}
ANY_ACL = {"resourceTypeFilter": 1, "resourceNameFilter": None, "patternTypeFilter": 1, "principalFilter": None,
           "hostFilter": None, "operation": 1, "permissionType": 1}
ACL = {"resourceType": 2, "resourceName": "t", "resourcePatternType": 3, "principal": "User:a", "host": "*", "operation": 3,
       "permissionType": 3}
ZERO_ID = "AAAAAAAAAAAAAAAAAAAAAA"


def entity(**parts):
    return [{"entityType": key.replace("_", "-"), "entityName": name} for key, name in parts.items()]


def alteration(parts, **values):
    """A value of None removes the quota."""
    return {"entity": parts, "ops": [{"key": key, "value": value or 0.0, "remove": value is None}
                                     for key, value in values.items()]}


class Cluster(harness.BrokerTest):

    def ask(self, name, version, on_controller=False, **values):
        with self.broker.connect(30, self.broker.controller_port if on_controller else None) as connection:
            return connection.call(name, version, **values)

    def both(self):
        return ((False, "broker"), (True, "controller"))

    # -- the quorum and the brokers

    def test_the_quorum(self):
        for on_controller, listener in self.both():
            for version in (0, 1, 2):
                with self.subTest(listener=listener, version=version):
                    before = int(time.time() * 1000)
                    answer = self.ask("DescribeQuorum", version, on_controller, topics=[METADATA])
                    self.assertEqual(0, answer["errorCode"])
                    partition = answer["topics"][0]["partitions"][0]
                    self.assertEqual((0, 1), (partition["errorCode"], partition["leaderId"]))
                    self.assertGreater(partition["leaderEpoch"], 0)
                    self.assertGreater(partition["highWatermark"], 5)
                    self.assertEqual([], partition["observers"])
                    voter, = partition["currentVoters"]
                    self.assertEqual((1, partition["highWatermark"]), (voter["replicaId"], voter["logEndOffset"]))
                    if version >= 1:
                        self.assertLess(abs(voter["lastFetchTimestamp"] - before), 60_000)
                        self.assertLess(abs(voter["lastCaughtUpTimestamp"] - before), 60_000)
                    if version >= 2:
                        self.assertEqual(ZERO_ID, voter["replicaDirectoryId"])  # the voters are static
                        self.assertEqual([{"nodeId": 1, "listeners": [
                            {"name": "CONTROLLER", "host": "127.0.0.1", "port": self.broker.controller_port}]}],
                                         answer["nodes"])

    def test_nothing_else_has_a_quorum(self):
        partition = {"partitionIndex": 0}
        for topics in ([{"topicName": "foo", "partitions": [partition]}],
                       [{"topicName": "__cluster_metadata", "partitions": [{"partitionIndex": 1}]}],
                       [{"topicName": "__cluster_metadata", "partitions": [partition, {"partitionIndex": 1}]}],
                       [METADATA, {"topicName": "foo", "partitions": [partition]}]):
            answer = self.ask("DescribeQuorum", 2, topics=topics)
            self.assertEqual((0, []), (answer["errorCode"], answer["nodes"]))
            self.assertEqual([[3] * len(topic["partitions"]) for topic in topics],
                             [[p["errorCode"] for p in topic["partitions"]] for topic in answer["topics"]])
        self.assertEqual([], self.ask("DescribeQuorum", 2, topics=[])["topics"])

    def test_the_brokers_and_the_controllers(self):
        wrong = {(False, 1): 0, (False, 2): 114, (True, 1): 114, (True, 2): 0}
        for on_controller, listener in self.both():
            port = self.broker.controller_port if on_controller else self.broker.port
            for version in (0, 1, 2):
                for kind in (1, 2, 3, 0, -1) if version else (1,):
                    with self.subTest(listener=listener, version=version, kind=kind):
                        values = {"endpointType": kind} if version else {}
                        answer = self.ask("DescribeCluster", version, on_controller,
                                          includeClusterAuthorizedOperations=True, **values)
                        expected = wrong.get((on_controller, kind), 115) if version else (42 if on_controller else 0)
                        self.assertEqual(expected, answer["errorCode"])
                        if expected:
                            self.assertEqual(("", -1, [], -2147483648), (
                                answer["clusterId"], answer["controllerId"], answer["brokers"],
                                answer["clusterAuthorizedOperations"]))
                            continue
                        self.assertEqual((1, 8096), (answer["controllerId"], answer["clusterAuthorizedOperations"]))
                        broker, = answer["brokers"]
                        self.assertEqual((1, "127.0.0.1", port, None, False), (
                            broker["brokerId"], broker["host"], broker["port"], broker["rack"],
                            broker.get("isFenced", False)))
                        self.assertEqual(kind, answer.get("endpointType", 1))

    def test_who_is_not_registered_cannot_be_forgotten(self):
        for on_controller, _ in self.both():
            for broker in (0, 2, -1):
                answer = self.ask("UnregisterBroker", 0, on_controller, brokerId=broker)
                self.assertEqual(102, answer["errorCode"])
                self.assertIn(str(broker), answer["errorMessage"])

    @harness.ours_only
    def test_who_answers_is_not_forgotten(self):
        self.assertEqual(42, self.ask("UnregisterBroker", 0, brokerId=1)["errorCode"])

    # -- features

    def update(self, *updates, validate_only=True, version=2, on_controller=False):
        values = {"validateOnly": validate_only} if version else {}
        kind = "upgradeType" if version else "allowDowngrade"
        return self.ask("UpdateFeatures", version, on_controller, timeoutMs=10000, featureUpdates=[
            {"feature": feature, "maxVersionLevel": level, kind: how} for feature, level, how in updates],
            **values)["errorCode"]

    def test_features(self):
        for updates, error in (
                ([], 0), ([("metadata.version", 30, 1)], 0), ([("metadata.version", 30, 2)], 0),
                ([("metadata.version", 29, 1)], 95), ([("metadata.version", 29, 2)], 95),
                ([("metadata.version", 28, 3)], 95), ([("metadata.version", 31, 1)], 95),
                ([("metadata.version", 6, 3)], 95), ([("metadata.version", -1, 3)], 95),
                ([("metadata.version", 30, 0)], 95), ([("metadata.version", 30, 4)], 95),
                ([("foo", 1, 1)], 95), ([("foo", 0, 1)], 95), ([("", 0, 2)], 95),
                ([("kraft.version", 0, 1)], 0), ([("kraft.version", 2, 1)], 95), ([("transaction.version", 3, 1)], 95),
                ([("group.version", 0, 2)], 0), ([("group.version", 0, 3)], 0), ([("group.version", 0, 1)], 95),
                ([("group.version", 0, 2), ("foo", 1, 1)], 95), ([("eligible.leader.replicas.version", 0, 2)], 0)):
            with self.subTest(updates=updates):
                self.assertEqual(error, self.update(*updates))
                self.assertEqual(error, self.update(*updates, on_controller=True))
        self.assertEqual(95, self.update(("metadata.version", 28, True), version=0))

    def test_a_feature_goes_down_and_up(self):
        def level():
            answer = self.ask("ApiVersions", 4, clientSoftwareName="a", clientSoftwareVersion="1")
            return {f["name"]: f["maxVersionLevel"] for f in answer["finalizedFeatures"]}.get("group.version", 0)
        self.assertEqual(1, level())
        self.assertEqual(0, self.update(("group.version", 0, 2), validate_only=False))
        served.eventually(lambda: self.assertEqual(0, level()))
        self.assertEqual(0, self.update(("group.version", 1, 1), validate_only=False))
        served.eventually(lambda: self.assertEqual(1, level()))

    # -- quotas

    def alter(self, *entries, validate_only=False, on_controller=False, version=1):
        return [entry["errorCode"] for entry in self.ask("AlterClientQuotas", version, on_controller, entries=list(entries),
                                                         validateOnly=validate_only)["entries"]]

    def quotas(self, *components, strict=False):
        """{((type, name)…): {key: value}}, or the error."""
        answer = self.ask("DescribeClientQuotas", 1, strict=strict, components=[
            {"entityType": kind, "matchType": how, "match": name} for kind, how, name in components])
        if answer["errorCode"]:
            self.assertIsNone(answer["entries"])
            return answer["errorCode"]
        return {tuple(sorted((p["entityType"], p["entityName"] or "") for p in entry["entity"])):
                {value["key"]: value["value"] for value in entry["values"]} for entry in answer["entries"]}

    def test_quotas_are_kept_and_found(self):
        x_y = entity(user="x", client_id="y")
        everybody = entity(user=None, client_id=None)
        self.assertEqual([0, 0, 0, 0], self.alter(
            alteration(x_y, producer_byte_rate=1e12, consumer_byte_rate=2e12, request_percentage=50000.5,
                       controller_mutation_rate=1000.25),
            alteration(everybody, consumer_byte_rate=2e12),
            alteration(entity(user="x"), producer_byte_rate=3e12),
            alteration(entity(ip="1.2.3.4"), connection_creation_rate=7)))
        of_x_y = {"producer_byte_rate": 1e12, "consumer_byte_rate": 2e12, "request_percentage": 50000.5,
                  "controller_mutation_rate": 1000.25}
        pair, default = (("client-id", "y"), ("user", "x")), (("client-id", ""), ("user", ""))
        alone, ip = (("user", "x"),), (("ip", "1.2.3.4"),)
        found = {pair: of_x_y, default: {"consumer_byte_rate": 2e12}, alone: {"producer_byte_rate": 3e12},
                 ip: {"connection_creation_rate": 7.0}}
        served.eventually(lambda: self.assertEqual(found, self.quotas()))
        self.assertEqual({}, self.quotas(strict=True))

        def only(*keys):
            return {key: found[key] for key in keys}
        self.assertEqual(only(pair, default, alone), self.quotas(("user", 2, None)))
        self.assertEqual(only(alone), self.quotas(("user", 2, None), strict=True))
        self.assertEqual(only(pair, alone), self.quotas(("user", 0, "x")))
        self.assertEqual(only(default), self.quotas(("user", 1, None)))
        self.assertEqual(only(pair), self.quotas(("user", 0, "x"), ("client-id", 0, "y"), strict=True))
        self.assertEqual(only(pair, default), self.quotas(("user", 2, None), ("client-id", 2, None), strict=True))
        self.assertEqual(only(ip), self.quotas(("ip", 2, None)))
        self.assertEqual([0, 0, 0, 0], self.alter(
            alteration(x_y, producer_byte_rate=None, consumer_byte_rate=None, request_percentage=None,
                       controller_mutation_rate=None),
            alteration(everybody, consumer_byte_rate=None),
            alteration(entity(user="x"), producer_byte_rate=None),
            alteration(entity(ip="1.2.3.4"), connection_creation_rate=None), on_controller=True))
        served.eventually(lambda: self.assertEqual({}, self.quotas()))

    def test_wrong_filters(self):
        for components, error in (
                ([("ip", 2, None), ("user", 2, None)], 42), ([("user", 0, None)], 42), ([("user", 1, "x")], 42),
                ([("user", 2, "x")], 42), ([("user", 3, None)], 42), ([("", 0, "x")], 42), ([("foo", 0, "x")], 35),
                ([("user", 0, "x"), ("user", 1, None)], 42), ([("foo", 9, "x")], 35)):
            with self.subTest(components=components):
                self.assertEqual(error, self.quotas(*components))

    def test_wrong_quotas(self):
        user, ip = entity(user="wrong"), entity(ip="1.2.3.4")
        for what, error in (
                (alteration([], producer_byte_rate=1), 42), (alteration(user, unknown=1), 42),
                (alteration(user, producer_byte_rate=-1), 42), (alteration(user, producer_byte_rate=1.5), 42),
                (alteration(user, producer_byte_rate=1e19), 42), (alteration(user, connection_creation_rate=1), 42),
                (alteration(ip, producer_byte_rate=1), 42), (alteration(ip, connection_creation_rate=2147483648), 42),
                (alteration(entity(ip="256.2.3.4"), connection_creation_rate=1), 42),
                (alteration(entity(ip="no such host"), connection_creation_rate=1), 42),
                (alteration(entity(ip="1.2.3.4", user="x"), connection_creation_rate=1), 42),
                (alteration(entity(foo="x"), producer_byte_rate=1), 42),
                (alteration(entity(user=""), producer_byte_rate=1), 42), (alteration(user), 0),
                (alteration(user, producer_byte_rate=None), 0), (alteration(user, unknown=None), 0)):
            with self.subTest(what=what):
                self.assertEqual([error], self.alter(what))
                self.assertEqual([error], self.alter(what, version=0, on_controller=True))
        zero = {"entity": user, "ops": [{"key": "producer_byte_rate", "value": 0.0, "remove": False}]}
        self.assertEqual([42], self.alter(zero))
        good = alteration(user, producer_byte_rate=5)
        self.assertEqual([42], self.alter(good, good, validate_only=True))
        self.assertEqual([0], self.alter(good, validate_only=True))
        self.assertEqual([0, 42], sorted(self.alter(good, zero | {"entity": ip}, validate_only=True)))
        self.assertEqual({}, self.quotas(("user", 0, "wrong")))

    # -- users

    def test_users(self):
        password = {"salt": base64.b64encode(b"salt").decode(), "saltedPassword": base64.b64encode(b"pass").decode()}

        def change(deletions, upsertions, on_controller=False):
            answer = self.ask("AlterUserScramCredentials", 0, on_controller, deletions=[
                {"name": name, "mechanism": mechanism} for name, mechanism in deletions], upsertions=[
                    {"name": name, "mechanism": mechanism, "iterations": iterations, **password}
                    for name, mechanism, iterations in upsertions])
            return {result["user"]: result["errorCode"] for result in answer["results"]}

        def users(wanted=None):
            answer = self.ask("DescribeUserScramCredentials", 0, users=wanted and [{"name": name} for name in wanted])
            self.assertEqual(0, answer["errorCode"])
            return {result["user"]: result["errorCode"] or {c["mechanism"]: c["iterations"]
                                                            for c in result["credentialInfos"]}
                    for result in answer["results"]}
        self.assertEqual({}, users())
        self.assertEqual({"a": 0, "b": 0, "": 93, "few": 93, "many": 93, "odd": 33, "nobody": 91}, change(
            [("nobody", 1)], [("a", 1, 4096), ("b", 2, 16384), ("", 1, 4096), ("few", 1, 4095), ("many", 1, 16385),
                              ("odd", 3, 4096)]))
        served.eventually(lambda: self.assertEqual({"a": {1: 4096}, "b": {2: 16384}}, users()))
        self.assertEqual({"a": {1: 4096}, "b": 92, "c": 91, "": 91}, users(["a", "b", "c", "b", ""]))
        self.assertEqual({"a": 92, "c": 92}, change([("a", 1)], [("a", 1, 4096), ("c", 1, 4096), ("c", 2, 4096)]))
        self.assertEqual({"a": 0, "b": 91}, change([("a", 1), ("b", 1)], [], on_controller=True))
        self.assertEqual({"b": 0}, change([("b", 2)], []))
        served.eventually(lambda: self.assertEqual({}, users()))

    # -- what is not there without authentication, an authorizer, a receiver

    def test_no_authorizer_no_entries(self):
        for on_controller, _ in self.both():
            for version in (1, 2, 3):
                self.assertEqual(54, self.ask("DescribeAcls", version, on_controller, **ANY_ACL)["errorCode"])
                self.assertEqual([54, 54], [result["errorCode"] for result in self.ask(
                    "CreateAcls", version, on_controller, creations=[ACL, ACL])["results"]])
                self.assertEqual([54], [result["errorCode"] for result in self.ask(
                    "DeleteAcls", version, on_controller, filters=[ANY_ACL])["filterResults"]])

    def test_nobody_has_proved_who_he_is_and_so_gets_no_token(self):
        for version in (1, 2, 3):
            owner = {"ownerPrincipalType": None, "ownerPrincipalName": None} if version == 3 else {}
            answer = self.ask("CreateDelegationToken", version, renewers=[], maxLifetimeMs=1000, **owner)
            self.assertEqual((64, "User", "ANONYMOUS", -1, -1, -1, ""), tuple(answer[key] for key in (
                "errorCode", "principalType", "principalName", "issueTimestampMs", "expiryTimestampMs", "maxTimestampMs",
                "tokenId")))
            self.assertEqual((64, []), tuple(self.ask("DescribeDelegationToken", version, owners=None)[key]
                                             for key in ("errorCode", "tokens")))
        for version in (1, 2):
            self.assertEqual((64, -1), tuple(self.ask("RenewDelegationToken", version, hmac="", renewPeriodMs=5)[key]
                                             for key in ("errorCode", "expiryTimestampMs")))
            self.assertEqual((64, -1), tuple(self.ask("ExpireDelegationToken", version, hmac="", expiryTimePeriodMs=5)[key]
                                             for key in ("errorCode", "expiryTimestampMs")))

    def test_no_receiver_no_metrics(self):
        keys = {api["apiKey"] for api in self.ask("ApiVersions", 3, clientSoftwareName="a",
                                                  clientSoftwareVersion="1")["apiKeys"]}
        self.assertEqual(set(), keys & {71, 72})
        client = "aHlMFjUiRamiIQMNciRQ6g"
        answer = self.ask("GetTelemetrySubscriptions", 0, clientInstanceId=client)
        self.assertEqual({"throttleTimeMs": 0, "errorCode": 0, "clientInstanceId": client, "subscriptionId": 1503199622,
                          "acceptedCompressionTypes": [4, 3, 1, 2], "pushIntervalMs": 300000, "telemetryMaxBytes": 1048576,
                          "deltaTemporality": True, "requestedMetrics": []}, answer)
        other = self.ask("GetTelemetrySubscriptions", 0, clientInstanceId=ZERO_ID)["clientInstanceId"]
        self.assertNotEqual(ZERO_ID, other)

        def push(client, subscription):
            return self.ask("PushTelemetry", 0, clientInstanceId=client, subscriptionId=subscription, terminating=False,
                            compressionType=0, metrics="")["errorCode"]
        self.assertEqual(42, push(ZERO_ID, 0))
        self.assertEqual(117, push(other, 1))

    # -- quotas that count

    def produce(self, connection, size):
        answer = connection.call("Produce", 9, acks=-1, timeoutMs=30000, topicData=[{
            "name": "quota", "partitionData": [{"index": 0, "records": base64.b64encode(
                batch.build([(None, b"x" * size)])).decode()}]}])
        self.assertEqual(0, answer["responses"][0]["partitionResponses"][0]["errorCode"])
        return answer["throttleTimeMs"]

    def test_who_produces_too_much_has_to_wait(self):
        self.broker.create_topic("quota")
        self.assertEqual([0], self.alter(alteration(entity(client_id="probe"), producer_byte_rate=100_000)))
        with self.broker.connect(60) as connection:
            served.eventually(lambda: self.assertGreater(self.produce(connection, 200_000), 0))
            # All the windows hold a million; whatever came before in time, 3 million take 20 seconds, less what passes.
            told = 0
            while told < 1000:
                told = self.produce(connection, 200_000)
            began = time.monotonic()
            connection.call("Metadata", 12, topics=[])
            self.assertGreater(time.monotonic() - began, 0.5 * told / 1000, "it was not heard meanwhile")
        self.assertEqual([0], self.alter(alteration(entity(client_id="probe"), producer_byte_rate=None)))
        with self.broker.connect(60) as connection:
            served.eventually(lambda: self.assertEqual(0, self.produce(connection, 200_000)))

    def test_who_takes_too_much_time_has_to_wait(self):
        self.assertEqual([0], self.alter(alteration(entity(client_id="probe"), request_percentage=0.001)))

        def throttled():
            for _ in range(100):
                told = connection.call("Metadata", 12, topics=None)["throttleTimeMs"]
                if told:
                    return told
            raise AssertionError("a hundred requests, and no word")
        with self.broker.connect(60) as connection:
            told = served.eventually(throttled)
        self.assertLessEqual(told, 1000)  # one window at most
        with self.broker.connect(60, self.broker.controller_port) as connection:  # and who takes it away has to wait, too
            connection.call("AlterClientQuotas", 1, validateOnly=False, entries=[
                alteration(entity(client_id="probe"), request_percentage=None)])

    def test_who_makes_too_many_partitions_has_to_wait(self):
        def create(name, version):
            answer = self.ask("CreateTopics", version, timeoutMs=10000, topics=[
                {"name": name, "numPartitions": 1, "replicationFactor": 1}])
            return answer["topics"][0]["errorCode"], answer["throttleTimeMs"] > 0
        self.assertEqual([0], self.alter(alteration(entity(client_id="probe"), controller_mutation_rate=0.01)))
        served.eventually(lambda: self.assertEqual((89, True), create("m-%d" % time.monotonic_ns(), 7)))
        self.assertEqual((0, True), create("old", 5))
        self.assertEqual([0], self.alter(alteration(entity(client_id="probe"), controller_mutation_rate=None)))
        served.eventually(lambda: self.assertEqual((0, False), create("m-%d" % time.monotonic_ns(), 7)))


if __name__ == "__main__":
    harness.main()
