#include "load/svg.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace kb::load {
namespace {

constexpr double kWidth = 900, kHeight = 540;
constexpr double kLeft = 80, kRight = 45, kTop = 50, kBottom = 60;
constexpr double kMostAbove = 0.5, kLeastAbove = 1e-5;
constexpr const char* kColours[] = {"#0b62a8", "#d1581c", "#3a8a3a", "#8a3a8a"};

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      default:
        escaped += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return escaped;
}

template <typename... Values>
std::string Format(const char* format, Values... values) {
  char text[512];
  snprintf(text, sizeof text, format, values...);
  return text;
}

class Picture {
 public:
  Picture(double least_us, double most_us)
      : low_(std::floor(std::log10(least_us))), high_(std::max(low_ + 1, std::ceil(std::log10(most_us)))) {
    out_ = Format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" viewBox=\"0 0 %g %g\" ", kWidth,
                  kHeight, kWidth, kHeight);
    out_ += "font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  }

  void Axes() {
    const std::pair<double, const char*> shares[] = {{0.5, "50 %"},    {0.1, "90 %"},     {0.01, "99 %"},
                                                     {1e-3, "99.9 %"}, {1e-4, "99.99 %"}, {1e-5, "99.999 %"}};
    for (const auto& [above, name] : shares) {
      Line(X(above), kTop, X(above), kHeight - kBottom, "#ddd");
      Text(X(above), kHeight - kBottom + 20, "middle", name);
    }
    for (double power = low_; power <= high_; ++power) {
      Line(kLeft, Y(std::pow(10, power)), kWidth - kRight, Y(std::pow(10, power)), "#ddd");
      Text(kLeft - 8, Y(std::pow(10, power)) + 4, "end", Latency(std::pow(10, power)));
    }
    Text((kLeft + kWidth - kRight) / 2, kHeight - 15, "middle", "share of all that took no longer");
  }

  void Draw(const Curve& curve, size_t index) {
    const char* colour = kColours[index % std::size(kColours)];
    std::string points;
    for (const auto& [above, us] : curve.points) {
      if (above <= kMostAbove && above >= kLeastAbove && us > 0) points += Format("%.1f,%.1f ", X(above), Y(us));
    }
    out_ += Format("<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour) + points + "\"/>\n";
    const double x = kLeft + 200 * static_cast<double>(index);
    Line(x, kTop - 20, x + 24, kTop - 20, colour);
    Text(x + 30, kTop - 16, "start", curve.label);
  }

  std::string Finish() { return out_ + "</svg>\n"; }

 private:
  static double X(double above) {
    const double share = std::log10(kMostAbove / above) / std::log10(kMostAbove / kLeastAbove);
    return kLeft + share * (kWidth - kLeft - kRight);
  }
  double Y(double us) const {
    const double share = (std::log10(us) - low_) / (high_ - low_);
    return kHeight - kBottom - share * (kHeight - kTop - kBottom);
  }
  static std::string Latency(double us) {
    if (us < 1000) return Format("%g µs", us);
    return us < 1e6 ? Format("%g ms", us / 1e3) : Format("%g s", us / 1e6);
  }

  void Line(double x1, double y1, double x2, double y2, const char* colour) {
    out_ += Format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1, x2, y2, colour);
  }
  void Text(double x, double y, const char* anchor, std::string_view text) {
    out_ += Format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor) + Escaped(text) + "</text>\n";
  }

  const double low_, high_;  // powers of ten, of microseconds
  std::string out_;
};

}  // namespace

std::string DrawLatencies(const std::vector<Curve>& curves) {
  double least_us = 1e12, most_us = 1;
  for (const Curve& curve : curves) {
    for (const auto& [above, us] : curve.points) {
      if (us > 0) least_us = std::min(least_us, us);
      most_us = std::max(most_us, us);
    }
  }
  Picture picture(std::min(least_us, most_us), most_us);
  picture.Axes();
  for (size_t i = 0; i < curves.size(); ++i) picture.Draw(curves[i], i);
  return picture.Finish();
}

std::string ReadCurve(std::string_view json, Curve* curve) {
  const auto read = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!read.is_object()) return "is not what --json prints";
  const auto points = read.find("distribution");
  if (points == read.end() || !points->is_array()) return "has no distribution";
  for (const auto& point : *points) {
    if (!point.is_array() || point.size() != 2 || !point[0].is_number() || !point[1].is_number()) {
      return "has a distribution that is none";
    }
    curve->points.emplace_back(point[0].get<double>(), point[1].get<double>());
  }
  const auto label = read.find("label");
  curve->label = label != read.end() && label->is_string() ? label->get<std::string>() : "other";
  return "";
}

}  // namespace kb::load
