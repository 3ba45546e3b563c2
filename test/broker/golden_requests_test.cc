// Every request that can be decoded gets an answer that can be decoded: asked with the golden vectors of every served API
// and version (bodies that Apache Kafka wrote: random, extreme, and with nulls wherever they may be), and with random
// damage of them. An answer that its version cannot carry closes the connection, and shows here as a failure.
//
//   DISPATCH_SEED=7 broker_test --gtest_filter=*Damaged*      other damage
#include <cstdlib>
#include <iostream>
#include <map>

#include "broker/api_table.h"
#include "broker/fixture.h"
#include "message/golden.h"
#include "message/registry.h"
#include "protocol/message_info.h"

namespace kb::broker {
namespace {

using nlohmann::json;
using protocol::MessageInfo;

struct GoldenRequest {
  const ApiRow* row;
  int16_t version;
  std::string profile;
  std::string body;
  std::string name() const {
    return std::string(protocol::ApiName(row->key)) + " v" + std::to_string(version) + " " + profile;
  }
};

std::vector<GoldenRequest> LoadRequests() {
  std::vector<GoldenRequest> requests;
  for (const std::string& file : golden::MessageFiles()) {
    if (file.find("Request.jsonl") == std::string::npos) continue;
    golden::ForEachLine(file, [&](const json& vector) {
      if (vector.at("kind") != "request") return;
      const ApiRow* row = FindRow(vector.at("key").get<int16_t>());
      auto version = vector.at("version").get<int16_t>();
      if (row == nullptr || !row->Has(version)) return;
      requests.push_back({row, version, vector.at("profile").get<std::string>(),
                          golden::FromHex(vector.at("hex").get<std::string>())});
    });
  }
  return requests;
}

const std::vector<GoldenRequest>& Requests() {
  static const std::vector<GoldenRequest> requests = LoadRequests();
  return requests;
}

std::string Frame(int16_t key, int16_t version, std::string_view body) {
  protocol::RequestHeader header;
  header.api_key = key;
  header.api_version = version;
  header.correlation_id = 4711;
  header.client_id = "golden";
  std::string frame(protocol::RequestHeaderSize(header), '\0');
  protocol::Writer writer({reinterpret_cast<uint8_t*>(frame.data()), frame.size()});
  protocol::WriteRequestHeader(header, writer);
  return frame + std::string(body);
}

std::string WithLength(const std::string& frame) {
  std::string whole(4, '\0');
  StoreBigEndian(reinterpret_cast<uint8_t*>(whole.data()), static_cast<int32_t>(frame.size()));
  return whole + frame;
}

class GoldenRequestsTest : public BrokerFixture {
 protected:
  enum class Outcome { kAnswered, kUnreadable, kClosed, kNothing };

  Outcome Send(const std::string& frame, int16_t key, int16_t version, uint16_t port) {
    auto socket = network_.Connect(port, static_cast<uint8_t>(1 + sent_++ % 250));
    test::KafkaClient client(std::move(socket));
    client.SendBytes(WithLength(frame));
    scheduler_.RunUntil([&] { return client.HasAnswer() || client.ended(); }, 20 * kSecond);
    std::optional<std::string> answer = client.Receive();
    if (!answer) return client.ended() ? Outcome::kClosed : Outcome::kNothing;
    return CanBeRead(*answer, key, version) ? Outcome::kAnswered : Outcome::kUnreadable;
  }

  static bool CanBeRead(const std::string& answer, int16_t key, int16_t version) {
    const ApiRow* row = FindRow(key);
    if (row == nullptr) return false;
    int16_t body_version = row->Has(version) ? version : int16_t{0};
    const MessageInfo* info = message::FindMessage(std::string(protocol::ApiName(row->key)) + "Response");
    Arena arena;
    protocol::Reader reader(AsBytes(answer));
    protocol::ResponseHeader header;
    if (!protocol::ReadResponseHeader(reader, key, body_version, arena, header)) return false;
    void* body = info->create(arena);
    return info->decode(reader, body_version, arena, body) && reader.left() == 0;
  }

  // Whether a request of this frame is one that the broker must answer, as its own decoder sees it.
  static bool CanBeDecoded(const std::string& frame, int16_t* key, int16_t* version, bool* may_be_silent) {
    Arena arena;
    protocol::Reader reader(AsBytes(frame));
    protocol::RequestHeader header;
    if (!protocol::ReadRequestHeader(reader, arena, header)) return false;
    *key = header.api_key;
    *version = header.api_version;
    const ApiRow* row = FindRow(header.api_key);
    if (row == nullptr || !row->Has(header.api_version)) return false;
    const MessageInfo* info = message::FindMessage(std::string(protocol::ApiName(row->key)) + "Request");
    void* body = info->create(arena);
    if (!info->decode(reader, header.api_version, arena, body)) return false;
    *may_be_silent = row->key == protocol::ApiKey::kProduce && static_cast<message::ProduceRequest*>(body)->acks == 0;
    return true;
  }

