"""Record batches (magic 2): a builder and a reader of our own, independent of the broker's."""
import struct
import zlib

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
HEADER_BYTES = 61
XERIAL = b"\x82SNAPPY\x00"

_TABLE = []
for _i in range(256):
    _c = _i
    for _ in range(8):
        _c = (_c >> 1) ^ (0x82F63B78 if _c & 1 else 0)
    _TABLE.append(_c)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def zigzag(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _sized(data):
    return zigzag(-1) if data is None else zigzag(len(data)) + data


def record(offset_delta, key, value, headers=(), timestamp_delta=0):
    body = b"\0" + zigzag(timestamp_delta) + zigzag(offset_delta) + _sized(key) + _sized(value) + zigzag(len(headers))
    for name, content in headers:
        body += _sized(name) + _sized(content)
    return zigzag(len(body)) + body


def compress(codec, data):
    if codec == NONE:
        return data
    if codec == GZIP:
        deflate = zlib.compressobj(wbits=31)
        return deflate.compress(data) + deflate.flush()
    if codec == SNAPPY:
        import snappy
        return snappy.compress(data)
    if codec == LZ4:
        import lz4.frame
        return lz4.frame.compress(data, block_linked=False)
    import zstandard
    return zstandard.ZstdCompressor().compress(data)


def decompress(codec, data):
    if codec == NONE:
        return data
    if codec == GZIP:
        return zlib.decompressobj(31).decompress(data)
    if codec == SNAPPY:
        import snappy
        if data[:8] != XERIAL:
            return snappy.decompress(data)
        out, at = b"", 16
        while at < len(data):
            size = struct.unpack_from(">i", data, at)[0]
            out += snappy.decompress(data[at + 4:at + 4 + size])
            at += 4 + size
        return out
    if codec == LZ4:
        import lz4.frame
        return lz4.frame.decompress(data)
    import zstandard
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def seal(batch):
    """The batch with the CRC that its bytes ask for."""
    return batch[:17] + struct.pack(">I", crc32c(batch[21:])) + batch[21:]


def build(records, codec=NONE, base_offset=0, leader_epoch=-1, timestamp=1700000000000, attributes=0,
          producer_id=-1, producer_epoch=-1, base_sequence=-1, last_offset_delta=None, timestamp_step=0):
    """records: (key, value) or (key, value, headers), bytes or None; each is timestamp_step ms later than the former."""
    payload = b"".join(record(i, *r, timestamp_delta=i * timestamp_step) for i, r in enumerate(records))
    payload = compress(codec, payload)
    last = len(records) - 1 if last_offset_delta is None else last_offset_delta
    head = struct.pack(">hiqqqhii", attributes | codec, last, timestamp,
                       timestamp + timestamp_step * max(0, len(records) - 1),
                       producer_id, producer_epoch, base_sequence, len(records))
    tail = head + payload
    return struct.pack(">qiibI", base_offset, len(tail) + 9, leader_epoch, 2, crc32c(tail)) + tail


def _unzigzag(data, at):
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 127) << shift
        if byte < 128:
            return (result >> 1) ^ -(result & 1), at
        shift += 7
        if shift > 63:
            raise ValueError("varint too long")


def _take(data, at):
    size, at = _unzigzag(data, at)
    return (None, at) if size < 0 else (data[at:at + size], at + size)


def read(data):
    """[(header, [(offset, key, value, headers)])] of every whole batch; raises ValueError where a CRC is wrong."""
    out, at = [], 0
    while len(data) - at >= HEADER_BYTES:
        base, length, epoch, magic, crc, attributes, last, first_ts, max_ts, pid, pepoch, sequence, count = \
            struct.unpack_from(">qiibIhiqqqhiI", data, at)
        if len(data) - at < 12 + length:
            break
        batch = data[at:at + 12 + length]
        if magic != 2 or crc != crc32c(batch[21:]):
            raise ValueError("batch at %d: magic %d, crc %x" % (at, magic, crc))
        head = {"base_offset": base, "last_offset": base + last, "leader_epoch": epoch, "attributes": attributes,
                "codec": attributes & 7, "first_timestamp": first_ts, "max_timestamp": max_ts, "producer_id": pid,
                "producer_epoch": pepoch, "base_sequence": sequence, "count": count, "bytes": batch}
        body, p, records = decompress(attributes & 7, batch[HEADER_BYTES:]) if count else b"", 0, []
        for _ in range(count):
            size, p = _unzigzag(body, p)
            end = p + size
            p += 1
            _, p = _unzigzag(body, p)
            delta, p = _unzigzag(body, p)
            key, p = _take(body, p)
            value, p = _take(body, p)
            number, p = _unzigzag(body, p)
            headers = []
            for _ in range(number):
                name, p = _take(body, p)
                content, p = _take(body, p)
                headers.append((name, content))
            if p != end:
                raise ValueError("record length does not match")
            records.append((base + delta, key, value, headers))
        out.append((head, records))
        at += 12 + length
    return out


def values(data):
    return [r[2] for _, records in read(data) for r in records]
