// How much of its processor does a broker need for a request, or for a gigabyte? Makes load over plain sockets from one
// thread, and reads what the broker's process used meanwhile. Prints one line of JSON.
//
//   load --port=P --pid=B --mode=produce --topic=t --partitions=4 --connections=32 --record_bytes=100 --seconds=5
//   load --port=P --pid=B --mode=fetch --topic=t --partitions=4 --connections=4 --seconds=5
//   load --port=P --pid=B --mode=idle --connections=1000
//
// produce: every connection writes to one partition, `in_flight` requests at a time, always the same batch of
//   `records` records of `record_bytes`, made once: what the load costs is sending and receiving. With `keys` it has
//   3,000 batches by turns, each record with one of so many keys and a value that compresses to half.
// fetch: every connection reads one partition from its beginning to its end, again and again.
// idle: opens the connections, asks each for ApiVersions, and reports what the broker's memory grew by.
//
// The processor time is that of the kernel's clock of the process (the sum of /proc/PID/stat's user and system time,
// without its granularity). `*_us` are microseconds.
#include <gflags/gflags.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "stress/broker_process.h"
#include "stress/raw_client.h"

DEFINE_int32(port, 0, "the broker's, on this machine");
DEFINE_int32(pid, 0, "the broker's process, whose time and memory are reported");
DEFINE_string(mode, "produce", "produce, fetch or idle");
DEFINE_string(topic, "", "one that exists");
DEFINE_int32(partitions, 1, "of the topic");
DEFINE_int32(connections, 1, "");
DEFINE_int32(in_flight, 1, "requests of a connection without an answer (produce)");
DEFINE_int32(records, 1, "in a batch");
DEFINE_int32(record_bytes, 100, "of a record's value");
DEFINE_int32(keys, 0, "how many there are (produce); 0: the records have none");
DEFINE_int32(acks, 1, "0 is not possible here: there would be no answer to count");
DEFINE_double(seconds, 5, "after which no request is sent any more");
DEFINE_int64(requests, 0, "instead of seconds, when above 0");
DEFINE_int32(fetch_bytes, 1 << 20, "at most, from the partition, with one fetch");

namespace {

using kb::raw::CpuUsOf;
using kb::raw::Die;
using kb::raw::NowUs;
using kb::raw::ResidentBytesOf;

constexpr size_t kReadBytes = 256 << 10;
constexpr size_t kMostAtOnce = 16;  // requests in one write

// Bytes that have arrived and are not a whole answer yet. Nothing is cleared before it is overwritten: this program
// runs on the processors that the broker is measured on.
class Input {
 public:
  std::string_view view() const { return {bytes_.get() + begin_, end_ - begin_}; }
  void Take(size_t count) { begin_ += count; }
  // What a read of kReadBytes got.
  ssize_t ReadFrom(int descriptor) {
    if (begin_ == end_) begin_ = end_ = 0;
    if (capacity_ - end_ < kReadBytes) Grow();
    const ssize_t got = recv(descriptor, bytes_.get() + end_, kReadBytes, MSG_DONTWAIT);
    if (got > 0) end_ += static_cast<size_t>(got);
    return got;
  }

 private:
  void Grow() {
    const std::string_view had = view();
    capacity_ = 2 * had.size() + kReadBytes;
    auto grown = std::make_unique_for_overwrite<char[]>(capacity_);
    std::copy(had.begin(), had.end(), grown.get());
    begin_ = 0;
    end_ = had.size();
    bytes_ = std::move(grown);
  }

  std::unique_ptr<char[]> bytes_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

// One connection: what it sends next, and what it makes of an answer.
class Client {
 public:
  explicit Client(int index)
      : partition_(index % FLAGS_partitions), descriptor_(kb::raw::Connect(static_cast<uint16_t>(FLAGS_port))) {}
  virtual ~Client() { close(descriptor_); }

  int descriptor() const { return descriptor_; }
  size_t in_flight() const { return sent_at_us_.size(); }

