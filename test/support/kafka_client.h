// KafkaClient: a client in the scheduler's thread, over a simulated connection, with the messages that are generated for
// the broker: what is tested with it is what the broker does; that the codec is right is golden_test's matter.
//
//   KafkaClient client(network.Connect(port));
//   auto answer = Ask<message::MetadataResponse>(scheduler, client, request, 13);
//   ASSERT_TRUE(answer);
//   (*answer)->topics …
//
// For one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "protocol/header.h"
#include "protocol/reader.h"
#include "protocol/writer.h"
#include "record/builder.h"
#include "record/iterate.h"
#include "support/sim_network.h"
#include "support/sim_scheduler.h"

namespace kb::test {

// A decoded answer with all that it points into.
template <typename Response>
class Answer {
 public:
  explicit Answer(std::string frame) : frame_(std::make_unique<std::string>(std::move(frame))) {}
  // False: the frame is not exactly one answer to a request of this version.
  bool Read(int16_t version) {
    protocol::Reader reader(AsBytes(*frame_));
    protocol::ResponseHeader header;
    if (!protocol::ReadResponseHeader(reader, Response::kKey, version, *arena_, header)) return false;
    correlation_id_ = header.correlation_id;
    return Decode(reader, version, *arena_, body_) && reader.left() == 0;
  }
  const Response* operator->() const { return &body_; }
  const Response& operator*() const { return body_; }
  int32_t correlation_id() const { return correlation_id_; }

 private:
  std::unique_ptr<std::string> frame_;  // its bytes stay where they are
  std::unique_ptr<Arena> arena_ = std::make_unique<Arena>();
  Response body_;
  int32_t correlation_id_ = 0;
};

// The answer in a frame without its length.
template <typename Response>
std::optional<Answer<Response>> ReadAnswer(std::string frame, int16_t version) {
  Answer<Response> answer(std::move(frame));
  if (!answer.Read(version)) return std::nullopt;
  return answer;
}

// A whole request, its length in front.
template <typename Request>
std::string FrameOf(const Request& request, int16_t version, int32_t correlation_id,
                    std::optional<std::string_view> client_id = "test") {
  protocol::RequestHeader header;
  header.api_key = Request::kKey;
  header.api_version = version;
  header.correlation_id = correlation_id;
  header.client_id = client_id;
  Result<size_t> size = protocol::RequestFrameSize(header, request);
  KB_CHECK(size.ok());  // the test asks for what the version does not have
  std::string frame(*size, '\0');
  protocol::Writer writer({reinterpret_cast<uint8_t*>(frame.data()), frame.size()});
  protocol::WriteRequestFrame(header, request, writer);
  return frame;
}

class KafkaClient {
 public:
  // socket: nullptr when nobody listened; then it has ended.
  explicit KafkaClient(std::unique_ptr<SimClient> socket, std::string client_id = "test")
      : socket_(std::move(socket)), client_id_(std::move(client_id)) {}

  // Returns the correlation id.
  template <typename Request>
  int32_t Send(const Request& request, int16_t version) {
    int32_t id = next_correlation_id_++;
    SendBytes(FrameOf(request, version, id, client_id_));
    return id;
  }
  void SendBytes(std::string_view bytes) {
    if (socket_ != nullptr) socket_->Send(bytes);
  }
  // The next whole answer, without its length.
  std::optional<std::string> Receive();
  bool HasAnswer() const;
  // Nothing more will come than what HasAnswer says.
  bool ended() const { return socket_ == nullptr || socket_->ended(); }
  SimClient& socket() { return *socket_; }

 private:
  std::unique_ptr<SimClient> socket_;
  const std::string client_id_;
  int32_t next_correlation_id_ = 1;
};

// Sends and runs until it is answered. nullopt: the connection ended, or it was no answer.
template <typename Response, typename Request>
std::optional<Answer<Response>> Ask(SimScheduler& scheduler, KafkaClient& client, const Request& request,
                                    int16_t version) {
  int32_t id = client.Send(request, version);
  scheduler.RunUntil([&] { return client.HasAnswer() || client.ended(); });
  std::optional<std::string> frame = client.Receive();
  if (!frame) return std::nullopt;
  std::optional<Answer<Response>> answer = ReadAnswer<Response>(std::move(*frame), version);
  if (answer && answer->correlation_id() != id) return std::nullopt;
  return answer;
}

// A batch with one record for each value; keys are null.
std::string BatchOf(const std::vector<std::string>& values, int64_t timestamp_ms, record::BatchOptions options = {});

struct ReadBack {
  int64_t offset = -1;
  std::string value;
  bool operator==(const ReadBack&) const = default;
};
// The records at and above `from` of the whole batches in `bytes`, and where to go on. nullopt: a batch is damaged.
struct ReadBatches {
  std::vector<ReadBack> records;
  int64_t next_offset = -1;
};
std::optional<ReadBatches> ReadRecords(ByteView bytes, int64_t from);

}  // namespace kb::test
