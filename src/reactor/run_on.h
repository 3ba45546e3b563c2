// RunOn: doing something on another reactor and waiting for the result. The one way in which handlers cross threads.
//
//   auto call = RunOn(home, [&] { return table.Find(id); });      // captures stay in the caller's frame: no allocation
//   Found found = co_await call;
//
// The callable runs on `target`; the result is moved back and the caller goes on at home. When target is the current
// reactor, it is simply called, without suspension. There is no time-out and no cancelling: the frame must stay until
// the answer is back (checked), because the other thread is using it.
#pragma once

#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/pool.h"
#include "reactor/completion.h"
#include "reactor/reactor.h"
#include "reactor/task.h"

namespace kb::reactor {

namespace internal {

// Calls `f` and keeps what it returns (monostate for void).
template <typename F, typename... Args>
auto CallKept(F& f, Args&&... args) {
  if constexpr (std::is_void_v<std::invoke_result_t<F&, Args...>>) {
    f(std::forward<Args>(args)...);
    return std::monostate();
  } else {
    return f(std::forward<Args>(args)...);
  }
}

template <typename T>
T Unkept(std::optional<Kept<T>>& value) {
  if constexpr (!std::is_void_v<T>) return std::move(*value);
}

}  // namespace internal

// What RunOn returns for a callable that returns no Task.
template <typename F>
class [[nodiscard]] RemoteCall {
 public:
  using R = std::invoke_result_t<F&>;
  RemoteCall(Reactor& target, F f) : target_(target), f_(std::move(f)) {}
  RemoteCall(const RemoteCall&) = delete;
  RemoteCall& operator=(const RemoteCall&) = delete;
  ~RemoteCall() { KB_CHECK(!under_way_ || waiter_.home().discarded()); }

  bool await_ready() {
    if (!target_.IsCurrent()) return false;
    result_.emplace(internal::CallKept(f_));
    return true;
  }
  void await_suspend(std::coroutine_handle<> coroutine) {
    waiter_.Suspend(coroutine);
    under_way_ = true;
    target_.Post([this] {
      result_.emplace(internal::CallKept(f_));
      waiter_.home().Post([this] {
        under_way_ = false;
        waiter_.Resume();
      });
    });
  }
  R await_resume() { return internal::Unkept<R>(result_); }

 private:
  Reactor& target_;
  F f_;
  std::optional<Kept<R>> result_;
  Waiter waiter_;
  bool under_way_ = false;
};

template <typename F>
  requires(!kIsTask<std::invoke_result_t<F&>>)
RemoteCall<F> RunOn(Reactor& target, F f) {
  return RemoteCall<F>(target, std::move(f));
}

namespace internal {

template <typename R>
bool HasNothingToDo(const Task<R>& task) {
  return std::is_void_v<R> && !task.valid();
}

// The result of a task that had nothing to do.
template <typename R>
void KeepNothing(std::optional<Kept<R>>& into) {
  if constexpr (std::is_void_v<R>) into.emplace();
}

// Of one that is done.
template <typename R>
Kept<R> TakeKept(Task<R>& task) {
  if constexpr (std::is_void_v<R>) {
    task.Take();
    return std::monostate();
  } else {
    return task.Take();
  }
}

// Waits for a task, which may be under way, and destroys it before it says that it is done: what its frame refers to is
// the other side's.
template <typename R>
Task<void> KeepAndReport(Task<R> task, std::optional<Kept<R>>& into, Reactor& home, Closure done) {
  if constexpr (std::is_void_v<R>) {
    co_await task;
    into.emplace();
  } else {
    R result = co_await task;
    into.emplace(std::move(result));
  }
  task = Task<R>();
  home.Post(std::move(done));
}

// A wait that may not be cut short.
class RemoteWait {
 public:
  explicit RemoteWait(size_t answers) : left_(answers) {}
  ~RemoteWait() { KB_CHECK(left_.count() == 0 || home_.discarded()); }
  Closure Answer() {
    return [this] { left_.Done(); };
  }
  WaitGroup::Awaiter All() { return left_.Wait(); }
  Reactor& home() { return home_; }

 private:
  Reactor& home_ = CurrentReactor();
  WaitGroup left_;
};

}  // namespace internal

// What RunOn returns for a callable that returns a Task. A task that ends without waiting costs no frame beside its
// own.
template <typename F>
class [[nodiscard]] RemoteTask {
 public:
  using TaskType = std::invoke_result_t<F&>;
  using R = typename TaskType::Value;
  RemoteTask(Reactor& target, F f) : target_(target), f_(std::move(f)) {}
  RemoteTask(const RemoteTask&) = delete;
  RemoteTask& operator=(const RemoteTask&) = delete;
  ~RemoteTask() { KB_CHECK(!under_way_ || waiter_.home().discarded()); }

