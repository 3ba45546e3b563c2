#include "limit/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "stress/broker_process.h"
#include "stress/raw_client.h"

namespace kb::limit {
namespace {

constexpr size_t kFirstInputBytes = 16 << 10;
constexpr size_t kMostInputBytes = 1 << 20;  // beyond a frame's own size
constexpr int32_t kLeastFrameBytes = 8, kMostFrameBytes = 128 << 20;
constexpr int kMostEvents = 256;

[[noreturn]] void DieOf(const char* what) {
  raw::Die(std::string(what) + ": " + strerror(errno));
}

int Listen(uint16_t port) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) DieOf("socket");
  const int on = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) DieOf("bind");
  if (listen(descriptor, SOMAXCONN) != 0) DieOf("listen");
  return descriptor;
}

uint16_t PortOf(int listener) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) DieOf("getsockname");
  return ntohs(address.sin_port);
}

int Signals() {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  sigprocmask(SIG_BLOCK, &ending, nullptr);
  return signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
}

void Watch(int epoll, int operation, int descriptor, void* pointer, bool writable) {
  epoll_event event{};
  event.events = writable ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = pointer;
  if (epoll_ctl(epoll, operation, descriptor, &event) != 0) DieOf("epoll_ctl");
}

}  // namespace

struct Server::Connection {
  // Bytes of `heads`, and then of a file.
  struct Piece {
    size_t head_bytes = 0;
    int file = -1;
    off_t position = 0;
    size_t file_bytes = 0;
  };

  explicit Connection(int socket) : descriptor(socket), input(kFirstInputBytes) {}
  ~Connection() { close(descriptor); }

  // What of `heads` comes next is one more piece, or more of the last one where no file comes in between.
  void AddHead(size_t bytes) {
    if (out.empty() || out.back().file_bytes > 0) out.emplace_back();
    out.back().head_bytes += bytes;
  }
  void MakeRoom();

  const int descriptor;
  std::vector<uint8_t> input;
  size_t begin = 0, end = 0;  // of what has arrived, in input
  std::string heads;
  size_t heads_sent = 0;
  std::vector<Piece> out;
  size_t out_sent = 0;  // pieces that have left
  bool watches_writable = false;
  bool parked = false;
  int64_t parked_until_us = 0;
};

void Server::Connection::MakeRoom() {
  if (begin == end) begin = end = 0;
  const size_t had = end - begin;
  size_t wanted = input.size();
  if (had >= 4) {
    const auto frame = LoadBigEndian<int32_t>(&input[begin]);
    if (frame > 0 && frame <= kMostFrameBytes) wanted = std::max(wanted, 4 + static_cast<size_t>(frame));
  }
  if (begin > 0 && (wanted > input.size() || end == input.size())) {
    memmove(input.data(), &input[begin], had);
    begin = 0;
    end = had;
  }
  if (wanted > input.size()) input.resize(wanted);
}

Server::Server(const Config& config)
    : pingpong_(config.pingpong),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      listener_(Listen(config.port)),
      signals_(Signals()),
      port_(PortOf(listener_)) {
  for (size_t i = 0; i < config.partitions && !pingpong_; ++i)
    logs_.push_back(std::make_unique<FileLog>(config.folder));
  Fill(config.fill_bytes, config.fill_batch_bytes);
  Watch(epoll_, EPOLL_CTL_ADD, listener_, nullptr, false);
  Watch(epoll_, EPOLL_CTL_ADD, signals_, this, false);
}

Server::~Server() {
  connections_.clear();
  close(signals_);
  close(listener_);
  close(epoll_);
}

void Server::Fill(size_t bytes, size_t batch_bytes) {
  constexpr size_t kAroundAValue = 100;
  std::string batch = raw::Batch({std::string(batch_bytes - std::min(batch_bytes, kAroundAValue), 'x')});
  const std::span<uint8_t> view(reinterpret_cast<uint8_t*>(batch.data()), batch.size());
  for (const auto& log : logs_) {
    for (size_t filled = 0; filled < bytes; filled += batch.size()) {
      if (log->Append(view) < 0) raw::Die("a batch of the fill is wrong");
    }
  }
}

