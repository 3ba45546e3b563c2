// What a coroutine waits for on its own reactor: Completion, Signal, WaitGroup, Gate, Sleep, Yield.
//
// All reactor-affine: set and awaited on the same reactor, which is checked. To hear from another one, let it Post() or
// use run_on.h. None of them suspends when there is nothing to wait for, and each may be destroyed before the coroutine
// that waits for it (which then never goes on) or after.
//
// g++ 12: `auto wait = completion.Wait(); co_await wait;`. Plain `co_await completion.Wait();` as a whole statement or
// initialiser works, too; nothing else beside it in the expression.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>
#include <variant>

#include "base/check.h"
#include "reactor/reactor.h"

namespace kb::reactor {

// What a value of type T is kept as while it may be void.
template <typename T>
using Kept = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

// A value that will be there once. One setter, one waiter.
template <typename T = void>
class Completion {
 public:
  Completion() = default;
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;
  ~Completion() {
    if (awaiter_ != nullptr) awaiter_->completion_ = nullptr;
  }

  bool is_set() const { return set_; }
  void Set(Kept<T> value = Kept<T>()) { KB_CHECK(TrySet(std::move(value))); }
  // False, and nothing happens, if it was set before: for several who may be the first (an append, a time-out).
  bool TrySet(Kept<T> value = Kept<T>()) {
    if (set_) return false;
    set_ = true;
    if (awaiter_ == nullptr) {
      value_.emplace(std::move(value));
    } else {
      std::exchange(awaiter_, nullptr)->Deliver(std::move(value));
    }
    return true;
  }

  // The value is moved straight to the one who waits: the Completion may be gone when it goes on.
  class AwaiterBase : protected Waiter {
   public:
    AwaiterBase(Completion& completion, int64_t timeout_ns) : completion_(&completion), timeout_ns_(timeout_ns) {}
    ~AwaiterBase() {
      Withdraw();
      if (timer_) home().CancelTimer(timer_);
    }
    bool await_ready() {
      if (!completion_->value_.has_value()) return false;
      value_.swap(completion_->value_);
      return true;
    }
    void await_suspend(std::coroutine_handle<> coroutine) {
      KB_CHECK(!completion_->set_ && completion_->awaiter_ == nullptr);
      Suspend(coroutine);
      completion_->awaiter_ = this;
      if (timeout_ns_ >= 0) timer_ = home().After(timeout_ns_, [this] { OnTimeout(); });
    }

   protected:
    std::optional<Kept<T>> value_;

   private:
    friend class Completion;
    void Deliver(Kept<T> value) {
      value_.emplace(std::move(value));
      completion_ = nullptr;
      Resume();
    }
    void OnTimeout() {
      timer_ = TimerId();
      if (completion_ == nullptr) return;  // set in the same turn
      Withdraw();
      Resume();
    }
    void Withdraw() {
      if (completion_ != nullptr && completion_->awaiter_ == this) completion_->awaiter_ = nullptr;
      completion_ = nullptr;
    }
    Completion* completion_;
    const int64_t timeout_ns_;
    TimerId timer_;
  };
  class Awaiter : public AwaiterBase {
   public:
    explicit Awaiter(Completion& completion) : AwaiterBase(completion, -1) {}
    T await_resume() {
      if constexpr (!std::is_void_v<T>) return std::move(*this->value_);
    }
  };
  class TimedAwaiter : public AwaiterBase {
   public:
    using AwaiterBase::AwaiterBase;
    std::optional<Kept<T>> await_resume() { return std::move(this->value_); }
  };

  Awaiter Wait() { return Awaiter(*this); }
  // Waits at most timeout_ns; nullopt when that passed first. It may be waited for again then.
  TimedAwaiter WaitFor(int64_t timeout_ns) { return TimedAwaiter(*this, timeout_ns < 0 ? 0 : timeout_ns); }