  bool await_ready() {
    if (!target_.IsCurrent()) return false;
    task_ = f_();
    if (internal::HasNothingToDo(task_)) {
      internal::KeepNothing<R>(result_);
      return true;
    }
    local_.emplace(task_);
    return local_->await_ready();
  }
  void await_suspend(std::coroutine_handle<> coroutine) {
    if (local_) return local_->await_suspend(coroutine);
    waiter_.Suspend(coroutine);
    under_way_ = true;
    target_.Post([this] { RunThere(); });
  }
  R await_resume() {
    if (local_) return local_->await_resume();
    return internal::Unkept<R>(result_);
  }

 private:
  void RunThere() {
    TaskType task = f_();
    if (internal::HasNothingToDo(task)) {
      internal::KeepNothing<R>(result_);
      return waiter_.home().Post(Done());
    }
    task.Start();
    if (!task.done()) {
      return target_.Spawn(internal::KeepAndReport<R>(std::move(task), result_, waiter_.home(), Done()));
    }
    result_.emplace(internal::TakeKept(task));
    task = TaskType();
    waiter_.home().Post(Done());
  }
  Closure Done() {
    return [this] {
      under_way_ = false;
      waiter_.Resume();
    };
  }

  Reactor& target_;
  F f_;
  TaskType task_;  // here
  std::optional<typename TaskType::Awaiter> local_;
  std::optional<Kept<R>> result_;  // from there
  Waiter waiter_;
  bool under_way_ = false;
};

// For a callable that returns a Task<R>: the whole task runs on `target`. `co_await` gives R. A Task<void> may be
// empty: all was done by the call itself.
template <typename F>
  requires(kIsTask<std::invoke_result_t<F&>>)
RemoteTask<F> RunOn(Reactor& target, F f) {
  return RemoteTask<F>(target, std::move(f));
}

// Calls f(i) on targets[i], for all i at once, and waits for all: one message to each. What belongs to one reactor
// should be one i. f is called from several threads at the same time: it must touch only what belongs to i. It returns
// R or Task<R>; `co_await` gives a PoolVector<R> in the order of the targets (monostate for void).
template <typename F, typename Targets = std::vector<Reactor*>, typename Returned = std::invoke_result_t<F&, size_t>>
  requires(!kIsTask<Returned>)
Task<PoolVector<Kept<Returned>>> RunOnEach(Targets targets, F f) {
  PoolVector<std::optional<Kept<Returned>>> results(targets.size());
  internal::RemoteWait wait(targets.size());
  for (size_t i = 0; i < targets.size(); ++i) {
    if (targets[i]->IsCurrent()) continue;
    targets[i]->Post([&f, &results, &wait, i] {
      results[i].emplace(internal::CallKept(f, i));
      wait.home().Post(wait.Answer());
    });
  }
  for (size_t i = 0; i < targets.size(); ++i) {  // our own share while the others are working
    if (!targets[i]->IsCurrent()) continue;
    results[i].emplace(internal::CallKept(f, i));
    wait.Answer()();
  }
  auto answered = wait.All();
  co_await answered;
  PoolVector<Kept<Returned>> values;
  values.reserve(results.size());
  for (auto& result : results) values.push_back(std::move(*result));
  co_return values;
}

template <typename F, typename Targets = std::vector<Reactor*>, typename Returned = std::invoke_result_t<F&, size_t>>
  requires(kIsTask<Returned>)
Task<PoolVector<Kept<typename Returned::Value>>> RunOnEach(Targets targets, F f) {
  using R = typename Returned::Value;
  PoolVector<std::optional<Kept<R>>> results(targets.size());
  internal::RemoteWait wait(targets.size());
  auto start = [&](size_t i) {
    Task<R> task = f(i);
    if (internal::HasNothingToDo(task)) {
      internal::KeepNothing<R>(results[i]);
      return wait.home().Post(wait.Answer());
    }
    targets[i]->Spawn(internal::KeepAndReport<R>(std::move(task), results[i], wait.home(), wait.Answer()));
  };
  for (size_t i = 0; i < targets.size(); ++i) {
    if (!targets[i]->IsCurrent()) targets[i]->Post([&start, i] { start(i); });
  }
  for (size_t i = 0; i < targets.size(); ++i) {
    if (targets[i]->IsCurrent()) start(i);
  }
  auto answered = wait.All();
  co_await answered;
  PoolVector<Kept<R>> values;
  values.reserve(results.size());
  for (auto& result : results) values.push_back(std::move(*result));
  co_return values;
}

}  // namespace kb::reactor
