// Decoding and encoding of the requests that a busy broker sees most.
#include <benchmark/benchmark.h>

#include <string>

#include "base/arena.h"
#include "message/fetch_request.h"
#include "message/fetch_response.h"
#include "message/produce_request.h"
#include "message/produce_response.h"
#include "protocol/encode.h"
#include "protocol/reader.h"
#include "protocol/writer.h"

namespace kb::message {
namespace {

// topics × partitions, each with `records` bytes of records.
ProduceRequest Produce(Arena& arena, int topics, int partitions, ByteView records) {
  ProduceRequest request{.acks = 1, .timeout_ms = 30'000};
  for (int t = 0; t < topics; ++t) {
    auto& topic = request.topic_data.Add(arena);
    topic.topic_id = Uuid(1, static_cast<uint64_t>(t) + 1);
    for (int p = 0; p < partitions; ++p) {
      auto& partition = topic.partition_data.Add(arena);
      partition.index = p;
      partition.records = protocol::Records::Of(records);
    }
  }
  return request;
}

FetchRequest Fetch(Arena& arena, int partitions) {
  FetchRequest request{.max_wait_ms = 500, .min_bytes = 1, .max_bytes = 50 << 20};
  auto& topic = request.topics.Add(arena);
  topic.topic_id = Uuid(1, 1);
  for (int p = 0; p < partitions; ++p) {
    auto& partition = topic.partitions.Add(arena);
    partition.partition = p;
    partition.partition_max_bytes = 1 << 20;
  }
  return request;
}

template <typename Message>
void Decodes(benchmark::State& state, const Message& message, int16_t version) {
  Arena kept;
  Result<ByteView> bytes = protocol::EncodeTo(kept, message, version);
  if (!bytes.ok()) return state.SkipWithError(bytes.error().message.c_str());
  Arena arena;
  for (auto _ : state) {
    arena.Reset();
    Message out;
    protocol::Reader reader(*bytes);
    bool ok = Decode(reader, version, arena, out);
    benchmark::DoNotOptimize(ok);
    benchmark::DoNotOptimize(out);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes->size()));
}

template <typename Message>
void Encodes(benchmark::State& state, const Message& message, int16_t version) {
  Arena arena;
  size_t size = 0;
  for (auto _ : state) {
    arena.Reset();
    Result<ByteView> bytes = protocol::EncodeTo(arena, message, version);
    benchmark::DoNotOptimize(bytes);
    size = bytes.ok() ? bytes->size() : 0;
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * size));
}

void DecodeProduce(benchmark::State& state) {
  Arena arena;
  std::string records(100, 'r');
  Decodes(state, Produce(arena, 1, static_cast<int>(state.range(0)), AsBytes(records)), ProduceRequest::kMaxVersion);
}
BENCHMARK(DecodeProduce)->Arg(1)->Arg(100);

void EncodeProduceResponse(benchmark::State& state) {
  Arena arena;
  ProduceResponse response;
  auto& topic = response.responses.Add(arena);
  for (int p = 0; p < state.range(0); ++p) topic.partition_responses.Add(arena).index = p;
  Encodes(state, response, ProduceResponse::kMaxVersion);
}
BENCHMARK(EncodeProduceResponse)->Arg(1)->Arg(100);

void DecodeFetch(benchmark::State& state) {
  Arena arena;
  Decodes(state, Fetch(arena, static_cast<int>(state.range(0))), 17);
}
BENCHMARK(DecodeFetch)->Arg(1)->Arg(100);

// Records are ranges of files: what is encoded is what lies between them.
void EncodeFetchResponse(benchmark::State& state) {
  FetchResponse response;
  Arena arena;
  auto& topic = response.responses.Add(arena);
  for (int p = 0; p < state.range(0); ++p) {
    auto& partition = topic.partitions.Add(arena);
    partition.partition_index = p;
    partition.records = protocol::Records::External(static_cast<uint32_t>(p), 1 << 20);
  }
  std::string buffer;
  for (auto _ : state) {
    Result<size_t> size = EncodedSize(response, 17);
    if (!size.ok()) return state.SkipWithError(size.error().message.c_str());
    buffer.resize(*size);
    protocol::Writer writer({reinterpret_cast<uint8_t*>(buffer.data()), buffer.size()});
    Encode(response, 17, writer);
    benchmark::DoNotOptimize(buffer.data());
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * buffer.size()));
}
BENCHMARK(EncodeFetchResponse)->Arg(1)->Arg(100);

}  // namespace
}  // namespace kb::message