  // Requests that wait for something that does not come here.
  static bool MayWait(protocol::ApiKey key) {
    return key == protocol::ApiKey::kFetch || key == protocol::ApiKey::kJoinGroup || key == protocol::ApiKey::kSyncGroup;
  }

  void ExpectAlive() {
    EXPECT_FALSE(broker_.fatal().has_value());
    message::MetadataRequest request;
    request.topics = decltype(request.topics)::Null();
    Ask<message::MetadataResponse>(request, 12);
  }

  // Sends one that is known to be decodable.
  void ExpectAnswer(const std::string& frame, const std::string& what, int16_t key, int16_t version, bool may_be_silent,
                    uint16_t port) {
    Outcome outcome = Send(frame, key, version, port);
    bool may_wait = MayWait(static_cast<protocol::ApiKey>(key));
    EXPECT_NE(outcome, Outcome::kUnreadable) << what << " is answered with something that cannot be decoded";
    EXPECT_TRUE(may_be_silent || outcome != Outcome::kClosed) << what << " closes: " << LastLog();
    EXPECT_TRUE(may_be_silent || may_wait || outcome != Outcome::kNothing) << what << " is not answered";
    answered_ += outcome == Outcome::kAnswered ? 1 : 0;
    ASSERT_FALSE(broker_.fatal().has_value()) << what << ": " << broker_.fatal()->message;
  }
  std::string LastLog() {
    const std::string& text = broker_.log().text();
    return text.substr(text.size() > 600 ? text.size() - 600 : 0);
  }

  size_t sent_ = 0;
  size_t answered_ = 0;
};

TEST_F(GoldenRequestsTest, EveryGoldenRequestIsAnswered) {
  ASSERT_GT(Requests().size(), 500u);
  CreateTopic("topic", 2);
  for (const GoldenRequest& request : Requests()) {
    auto key = static_cast<int16_t>(request.row->key);
    std::string frame = Frame(key, request.version, request.body);
    bool may_be_silent = false;
    int16_t ignored;
    ASSERT_TRUE(CanBeDecoded(frame, &ignored, &ignored, &may_be_silent)) << request.name();
    ExpectAnswer(frame, request.name(), key, request.version, may_be_silent, test::SimBroker::kPort);
    if (request.row->on_controller) {
      ExpectAnswer(frame, request.name() + " on the controller's listener", key, request.version, may_be_silent,
                   test::SimBroker::kControllerPort);
    }
    broker_.log().Clear();
  }
  ExpectAlive();
  std::cout << "[  GOLDEN  ] " << sent_ << " requests sent, " << answered_ << " answers decoded" << std::endl;
  EXPECT_GT(answered_, Requests().size() / 2);
}

TEST_F(GoldenRequestsTest, DamagedRequestsAreAnsweredOrEndTheirConnection) {
  const char* text = std::getenv("DISPATCH_SEED");
  uint64_t seed = text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
  SCOPED_TRACE("DISPATCH_SEED=" + std::to_string(seed));
  Random random(seed);
  CreateTopic("topic", 2);
  size_t decodable = 0;
  constexpr int kTimes = 3000;
  for (int i = 0; i < kTimes && !HasFailure(); ++i) {
    const GoldenRequest& request = Requests()[random.Below(Requests().size())];
    std::string frame = Frame(static_cast<int16_t>(request.row->key), request.version, request.body);
    for (uint64_t left = 1 + random.Below(4); left > 0 && !frame.empty(); --left) {
      size_t at = random.Below(frame.size());
      switch (random.Below(4)) {
        case 0: frame[at] = static_cast<char>(random.Next()); break;
        case 1: frame.resize(at); break;
        case 2: frame.insert(at, 1 + random.Below(4), static_cast<char>(random.Next())); break;
        case 3: frame[at] = static_cast<char>(frame[at] ^ 1 << random.Below(8)); break;
      }
    }
    int16_t key = -1;
    int16_t version = -1;
    bool may_be_silent = false;
    if (CanBeDecoded(frame, &key, &version, &may_be_silent)) {
      ++decodable;
      ExpectAnswer(frame, "damaged " + request.name() + " #" + std::to_string(i), key, version, may_be_silent,
                   test::SimBroker::kPort);
    } else {
      Outcome outcome = Send(frame, key, version, test::SimBroker::kPort);
      EXPECT_NE(outcome, Outcome::kUnreadable) << request.name() << " #" << i;
    }
    broker_.log().Clear();
  }
  ExpectAlive();
  std::cout << "[  GOLDEN  ] " << kTimes << " damaged requests, " << decodable << " of them decodable, " << answered_
            << " answers decoded" << std::endl;
  EXPECT_GT(decodable, 100u);
}

}  // namespace
}  // namespace kb::broker
