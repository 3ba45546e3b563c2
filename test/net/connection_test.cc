// Connections over the simulated network: framing, order, limits, memory, ends. The seed cuts and delays what is sent.
#include "net/connection.h"

#include "net/fixture.h"

namespace kb::net {
namespace {

class ConnectionTest : public SimulatedNetTest {};

TEST_F(ConnectionTest, FrameArrivesWithoutItsLength) {
  Open();
  Connect().Send(Framed("hello"));
  Settle();
  EXPECT_EQ(handler_.texts(), Strings{"hello"});
  EXPECT_EQ(handler_.requests[0].sequence, 0u);
}

TEST_F(ConnectionTest, OneByteAtATimeMakesTheSameFrames) {
  Open();
  auto& client = Connect();
  std::string bytes = Framed("first") + Framed("second one") + Framed("3");
  for (char byte : bytes) {
    client.Send(std::string_view(&byte, 1));
    Settle();
  }
  EXPECT_EQ(handler_.texts(), (Strings{"first", "second one", "3"}));
}

TEST_F(ConnectionTest, AnyCutAndDelayMakesTheSameFrames) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Open({}, {}, seed);
    Strings sent;
    std::string bytes;
    Random random(seed);
    for (int i = 0; i < 40; ++i) {
      sent.emplace_back(1 + random.Below(i % 10 == 0 ? 200'000 : 300), static_cast<char>('a' + i % 26));
      bytes += Framed(sent.back());
    }
    Connect().Send(bytes);
    Settle(2'000'000'000);
    EXPECT_EQ(handler_.texts(), sent) << "seed " << seed;
    TearDown();
  }
}

TEST_F(ConnectionTest, AnswersLeaveInRequestOrderWhateverTheOrderOfCompletion) {
  Open();
  auto& client = Connect();
  client.Send(Framed("a") + Framed("b") + Framed("c") + Framed("d"));
  Settle();
  ASSERT_EQ(handler_.requests.size(), 4u);
  Echo(2);
  Echo(1);
  EXPECT_EQ(Answers(client), Strings{});
  Echo(0);
  EXPECT_EQ(Answers(client), (Strings{"a", "b", "c"}));
  Echo(3);
  EXPECT_EQ(Answers(client), (Strings{"a", "b", "c", "d"}));
}

TEST_F(ConnectionTest, RequestWithoutAnswerDoesNotHoldUpTheNext) {
  Open();
  auto& client = Connect();
  client.Send(Framed("a") + Framed("b") + Framed("c"));
  Settle();
  Echo(2);
  Echo(0);
  EXPECT_EQ(Answers(client), Strings{"a"});
  Act([&] { handler_.requests[1].connection->NoResponse(1); });
  EXPECT_EQ(Answers(client), (Strings{"a", "c"}));
}

TEST_F(ConnectionTest, KnowsItsOldestUnansweredRequest) {
  Open();
  Connect().Send(Framed("a") + Framed("b") + Framed("c"));
  Settle();
  Connection& connection = *handler_.requests[0].connection;
  EXPECT_EQ(connection.unanswered(), 3u);
  Echo(1);
  EXPECT_EQ(connection.unanswered(), 2u);
  EXPECT_EQ(connection.first_unanswered(), 0u);
  Echo(0);
  EXPECT_EQ(connection.first_unanswered(), 2u);
  Echo(2);
  EXPECT_EQ(connection.unanswered(), 0u);
  EXPECT_EQ(connection.first_unanswered(), connection.next_sequence());
}

TEST_F(ConnectionTest, EmptyAnswerIsALengthOfZero) {
  Open();
  auto& client = Connect();
  client.Send(Framed("a"));
  Settle();
  Act([&] { handler_.requests[0].connection->Respond(0, Response()); });
  EXPECT_EQ(client.received(), std::string(4, '\0'));
}

// --------------------------------------------------------------------------------------------------- stamps

struct Sent {
  std::string what;
  int64_t in_turn_ns;
  int64_t sent_ns;
  bool operator==(const Sent&) const = default;
};

class NotingReceipt final : public Receipt {
 public:
  NotingReceipt(std::string what, int64_t ready_ns, std::vector<Sent>& sent) : what_(std::move(what)), sent_(sent) {
    ready_ns_ = ready_ns;
  }
  void OnSent(const Connection&, int64_t in_turn_ns, int64_t sent_ns) override {
    sent_.push_back({what_, in_turn_ns, sent_ns});
  }

 private:
  const std::string what_;
  std::vector<Sent>& sent_;
};

class StampTest : public SimulatedNetTest {
 protected:
  void OpenWhole(size_t window_bytes = 64 << 10) { Open({}, {}, 1, {.window_bytes = window_bytes, .splits = false}); }
  // Answers request i; returns when that was.
  int64_t Answer(size_t i, const std::string& text) {
    int64_t now_ns = 0;
    Act([&, i] {
      now_ns = home().StampNs();
      auto& asked = handler_.requests.at(i);
      asked.connection->Respond(asked.sequence, TextResponse(text), Then::kGoOn,
                                std::make_unique<NotingReceipt>(asked.text(), now_ns, sent_));
    });
    return now_ns;
  }
  std::vector<Sent> sent_;
};

TEST_F(StampTest, AReceiptHearsWhenAnAnswerWasFirstInLineAndWhenItHadLeft) {
  OpenWhole();
  Connect().Send(Framed("a") + Framed("b") + Framed("c"));
  Settle();
  const int64_t c_ns = Answer(2, "c");
  const int64_t a_ns = Answer(0, "a");
  EXPECT_EQ(sent_, (std::vector<Sent>{{"a", a_ns, a_ns}}));
  const int64_t b_ns = Answer(1, "b");
  ASSERT_LT(c_ns, a_ns);
  ASSERT_LT(a_ns, b_ns);
  // They leave together, and c has waited for b.
  EXPECT_EQ(sent_, (std::vector<Sent>{{"a", a_ns, a_ns}, {"b", b_ns, b_ns}, {"c", b_ns, b_ns}}));
}

TEST_F(StampTest, AnAnswerBehindALongOneIsInTurnWhenThatHasLeft) {
  OpenWhole(10'000);
  Connect().Send(Framed("long") + Framed("short"));
  Settle();
  int64_t ready_ns = 0;
  home().Post([&] {
    ready_ns = home().StampNs();
    for (size_t i : {size_t{0}, size_t{1}}) {
      auto& asked = handler_.requests.at(i);
      asked.connection->Respond(asked.sequence, TextResponse(std::string(i == 0 ? 500'000 : 10, 'x')), Then::kGoOn,
                                std::make_unique<NotingReceipt>(asked.text(), ready_ns, sent_));
    }
  });
  ASSERT_TRUE(scheduler_->RunUntil([&] { return sent_.size() == 2; }));
  EXPECT_EQ(sent_[0].in_turn_ns, ready_ns);
  EXPECT_GT(sent_[0].sent_ns, ready_ns + 1'000'000) << "the client takes it in pieces";
  EXPECT_GE(sent_[1].sent_ns, sent_[0].sent_ns);
}

TEST_F(StampTest, NobodyHearsOfAnAnswerThatDoesNotLeave) {
  OpenWhole();
  auto& client = Connect();
  client.Send(Framed("a") + Framed("b"));
  Settle();
  Answer(1, "b");
  client.Reset();
  Settle();
  Answer(0, "a");
  EXPECT_EQ(sent_, std::vector<Sent>{});
}

TEST_F(StampTest, AFrameKnowsWhenItWasReadAndWhenItWasHandedUp) {
  OpenWhole();
  auto& client = Connect();
  handler_.on_frame = [&](Connection& connection, uint64_t sequence, Frame frame) {
    handler_.requests.push_back({ConnectionRef(connection), sequence, std::move(frame)});
    if (sequence == 0) connection.PauseDelivery();
  };
  client.Send(Framed("a") + Framed("b"));
  Settle();
  ASSERT_EQ(handler_.texts(), Strings{"a"});
  int64_t resumed_ns = 0;
  Act([&] {
    resumed_ns = home().StampNs();
    handler_.requests[0].connection->ResumeDelivery();
  });
  ASSERT_EQ(handler_.texts(), (Strings{"a", "b"}));
  const Frame& a = handler_.requests[0].frame;
  const Frame& b = handler_.requests[1].frame;
  EXPECT_EQ(a.delivered_ns(), a.read_ns());
  EXPECT_EQ(b.read_ns(), a.read_ns()) << "they came together";
  EXPECT_EQ(b.delivered_ns(), resumed_ns);
  EXPECT_GT(resumed_ns, b.read_ns());
}

// ------------------------------------------------------------------------------------------------- refusals

TEST_F(ConnectionTest, SizesThatAreNotAllowedCloseAtOnce) {
  for (int32_t size : {0, -1, INT32_MIN, 1001, INT32_MAX}) {
    Open({.most_frame_bytes = 1000});
    auto& client = Connect();
    client.Send(Announcement(size));
    Settle();
    EXPECT_TRUE(client.ended()) << size;
    EXPECT_EQ(handler_.frames, 0);
    EXPECT_EQ(set_->size(), 0u);
    TearDown();
  }
  EXPECT_EQ(log_.lines.size(), 5u);
  EXPECT_EQ(Metric("broker_connections_closed_oversized_total"), 5);
}

TEST_F(ConnectionTest, LargestAllowedSizePasses) {
  Open({.most_frame_bytes = 1000});
  Connect().Send(Framed(std::string(1000, 'x')));
  Settle();
  EXPECT_EQ(handler_.frames, 1);
}

TEST_F(ConnectionTest, RefusedFrameDoesNotHarmAnotherConnection) {
  Open({.most_frame_bytes = 1000});
  auto& good = Connect();
  good.Send(Framed("good").substr(0, 6));
  Connect().Send(Announcement(-7));
  Settle();
  good.Send(Framed("good").substr(6));
  Settle();
  EXPECT_EQ(handler_.texts(), Strings{"good"});
}

// ---------------------------------------------------------------------------------------------------- memory

TEST_F(ConnectionTest, TwelveSocketsAnnouncing100MiBCostNothing) {
  Open();
  for (int i = 0; i < 12; ++i) Connect().Send(Announcement(100 << 20));
  Settle();
  EXPECT_EQ(set_->size(), 12u);
  EXPECT_EQ(set_->small_memory().used_bytes(), 0u);
  EXPECT_EQ(set_->large_memory().used_bytes(), 0u);
  // And nobody else is kept waiting, not even with a large frame.
  Connect().Send(Framed(std::string(8 << 20, 'x')));
  Settle(5'000'000'000);
  ASSERT_EQ(handler_.frames, 1);
  EXPECT_EQ(handler_.requests[0].frame.bytes().size(), size_t{8} << 20);
}

TEST_F(ConnectionTest, MemoryGrowsWithWhatHasArrivedNotWithWhatWasAnnounced) {
  Open();
  auto& client = Connect();
  client.Send(Announcement(1 << 20));
  client.Send(std::string(1000, 'x'));
  Settle();
  EXPECT_GE(set_->small_memory().used_bytes(), 1000u);
  EXPECT_LE(set_->small_memory().used_bytes(), 2000u);
  client.Send(std::string(99'000, 'x'));
  Settle();
  EXPECT_GE(set_->small_memory().used_bytes(), 100'000u);
  EXPECT_LE(set_->small_memory().used_bytes(), 300'000u);
}

TEST_F(ConnectionTest, MemoryIsGivenBackWithTheRequest) {
  Open();
  Connect().Send(Framed(std::string(500'000, 'x')) + Framed(std::string(5 << 20, 'y')));
  Settle(1'000'000'000);
  ASSERT_EQ(handler_.frames, 2);
  EXPECT_EQ(set_->small_memory().used_bytes(), 500'000u);
  EXPECT_EQ(set_->large_memory().used_bytes(), size_t{5} << 20);
  Echo(0);
  EXPECT_EQ(set_->small_memory().used_bytes(), 0u);
  clients_[0]->Reset();
  Settle();
  EXPECT_EQ(handler_.closed, 1);
  EXPECT_EQ(set_->large_memory().used_bytes(), size_t{5} << 20) << "the request is still in work";
  Act([&] { handler_.requests.clear(); });
  EXPECT_EQ(set_->large_memory().used_bytes(), 0u);
}

TEST_F(ConnectionTest, LargeFramesWaitForEachOtherAndAllArrive) {
  Open({.most_frame_bytes = 4 << 20, .large_memory_bytes = 4 << 20});
  handler_.EchoFromNowOn();
  for (int i = 0; i < 4; ++i) Connect().Send(Framed(std::string(3 << 20, static_cast<char>('a' + i))));
  Settle(10'000'000'000);
  EXPECT_EQ(handler_.frames, 4);
  for (auto& client : clients_) EXPECT_EQ(Answers(*client).size(), 1u);
  EXPECT_GT(Metric("broker_connections_memory_wait_total"), 0);
  EXPECT_EQ(set_->large_memory().used_bytes(), 0u);
}

TEST_F(ConnectionTest, SmallFramesDoNotWaitForLargeOnes) {
  Open({.most_frame_bytes = 4 << 20, .large_memory_bytes = 4 << 20});
  Connect().Send(Framed(std::string(4 << 20, 'x')));
  Settle(1'000'000'000);
  ASSERT_EQ(handler_.frames, 1);  // in work, holding the whole account
  Connect().Send(Framed(std::string(4 << 20, 'x')));
  Connect().Send(Framed("small"));
  Settle(1'000'000'000);
  ASSERT_EQ(handler_.frames, 2);
  EXPECT_EQ(handler_.requests[1].text(), "small");
  Echo(0);
  Settle(1'000'000'000);
  EXPECT_EQ(handler_.frames, 3);
}

TEST_F(ConnectionTest, NotReadWhileTheAccountIsFullAndReadAgainWhenItDrains) {
  Open({.small_memory_bytes = 100'000});
  for (int i = 0; i < 8; ++i) Connect().Send(Framed(std::string(60'000, 'x')));
  Settle();
  EXPECT_LT(handler_.frames, 8);
  EXPECT_LE(set_->small_memory().used_bytes(), 100'000u + 2 * 65'536u);
  for (size_t i = 0; i < 8; ++i) {
    ASSERT_LT(i, handler_.requests.size()) << "nobody goes on";
    Echo(i);
  }
  EXPECT_EQ(handler_.frames, 8);
  EXPECT_EQ(set_->small_memory().used_bytes(), 0u);
}

// Each of many connections has most of a frame here, together all of the memory: none of them could end.
TEST_F(ConnectionTest, BegunFramesThatFillTheMemoryStillAllArrive) {
  Open({.small_memory_bytes = 1 << 20});
  handler_.EchoFromNowOn();
  for (int i = 0; i < 20; ++i) Connect().Send(Announcement(500'000) + std::string(100'000, 'x'));
  Settle();
  EXPECT_EQ(handler_.frames, 0);
  EXPECT_TRUE(set_->small_memory().full());
  for (auto& client : clients_) client->Send(std::string(400'000, 'x'));
  Settle(4'000'000'000);
  EXPECT_EQ(handler_.frames, 20);
  EXPECT_EQ(set_->small_memory().used_bytes(), 0u);
}

TEST_F(ConnectionTest, WhoHoldsMemoryThatOthersNeedAndStallsIsClosed) {
  Open({.small_memory_bytes = 1 << 20});
  handler_.EchoFromNowOn();
  for (int i = 0; i < 20; ++i) Connect().Send(Announcement(500'000) + std::string(100'000, 'x'));
  Settle();
  auto& good = Connect();
  good.Send(Framed("good"));
  Settle(1'000'000'000);
  EXPECT_EQ(handler_.frames, 0);
  Settle(60'000'000'000);
  EXPECT_EQ(Answers(good), Strings{"good"});
  EXPECT_GT(Metric("broker_connections_closed_stalled_total"), 0);
  EXPECT_FALSE(good.ended());
}

TEST_F(ConnectionTest, SlowClientIsNotClosedWhileNobodyWaits) {
  Open();
  auto& client = Connect();
  client.Send(Announcement(1000) + std::string(10, 'x'));
  Settle(60'000'000'000);
  client.Send(std::string(990, 'x'));
  Settle();
  EXPECT_EQ(handler_.frames, 1);
}

TEST_F(ConnectionTest, WaiterThatLeavesDoesNotKeepTheNextWaiting) {
  Open({.most_frame_bytes = 4 << 20, .large_memory_bytes = 4 << 20});
  Connect().Send(Framed(std::string(2 << 20, 'a')));
  Settle(1'000'000'000);
  ASSERT_EQ(handler_.frames, 1);  // 2 of 4 MiB are taken
  auto& first_in_line = Connect();
  first_in_line.Send(Announcement(4 << 20) + std::string(200'000, 'b'));
  Settle();
  Connect().Send(Framed(std::string((2 << 20) - 10, 'c')));
  Settle();
  EXPECT_EQ(handler_.frames, 1) << "the line is kept in order";
  first_in_line.Reset();
  Settle(1'000'000'000);
  EXPECT_EQ(handler_.frames, 2);
}

// ---------------------------------------------------------------------------------------------- backpressure

TEST_F(ConnectionTest, NoMoreThanTheAllowedNumberInFlight) {
  Open({.most_in_flight = 3});
  auto& client = Connect();
  for (int i = 0; i < 10; ++i) client.Send(Framed(std::to_string(i)));
  Settle();
  EXPECT_EQ(handler_.requests.size(), 3u);
  Echo(1);
  EXPECT_EQ(handler_.requests.size(), 3u) << "its answer cannot leave yet";
  Echo(0);
  EXPECT_EQ(handler_.requests.size(), 5u);
  for (size_t i = 2; i < 10; ++i) Echo(i);
  EXPECT_EQ(Answers(client).size(), 10u);
}

TEST_F(ConnectionTest, NoMoreThanTheAllowedBytesInWork) {
  Open({.most_in_work_bytes = 10'000});
  auto& client = Connect();
  for (int i = 0; i < 10; ++i) client.Send(Framed(std::string(6'000, 'x')));
  Settle();
  EXPECT_EQ(handler_.requests.size(), 2u);
  for (size_t i = 0; i < 10; ++i) Echo(i);
  EXPECT_EQ(Answers(client).size(), 10u);
}

TEST_F(ConnectionTest, SlowReaderIsNotReadUntilItReads) {
  Open({.most_queued_response_bytes = 200'000});
  handler_.on_frame = [](Connection& connection, uint64_t sequence, Frame) {
    connection.Respond(sequence, TextResponse(std::string(50'000, 'r')));
  };
  auto& client = Connect();
  client.set_reading(false);
  for (int i = 0; i < 100; ++i) client.Send(Framed("more"));
  Settle();
  // 64 KiB fit into the network, 200,000 bytes may be queued, and one answer beyond that.
  EXPECT_LE(handler_.frames, 7);
  EXPECT_GE(handler_.frames, 4);
  Settle(1'000'000'000);
  EXPECT_LE(handler_.frames, 7);
  client.set_reading(true);
  Settle(1'000'000'000);
  EXPECT_EQ(Answers(client).size(), 100u);
}

TEST_F(ConnectionTest, PausedDeliveryKeepsWhatArrivedAndGoesOnInOrder) {
  Open();
  handler_.on_frame = [this](Connection& connection, uint64_t sequence, Frame frame) {
    connection.PauseDelivery();
    handler_.requests.push_back({ConnectionRef(connection), sequence, std::move(frame)});
  };
  auto& client = Connect();
  Strings sent;
  for (int i = 0; i < 50; ++i) sent.push_back(std::string(static_cast<size_t>(1 + i * 37), 'x') + std::to_string(i));
  for (const std::string& body : sent) client.Send(Framed(body));
  Settle();
  for (size_t i = 0; i < 50; ++i) {
    ASSERT_EQ(handler_.requests.size(), i + 1);
    Echo(i);
    EXPECT_EQ(handler_.requests.size(), i + 1) << "an answer alone does not resume";
    Act([&] { handler_.requests[i].connection->ResumeDelivery(); });
  }
  EXPECT_EQ(Answers(client), sent);
}

TEST_F(ConnectionTest, PausedDeliveryIsBounded) {
  Open();
  handler_.on_frame = [](Connection& connection, uint64_t, Frame) { connection.PauseDelivery(); };
  auto& client = Connect();
  client.Send(Framed("stop"));
  Settle();
  for (int i = 0; i < 2000; ++i) client.Send(Framed(std::string(1000, 'x')));
  Settle(1'000'000'000);
  EXPECT_EQ(handler_.frames, 1);
  EXPECT_LE(set_->small_memory().used_bytes(), 2 * ConnectionSet::kScratchBytes);
}

// ------------------------------------------------------------------------------------------------------ ends

TEST_F(ConnectionTest, HalfClosedClientStillGetsItsAnswers) {
  Open();
  auto& client = Connect();
  client.Send(Framed("a") + Framed("b"));
  client.ShutdownWrite();
  Settle();
  ASSERT_EQ(handler_.requests.size(), 2u);
  EXPECT_FALSE(client.ended());
  Echo(1);
  Echo(0);
  EXPECT_EQ(Answers(client), (Strings{"a", "b"}));
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(set_->size(), 0u);
}

TEST_F(ConnectionTest, HalfCloseWithFramesThatWaitForTheirTurnAnswersThemToo) {
  Open();
  handler_.on_frame = [this](Connection& connection, uint64_t sequence, Frame frame) {
    connection.PauseDelivery();
    handler_.requests.push_back({ConnectionRef(connection), sequence, std::move(frame)});
  };
  auto& client = Connect();
  client.Send(Framed("a") + Framed("b") + Framed("c"));
  client.ShutdownWrite();
  Settle();
  for (size_t i = 0; i < 3; ++i) {
    ASSERT_EQ(handler_.requests.size(), i + 1);
    Act([&] {
      handler_.Echo(i);
      handler_.requests[i].connection->ResumeDelivery();
    });
  }
  EXPECT_EQ(Answers(client), (Strings{"a", "b", "c"}));
  EXPECT_TRUE(client.ended());
}

TEST_F(ConnectionTest, EndInTheMiddleOfAFrameClosesQuietly) {
  Open();
  auto& client = Connect();
  client.Send(Framed("never whole").substr(0, 9));
  client.ShutdownWrite();
  Settle();
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(handler_.frames, 0);
  EXPECT_EQ(handler_.closed, 1);
  EXPECT_EQ(set_->small_memory().used_bytes(), 0u);
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(ConnectionTest, CloseAfterAnswersWhatPrecedesAndNothingElse) {
  Open();
  auto& client = Connect();
  client.Send(Framed("a") + Framed("b") + Framed("c") + Framed("d"));
  Settle();
  Act([&] { handler_.requests[2].connection->CloseAfter(2); });
  Echo(3);
  Echo(1);
  EXPECT_FALSE(client.ended());
  Echo(0);
  EXPECT_EQ(Answers(client), (Strings{"a", "b"}));
  EXPECT_TRUE(client.ended());
  EXPECT_FALSE(client.was_reset());
}

TEST_F(ConnectionTest, LastAnswerIsNotLostToBytesNobodyReads) {
  Open();
  handler_.on_frame = [](Connection& connection, uint64_t sequence, Frame) {
    connection.Respond(sequence, TextResponse("and goodbye"), Then::kClose);
  };
  auto& client = Connect();
  client.Send(Framed("hello"));
  client.Send(std::string(300'000, 'x'));  // behind the request, of no meaning
  Settle();
  EXPECT_EQ(handler_.frames, 1);
  EXPECT_EQ(Answers(client), Strings{"and goodbye"});
  EXPECT_TRUE(client.ended());
  EXPECT_FALSE(client.was_reset());
  Settle(2'000'000'000);  // a client that does not close is left alone after a second
  EXPECT_EQ(set_->size(), 0u);
}

TEST_F(ConnectionTest, CloseInsideOnFrameIsFine) {
  Open();
  handler_.on_frame = [](Connection& connection, uint64_t, Frame) { connection.Close("because"); };
  auto& client = Connect();
  client.Send(Framed("a") + Framed("b"));
  Settle();
  EXPECT_EQ(handler_.frames, 1);
  EXPECT_TRUE(client.ended());
  ASSERT_EQ(log_.lines.size(), 1u);
  EXPECT_NE(log_.lines[0].find("because"), std::string::npos);
}

TEST_F(ConnectionTest, AnswersToAClosedConnectionGoNowhere) {
  Open();
  auto& client = Connect();
  client.Send(Framed("a") + Framed("b") + Framed("c"));
  Settle();
  client.Reset();
  Settle();
  ASSERT_EQ(handler_.closed, 1);
  EXPECT_TRUE(handler_.requests[0].connection->closed());
  Echo(0);
  Act([&] {
    handler_.requests[1].connection->NoResponse(1);
    handler_.requests[2].connection->CloseAfter(2);
    handler_.requests[2].connection->ResumeDelivery();
  });
}

TEST_F(ConnectionTest, IdleOneIsClosedAndABusyOneIsNot) {
  Open({.idle_ns = 10'000'000'000});
  auto& idle = Connect();
  auto& talking = Connect();
  auto& waiting = Connect();
  handler_.on_frame = [this](Connection& connection, uint64_t sequence, Frame frame) {
    if (AsText(frame.bytes()) == "wait") return handler_.requests.push_back({ConnectionRef(connection), sequence, {}});
    connection.Respond(sequence, TextResponse("pong"));
  };
  waiting.Send(Framed("wait"));
  for (int i = 0; i < 4; ++i) {
    talking.Send(Framed("ping"));
    Settle(4'000'000'000);
  }
  EXPECT_TRUE(idle.ended());
  EXPECT_FALSE(talking.ended());
  EXPECT_FALSE(waiting.ended());
  EXPECT_EQ(Metric("kafka_server_socket_server_expired_connections_killed_count"), 1);
  Settle(12'000'000'000);
  EXPECT_TRUE(talking.ended());
  EXPECT_FALSE(waiting.ended());
}

TEST_F(ConnectionTest, DrainAnswersWhatIsInWorkAndClosesTheRest) {
  Open();
  auto& idle = Connect();
  auto& busy = Connect();
  busy.Send(Framed("a"));
  Settle();
  bool drained = false;
  Act([&] {
    home().Spawn([&]() -> reactor::Task<void> {
      auto drain = set_->Drain(home().NowNs() + 10'000'000'000);
      co_await drain;
      drained = true;
    });
  });
  EXPECT_TRUE(idle.ended());
  EXPECT_FALSE(drained);
  busy.Send(Framed("too late"));
  Settle();
  EXPECT_EQ(handler_.frames, 1);
  Echo(0);
  EXPECT_EQ(Answers(busy), Strings{"a"});
  EXPECT_TRUE(busy.ended());
  busy.Close();
  Settle();
  EXPECT_TRUE(drained);
}

TEST_F(ConnectionTest, DrainEndsAtItsDeadline) {
  Open();
  auto& busy = Connect();
  busy.Send(Framed("never answered"));
  Settle();
  bool drained = false;
  Act([&] {
    home().Spawn([&]() -> reactor::Task<void> {
      auto drain = set_->Drain(home().NowNs() + 3'000'000'000);
      co_await drain;
      drained = true;
    });
  });
  Settle(2'000'000'000);
  EXPECT_FALSE(drained);
  Settle(2'000'000'000);
  EXPECT_TRUE(drained);
  EXPECT_TRUE(busy.ended());
}

// ----------------------------------------------------------------------------------------------- file ranges

TEST_F(ConnectionTest, FileRangesAndBytesMakeOneAnswer) {
  for (size_t size : {size_t{100}, size_t{70'000}, size_t{3} << 20}) {
    Open();
    MemoryFile file{.bytes = std::string(size + 20, 'f')};
    file.bytes[10] = '<';
    file.bytes[size + 9] = '>';
    handler_.on_frame = [&](Connection& connection, uint64_t sequence, Frame) {
      Response response;
      response.AddCopy(std::string_view("head"));
      response.AddFile(file.Range(10, size));
      response.AddCopy(std::string_view("tail"));
      connection.Respond(sequence, std::move(response));
    };
    auto& client = Connect();
    client.Send(Framed("a") + Framed("b"));
    Settle(2'000'000'000);
    std::string expected = "head" + file.bytes.substr(10, size) + "tail";
    EXPECT_EQ(Answers(client), (Strings{expected, expected})) << size;
    TearDown();
  }
}

TEST_F(ConnectionTest, FileThatBecameShorterClosesInsteadOfPadding) {
  for (size_t size : {size_t{100}, size_t{3} << 20}) {
    Open();
    MemoryFile file{.bytes = std::string(size, 'f')};
    auto& client = Connect();
    client.Send(Framed("a"));
    Settle();
    file.bytes.resize(size - 1);
    Act([&] {
      Response response;
      response.AddFile(file.Range(0, size));
      handler_.requests.back().connection->Respond(0, std::move(response));
    });
    Settle(2'000'000'000);
    EXPECT_TRUE(client.ended());
    EXPECT_LT(client.received().size(), size + 4);
    TearDown();
    handler_.requests.clear();
  }
  EXPECT_EQ(log_.lines.size(), 2u);
}

TEST_F(ConnectionTest, WhatAResponseKeepsIsLetGoWhenItHasLeft) {
  Open();
  auto counted = std::make_shared<std::string>(200'000, 'k');
  auto& client = Connect();
  client.Send(Framed("a"));
  Settle();
  client.set_reading(false);
  Act([&] {
    Response response;
    response.AddView(AsBytes(*counted));
    response.Keep(counted);
    handler_.requests[0].connection->Respond(0, std::move(response));
  });
  EXPECT_EQ(counted.use_count(), 2);
  client.set_reading(true);
  Settle();
  EXPECT_EQ(Answers(client), Strings{*counted});
  EXPECT_EQ(counted.use_count(), 1);
}

TEST_F(ConnectionTest, SameSeedSameRun) {
  auto run = [this](uint64_t seed) {
    Open({.most_in_flight = 2}, {}, seed);
    handler_.EchoFromNowOn();
    for (int i = 0; i < 5; ++i) {
      auto& client = Connect();
      for (int k = 0; k < 10; ++k) client.Send(Framed(std::string(static_cast<size_t>(1000 * k + 1), 'x')));
    }
    Settle(1'000'000'000);
    for (auto& client : clients_) EXPECT_EQ(Answers(*client).size(), 10u);
    uint64_t trace = scheduler_->trace();
    TearDown();
    return trace;
  };
  EXPECT_EQ(run(3), run(3));
  EXPECT_NE(run(3), run(4));
}

// Everything at once, for many seeds: whatever the cuts, delays and orders of completion, each client gets its own answers
// in order, and in the end nothing is held.
TEST_F(ConnectionTest, RandomTrafficIsAnsweredInOrderAndLeavesNothingBehind) {
  for (uint64_t seed = 100; seed < 115; ++seed) {
    Open({.most_frame_bytes = 3 << 20, .small_memory_bytes = 1 << 20, .large_memory_bytes = 3 << 20,
          .most_in_flight = 4, .most_queued_response_bytes = 100'000},
         {}, seed);
    Random random(seed);
    handler_.on_frame = [&](Connection& connection, uint64_t sequence, Frame frame) {
      // Answered some time later, in any order.
      home().After(static_cast<int64_t>(random.Below(20'000'000)),
                   [ref = ConnectionRef(connection), sequence, frame = std::make_shared<Frame>(std::move(frame))] {
                     ref->Respond(sequence, TextResponse(AsText(frame->bytes())));
                   });
    };
    std::vector<Strings> sent(8);
    for (size_t c = 0; c < sent.size(); ++c) {
      auto& client = Connect();
      for (uint64_t k = 0, n = 1 + random.Below(20); k < n; ++k) {
        size_t size = random.Below(20) == 0 ? random.Below(2 << 20) : random.Below(3000);
        sent[c].push_back(std::to_string(c) + "." + std::to_string(k) + std::string(size, 'x'));
        client.Send(Framed(sent[c].back()));
      }
      if (random.Below(2) == 0) client.ShutdownWrite();
    }
    Settle(20'000'000'000);
    for (size_t c = 0; c < sent.size(); ++c) EXPECT_EQ(Answers(*clients_[c]), sent[c]) << "seed " << seed;
    EXPECT_EQ(set_->small_memory().used_bytes(), 0u) << "seed " << seed;
    EXPECT_EQ(set_->large_memory().used_bytes(), 0u) << "seed " << seed;
    TearDown();
  }
}

}  // namespace
}  // namespace kb::net
