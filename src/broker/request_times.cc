#include "broker/request_times.h"

#include <bit>
#include <cstdio>

#include "broker/api_table.h"

namespace kb::broker {
namespace {

constexpr std::array<std::string_view, kStages> kStageNames = {"order",  "decode", "queue",  "append", "durable",
                                                               "lookup", "park",   "answer", "send"};

// Printable ASCII as it is, all else as \xNN: what a client calls himself ends no line and quotes nothing.
std::string Printable(std::string_view text) {
  std::string printable;
  for (const char c : text) {
    const bool is_plain = c >= ' ' && c <= '~' && c != '"' && c != '\\';
    if (is_plain) {
      printable += c;
      continue;
    }
    char code[5];
    std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned>(static_cast<uint8_t>(c)));
    printable += code;
  }
  return printable;
}

std::string Milliseconds(int64_t ns) {
  char text[32];
  std::snprintf(text, sizeof text, "%lld.%03d", static_cast<long long>(ns / kNsPerMs),
                static_cast<int>(ns % kNsPerMs / 1000));
  return text;
}

}  // namespace

std::string_view StageName(Stage stage) {
  return kStageNames[static_cast<size_t>(stage)];
}

void RequestTrace::OnSent(const net::Connection& connection, int64_t in_turn_ns, int64_t sent_ns) {
  if (in_turn_ns > ready_ns_) End(Stage::kOrder, in_turn_ns);
  End(Stage::kSend, sent_ns);
  times_.Record(*this, connection.peer());
}

void RequestTimes::Record(const RequestTrace& trace, const net::Address& peer) {
  const auto place = static_cast<size_t>(&trace.row() - ApiTable().data());
  const bool is_known = place < apis_.size() && apis_[place] != nullptr;
  OfApi& api = is_known ? *apis_[place] : MakeApi(trace, place);
  api.total->Record(trace.total_ns());
  for (uint32_t left = trace.seen(); left != 0; left &= left - 1) {
    const auto stage = static_cast<size_t>(std::countr_zero(left));
    metrics::Durations* durations = api.stages[stage];
    if (durations == nullptr) [[unlikely]]
      durations = Make(trace, api, static_cast<Stage>(stage));
    durations->Record(trace.ns(static_cast<Stage>(stage)));
  }
  if (trace.busy_ns() < slow_ns_) [[likely]]
    return;
  log_.Write(Severity::kWarning, protocol::ApiName(trace.row().key), DescribeSlow(trace, peer));
}

RequestTimes::OfApi& RequestTimes::MakeApi(const RequestTrace& trace, size_t place) {
  if (apis_.empty()) apis_.resize(ApiTable().size());
  apis_[place] = std::make_unique<OfApi>();
  const std::string label = "request=\"" + std::string(protocol::ApiName(trace.row().key)) + '"';
  apis_[place]->total =
      &registry_.durations(shard_, "broker_request_seconds",
                           "From the last byte of a request read to the last one of its answer sent.", label);
  return *apis_[place];
}

metrics::Durations* RequestTimes::Make(const RequestTrace& trace, OfApi& api, Stage stage) {
  const std::string labels = "request=\"" + std::string(protocol::ApiName(trace.row().key)) + "\",stage=\"" +
                             std::string(StageName(stage)) + '"';
  metrics::Durations*& durations = api.stages[static_cast<size_t>(stage)];
  durations = &registry_.durations(shard_, "broker_request_stage_seconds", "Of that, in each stage.", labels);
  return durations;
}

std::string DescribeSlow(const RequestTrace& trace, const net::Address& peer) {
  std::string line = "slow request: " + std::string(protocol::ApiName(trace.row().key)) + " v" +
                     std::to_string(trace.version()) + " of client \"" + Printable(trace.client_id()) +
                     (trace.client_id_is_cut() ? "\"..." : "\"") + " at " + peer.ToString() + " took " +
                     Milliseconds(trace.total_ns()) + " ms:";
  for (size_t i = 0; i < kStages; ++i) {
    const auto stage = static_cast<Stage>(i);
    if (trace.Has(stage)) line += ' ' + std::string(StageName(stage)) + ' ' + Milliseconds(trace.ns(stage));
  }
  if (!trace.Has(Stage::kSend)) line += ", and no answer left";
  line += "; " + std::to_string(trace.request_bytes()) + " bytes in, " + std::to_string(trace.answer_bytes()) + " out";
  if (trace.partitions() > 0) line += ", partitions: " + std::to_string(trace.partitions());
  return line;
}

}  // namespace kb::broker
