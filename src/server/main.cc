// kafka-broker [server.properties] [--override key=value]… [process flags]
// kafka-broker dump-log … | verify …        look at files (room inspect), no broker
// kafka-broker storage …                    formats directories (room storage), no broker
//
// Exit codes: 0 clean stop · 1 failure while running · 64 usage · 65 foreign or damaged data · 74 I/O · 78
// configuration. SIGTERM and SIGINT stop in order, a second one at once; SIGHUP is noted. All signals are this
// thread's.
#include <gflags/gflags.h>
#include <glog/logging.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "inspect/cli.h"
#include "io/real_file_system.h"
#include "net/tcp.h"
#include "reactor/reactor_group.h"
#include "server/command_line.h"
#include "server/glog_sink.h"
#include "server/node.h"
#include "server/options.h"
#include "server/process_metrics.h"
#include "server/service_manager.h"
#include "storage/cli.h"

DEFINE_int32(reactors, 0, "event loops that serve connections; 0: one for each CPU the process may use");
DEFINE_int32(disk_threads, 4, "most threads for work that may block: fsync, cold reads, recovery");
DEFINE_bool(pin, false, "pin each reactor to a CPU of its own");
DEFINE_int32(cached_tail_mib, 0, "what of a segment stays in the page cache, of what was written last; 0: the kernel decides");

namespace kb::server {
namespace {

enum ExitCode { kClean = 0, kFailed = 1, kUsage = 64, kBadData = 65, kIoError = 74, kBadConfig = 78 };

ExitCode CodeOf(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kForeign:
    case ErrorKind::kCorrupt:
      return kBadData;
    case ErrorKind::kInvalid:
    case ErrorKind::kUnsupported:
      return kBadConfig;
    case ErrorKind::kIo:
    case ErrorKind::kNoSpace:
    case ErrorKind::kNotFound:
    case ErrorKind::kBusy:
      return kIoError;
  }
  return kFailed;
}

// The one clear line.
int Refuse(const Error& error) {
  std::cerr << "kafka-broker: " << error.message << std::endl;
  return CodeOf(error);
}

// As many descriptors as the system lets us have: connections and segments need them.
void RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// glog's own floor: below it nothing is written, whatever the levels of the modules are.
LogLevel LevelOfFlags() {
  switch (FLAGS_minloglevel) {
    case google::INFO:
      return LogLevel::kInfo;
    case google::WARNING:
      return LogLevel::kWarn;
    case google::ERROR:
      return LogLevel::kError;
    default:
      return LogLevel::kFatal;
  }
}

sigset_t HandledSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, signal);
  return set;
}

class Process {
 public:
  explicit Process(const config::ServerConfig& config) : config_(config) {}

  int Run() {
    int64_t begun_ns = SystemClock().MonotonicNs();
    const auto cached_tail_mib = static_cast<uint64_t>(std::max(FLAGS_cached_tail_mib, 0));
    const std::unique_ptr<io::FileSystem> files = io::MakeRealFileSystem({.most_cached_tail_bytes = cached_tail_mib << 20});
    reactor::ReactorGroupOptions options;
    options.reactors = FLAGS_reactors > 0 ? FLAGS_reactors : static_cast<int>(reactor::AllowedCpus().size());
    options.pin = FLAGS_pin;
    options.seed = EntropySeed();
    auto group = reactor::ReactorGroup::Create(options, SystemClock());
    if (!group.ok()) return Refuse(group.error());
    auto acceptor = reactor::ReactorThread::Create(options.reactors, "acceptor", SystemClock(), EntropySeed());
    if (!acceptor.ok()) return Refuse(acceptor.error());
    reactor::ReactorGroup& reactors = **group;
    reactor::ReactorThread& door = **acceptor;
    reactor::ThreadDiskPool disk(std::max(FLAGS_disk_threads, 1));
    net::TcpTransport transport({config_.socket_send_buffer_bytes, config_.socket_receive_buffer_bytes});
    Node::Environment environment{*files,
                                  SystemClock(),
                                  sink_,
                                  transport,
                                  disk,
                                  reactors.all(),
                                  door.reactor(),
                                  EntropySeed(),
                                  [this](const Error& error) { Die(error); },
                                  ProcessMetrics,
                                  LevelOfFlags()};
    auto node = std::make_unique<Node>(environment, config_);
    Result<std::vector<uint16_t>> ports = node->Bind();
    if (!ports.ok()) return Refuse(ports.error());
    Status loaded = node->Load();
    if (!loaded.ok()) return Refuse(loaded.error());

    Banner(options.reactors, *node, *ports);
    reactors.Start();
    door.Start();
    reactor::Reactor& first = reactors.at(0);
    first.Post([&] { first.Spawn(StartUp(*node, begun_ns)); });
    int code = WaitForTheEnd(first, *node);
    door.Stop();
    reactors.Stop();
    disk.Stop();
    door.reactor().Discard();
    reactors.Discard();
    node.reset();
    return code;
  }

