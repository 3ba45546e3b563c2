#include "net/connection_set.h"

#include <algorithm>
#include <vector>

namespace kb::net {
namespace {

constexpr int64_t kStallCheckNs = 1'000'000'000;
constexpr int kReactorBits = 16;  // of a connection's id, above 48 that count

}  // namespace

ConnectionMetrics ConnectionMetrics::Of(metrics::Registry& registry, size_t shard) {
  auto counter = [&](const char* name, const char* help) { return &registry.counter(shard, name, help); };
  return {
      .open = &registry.gauge(shard, "kafka_server_socket_server_connection_count", "Open connections."),
      .opened = counter("kafka_server_socket_server_connection_creation_total", "Connections since the start."),
      .frames = counter("kafka_server_socket_server_request_total", "Requests received."),
      .bytes_in = counter("kafka_server_socket_server_incoming_byte_total", "Bytes received."),
      .bytes_out = counter("kafka_server_socket_server_outgoing_byte_total", "Bytes sent."),
      .closed_idle = counter("kafka_server_socket_server_expired_connections_killed_count", "Closed for being idle."),
      .closed_oversized = counter("broker_connections_closed_oversized_total", "Closed for the size of a request."),
      .closed_stalled = counter("broker_connections_closed_stalled_total", "Closed for holding memory that others need."),
      .waits_for_memory = counter("broker_connections_memory_wait_total", "Times a connection was not read for memory."),
  };
}

ConnectionSet::ConnectionSet(reactor::Reactor& home, const ConnectionOptions& options, FrameHandler& handler,
                             LogSink& log, metrics::Registry& registry, size_t metrics_shard)
    : home_(home),
      options_(options),
      handler_(handler),
      log_(log, home.clock()),
      metrics_(ConnectionMetrics::Of(registry, metrics_shard)),
      small_(options.small_memory_bytes, home, [this] { OnSmallReturned(); }),
      large_(std::max(options.large_memory_bytes, options.most_frame_bytes), home, [this] { OnLargeReturned(); }) {}

ConnectionSet::~ConnectionSet() {
  reactor::Reactor::Scope scope(home_);
  CloseAll();
  home_.CancelTimer(idle_timer_);
  home_.CancelTimer(stall_timer_);
}

void ConnectionSet::Adopt(std::unique_ptr<Socket> socket, int listener, std::unique_ptr<Admission> admission) {
  home_.AssertCurrent();
  if (draining_) return;
  uint64_t id = (static_cast<uint64_t>(home_.index()) << (64 - kReactorBits)) | ++opened_;
  auto* connection = new Connection(*this, id, listener, std::move(socket), std::move(admission));
  connections_.emplace(id, connection);
  metrics_.open->Add(1);
  metrics_.opened->Add();
  Touch(*connection);
  ArmIdleTimer();
  ConnectionRef stay(*connection);
  Status watched = connection->socket_->Watch(home_, *connection, reactor::kReadable);
  connection->interest_ = reactor::kReadable;
  handler_.OnOpen(*connection);
  if (!watched.ok()) connection->CloseBecause("it could not be watched", watched.error().message);
}

void ConnectionSet::Remove(Connection& connection) {
  connections_.erase(connection.id());
  static_cast<reactor::ListNode<ActivityTag>&>(connection).Unlink();
  static_cast<reactor::ListNode<ReadingTag>&>(connection).Unlink();
  metrics_.open->Add(-1);
  if (connections_.empty()) closed_.NotifyAll();
}

void ConnectionSet::CloseAll() {
  // OnClose may close others: look at the map anew each time.
  while (!connections_.empty()) connections_.begin()->second->CloseNow();
}

reactor::Task<void> ConnectionSet::Drain(int64_t deadline_ns) {
  BeginDrain();
  reactor::TimerId timer = home_.After(deadline_ns - home_.NowNs(), [this] { CloseAll(); });
  while (!connections_.empty()) {
    auto closed = closed_.Wait();
    co_await closed;
  }
  home_.CancelTimer(timer);
}

void ConnectionSet::BeginDrain() {
  draining_ = true;
  std::vector<ConnectionRef> all;
  for (auto& [id, connection] : connections_) all.emplace_back(*connection);
  for (ConnectionRef& connection : all) {
    if (connection->closed()) continue;
    if (connection->slots_.empty()) {
      connection->CloseNow();
    } else {
      connection->StopDelivering();
      connection->UpdateInterest();
    }
  }
}

// ----------------------------------------------------------------------------------------------- idle ones

void ConnectionSet::Touch(Connection& connection) {
  connection.last_activity_ns_ = home_.turn_ns();
  by_activity_.MoveToBack(connection);
}

void ConnectionSet::ArmIdleTimer() {
  if (options_.idle_ns < 0 || idle_timer_) return;
  Connection* oldest = by_activity_.front();
  if (oldest == nullptr) return;
  int64_t due_ns = oldest->last_activity_ns_ + options_.idle_ns;
  idle_timer_ = home_.After(due_ns - home_.turn_ns(), [this] { OnIdleTimer(); });
}

void ConnectionSet::OnIdleTimer() {
  idle_timer_ = reactor::TimerId();
  int64_t now_ns = home_.turn_ns();
  for (;;) {
    Connection* oldest = by_activity_.front();
    if (oldest == nullptr || oldest->last_activity_ns_ + options_.idle_ns > now_ns) break;
    if (!oldest->slots_.empty()) {
      Touch(*oldest);  // it waits for us
      if (options_.idle_ns == 0) break;  // it is overdue again
      continue;
    }
    metrics_.closed_idle->Add();
    oldest->CloseNow();
  }
  ArmIdleTimer();
}

// ------------------------------------------------------------------------------------------------- memory

// A frame begins, or goes on: back to the end of those that are watched for stalling.
void ConnectionSet::NoteFrameStart(Connection& connection) {
  connection.progress_ns_ = home_.turn_ns();
  connection.progress_bytes_ = 0;
  if (connection.waiting_ == Connection::Waiting::kNothing) started_.MoveToBack(connection);
}

void ConnectionSet::NoteFrameEnd(Connection& connection) {
  static_cast<reactor::ListNode<ReadingTag>&>(connection).Unlink();
  // What those behind it wait for may be there already.
  if (connection.waiting_ == Connection::Waiting::kLargeMemory) large_.Nudge();
  connection.waiting_ = Connection::Waiting::kNothing;
  TakeBackOverdraft(connection);
}

bool ConnectionSet::ReserveLarge(Connection& connection) {
  if (!large_waiters_.empty() || !large_.TryTake(connection.frame_size_)) return false;
  GiveLarge(connection);
  return true;
}

void ConnectionSet::GiveLarge(Connection& connection) {
  arriving_bytes_ -= connection.frame_lease_.bytes();
  connection.frame_lease_ = MemoryLease::OfTaken(large_, connection.frame_size_);
  connection.frame_reserved_ = true;
  TakeBackOverdraft(connection);
}

void ConnectionSet::WaitForMemory(Connection& connection, Connection::Waiting which) {
  metrics_.waits_for_memory->Add();
  connection.waiting_ = which;
  if (which == Connection::Waiting::kLargeMemory) {
    large_waiters_.MoveToBack(connection);
    large_.set_awaited(true);
  } else {
    small_waiters_.MoveToBack(connection);
    small_.set_awaited(true);
    LendOverdraft();
  }
  ArmStallTimer();
}

void ConnectionSet::Wake(Connection& connection) {
  static_cast<reactor::ListNode<ReadingTag>&>(connection).Unlink();
  connection.waiting_ = Connection::Waiting::kNothing;
  if (connection.FrameStarted()) NoteFrameStart(connection);
  connection.read_blocked_ = false;
  connection.UpdateInterest();
}

void ConnectionSet::OnSmallReturned() {
  while (!small_.full() && !small_waiters_.empty()) Wake(*small_waiters_.front());
  LendOverdraft();
  small_.set_awaited(!small_waiters_.empty());
}

void ConnectionSet::OnLargeReturned() {
  while (Connection* first = large_waiters_.front()) {
    if (!large_.TryTake(first->frame_size_)) break;
    GiveLarge(*first);
    Wake(*first);
  }
  large_.set_awaited(!large_waiters_.empty());
}

// When begun frames hold the account, none of them may be able to end. Then the first in line may.
void ConnectionSet::LendOverdraft() {
  size_t in_work_bytes = small_.used_bytes() - arriving_bytes_;
  if (overdraft_ != nullptr || !small_.full() || in_work_bytes >= small_.capacity_bytes() / 2) return;
  for (Connection* waiter = small_waiters_.front(); waiter != nullptr; waiter = small_waiters_.After(*waiter)) {
    if (!waiter->FrameStarted()) continue;
    overdraft_ = waiter;
    waiter->overdraft_ = true;
    return Wake(*waiter);
  }
}

void ConnectionSet::TakeBackOverdraft(Connection& connection) {
  if (overdraft_ != &connection) return;
  overdraft_ = nullptr;
  connection.overdraft_ = false;
  small_.Nudge();
}

void ConnectionSet::ArmStallTimer() {
  if (stall_timer_ || (small_waiters_.empty() && large_waiters_.empty())) return;
  stall_timer_ = home_.After(kStallCheckNs, [this] { OnStallTimer(); });
}

void ConnectionSet::OnStallTimer() {
  stall_timer_ = reactor::TimerId();
  Connection* next = started_.front();
  while (Connection* connection = next) {
    next = started_.After(*connection);
    if (connection->progress_ns_ + kStallNs > home_.turn_ns()) break;
    if (connection->frame_lease_.bytes() == 0) continue;  // costs nobody anything
    metrics_.closed_stalled->Add();
    connection->CloseBecause("it holds memory that others wait for, and does not go on with its request", {});
  }
  ArmStallTimer();
}

Buffer& ConnectionSet::read_scratch() {
  if (read_scratch_.empty()) read_scratch_ = Buffer(kScratchBytes);
  return read_scratch_;
}

Buffer& ConnectionSet::write_scratch() {
  if (write_scratch_.empty()) write_scratch_ = Buffer(kScratchBytes);
  return write_scratch_;
}

}  // namespace kb::net
