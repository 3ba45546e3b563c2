"""A raw-socket Kafka client that knows nothing but the schema files: a second opinion, independent of the broker's codec.

    connection = Connection(port)
    answer = connection.call("Metadata", 12, topics=None)

Field names are those of the schemas in camelCase; whatever a caller leaves out has the schema's default.
"""
import os
import socket
import struct

import kmsg

_ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
SCHEMA = os.environ.get("SCHEMA_DIR", os.path.join(_ROOT, "src", "protocol", "schema"))
API_VERSIONS = 18  # its responses have header version 0 at every version
NO_ID = kmsg.ZERO_UUID
_messages = {}


def message(name, area="api"):
    if name not in _messages:
        _messages[name] = kmsg.load(os.path.join(SCHEMA, area, name + ".kmsg"))
    return _messages[name]


def filled(struct_, version, values):
    """`values` with the schema's default for every field that is missing, at every depth."""
    out = dict(values)
    for field in struct_.fields:
        if not kmsg.has(field.versions, version):
            continue
        if field.json not in out:
            if field.tag is not None:
                continue
            nullable = kmsg.has(field.nullable, version)
            if field.default == "null" and not nullable:
                out[field.json] = [] if field.array else ""
            else:
                out[field.json] = kmsg.default(field, version)
        if field.struct and out[field.json] is not None:
            if field.array:
                out[field.json] = [filled(field.struct, version, element) for element in out[field.json]]
            else:
                out[field.json] = filled(field.struct, version, out[field.json])
    unknown = set(out) - {f.json for f in struct_.fields if kmsg.has(f.versions, version)} - {"_unknown"}
    if unknown:
        raise KeyError("%s v%d has no %s" % (struct_.name, version, ", ".join(sorted(unknown))))
    return out


def encode(name, version, values, area="api"):
    schema = message(name, area)
    return kmsg.encode(schema, version, filled(schema, version, values))


def header(key, version, correlation_id, client_id="probe", header_version=1):
    return kmsg.encode(message("RequestHeader"), header_version, {
        "requestApiKey": key, "requestApiVersion": version, "correlationId": correlation_id, "clientId": client_id})


def frame(payload):
    return struct.pack(">i", len(payload)) + payload


def request(name, version, values, correlation_id=1, client_id="probe"):
    schema = message(name + "Request")
    header_version = 2 if kmsg.has(schema.flexible, version) else 1
    return frame(header(schema.key, version, correlation_id, client_id, header_version) +
                 encode(name + "Request", version, values))


def response(name, version, data):
    """(correlation id, decoded body) of a whole response frame."""
    schema = message(name + "Response")
    if len(data) - 4 != struct.unpack(">i", data[:4])[0]:
        raise ValueError("the frame's length does not match")
    reader = kmsg.Reader(data[4:])
    header_version = 1 if kmsg.has(schema.flexible, version) and schema.key != API_VERSIONS else 0
    head = kmsg.dec_struct(reader, message("ResponseHeader"), message("ResponseHeader"), header_version)
    body = kmsg.dec_struct(reader, schema, schema, version)
    if reader.p != len(reader.d):
        raise ValueError("%d bytes left behind the body" % (len(reader.d) - reader.p))
    return head["correlationId"], body


class NoAnswer(Exception):
    """The broker closed the connection, or said nothing in time."""


class Connection:
    def __init__(self, port, host="127.0.0.1", timeout=30):
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.correlation_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _read(self, size):
        out = b""
        while len(out) < size:
            chunk = self.socket.recv(size - len(out))
            if not chunk:
                raise EOFError(out)
            out += chunk
        return out

    def receive(self):
        """(outcome, bytes): a whole frame after "response"; else "closed" or "timeout" and what had come."""
        try:
            size = self._read(4)
            return "response", size + self._read(struct.unpack(">i", size)[0])
        except EOFError as end:
            return "closed", end.args[0]
        except ConnectionError:
            return "closed", b""
        except socket.timeout:
            return "timeout", b""

    def start(self, name, version, **values):
        """Sends a request without waiting; its correlation id."""
        self.correlation_id += 1
        self.send(request(name, version, values, self.correlation_id))
        return self.correlation_id

    def finish(self, name, version):
        """The next answer: (correlation id, body)."""
        outcome, data = self.receive()
        if outcome != "response":
            raise NoAnswer("%s v%d: %s" % (name, version, outcome))
        return response(name, version, data)

    def call(self, name, version, **values):
        sent = self.start(name, version, **values)
        received, body = self.finish(name, version)
        if sent != received:
            raise ValueError("%s v%d: correlation id %d, expected %d" % (name, version, received, sent))
        return body