 private:
  void Banner(int reactors, const Node& node, const std::vector<uint16_t>& ports) {
    std::string line = "kafka-broker " KAFKA_BROKER_VERSION ", node " + std::to_string(config_.node_id) + ", cluster " +
                       node.cluster_id() + ", " + std::to_string(reactors) + " reactors, data in";
    for (const std::string& dir : config_.log_dirs) line += " " + dir;
    sink_.Info(line);
    sink_.Info(DescribeListeners(config_, ports));
  }

  reactor::Task<void> StartUp(Node& node, int64_t begun_ns) {
    const size_t partitions = node.partitions();
    bool started = false;
    auto progress = TellProgress(node, partitions, started);
    progress.Start();
    auto start = node.Start();
    co_await start;
    started = true;
    int64_t took_us = (SystemClock().MonotonicNs() - begun_ns) / 1000;
    sink_.Info("opened " + std::to_string(node.partitions()) + " partitions; " + std::to_string(took_us / 1000) + "." +
               std::to_string(took_us / 100 % 10) + " ms since the start");
    sink_.Info("Transitioning from RECOVERY to RUNNING");
    sink_.Info("Kafka Server started");
    TellServiceManager("READY=1\nSTATUS=serving");
  }

  // Of a start that takes time. Ends with what it was started in.
  reactor::Task<void> TellProgress(const Node& node, size_t partitions, const bool& started) {
    constexpr int64_t kStatusNs = 1'000'000'000;
    constexpr int kStatusPerLine = 10;
    for (int i = 1; !started; ++i) {
      const std::string so_far =
          "opening partitions: " + std::to_string(node.done_opening()) + " of " + std::to_string(partitions);
      TellServiceManager(("STATUS=" + so_far).c_str());
      if (i % kStatusPerLine == 0) sink_.Info(so_far);
      reactor::Sleep sleep(kStatusNs);
      co_await sleep;
    }
  }

  int WaitForTheEnd(reactor::Reactor& first, Node& node) {
    sigset_t set = HandledSignals();
    bool stopping = false;
    for (;;) {
      siginfo_t info;
      if (sigwaitinfo(&set, &info) < 0) continue;
      if (info.si_signo == SIGUSR1) {
        if (info.si_code == SI_TKILL || info.si_code == SI_QUEUE || info.si_pid == getpid()) return exit_code_;
        continue;
      }
      if (info.si_signo == SIGHUP) {
        sink_.Info("SIGHUP: there is nothing to reload");
        continue;
      }
      if (stopping) {
        sink_.Warning("a second signal: leaving at once");
        std::_Exit(kFailed);
      }
      stopping = true;
      sink_.Info("stopping");
      TellServiceManager("STOPPING=1");
      first.Post([this, &first, &node] { first.Spawn(ShutDown(node)); });
    }
  }

  reactor::Task<void> ShutDown(Node& node) {
    constexpr int64_t kConnectionsNs = 5'000'000'000;
    auto stop = node.Stop(SystemClock().MonotonicNs() + kConnectionsNs);
    Status stopped = co_await stop;
    if (stopped.ok()) {
      sink_.Info("stopped");
    } else {
      sink_.Error("the stop was not clean: " + stopped.error().message);
    }
    End(stopped.ok() ? kClean : kFailed);
  }

  // From any thread: lets main go on to the end.
  void End(int code) {
    exit_code_ = code;
    kill(getpid(), SIGUSR1);
  }
  void Die(const Error& error) {
    sink_.Error("cannot go on: " + error.message);
    google::FlushLogFiles(google::INFO);
    std::_Exit(kFailed);
  }

  const config::ServerConfig& config_;
  GlogSink sink_;
  std::atomic<int> exit_code_{kFailed};
};

int Main(int argc, char** argv) {
  std::error_code unknown;
  const std::string here = std::filesystem::current_path(unknown).string();
  std::optional<int> done = inspect::RunSubcommand(io::RealFileSystem(), here, argc, argv, std::cout, std::cerr);
  if (done) return *done;
  Random random(EntropySeed());
  done = storage::RunSubcommand({io::RealFileSystem(), random, SystemClock().WallMs(), std::cout, std::cerr}, argc, argv);
  if (done) return *done;
  Result<CommandLine> line = ParseCommandLine(argc, argv);
  if (!line.ok()) {
    std::cerr << "kafka-broker: " << line.error().message << "\nkafka-broker --help says what is allowed\n";
    return kUsage;
  }
  if (line->help) {
    std::cout << kUsageText;
    return kClean;
  }
  if (line->version) {
    std::cout << "kafka-broker " KAFKA_BROKER_VERSION "\n";
    return kClean;
  }
  // Before any thread exists: they inherit it, and only main waits for signals.
  sigset_t set = HandledSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  RaiseDescriptorLimit();
  InitLogging(argv[0]);

  Result<config::ServerConfig> config = LoadConfig(*line);
  if (!config.ok()) {
    Refuse(config.error());
    return kBadConfig;
  }
  GlogSink sink;
  for (const std::string& warning : config->warnings) sink.Warning(warning);
  return Process(*config).Run();
}

}  // namespace
}  // namespace kb::server

int main(int argc, char** argv) {
  int code = kb::server::Main(argc, argv);
  google::FlushLogFiles(google::INFO);
  return code;
}
