// HTTP on a simulated network, beside frames: which connections it is, how answers are written, and how they end. The
// seed cuts and delays what is sent.
#include "http/front.h"

#include "net/fixture.h"

namespace kb::http {
namespace {

constexpr std::string_view kFields = "Host: x\r\n\r\n";

// What a test wants to show; "/stream" writes `pieces` lines of `piece_bytes`, waiting for the client.
class TestPages final : public Pages {
 public:
  reactor::Task<void> Serve(const Request& request, Reply& reply) override {
    served.emplace_back(request.path);
    if (request.path == "/silent") co_return;
    if (request.path == "/slow") {
      reactor::Sleep sleep(10'000'000);
      co_await sleep;
    }
    if (request.path != "/stream" && request.path != "/broken") {
      co_return reply.Send(200, kPlainText, std::string(request.path) + "\n");
    }
    reply.Begin(kPlainText);
    for (int i = 0; i < pieces && !reply.is_moot(); ++i) {
      auto write = reply.Write(std::string(piece_bytes - 1, static_cast<char>('a' + i % 26)) + "\n");
      const bool goes_on = co_await write;
      if (!goes_on) break;
      ++written;
    }
    if (request.path == "/stream") reply.End();
  }
  std::vector<std::string> served;
  int pieces = 5;
  size_t piece_bytes = 50'000;
  int written = 0;
};

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
};

class FrontTest : public net::SimulatedNetTest {
 protected:
  void OpenHttp(net::ConnectionOptions options = {}, uint64_t seed = 1, std::vector<bool> listeners = {true}) {
    front_ = std::make_unique<Front>(pages_, std::move(listeners));
    Open(options, {}, seed);
    set_->set_texts(front_.get());
  }
  std::string Get(std::string_view path, std::string_view version = "HTTP/1.1", std::string_view fields = kFields) {
    return "GET " + std::string(path) + ' ' + std::string(version) + "\r\n" + std::string(fields);
  }
  // The next whole answer, taken from what has arrived; without a length it goes on to the end of the connection.
  static std::optional<Answer> TakeAnswer(test::SimClient& client, bool has_body = true) {
    const std::string_view all = client.received();
    const size_t end = all.find("\r\n\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    Answer answer;
    answer.head = std::string(all.substr(0, end + 2));
    answer.status = std::stoi(answer.head.substr(9, 3));
    client.Take(end + 4);
    if (!has_body) return answer;
    const size_t length = answer.head.find("Content-Length: ");
    if (length != std::string::npos) {
      answer.body = client.Take(std::stoul(answer.head.substr(length + 16)));
    } else if (answer.head.find("chunked") != std::string::npos) {
      while (const size_t size = TakeChunkSize(client)) {
        answer.body += client.Take(size);
        EXPECT_EQ(client.Take(2), "\r\n");
      }
      EXPECT_EQ(client.Take(2), "\r\n");
    } else {
      answer.body = client.Take(client.received().size());
    }
    return answer;
  }
  static size_t TakeChunkSize(test::SimClient& client) {
    const size_t end = client.received().find("\r\n");
    if (end == std::string_view::npos) {
      ADD_FAILURE() << "a chunk without its size";
      return 0;
    }
    const size_t size = std::stoul(std::string(client.received().substr(0, end)), nullptr, 16);
    client.Take(end + 2);
    return size;
  }

  TestPages pages_;
  std::unique_ptr<Front> front_;
};

TEST_F(FrontTest, AnswersBesideFrames) {
  OpenHttp();
  handler_.EchoFromNowOn();
  auto& web = Connect();
  auto& kafka = Connect();
  web.Send(Get("/a"));
  kafka.Send(net::Framed("hello"));
  Settle();
  auto answer = TakeAnswer(web);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "/a\n");
  EXPECT_FALSE(web.ended());
  EXPECT_EQ(Answers(kafka), net::Strings{"hello"});
  EXPECT_EQ(Metric("broker_connections_closed_oversized_total"), 0);
}

TEST_F(FrontTest, IsOnlyWhatAConnectionBeginsWith) {
  OpenHttp();
  handler_.EchoFromNowOn();
  auto& client = Connect();
  client.Send(net::Framed("hello") + Get("/a"));
  Settle();
  EXPECT_TRUE(client.ended());
  EXPECT_TRUE(pages_.served.empty());
  auto& other = Connect();
  other.Send("GOT / HTTP/1.1\r\n\r\n");
  Settle();
  EXPECT_TRUE(other.ended());
  EXPECT_EQ(Metric("broker_connections_closed_oversized_total"), 2);
}

TEST_F(FrontTest, IsNotOnAListenerThatIsNotToHaveIt) {
  OpenHttp({}, 1, {false});
  auto& client = Connect();
  client.Send(Get("/a"));
  Settle();
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(client.received(), "");
}

TEST_F(FrontTest, ASizeThatAFrameMayHaveIsAFrame) {
  OpenHttp({.most_frame_bytes = INT32_MAX});
  auto& client = Connect();
  client.Send(Get("/a"));
  Settle();
  EXPECT_FALSE(client.ended());
  EXPECT_TRUE(pages_.served.empty());
}

TEST_F(FrontTest, AnyCutAndDelayMakesTheSameAnswersInOrder) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    OpenHttp({}, seed);
    pages_.served.clear();
    auto& client = Connect();
    std::string sent;
    net::Strings paths;
    for (int i = 0; i < 30; ++i) {
      paths.push_back((i % 7 == 3 ? "/slow" : "/p") + std::string(i % 7 == 3 ? "" : std::to_string(i)));
      sent += (i % 5 == 4 ? "\r\n" : "") + Get(paths.back());
    }
    client.Send(sent);
    Settle(2'000'000'000);
    EXPECT_EQ(pages_.served, paths) << "seed " << seed;
    for (const std::string& path : paths) {
      auto answer = TakeAnswer(client);
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->body, path + "\n");
    }
    EXPECT_EQ(client.received(), "");
    TearDown();
  }
}

