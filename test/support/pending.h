// What a coroutine will give, for tests that go on while it runs.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "reactor/reactor.h"

namespace kb::test {

// Empty until the coroutine has ended.
template <typename T>
using Pending = std::shared_ptr<std::optional<T>>;

// Starts task() on a reactor that the test turns.
template <typename F, typename T = typename std::invoke_result_t<F&>::Value>
Pending<T> Begin(reactor::Reactor& reactor, F task) {
  auto result = std::make_shared<std::optional<T>>();
  reactor::Reactor::Scope scope(reactor);
  reactor.Spawn([task = std::move(task), result]() mutable -> reactor::Task<void> {
    auto run = task();
    T value = co_await run;
    result->emplace(std::move(value));
  });
  return result;
}

}  // namespace kb::test
