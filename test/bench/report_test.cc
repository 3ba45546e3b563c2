// What is printed: JSON that others can read back, a table, and a picture that is well-formed whatever is in it.
#include "load/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "load/svg.h"

namespace kb::load {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ReportTest, JsonAndTableHaveTheSameFigures) {
  Report pass;
  pass.Whole("bytes", 7);
  Report report;
  report.Text("label", "say \"a\\b\"\n");
  report.Real("rate", 1.25, 1);
  report.Parts("passes", {pass, pass});
  report.Part("errors", Report());
  report.Points("distribution", {{0.5, 12.0}, {0.1, 30.5}});
  EXPECT_EQ(report.Json(),
            "{\"label\": \"say \\\"a\\\\b\\\"\\u000a\", \"rate\": 1.2, \"passes\": [{\"bytes\": 7}, {\"bytes\": 7}], "
            "\"errors\": {}, \"distribution\": [[0.5, 12.00], [0.1, 30.50]]}");
  EXPECT_THAT(report.Table(), HasSubstr("rate                                1.2\npasses 1\n  bytes  "));
  EXPECT_THAT(report.Table(), Not(HasSubstr("distribution")));
}

TEST(ReportTest, ErrorsAreCountedByCode) {
  Errors errors(3);
  errors.Count(6);
  errors.Count(3);
  EXPECT_FALSE(errors.too_many());
  errors.Count(6);
  EXPECT_TRUE(errors.too_many());
  EXPECT_EQ(errors.Show().Json(), "{\"error_count\": 3, \"errors\": {\"3\": 1, \"6\": 2}}");
}

TEST(ReportTest, NothingAnsweredIsNoFigureBeyondZero) {
  const std::string json = ShowPerRequest(Usage{.at_ns = 1000, .cpu_us = 5}, Tally{}).Json();
  EXPECT_THAT(json, HasSubstr("\"requests\": 0"));
  EXPECT_THAT(json, HasSubstr("\"cpu_us_per_request\": 0.000"));
  EXPECT_THAT(json, HasSubstr("\"cpu_s_per_gb\": 0.0000"));
}

TEST(ReportTest, PerRequestAndPerGigabyte) {
  const Usage used{.at_ns = 2000000000, .cpu_us = 500000, .voluntary_switches = 50};
  const std::string json = ShowPerRequest(used, {.requests = 1000, .bytes = 250000000}).Json();
  EXPECT_THAT(json, HasSubstr("\"requests_per_s\": 500.0"));
  EXPECT_THAT(json, HasSubstr("\"mb_per_s\": 125.00"));
  EXPECT_THAT(json, HasSubstr("\"cpu_us_per_request\": 500.000"));
  EXPECT_THAT(json, HasSubstr("\"cpu_s_per_gb\": 2.0000"));
  EXPECT_THAT(json, HasSubstr("\"voluntary_switches_per_request\": 0.0500"));
}

TEST(SvgTest, WhatWasPrintedCanBeDrawnBesideAnother) {
  Histogram latencies;
  for (int64_t ns = 1000; ns < 2000000; ns += 1000) latencies.Add(ns);
  Report report;
  report.Text("label", "theirs <&>");
  report.Append(ShowDistribution(latencies));
  Curve curve;
  ASSERT_EQ(ReadCurve(report.Json(), &curve), "");
  EXPECT_EQ(curve.label, "theirs <&>");
  ASSERT_EQ(curve.points.size(), latencies.Tail().size());
  const std::string svg = DrawLatencies({{.label = "ours", .points = {{0.5, 80}, {0.001, 900}}}, curve});
  EXPECT_THAT(svg, HasSubstr("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  EXPECT_THAT(svg, HasSubstr(">theirs &lt;&amp;&gt;</text>"));
  EXPECT_THAT(svg, HasSubstr(">99.999 %</text>"));
  EXPECT_THAT(svg, HasSubstr(">10 ms</text>"));
}

TEST(SvgTest, WhatIsNoRunIsNotDrawn) {
  Curve curve;
  EXPECT_EQ(ReadCurve("{\"label\": ", &curve), "is not what --json prints");
  EXPECT_EQ(ReadCurve("[]", &curve), "is not what --json prints");
  EXPECT_EQ(ReadCurve("{\"label\": \"x\"}", &curve), "has no distribution");
  EXPECT_EQ(ReadCurve("{\"distribution\": [[0.5]]}", &curve), "has a distribution that is none");
  EXPECT_EQ(ReadCurve("{\"distribution\": [[0.5, \"1\"]]}", &curve), "has a distribution that is none");
}

TEST(SvgTest, APictureOfNothingIsAPicture) {
  EXPECT_THAT(DrawLatencies({{.label = "none", .points = {}}}), HasSubstr("</svg>"));
}

}  // namespace
}  // namespace kb::load
