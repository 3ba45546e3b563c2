// Who is let in: limits, exhausted descriptors, round robin.
#include "net/acceptor.h"

#include <cerrno>

#include "net/fixture.h"

namespace kb::net {
namespace {

class AcceptorTest : public SimulatedNetTest {
 protected:
  // Whether the client is served: it asks and gets an answer.
  bool Served(test::SimClient& client) {
    size_t before = Answers(client).size();
    client.Send(Framed("?"));
    Settle();
    return Answers(client).size() == before + 1;
  }
};

TEST_F(AcceptorTest, AtTheLimitPeersWaitUntilOneLeaves) {
  Open({}, {.most_connections = 2});
  handler_.EchoFromNowOn();
  auto& first = Connect();
  auto& second = Connect();
  auto& third = Connect();
  EXPECT_TRUE(Served(first));
  EXPECT_TRUE(Served(second));
  EXPECT_FALSE(Served(third));
  EXPECT_FALSE(third.ended()) << "it waits in the backlog";
  EXPECT_EQ(acceptor_->connections(), 2u);
  first.Close();
  Settle();
  EXPECT_EQ(Answers(third), Strings{"?"});
  EXPECT_EQ(acceptor_->connections(), 2u);
}

TEST_F(AcceptorTest, BeyondTheLimitOfAnAddressTheNewOneIsClosed) {
  Open({}, {.most_connections_per_ip = 2, .most_connections_of_ip = {{"127.0.0.9", 1}}});
  handler_.EchoFromNowOn();
  auto& first = Connect(5);
  auto& second = Connect(5);
  auto& third = Connect(5);
  auto& other = Connect(6);
  Settle();
  EXPECT_TRUE(third.ended());
  EXPECT_TRUE(Served(first));
  EXPECT_TRUE(Served(second));
  EXPECT_TRUE(Served(other));
  first.Close();
  Settle();
  EXPECT_TRUE(Served(Connect(5)));
  EXPECT_TRUE(Served(Connect(9)));
  auto& overridden = Connect(9);
  Settle();
  EXPECT_TRUE(overridden.ended());
}

TEST_F(AcceptorTest, LimitsThatChangeCountAtOnce) {
  Open({}, {.most_connections = 2});
  handler_.EchoFromNowOn();
  auto& first = Connect(5);
  auto& second = Connect(6);
  auto& third = Connect(5);
  Settle();
  EXPECT_FALSE(Served(third)) << "it waits in the backlog";
  Act([this] { acceptor_->SetLimits({.most_connections = 10, .most_connections_per_ip = 2}); });
  EXPECT_EQ(Answers(third), Strings{"?"}) << "nobody has to leave first";
  auto& fourth = Connect(5);
  Settle();
  EXPECT_TRUE(fourth.ended());
  Act([this] { acceptor_->SetLimits({.most_connections_per_ip = 1}); });
  EXPECT_TRUE(Served(first)) << "who is in stays in";
  EXPECT_TRUE(Served(second));
  EXPECT_EQ(acceptor_->connections(), 3u);
}

TEST_F(AcceptorTest, WithoutDescriptorsPeersAreTurnedAwayAndLaterOnesServed) {
  Open();
  handler_.EchoFromNowOn();
  network_->FailAccepts(1, EMFILE);
  auto& unlucky = Connect();
  Settle(10'000'000);
  EXPECT_TRUE(unlucky.ended());
  auto& early = Connect();
  Settle(10'000'000);
  EXPECT_EQ(set_->size(), 0u) << "accepting pauses";
  Settle(200'000'000);
  EXPECT_TRUE(Served(early));
  EXPECT_EQ(log_.lines.size(), 1u);
}

TEST_F(AcceptorTest, NobodyIsTurnedAwayOnceThereIsADescriptorAgain) {
  Open();
  handler_.EchoFromNowOn();
  network_->FailAccepts(1, EMFILE);
  auto& unlucky = Connect();
  auto& behind = Connect();
  Settle(10'000'000);
  EXPECT_TRUE(unlucky.ended());
  EXPECT_TRUE(Served(behind));
}

TEST_F(AcceptorTest, ExhaustionThatLastsIsLoggedRarelyAndDoesNotSpin) {
  Open();
  handler_.EchoFromNowOn();
  network_->FailAccepts(1'000'000, EMFILE);
  uint64_t steps = scheduler_->steps();
  for (int i = 0; i < 100; ++i) {
    Connect();
    Settle(100'000'000);
  }
  EXPECT_LE(log_.lines.size(), 6u);
  EXPECT_LT(scheduler_->steps() - steps, 2'000u);
  network_->FailAccepts(0, 0);
  Settle(200'000'000);
  EXPECT_TRUE(Served(Connect()));
}

TEST_F(AcceptorTest, StoppedOneServesWhoIsInside) {
  Open();
  handler_.EchoFromNowOn();
  auto& inside = Connect();
  EXPECT_TRUE(Served(inside));
  Act([this] { acceptor_->Stop(); });
  EXPECT_EQ(network_->Connect(kPort), nullptr);
  EXPECT_TRUE(Served(inside));
}

TEST_F(AcceptorTest, PortInUseSaysWhichListener) {
  Open();
  auto result = acceptor_->Bind({.name = "CONTROLLER", .host = "", .port = kPort});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::kBusy);
  EXPECT_NE(result.error().message.find("CONTROLLER"), std::string::npos);
  EXPECT_NE(result.error().message.find("9092"), std::string::npos);
}

TEST_F(AcceptorTest, SocketsGoRoundTheReactors) {
  Open();
  auto other_reactor = scheduler_->MakeReactor(1);
  ConnectionSet other_set(**other_reactor, {}, handler_, log_, registry_, 0);
  {
    Acceptor acceptor(home(), *network_, {}, {set_.get(), &other_set}, log_);
    auto port = acceptor.Bind({.name = "SECOND", .host = "", .port = 0});
    ASSERT_TRUE(port.ok());
    home().Post([&] { acceptor.Start(); });
    std::vector<std::unique_ptr<test::SimClient>> clients;
    for (int i = 0; i < 6; ++i) clients.push_back(network_->Connect(*port));
    Settle();
    EXPECT_EQ(set_->size(), 3u);
    EXPECT_EQ(other_set.size(), 3u);
    clients.clear();
    Settle();
    EXPECT_EQ(acceptor.connections(), 0u);
  }
  (*other_reactor)->Discard();
}

}  // namespace
}  // namespace kb::net