  // Sends the next `count` requests with one write.
  void Send(size_t count, int64_t now_us) {
    iovec parts[kMostAtOnce];
    size_t size = 0;
    for (size_t i = 0; i < count; ++i) {
      const std::string_view request = Next();
      parts[i] = {const_cast<char*>(request.data()), request.size()};
      size += request.size();
      sent_at_us_.push_back(now_us);
    }
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    // Few and small enough that the socket's buffer takes them: a full one would mean that nobody reads.
    if (sendmsg(descriptor_, &message, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) {
      Die(std::string("send: ") + strerror(errno));
    }
  }

  // Reads what there is; the number of answers in it.
  size_t TakeAnswers(std::vector<int64_t>& latencies_us) {
    const ssize_t got = input_.ReadFrom(descriptor_);
    if (got == 0) Die("the broker closed a connection");
    if (got < 0 && errno != EAGAIN) Die(std::string("recv: ") + strerror(errno));
    const int64_t now_us = NowUs();
    size_t answers = 0;
    while (input_.view().size() >= 4) {
      const auto size = static_cast<size_t>(kb::raw::In(input_.view()).I32());
      if (input_.view().size() - 4 < size) break;
      if (sent_at_us_.empty()) Die("an answer to nothing");
      Answer(input_.view().substr(4, size));
      latencies_us.push_back(now_us - sent_at_us_.front());
      sent_at_us_.pop_front();
      input_.Take(4 + size);
      ++answers;
    }
    return answers;
  }

  int64_t bytes() const { return bytes_; }

 protected:
  // Valid until the requests of one write are sent.
  virtual std::string_view Next() = 0;
  virtual void Answer(std::string_view frame) = 0;

  const int32_t partition_;
  int64_t bytes_ = 0;  // of record batches

 private:
  const int descriptor_;
  Input input_;
  std::deque<int64_t> sent_at_us_;
};

class ProducingClient : public Client {
 public:
  ProducingClient(int index, const std::vector<std::string>& batches)
      : Client(index), batch_bytes_(static_cast<int64_t>(batches[0].size())) {
    for (const std::string& batch : batches) {
      requests_.push_back(
          kb::raw::ProduceRequest(index, FLAGS_topic, partition_, static_cast<int16_t>(FLAGS_acks), batch));
    }
  }

 protected:
  std::string_view Next() override { return requests_[next_++ % requests_.size()]; }
  void Answer(std::string_view frame) override {
    const kb::raw::Produced answer = kb::raw::ParseProduced(frame);
    if (answer.error != 0) Die("Produce: error " + std::to_string(answer.error));
    bytes_ += batch_bytes_;
  }

 private:
  const int64_t batch_bytes_;
  std::vector<std::string> requests_;
  size_t next_ = 0;
};

class FetchingClient : public Client {
 public:
  using Client::Client;

 protected:
  std::string_view Next() override {
    kb::raw::FetchOptions options;
    options.partition_max_bytes = FLAGS_fetch_bytes;
    request_ = kb::raw::FetchRequest(1, FLAGS_topic, partition_, offset_, options);
    return request_;
  }
  void Answer(std::string_view frame) override {
    const kb::raw::Fetched answer = kb::raw::ParseFetched(frame);
    if (answer.error != 0) Die("Fetch: error " + std::to_string(answer.error));
    bytes_ += static_cast<int64_t>(answer.records.size());
    offset_ = kb::raw::NextOffset(answer.records, offset_);
    if (offset_ >= answer.high_watermark) offset_ = 0;
  }

 private:
  int64_t offset_ = 0;
  std::string request_;
};

class Load {
 public:
  Load() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}
  ~Load() { close(epoll_); }

  void Add(std::unique_ptr<Client> client) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = client.get();
    epoll_ctl(epoll_, EPOLL_CTL_ADD, client->descriptor(), &event);
    clients_.push_back(std::move(client));
  }

  void Run() {
    const int64_t cpu = CpuUsOf(FLAGS_pid);
    const int64_t own_cpu = NowUs(CLOCK_PROCESS_CPUTIME_ID);
    const int64_t start = NowUs();
    end_us_ = start + static_cast<int64_t>(FLAGS_seconds * 1e6);
    for (const auto& client : clients_) Fill(*client);
    while (open_ > 0) Turn();
    Report(NowUs() - start, CpuUsOf(FLAGS_pid) - cpu, NowUs(CLOCK_PROCESS_CPUTIME_ID) - own_cpu);
  }

 private:
  // As many as may be in flight, with as few writes as possible.
  void Fill(Client& client) {
    while (client.in_flight() < static_cast<size_t>(FLAGS_in_flight)) {
      const int64_t now_us = NowUs();
      size_t count = std::min(static_cast<size_t>(FLAGS_in_flight) - client.in_flight(), kMostAtOnce);
      if (FLAGS_requests > 0) {
        count = std::min(count, static_cast<size_t>(FLAGS_requests - sent_));
      } else if (now_us >= end_us_) {
        count = 0;
      }
      if (count == 0) return;
      client.Send(count, now_us);
      sent_ += static_cast<int64_t>(count);
      open_ += count;
    }
  }