void Server::Run() {
  epoll_event events[kMostEvents];
  while (true) {
    const int count = epoll_wait(epoll_, events, kMostEvents, WaitMs());
    if (count < 0 && errno != EINTR) DieOf("epoll_wait");
    for (int i = 0; i < count; ++i) {
      if (events[i].data.ptr == this) return;
      if (events[i].data.ptr == nullptr) {
        Accept();
      } else {
        OnConnection(static_cast<Connection*>(events[i].data.ptr), events[i].events);
      }
    }
    if (!parked_.empty()) ServeParked();
    appended_ = false;
  }
}

int Server::WaitMs() const {
  if (parked_.empty()) return -1;
  int64_t first_us = parked_[0]->parked_until_us;
  for (const Connection* connection : parked_) first_us = std::min(first_us, connection->parked_until_us);
  return static_cast<int>(std::max<int64_t>(0, first_us - raw::NowUs() + 999) / 1000);
}

void Server::Accept() {
  while (true) {
    const int descriptor = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor < 0) return;
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto connection = std::make_unique<Connection>(descriptor);
    Watch(epoll_, EPOLL_CTL_ADD, descriptor, connection.get(), false);
    connections_[descriptor] = std::move(connection);
  }
}

void Server::OnConnection(Connection* connection, uint32_t events) {
  bool good = (events & EPOLLOUT) == 0 || Flush(connection);
  if (good && (events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) good = Receive(connection);
  good = good && Serve(connection, /*waited_enough=*/false);
  if (!good) Close(connection);
}

bool Server::Receive(Connection* connection) {
  connection->MakeRoom();
  const size_t room = connection->input.size() - connection->end;
  if (room == 0) return true;  // it sends ahead of a request that waits
  const ssize_t got = recv(connection->descriptor, &connection->input[connection->end], room, 0);
  if (got == 0 || (got < 0 && errno != EAGAIN)) return false;
  if (got > 0) connection->end += static_cast<size_t>(got);
  // There was more: next time all of it is taken with one recv.
  if (static_cast<size_t>(got) == room && connection->input.size() < kMostInputBytes) {
    connection->input.resize(2 * connection->input.size());
  }
  return true;
}

bool Server::Serve(Connection* connection, bool waited_enough) {
  // While records are on their way out nothing is read that would come behind them.
  while (connection->out.empty() || connection->out.back().file_bytes == 0) {
    const size_t arrived = connection->end - connection->begin;
    if (arrived < 4) break;
    uint8_t* const at = &connection->input[connection->begin];
    const auto size = LoadBigEndian<int32_t>(at);
    if (size < kLeastFrameBytes || size > kMostFrameBytes) return false;
    if (arrived - 4 < static_cast<size_t>(size)) break;
    bool done = true;
    if (!ServeOne(connection, {at + 4, static_cast<size_t>(size)}, waited_enough, &done)) return false;
    if (!done) break;
    connection->begin += 4 + static_cast<size_t>(size);
    waited_enough = false;
  }
  return Flush(connection);
}

bool Server::ServeOne(Connection* connection, std::span<uint8_t> frame, bool waited_enough, bool* done) {
  const std::optional<Header> header = ReadHeader(frame);
  if (!header.has_value()) return false;
  if (header->api_key == kProduce) return Produce(connection, frame, *header);
  if (header->api_key == kFetch) return Fetch(connection, frame, *header, waited_enough, done);
  if (header->api_key != kApiVersions || header->version != 0) return false;
  const size_t before = connection->heads.size();
  AnswerApiVersions(header->correlation_id, &connection->heads);
  connection->AddHead(connection->heads.size() - before);
  return true;
}

bool Server::Produce(Connection* connection, std::span<uint8_t> frame, const Header& header) {
  const std::optional<ProduceBody> body = ReadProduce(frame, header);
  if (!body.has_value()) return false;
  int64_t base_offset = 0;
  if (!pingpong_) {
    const auto partition = static_cast<size_t>(body->partition);
    if (body->partition < 0 || partition >= logs_.size()) return false;
    base_offset = logs_[partition]->Append(frame.subspan(body->batch_at, body->batch_bytes));
    appended_ = true;
  }
  const size_t before = connection->heads.size();
  AnswerProduce(header.correlation_id, *body, base_offset, &connection->heads);
  connection->AddHead(connection->heads.size() - before);
  return true;
}

bool Server::Fetch(Connection* connection, std::span<const uint8_t> frame, const Header& header, bool waited_enough,
                   bool* done) {
  const std::optional<FetchBody> body = ReadFetch(frame, header, &fetched_);
  if (!body.has_value() || pingpong_) return false;
  ranges_.clear();
  size_t bytes = 0;
  for (const FetchPartition& wanted : fetched_) {
    if (wanted.partition < 0 || static_cast<size_t>(wanted.partition) >= logs_.size()) return false;
    ranges_.push_back(logs_[static_cast<size_t>(wanted.partition)]->Find(wanted.offset, wanted.most_bytes));
    bytes += ranges_.back().bytes;
  }
  const auto min_bytes = static_cast<size_t>(std::max(body->min_bytes, 0));
  if (bytes < min_bytes && body->max_wait_ms > 0 && !waited_enough) {
    Park(connection, body->max_wait_ms);
    *done = false;
    return true;
  }
  size_t before = connection->heads.size();
  BeginFetchAnswer(header.correlation_id, *body, fetched_.size(), bytes, &connection->heads);
  for (size_t i = 0; i < fetched_.size(); ++i) {
    const FileLog& log = *logs_[static_cast<size_t>(fetched_[i].partition)];
    AddFetchPartition(fetched_[i].partition, log.end(), ranges_[i].bytes, &connection->heads);
    connection->AddHead(connection->heads.size() - before);
    before = connection->heads.size();
    Connection::Piece& piece = connection->out.back();
    piece.file = log.descriptor();
    piece.position = ranges_[i].position;
    piece.file_bytes = ranges_[i].bytes;
  }
  if (connection->heads.size() > before) connection->AddHead(connection->heads.size() - before);  // of no partition
  return true;
}

void Server::Park(Connection* connection, int32_t max_wait_ms) {
  if (connection->parked) return;
  connection->parked = true;
  connection->parked_until_us = raw::NowUs() + int64_t{max_wait_ms} * 1000;
  parked_.push_back(connection);
}

void Server::ServeParked() {
  const int64_t now_us = raw::NowUs();
  std::vector<Connection*> waiting;
  waiting.swap(parked_);
  std::vector<Connection*> broken;
  for (Connection* connection : waiting) {
    const bool waited_enough = now_us >= connection->parked_until_us;
    if (!appended_ && !waited_enough) {
      parked_.push_back(connection);
      continue;
    }
    connection->parked = false;
    const int64_t until_us = connection->parked_until_us;
    if (!Serve(connection, waited_enough)) {
      broken.push_back(connection);
    } else if (connection->parked && !waited_enough) {
      connection->parked_until_us = until_us;  // it is the same request still
    }
  }
  for (Connection* connection : broken) Close(connection);
}

bool Server::Flush(Connection* connection) {
  bool blocked = false;
  while (!blocked && connection->out_sent < connection->out.size()) {
    Connection::Piece& piece = connection->out[connection->out_sent];
    ssize_t sent = 0;
    if (piece.head_bytes > 0) {
      sent = send(connection->descriptor, &connection->heads[connection->heads_sent], piece.head_bytes,
                  MSG_NOSIGNAL | (piece.file_bytes > 0 ? MSG_MORE : 0));
      if (sent > 0) connection->heads_sent += static_cast<size_t>(sent);
      if (sent > 0) piece.head_bytes -= static_cast<size_t>(sent);
    } else if (piece.file_bytes > 0) {
      sent = sendfile(connection->descriptor, piece.file, &piece.position, piece.file_bytes);
      if (sent > 0) piece.file_bytes -= static_cast<size_t>(sent);
    }
    if (sent < 0 && errno != EAGAIN) return false;
    blocked = sent < 0;
    if (piece.head_bytes == 0 && piece.file_bytes == 0) ++connection->out_sent;
  }
  if (!blocked) {
    connection->heads.clear();
    connection->out.clear();
    connection->heads_sent = connection->out_sent = 0;
  }
  if (blocked != connection->watches_writable) {
    Watch(epoll_, EPOLL_CTL_MOD, connection->descriptor, connection, blocked);
    connection->watches_writable = blocked;
  }
  return true;
}

void Server::Close(Connection* connection) {
  std::erase(parked_, connection);
  connections_.erase(connection->descriptor);
}

}  // namespace kb::limit