TEST_F(FrontTest, OneByteAtATimeIsARequest) {
  OpenHttp();
  auto& client = Connect();
  for (char byte : Get("/a") + Get("/b")) {
    client.Send(std::string_view(&byte, 1));
    Settle(5'000'000);
  }
  EXPECT_EQ(pages_.served, (net::Strings{"/a", "/b"}));
}

TEST_F(FrontTest, HeadGetsTheHeadAlone) {
  OpenHttp();
  auto& client = Connect();
  client.Send("HEAD /a HTTP/1.1\r\n" + std::string(kFields) + "HEAD /stream HTTP/1.1\r\n" + std::string(kFields) +
              Get("/b"));
  Settle();
  EXPECT_NE(TakeAnswer(client, false)->head.find("Content-Length: 3\r\n"), std::string::npos);
  EXPECT_NE(TakeAnswer(client, false)->head.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_EQ(TakeAnswer(client)->body, "/b\n");
  EXPECT_EQ(pages_.written, 0);
}

TEST_F(FrontTest, AHalfClosedClientGetsItsAnswers) {
  OpenHttp();
  auto& client = Connect();
  client.Send(Get("/slow") + Get("/stream") + Get("/b"));
  client.ShutdownWrite();
  Settle(1'000'000'000);
  EXPECT_EQ(TakeAnswer(client)->body, "/slow\n");
  EXPECT_EQ(TakeAnswer(client)->body.size(), 5u * 50'000);
  EXPECT_EQ(TakeAnswer(client)->body, "/b\n");
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(set_->size(), 0u);
}

TEST_F(FrontTest, CloseIsDoneBehindTheAnswer) {
  OpenHttp();
  auto& client = Connect();
  client.Send(Get("/a", "HTTP/1.1", "Host: x\r\nConnection: close\r\n\r\n") + Get("/never"));
  Settle(2'000'000'000);
  auto answer = TakeAnswer(client);
  EXPECT_NE(answer->head.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(client.ended());
  EXPECT_FALSE(client.was_reset());
  EXPECT_EQ(pages_.served, net::Strings{"/a"});
}

TEST_F(FrontTest, HttpOneZeroEndsUnlessItAsksToGoOn) {
  OpenHttp();
  auto& ends = Connect();
  ends.Send(Get("/a", "HTTP/1.0", "\r\n"));
  auto& stays = Connect();
  stays.Send(Get("/a", "HTTP/1.0", "Connection: keep-alive\r\n\r\n"));
  Settle(2'000'000'000);
  EXPECT_TRUE(ends.ended());
  EXPECT_FALSE(stays.ended());
  EXPECT_NE(TakeAnswer(stays)->head.find("Connection: keep-alive\r\n"), std::string::npos);
}

TEST_F(FrontTest, LongAnswersLeaveInPieces) {
  for (const char* version : {"HTTP/1.1", "HTTP/1.0"}) {
    OpenHttp();
    pages_.pieces = 100;
    auto& client = Connect();
    client.Send(Get("/stream", version));
    Settle(2'000'000'000);
    auto answer = TakeAnswer(client);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body.size(), 100u * 50'000) << version;
    EXPECT_EQ(client.ended(), version == std::string("HTTP/1.0"));
    TearDown();
  }
}

TEST_F(FrontTest, AShortStreamIsWhole) {
  OpenHttp();
  pages_.pieces = 1;
  pages_.piece_bytes = 100;
  auto& client = Connect();
  client.Send(Get("/stream"));
  Settle();
  auto answer = TakeAnswer(client);
  EXPECT_NE(answer->head.find("Content-Length: 100\r\n"), std::string::npos);
}

TEST_F(FrontTest, WhoDoesNotReadIsWaitedForAndThenClosed) {
  OpenHttp();
  pages_.pieces = 1000;
  auto& client = Connect();
  client.set_reading(false);
  client.Send(Get("/stream"));
  Settle(1'000'000'000);
  EXPECT_LT(pages_.written, 20) << "what the network holds, and two pieces";
  EXPECT_EQ(set_->size(), 1u);
  Settle(Reply::kLongestWriteNs);
  EXPECT_EQ(set_->size(), 0u);
  EXPECT_LT(pages_.written, 20);
}

TEST_F(FrontTest, AClientThatLeavesEndsItsAnswer) {
  OpenHttp();
  pages_.pieces = 1000;
  auto& client = Connect();
  client.set_reading(false);
  client.Send(Get("/stream"));
  Settle(1'000'000'000);
  client.Reset();
  Settle(1'000'000'000);
  EXPECT_EQ(set_->size(), 0u);
  EXPECT_LT(pages_.written, 1000);
}

TEST_F(FrontTest, AnAnswerThatIsNotMadeIsAnError) {
  OpenHttp();
  auto& client = Connect();
  client.Send(Get("/silent"));
  Settle();
  EXPECT_EQ(TakeAnswer(client)->status, 500);
  auto& other = Connect();
  other.Send(Get("/broken"));
  Settle();
  EXPECT_TRUE(other.ended());
  EXPECT_FALSE(other.received().ends_with("0\r\n\r\n")) << "which would say that it was all";
}

TEST_F(FrontTest, RefusalsSayWhy) {
  OpenHttp();
  const std::pair<std::string, int> asked[] = {
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", 405},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/3.1\r\nHost: x\r\n\r\n", 505},
      {"GET /" + std::string(20'000, 'x'), 431},
      {"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + std::string(8 << 10, 'x') + "\r\n\r\n", 431},
  };
  for (const auto& [request, status] : asked) {
    auto& client = Connect();
    client.Send(request);
    Settle(2'000'000'000);
    auto answer = TakeAnswer(client);
    ASSERT_TRUE(answer) << request;
    EXPECT_EQ(answer->status, status) << request;
    EXPECT_FALSE(answer->body.empty());
    EXPECT_TRUE(client.ended()) << request;
    EXPECT_EQ(answer->head.find("Allow: GET, HEAD\r\n") != std::string::npos, status == 405);
  }
  EXPECT_TRUE(pages_.served.empty());
}

TEST_F(FrontTest, TheLongestHeadIsRead) {
  OpenHttp();
  auto& client = Connect();
  std::string head = "GET / HTTP/1.1\r\nHost: x\r\nCookie: ";
  head += std::string(net::kMostTextBytes - head.size() - 4, 'x') + "\r\n\r\n";
  client.Send(head);
  Settle();
  EXPECT_EQ(TakeAnswer(client)->status, 200);
  client.Send("GET / HTTP/1.1\r\nHost: x\r\nCookie: x" + head.substr(33));
  Settle(2'000'000'000);
  EXPECT_EQ(TakeAnswer(client)->status, 431);
}

TEST_F(FrontTest, AByteNowAndThenDoesNotKeepAConnection) {
  OpenHttp({.idle_ns = 10'000'000'000});
  auto& slow = Connect();
  auto& idle = Connect();
  slow.Send("GET / HTTP/1.1\r\n");
  idle.Send(Get("/a"));
  for (int i = 0; i < 12; ++i) {
    slow.Send("x");
    Settle(1'000'000'000);
  }
  EXPECT_TRUE(slow.ended());
  EXPECT_TRUE(idle.ended());
  EXPECT_EQ(Metric("kafka_server_socket_server_expired_connections_killed_count"), 2);
}

TEST_F(FrontTest, AnswersUnderWayAreFinishedWhenTheNodeStops) {
  OpenHttp();
  pages_.pieces = 100;
  auto& client = Connect();
  client.Send(Get("/stream") + Get("/never"));
  scheduler_->RunFor(3'000'000);
  const int written = pages_.written;
  home().Post([this] { home().Spawn(set_->Drain(home().NowNs() + 5'000'000'000)); });
  Settle(3'000'000'000);
  EXPECT_LT(written, 100) << "it was over before";
  EXPECT_EQ(TakeAnswer(client)->body.size(), 100u * 50'000);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(pages_.served, net::Strings{"/stream"});
}

}  // namespace
}  // namespace kb::http
