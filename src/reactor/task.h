// Task<T>: a coroutine that gives a T (void, or anything movable). The only asynchronous style of the broker.
//
//   Task<Offset> Append(...) {
//     auto wait = partition.WaitForSpace();      // g++ 12: bind what is awaited to a name first; never await inside a
//     co_await wait;                             // conditional expression or beside temporaries
//     co_return offset;
//   }
//
// Lazy: it starts when it is awaited (or Start()ed), and runs at once, as a function would. If it ends without waiting,
// the one who awaits is not suspended at all. If it waits, its end puts the awaiting coroutine into the run queue; nobody
// resumes anybody from within (no symmetric transfer), so a million awaits in a row use one stack frame.
//
// A Task owns its frame. Destroying it while it waits is fine: awaiters withdraw from what they wait for. Except: a wait
// for another reactor or the disk pool (run_on.h, disk_pool.h) must not be cut short, because the other side is using the
// frame; that is checked. Reactor-affine from the first step to the last.
//
// A lambda that is a coroutine must outlive it (its captures are not copied into the frame): Reactor::Spawn(lambda) sees to
// that; otherwise pass what is needed as parameters.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/pool.h"
#include "reactor/reactor.h"

namespace kb::reactor {

class PromiseBase {
 public:
  static void* operator new(size_t size) { return Pool::Allocate(size); }
  static void operator delete(void* frame, size_t size) noexcept { Pool::Free(frame, size); }

  std::suspend_always initial_suspend() noexcept { return {}; }
  [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
  void set_continuation(Waiter* waiter) { continuation_ = waiter; }

 protected:
  void ResumeContinuation() {
    if (continuation_ != nullptr) std::exchange(continuation_, nullptr)->Resume();
  }

 private:
  Waiter* continuation_ = nullptr;
};

template <typename T>
class Promise : public PromiseBase {
 public:
  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<Promise> self) noexcept { self.promise().ResumeContinuation(); }
    void await_resume() noexcept {}
  };
  Task<T> get_return_object();
  FinalAwaiter final_suspend() noexcept { return {}; }
  template <typename U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T Take() { return std::move(*value_); }

 private:
  std::optional<T> value_;
};

// Of Task<void>: the kind that can be spawned, and then is its own owner, known to its reactor.
class RootPromise : public PromiseBase, public ListNode<RootTag> {
 public:
  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<RootPromise> self) noexcept { self.promise().Finish(self); }
    void await_resume() noexcept {}
  };
  Task<void> get_return_object();
  FinalAwaiter final_suspend() noexcept { return {}; }
  void return_void() noexcept {}
  void Take() {}

  void Detach(Reactor& owner);
  void Destroy() { std::coroutine_handle<RootPromise>::from_promise(*this).destroy(); }

 private:
  void Finish(std::coroutine_handle<RootPromise> self);
  Reactor* owner_ = nullptr;  // set: spawned
};

template <typename T>
struct PromiseOf {
  using type = Promise<T>;
};
template <>
struct PromiseOf<void> {
  using type = RootPromise;
};

template <typename T>
class [[nodiscard]] Task {
 public:
  using promise_type = typename PromiseOf<T>::type;
  using Handle = std::coroutine_handle<promise_type>;
  using Value = T;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), started_(std::exchange(other.started_, false)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      Destroy();
      handle_ = std::exchange(other.handle_, nullptr);
      started_ = std::exchange(other.started_, false);
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() { Destroy(); }

  bool valid() const { return handle_ != nullptr; }
  // Runs it up to its first wait, without awaiting it: to have several under way, and await them later.
  void Start() {
    KB_CHECK(valid() && !started_);
    started_ = true;
    handle_.resume();
  }
  bool done() const { return started_ && handle_.done(); }
  // The result of one that is done and that nobody awaits. At most once.
  T Take() {
    KB_CHECK(done());
    return handle_.promise().Take();
  }

  class Awaiter {
   public:
    explicit Awaiter(Task& task) : task_(task) {}
    bool await_ready() {
      if (!task_.started_) task_.Start();
      return task_.handle_.done();
    }
    void await_suspend(std::coroutine_handle<> awaiting) {
      waiter_.Suspend(awaiting);
      task_.handle_.promise().set_continuation(&waiter_);
    }
    T await_resume() { return task_.handle_.promise().Take(); }

   private:
    Task& task_;
    Waiter waiter_;
  };
  // At most once. The task must outlive the wait (a temporary does).
  Awaiter operator co_await() {
    KB_CHECK(valid());
    return Awaiter(*this);
  }

  // Gives up ownership; for Reactor::Spawn.
  Handle Release() {
    KB_CHECK(!started_);
    return std::exchange(handle_, nullptr);
  }

 private:
  void Destroy() {
    if (handle_ != nullptr) std::exchange(handle_, nullptr).destroy();
  }
  Handle handle_;
  bool started_ = false;
};

template <typename T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> RootPromise::get_return_object() {
  return Task<void>(std::coroutine_handle<RootPromise>::from_promise(*this));
}

// True for Task<...>.
template <typename T>
inline constexpr bool kIsTask = false;
template <typename T>
inline constexpr bool kIsTask<Task<T>> = true;

// Calls `factory` and keeps it until its task is done.
template <typename F>
Task<void> KeepAndRun(F factory) {
  Task<void> task = factory();
  co_await task;
}

template <typename F>
  requires std::is_same_v<std::invoke_result_t<F&>, Task<void>>
void Reactor::Spawn(F factory) {
  Spawn(KeepAndRun<F>(std::move(factory)));
}

}  // namespace kb::reactor