 private:
  std::optional<Kept<T>> value_;
  AwaiterBase* awaiter_ = nullptr;
  bool set_ = false;
};

// "Something changed, look again": any number of waiters, all woken by NotifyAll(). It keeps no state, so check the
// condition first, and again after the wait.
class Signal {
 public:
  class Awaiter : private Waiter {
   public:
    explicit Awaiter(Signal& signal) : signal_(signal) {}
    bool await_ready() { return false; }
    void await_suspend(std::coroutine_handle<> coroutine) {
      Suspend(coroutine);
      signal_.waiters_.PushBack(*this);
    }
    void await_resume() {}

   private:
    friend class Signal;
    Signal& signal_;
  };
  Awaiter Wait() { return Awaiter(*this); }
  void NotifyAll() {
    List<Runnable, RunQueueTag> woken;
    woken.TakeAll(waiters_);
    while (Runnable* waiter = woken.PopFront()) static_cast<Waiter*>(waiter)->Resume();
  }
  bool has_waiters() const { return !waiters_.empty(); }

 private:
  List<Runnable, RunQueueTag> waiters_;
};

// Waits for n things: Add() before each, Done() after it, Wait() until none is left.
class WaitGroup {
 public:
  explicit WaitGroup(size_t count = 0) : count_(count) {}
  void Add(size_t count = 1) { count_ += count; }
  void Done() {
    KB_CHECK(count_ > 0);
    if (--count_ == 0) signal_.NotifyAll();
  }
  size_t count() const { return count_; }
  class Awaiter {
   public:
    explicit Awaiter(WaitGroup& group) : group_(group), inner_(group.signal_) {}
    bool await_ready() { return group_.count_ == 0; }
    void await_suspend(std::coroutine_handle<> coroutine) { inner_.await_suspend(coroutine); }
    void await_resume() {}

   private:
    WaitGroup& group_;
    Signal::Awaiter inner_;
  };
  Awaiter Wait() { return Awaiter(*this); }

 private:
  size_t count_;
  Signal signal_;
};

// Counts who is inside, so that something can be ended in order: after Close() nobody gets in, and `co_await
// gate.Closed()` goes on when the last has left. Outlives its passes.
class Gate {
 public:
  // An entry; leaves when destroyed. False when the gate was closed.
  class Pass {
   public:
    Pass() = default;
    explicit Pass(Gate& gate) : gate_(&gate) { gate.inside_.Add(); }
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Pass& operator=(Pass&& other) noexcept {
      std::swap(gate_, other.gate_);
      return *this;
    }
    ~Pass() {
      if (gate_ != nullptr) gate_->inside_.Done();
    }
    explicit operator bool() const { return gate_ != nullptr; }

   private:
    Gate* gate_ = nullptr;
  };
  Pass Enter() { return closed_ ? Pass() : Pass(*this); }
  void Close() { closed_ = true; }
  bool closed() const { return closed_; }
  WaitGroup::Awaiter Closed() {
    Close();
    return inside_.Wait();
  }

 private:
  WaitGroup inside_;
  bool closed_ = false;
};

// co_await Sleep(ns): goes on after at least that long; at once for ns <= 0.
class [[nodiscard]] Sleep : private Waiter {
 public:
  explicit Sleep(int64_t delay_ns) : delay_ns_(delay_ns) {}
  ~Sleep() {
    if (timer_) home().CancelTimer(timer_);
  }
  bool await_ready() { return delay_ns_ <= 0; }
  void await_suspend(std::coroutine_handle<> coroutine) {
    Suspend(coroutine);
    timer_ = home().After(delay_ns_, [this] {
      timer_ = TimerId();
      Resume();
    });
  }
  void await_resume() {}

 private:
  const int64_t delay_ns_;
  TimerId timer_;
};

// co_await Yield(): lets everything else that is ready run first. For loops that would otherwise keep the reactor.
class [[nodiscard]] Yield : private Waiter {
 public:
  bool await_ready() { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) {
    Suspend(coroutine);
    Resume();
  }
  void await_resume() {}
};

}  // namespace kb::reactor
