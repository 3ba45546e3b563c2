// RunOn: doing something on another reactor and waiting for the result. The one way in which handlers cross threads.
//
//   auto call = RunOn(home, [&] { return table.Find(id); });      // captures stay in the caller's frame: no allocation
//   Found found = co_await call;
//
// The callable runs on `target`; the result is moved back and the caller goes on at home. When target is the current
// reactor, it is simply called, without suspension. There is no time-out and no cancelling: the frame must stay until the
// answer is back (checked), because the other thread is using it.
#pragma once

#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

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

// Runs the task that f returns on the reactor where it is called, and stores what it gives.
template <typename R, typename F>
Task<void> RunInto(F& f, std::optional<Kept<R>>& into) {
  Task<R> task = f();
  if constexpr (std::is_void_v<R>) {
    co_await task;
    into.emplace();
  } else {
    R result = co_await task;
    into.emplace(std::move(result));
  }
}

// As RunInto, and then posts `done` home.
template <typename R, typename F>
Task<void> RunIntoAndReport(F& f, std::optional<Kept<R>>& into, Reactor& home, Closure done) {
  Task<void> run = RunInto<R>(f, into);
  co_await run;
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

// For a callable that returns a Task<R>: the whole task runs on `target`. `co_await` gives R.
template <typename F>
  requires(kIsTask<std::invoke_result_t<F&>>)
Task<typename std::invoke_result_t<F&>::Value> RunOn(Reactor& target, F f) {
  using R = typename std::invoke_result_t<F&>::Value;
  std::optional<Kept<R>> result;
  if (target.IsCurrent()) {
    Task<void> run = internal::RunInto<R>(f, result);
    co_await run;
  } else {
    internal::RemoteWait wait(1);
    target.Post([&f, &result, &wait, &target] {
      target.Spawn(internal::RunIntoAndReport<R>(f, result, wait.home(), wait.Answer()));
    });
    auto answered = wait.All();
    co_await answered;
  }
  co_return internal::Unkept<R>(result);
}

// Calls f(i) on targets[i], for all i at once, and waits for all: one message to each. What belongs to one reactor should
// be one i. f is called from several threads at the same time: it must touch only what belongs to i. It returns R or
// Task<R>; `co_await` gives a vector<R> in the order of the targets (monostate for void).
template <typename F, typename Returned = std::invoke_result_t<F&, size_t>>
  requires(!kIsTask<Returned>)
Task<std::vector<Kept<Returned>>> RunOnEach(std::vector<Reactor*> targets, F f) {
  std::vector<std::optional<Kept<Returned>>> results(targets.size());
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
  std::vector<Kept<Returned>> values;
  values.reserve(results.size());
  for (auto& result : results) values.push_back(std::move(*result));
  co_return values;
}

template <typename F, typename Returned = std::invoke_result_t<F&, size_t>>
  requires(kIsTask<Returned>)
Task<std::vector<Kept<typename Returned::Value>>> RunOnEach(std::vector<Reactor*> targets, F f) {
  using R = typename Returned::Value;
  auto each = [&f](size_t i) {
    return [&f, i] { return f(i); };
  };
  using Each = decltype(each(0));
  std::vector<Each> calls;
  for (size_t i = 0; i < targets.size(); ++i) calls.push_back(each(i));
  std::vector<std::optional<Kept<R>>> results(targets.size());
  internal::RemoteWait wait(targets.size());
  auto start = [&](size_t i) {
    targets[i]->Spawn(internal::RunIntoAndReport<R>(calls[i], results[i], wait.home(), wait.Answer()));
  };
  for (size_t i = 0; i < targets.size(); ++i) {
    if (!targets[i]->IsCurrent()) targets[i]->Post([&start, i] { start(i); });
  }
  for (size_t i = 0; i < targets.size(); ++i) {
    if (targets[i]->IsCurrent()) start(i);
  }
  auto answered = wait.All();
  co_await answered;
  std::vector<Kept<R>> values;
  values.reserve(results.size());
  for (auto& result : results) values.push_back(std::move(*result));
  co_return values;
}

}  // namespace kb::reactor
