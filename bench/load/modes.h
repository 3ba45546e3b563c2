// What the generator can do. Each runs to its end and says what it found; options and topic have been checked.
#pragma once

#include "load/histogram.h"
#include "load/options.h"
#include "load/report.h"
#include "load/topic.h"

namespace kb::load {

struct Outcome {
  Report report;
  Histogram latencies;  // what a picture is made of
};

// `errors` takes the answers that were errors; it stops soon after there are too many of them.
Outcome RunProduce(const Options& options, const Topic& topic, Errors* errors);  // and partitions
Outcome RunFetch(const Options& options, const Topic& topic, Errors* errors);
Outcome RunLatency(const Options& options, const Topic& topic, Errors* errors);
// The topic is asked again in the middle, as it has grown meanwhile.
Outcome RunMixed(const Options& options, const Topic& topic, const Topic& backlog, Errors* errors);
Outcome RunIdle(const Options& options, Errors* errors);
Outcome RunStorm(const Options& options, Errors* errors);

}  // namespace kb::load
