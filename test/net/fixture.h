// What the tests of net share: frames as text, a handler that notes what it is given and answers when told to, and a
// ConnectionSet with clients over the simulated network or over socketpairs with epoll.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/acceptor.h"
#include "net/connection.h"
#include "net/connection_set.h"
#include "net/tcp.h"
#include "reactor/epoll_poller.h"
#include "support/sim_network.h"
#include "support/sim_scheduler.h"

namespace kb::net {

// A body with its length in front.
inline std::string Framed(std::string_view body) {
  std::string framed(4, '\0');
  StoreBigEndian(reinterpret_cast<uint8_t*>(framed.data()), static_cast<int32_t>(body.size()));
  return framed + std::string(body);
}
inline std::string Announcement(int32_t size) {
  std::string header(4, '\0');
  StoreBigEndian(reinterpret_cast<uint8_t*>(header.data()), size);
  return header;
}

// The whole frames at the front of `bytes`, as text.
inline std::vector<std::string> Unframed(std::string_view bytes) {
  std::vector<std::string> bodies;
  while (bytes.size() >= 4) {
    auto size = static_cast<size_t>(LoadBigEndian<int32_t>(AsBytes(bytes).data()));
    if (bytes.size() < 4 + size) break;
    bodies.emplace_back(bytes.substr(4, size));
    bytes.remove_prefix(4 + size);
  }
  return bodies;
}

inline Response TextResponse(std::string_view text) {
  Response response;
  response.AddCopy(text);
  return response;
}

// A file in memory, for file ranges without a descriptor. The test may shorten it.
struct MemoryFile {
  std::string bytes;
  int reads = 0;
  static int64_t Read(const void* file, uint64_t position, MutableByteView into) {
    auto* self = static_cast<MemoryFile*>(const_cast<void*>(file));
    ++self->reads;
    if (position >= self->bytes.size()) return 0;
    size_t count = std::min(into.size(), self->bytes.size() - position);
    std::copy_n(self->bytes.data() + position, count, into.data());
    return static_cast<int64_t>(count);
  }
  FileRange Range(uint64_t position, uint64_t size) {
    FileRange range;
    range.position = position;
    range.size = size;
    range.file = this;
    range.read = &Read;
    return range;
  }
};

class ScriptedHandler final : public FrameHandler {
 public:
  struct Request {
    ConnectionRef connection;
    uint64_t sequence;
    Frame frame;
    std::string text() const { return std::string(AsText(frame.bytes())); }
  };

  void OnOpen(Connection&) override { ++opened; }
  void OnFrame(Connection& connection, uint64_t sequence, Frame frame) override {
    ++frames;
    if (on_frame) return on_frame(connection, sequence, std::move(frame));
    requests.push_back({ConnectionRef(connection), sequence, std::move(frame)});
  }
  void OnClose(Connection&) override { ++closed; }

  // Answers with what was asked.
  void Echo(size_t request) {
    Request& asked = requests.at(request);
    asked.connection->Respond(asked.sequence, TextResponse(asked.text()));
    asked.frame = Frame();
  }
  void EchoFromNowOn() {
    on_frame = [](Connection& connection, uint64_t sequence, Frame frame) {
      connection.Respond(sequence, TextResponse(AsText(frame.bytes())));
    };
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const Request& request : requests) all.push_back(request.text());
    return all;
  }

  std::function<void(Connection&, uint64_t, Frame)> on_frame;
  std::vector<Request> requests;
  int opened = 0;
  int closed = 0;
  int frames = 0;
};

class NotingLog final : public LogSink {
 public:
  void Write(Severity, std::string_view line) override { lines.emplace_back(line); }
  std::vector<std::string> lines;
};

// One reactor with a ConnectionSet behind an acceptor on the simulated network.
class SimulatedNetTest : public testing::Test {
 protected:
  static constexpr uint16_t kPort = 9092;

  void Open(ConnectionOptions options = {}, AcceptorOptions acceptor = {}, uint64_t seed = 1,
            test::SimNetworkOptions network = {}) {
    scheduler_ = std::make_unique<test::SimScheduler>(seed);
    network_ = std::make_unique<test::SimNetwork>(*scheduler_, network);
    reactor_ = scheduler_->MakeReactor(0);
    set_ = std::make_unique<ConnectionSet>(home(), options, handler_, log_, registry_, 0);
    acceptor_ = std::make_unique<Acceptor>(home(), *network_, acceptor, std::vector{set_.get()}, log_);
    ASSERT_TRUE(acceptor_->Bind({.name = "PLAINTEXT", .host = "", .port = kPort}).ok());
    home().Post([this] { acceptor_->Start(); });
    Settle();
  }
  void TearDown() override {
    clients_.clear();
    if (reactor_ == nullptr) return;
    home().Discard();
    handler_.requests.clear();
    acceptor_.reset();
    set_.reset();
    reactor_.reset();
    network_.reset();
    scheduler_.reset();
  }

  reactor::Reactor& home() { return **reactor_; }
  test::SimClient& Connect(uint8_t last_ip_byte = 1) {
    clients_.push_back(network_->Connect(kPort, last_ip_byte));
    return *clients_.back();
  }
  // Until nothing more happens within some simulated time.
  void Settle(int64_t ns = 50'000'000) { scheduler_->RunFor(ns); }
  // Runs `act` as the reactor, and then what follows from it.
  void Act(std::function<void()> act) {
    home().Post([act = std::move(act)] { act(); });
    Settle();
  }
  void Echo(size_t request) {
    Act([this, request] { handler_.Echo(request); });
  }
  std::vector<std::string> Answers(test::SimClient& client) { return Unframed(client.received()); }
  int64_t Metric(std::string_view name) {
    for (const auto& sample : registry_.Collect()) {
      if (sample.name == name) return sample.value;
    }
    return -1;
  }

  ScriptedHandler handler_;
  NotingLog log_;
  metrics::Registry registry_{1};
  std::unique_ptr<test::SimScheduler> scheduler_;
  std::unique_ptr<test::SimNetwork> network_;
  std::unique_ptr<test::SimReactor> reactor_;
  std::unique_ptr<ConnectionSet> set_;
  std::unique_ptr<Acceptor> acceptor_;
  std::vector<std::unique_ptr<test::SimClient>> clients_;
};

using Strings = std::vector<std::string>;

}  // namespace kb::net
