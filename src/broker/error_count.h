// ErrorsIn: how many errors an answer tells, at its top and in what it holds of topics, partitions, groups and results.
//
// By the names that Apache Kafka's schemas give these fields, because they give no other sign. Pure, any thread.
#pragma once

#include <cstddef>

namespace kb::broker {

template <typename Message>
size_t ErrorsIn(const Message& message);

template <typename Elements>
size_t ErrorsInEach(const Elements& elements) {
  size_t errors = 0;
  for (const auto& element : elements) errors += ErrorsIn(element);
  return errors;
}

template <typename Message>
size_t ErrorsIn([[maybe_unused]] const Message& message) {
  size_t errors = 0;
  if constexpr (requires { message.error_code; }) errors += message.error_code != 0;
  if constexpr (requires { message.coordinators.begin(); }) errors += ErrorsInEach(message.coordinators);
  if constexpr (requires { message.groups.begin(); }) errors += ErrorsInEach(message.groups);
  if constexpr (requires { message.members.begin(); }) errors += ErrorsInEach(message.members);
  if constexpr (requires { message.partition_responses.begin(); }) errors += ErrorsInEach(message.partition_responses);
  if constexpr (requires { message.partitions.begin(); }) errors += ErrorsInEach(message.partitions);
  if constexpr (requires { message.responses.begin(); }) errors += ErrorsInEach(message.responses);
  if constexpr (requires { message.results.begin(); }) errors += ErrorsInEach(message.results);
  if constexpr (requires { message.topics.begin(); }) errors += ErrorsInEach(message.topics);
  return errors;
}

}  // namespace kb::broker
