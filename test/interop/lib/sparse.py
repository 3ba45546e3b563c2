"""Writes the data directories that staged "build your own Kafka" courses start a broker on.

They hold the least that still means something: meta.properties and the clean-shutdown file; a metadata log that begins at
offset 1 and has FeatureLevel, Topic and Partition records only (no control records, no quorum-state, no snapshot, no
index, no registration of a broker); partitions with a .log and nothing else, their batches all with the same producer id,
which nobody issued, and the same sequence.
"""
import base64
import os
import uuid

import batch
import kmsg
import protocol

CLUSTER_ID = "IAt7WlqBQYOyhBZNUSbkxg"
DIRECTORY = uuid.UUID("10000000-0000-4000-8000-000000000001")
METADATA_VERSION = 20
TIMESTAMP = 1726045943832


def text_of(id_, padded=False):
    text = base64.urlsafe_b64encode(id_.bytes).decode()
    return text if padded else text.rstrip("=")


def _framed(name, version, values):
    """A metadata record's value: frame version 1, the record's key and version, its body."""
    schema = protocol.message(name, "metadata")
    return kmsg.uvarint(1) + kmsg.uvarint(schema.key) + kmsg.uvarint(version) + \
        protocol.encode(name, version, values, "metadata")


def feature(name, level):
    return _framed("FeatureLevelRecord", 0, {"name": name, "featureLevel": level})


def topic(name, id_):
    return _framed("TopicRecord", 0, {"name": name, "topicId": text_of(id_)})


def partition(index, id_):
    return _framed("PartitionRecord", 1, {
        "partitionId": index, "topicId": text_of(id_), "replicas": [1], "isr": [1], "removingReplicas": [],
        "addingReplicas": [], "leader": 1, "leaderEpoch": 0, "partitionEpoch": 0, "directories": [text_of(DIRECTORY)]})


def batches_of(*values, base_offset=0, leader_epoch=0):
    """One batch with one record for each value, as these harnesses write them."""
    out = b""
    for i, value in enumerate(values):
        out += batch.build([(None, value)], base_offset=base_offset + i, leader_epoch=leader_epoch, timestamp=TIMESTAMP,
                           producer_id=0, producer_epoch=0, base_sequence=0)
    return out


class DataDirectory:
    """topics: {name: (uuid, [bytes of partition 0's .log, of partition 1's, …])}"""

    def __init__(self, folder, topics, padded_directory_id=True, partition_metadata=False):
        self.folder, self.topics = folder, topics
        os.makedirs(folder)
        self._write("meta.properties", (
            "#\n#Mon Oct 14 07:40:23 UTC 2024\ncluster.id=%s\ndirectory.id=%s\nnode.id=1\nversion=1\n" %
            (CLUSTER_ID, text_of(DIRECTORY, padded_directory_id))).encode())
        self._write(".kafka_cleanshutdown", b'{"version":0,"brokerEpoch":10}')
        self._write("__cluster_metadata-0/00000000000000000000.log", self._metadata_log())
        for name, (_, logs) in topics.items():
            for index, log in enumerate(logs):
                self._write("%s-%d/00000000000000000000.log" % (name, index), log)
                if partition_metadata:
                    self._write("%s-%d/partition.metadata" % (name, index),
                                b"version: 0\ntopic_id: %s" % text_of(topics[name][0]).encode())

    def _metadata_log(self):
        offset, out = 1, b""
        steps = [[feature("metadata.version", METADATA_VERSION)]]
        for name, (id_, logs) in self.topics.items():
            steps.append([topic(name, id_)] + [partition(i, id_) for i in range(len(logs))])
        for step in steps:
            out += batch.build([(None, value) for value in step], base_offset=offset, leader_epoch=1, timestamp=TIMESTAMP)
            offset += len(step)
        return out

    def log(self, name, index=0):
        return os.path.join(self.folder, "%s-%d" % (name, index), "00000000000000000000.log")

    def _write(self, name, data):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(data)
