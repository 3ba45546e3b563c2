#include "reactor/reactor_group.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "reactor/epoll_poller.h"

namespace kb::reactor {
namespace {

void PinThisThread(int cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(cpu, &cpus);
  // A sandbox may forbid it; then the scheduler decides, which is correct, only slower.
  pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
}

}  // namespace

std::thread StartThread(const std::string& name, std::function<void()> main) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);  // a new thread inherits the mask
  std::thread thread(std::move(main));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), name.substr(0, 15).c_str());
  return thread;
}

std::vector<int> AllowedCpus() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  std::vector<int> allowed;
  if (sched_getaffinity(0, sizeof cpus, &cpus) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &cpus)) allowed.push_back(cpu);
    }
  }
  return allowed;
}

Result<std::unique_ptr<ReactorThread>> ReactorThread::Create(int index, std::string name, const Clock& clock,
                                                             uint64_t seed, int cpu) {
  auto poller = EpollPoller::Create();
  if (!poller.ok()) return poller.error();
  auto reactor = std::make_unique<Reactor>(index, clock, seed, *std::move(poller));
  return std::unique_ptr<ReactorThread>(new ReactorThread(std::move(name), cpu, std::move(reactor)));
}

ReactorThread::ReactorThread(std::string name, int cpu, std::unique_ptr<Reactor> reactor)
    : name_(std::move(name)), cpu_(cpu), reactor_(std::move(reactor)) {}

ReactorThread::~ReactorThread() {
  Stop();
  reactor_->Discard();
}

void ReactorThread::Start() {
  KB_CHECK(!thread_.joinable());
  thread_ = StartThread(name_, [this] { Main(); });
}

void ReactorThread::RequestStop() {
  // A second request would be found by the next Run().
  if (thread_.joinable() && !std::exchange(stop_requested_, true)) reactor_->Stop();
}

void ReactorThread::Stop() {
  RequestStop();
  if (thread_.joinable()) thread_.join();
  stop_requested_ = false;
}

void ReactorThread::Main() {
  if (cpu_ >= 0) PinThisThread(cpu_);
  reactor_->Run();
}

Result<std::unique_ptr<ReactorGroup>> ReactorGroup::Create(const ReactorGroupOptions& options, const Clock& clock) {
  KB_CHECK(options.reactors > 0);
  std::unique_ptr<ReactorGroup> group(new ReactorGroup());
  std::vector<int> cpus = options.pin ? AllowedCpus() : std::vector<int>();
  for (int i = 0; i < options.reactors; ++i) {
    int cpu = cpus.empty() ? -1 : cpus[static_cast<size_t>(i) % cpus.size()];
    auto thread = ReactorThread::Create(i, "reactor-" + std::to_string(i), clock,
                                        options.seed + static_cast<uint64_t>(i), cpu);
    if (!thread.ok()) return thread.error();
    group->threads_.push_back(*std::move(thread));
  }
  return group;
}

ReactorGroup::~ReactorGroup() {
  Stop();
  Discard();
}

std::vector<Reactor*> ReactorGroup::all() {
  std::vector<Reactor*> reactors;
  for (auto& thread : threads_) reactors.push_back(&thread->reactor());
  return reactors;
}

void ReactorGroup::Start() {
  for (auto& thread : threads_) thread->Start();
}

void ReactorGroup::Stop() {
  // All are told before any is joined: they end at the same time.
  for (auto& thread : threads_) thread->RequestStop();
  for (auto& thread : threads_) thread->Stop();
}

void ReactorGroup::Discard() {
  for (auto& thread : threads_) thread->reactor().Discard();
}

}  // namespace kb::reactor
