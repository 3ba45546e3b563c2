#!/usr/bin/python3
"""members.py kafka|confluent_kafka: members of consumer groups, each a consumer in a thread of its own, that commit what
they have processed. The commands and events are those of ../java/Members.java; topics are subscribed to by name.
"""
import sys
import threading
import time

POLL_SECONDS = 0.2
_said = threading.Lock()


def say(*words):
    with _said:
        sys.stdout.write(" ".join(map(str, words)) + "\n")
        sys.stdout.flush()


class Member(threading.Thread):
    """Derived classes: open, poll → [(topic, partition, offset, value)], commit of {(topic, partition): next},
    assignment, close."""

    def __init__(self, name, topics, config):
        super().__init__(daemon=True)
        self.name, self.topics, self.config = name, topics, config
        self.ends = threading.Event()
        self.had = None

    def run(self):
        self.open()
        while not self.ends.is_set():
            try:
                self.turn()
            except Exception as error:  # whatever a client makes of a broker that is gone: it goes on
                say(self.name, "failed", type(error).__name__, str(error).replace("\n", " "))
                time.sleep(POLL_SECONDS)
        self.close()
        say(self.name, "closed")

    def turn(self):
        records = self.poll()
        self.say_what_it_has()
        following = {}
        for topic, partition, offset, value in records:
            say(self.name, "got", topic, partition, offset, value.decode())
            following[topic, partition] = offset + 1
        if following:
            self.commit(following)
            for (topic, partition), offset in following.items():
                say(self.name, "committed", topic, partition, offset)

    def say_what_it_has(self):
        has = ",".join(sorted("%s-%d" % place for place in self.assignment()))
        if has != self.had:
            self.had = has
            say(self.name, "has", has)


class KafkaPython(Member):
    def open(self):
        import kafka
        self.kafka = kafka
        config = {key.replace(".", "_"): int(value) if value.isdigit() else value for key, value in self.config.items()}
        self.consumer = kafka.KafkaConsumer(*self.topics, auto_offset_reset="earliest", enable_auto_commit=False,
                                            fetch_max_wait_ms=50, **config)

    def poll(self):
        polled = self.consumer.poll(timeout_ms=int(POLL_SECONDS * 1000))
        return [(r.topic, r.partition, r.offset, r.value) for records in polled.values() for r in records]

    def commit(self, following):
        self.consumer.commit({self.kafka.TopicPartition(*place): self.kafka.OffsetAndMetadata(offset, "")
                              for place, offset in following.items()})

    def assignment(self):
        return [(place.topic, place.partition) for place in self.consumer.assignment()]

    def close(self):
        self.consumer.close(autocommit=False)


class Librdkafka(Member):
    def open(self):
        import confluent_kafka
        self.module = confluent_kafka
        self.consumer = confluent_kafka.Consumer({"auto.offset.reset": "earliest", "enable.auto.commit": False,
                                                  "fetch.wait.max.ms": 50, "log_level": 2, **self.config})
        self.consumer.subscribe(self.topics)

    def poll(self):
        messages = [m for m in self.consumer.consume(100, POLL_SECONDS) if m.error() is None]
        return [(m.topic(), m.partition(), m.offset(), m.value()) for m in messages]

    def commit(self, following):
        self.consumer.commit(offsets=[self.module.TopicPartition(*place, offset) for place, offset in following.items()],
                             asynchronous=False)

    def assignment(self):
        return [(place.topic, place.partition) for place in self.consumer.assignment()]

    def close(self):
        self.consumer.close()


def main():
    kind = {"kafka": KafkaPython, "confluent_kafka": Librdkafka}[sys.argv[1]]
    members = {}
    for line in sys.stdin:
        command, name, *rest = line.split()
        if command == "start":
            _, topics, *pairs = rest
            members[name] = kind(name, topics.split(","), dict(pair.split("=", 1) for pair in pairs))
            members[name].start()
        else:
            members[name].ends.set()


if __name__ == "__main__":
    main()