  void Turn() {
    epoll_event events[256];
    const int count = epoll_wait(epoll_, events, 256, 30000);
    if (count == 0) Die("no answer within 30 seconds");
    for (int i = 0; i < count; ++i) {
      Client& client = *static_cast<Client*>(events[i].data.ptr);
      const size_t answers = client.TakeAnswers(latencies_us_);
      open_ -= answers;
      if (answers > 0) Fill(client);
    }
  }

  void Report(int64_t took_us, int64_t cpu_us, int64_t own_cpu_us) {
    std::sort(latencies_us_.begin(), latencies_us_.end());
    const auto percentile = [this](double share) {
      if (latencies_us_.empty()) return int64_t{0};
      return latencies_us_[static_cast<size_t>(share * static_cast<double>(latencies_us_.size() - 1))];
    };
    int64_t bytes = 0;
    for (const auto& client : clients_) bytes += client->bytes();
    const auto requests = static_cast<double>(std::max<size_t>(latencies_us_.size(), 1));
    const double gigabytes = std::max(static_cast<double>(bytes) / 1e9, 1e-9);
    printf("{\"requests\": %zu, \"bytes\": %" PRId64 ", \"took_us\": %" PRId64 ", \"cpu_us\": %" PRId64
           ", \"load_cpu_us\": %" PRId64
           ", \"load_cpu_us_per_request\": %.3f, \"cpu_us_per_request\": %.3f, \"cpu_s_per_gb\": %.4f, "
           "\"requests_per_s\": %.0f, "
           "\"mb_per_s\": %.1f, \"p50_us\": %" PRId64 ", \"p99_us\": %" PRId64 ", \"p999_us\": %" PRId64
           ", \"resident_bytes\": %" PRId64 "}\n",
           latencies_us_.size(), bytes, took_us, cpu_us, own_cpu_us, static_cast<double>(own_cpu_us) / requests,
           static_cast<double>(cpu_us) / requests, static_cast<double>(cpu_us) / 1e6 / gigabytes,
           requests * 1e6 / static_cast<double>(took_us), static_cast<double>(bytes) / static_cast<double>(took_us),
           percentile(0.5), percentile(0.99), percentile(0.999), ResidentBytesOf(FLAGS_pid));
  }

  const int epoll_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<int64_t> latencies_us_;
  int64_t end_us_ = 0;
  int64_t sent_ = 0;
  size_t open_ = 0;
};

void RunIdle() {
  const int64_t before = ResidentBytesOf(FLAGS_pid);
  std::deque<kb::raw::Connection> connections;
  for (int i = 0; i < FLAGS_connections; ++i) {
    connections.emplace_back(static_cast<uint16_t>(FLAGS_port));
    connections.back().Send(kb::raw::Request(18, 0, i, ""));
    connections.back().Receive();
  }
  const int64_t after = ResidentBytesOf(FLAGS_pid);
  printf("{\"connections\": %d, \"resident_bytes\": %" PRId64 ", \"grown_bytes\": %" PRId64 "}\n", FLAGS_connections,
         after, after - before);
}

std::vector<std::string> Batches() {
  const auto record_bytes = static_cast<size_t>(FLAGS_record_bytes);
  const auto records = static_cast<size_t>(FLAGS_records);
  if (FLAGS_keys == 0) return {kb::raw::Batch(std::vector<std::string>(records, std::string(record_bytes, 'x')))};
  constexpr size_t kBatches = 3000;
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::mt19937 random(1);
  std::vector<std::string> batches;
  while (batches.size() < kBatches) {
    std::vector<std::string> keys, values;
    while (keys.size() < records) {
      const std::string number = std::to_string(random() % static_cast<unsigned>(FLAGS_keys));
      keys.push_back("key-" + std::string(10 - std::min<size_t>(number.size(), 10), '0') + number);
      values.emplace_back();
      while (values.back().size() < record_bytes) values.back() += kDigits[random() % kDigits.size()];
    }
    batches.push_back(kb::raw::Batch(values, keys));
  }
  return batches;
}

}  // namespace

int main(int argc, char** argv) {
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  if (FLAGS_port == 0) Die("usage: load --port=P [--pid=B] --mode=produce|fetch|idle …");
  if (FLAGS_mode == "idle") {
    RunIdle();
    return 0;
  }
  const std::vector<std::string> batches = Batches();
  Load load;
  for (int i = 0; i < FLAGS_connections; ++i) {
    if (FLAGS_mode == "produce") {
      load.Add(std::make_unique<ProducingClient>(i, batches));
    } else if (FLAGS_mode == "fetch" && FLAGS_in_flight == 1) {
      load.Add(std::make_unique<FetchingClient>(i));
    } else {
      Die("--mode is produce, fetch (with --in_flight=1) or idle");
    }
  }
  load.Run();
  return 0;
}
