#include "metadata/sorted_names.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"

namespace kb::metadata {
namespace {

std::vector<std::string> From(const SortedNames& names, std::string_view first) {
  std::vector<std::string> list;
  names.ForEachFrom(first, [&](std::string_view name) {
    list.emplace_back(name);
    return true;
  });
  return list;
}

TEST(SortedNamesTest, StaySortedUnderRandomChangesAndCopiesKeepTheirs) {
  Random random(3);
  SortedNames names;
  std::set<std::string> model;
  SortedNames copy;
  std::set<std::string> copied;
  Edition edition = 1;
  for (int step = 0; step < 10'000; ++step) {
    std::string name = "t" + std::to_string(random.Below(2000));
    if (model.insert(name).second) {
      names.Insert(edition, name);
    } else {
      model.erase(name);
      names.Erase(edition, name);
    }
    if (step == 5000) {
      copy = names;
      copied = model;
      ++edition;
    }
  }
  EXPECT_EQ(names.size(), model.size());
  EXPECT_EQ(From(names, ""), std::vector<std::string>(model.begin(), model.end()));
  EXPECT_EQ(From(copy, ""), std::vector<std::string>(copied.begin(), copied.end()));
  for (std::string_view first : {"a", "t1", "t1500", "t9999", "u"}) {
    EXPECT_EQ(From(names, first), std::vector<std::string>(model.lower_bound(std::string(first)), model.end()));
  }
}

TEST(SortedNamesTest, EmptyAndEmptiedAgain) {
  SortedNames names;
  EXPECT_TRUE(From(names, "").empty());
  names.Insert(1, "a");
  names.Erase(1, "a");
  EXPECT_TRUE(From(names, "").empty());
  names.Insert(2, "b");
  EXPECT_EQ(From(names, ""), std::vector<std::string>{"b"});
}

TEST(SortedNamesTest, VisitingStopsWhenTold) {
  SortedNames names;
  for (int i = 100; i < 500; ++i) names.Insert(1, std::to_string(i));
  int seen = 0;
  names.ForEachFrom("150", [&](std::string_view) { return ++seen < 3; });
  EXPECT_EQ(seen, 3);
}

TEST(SortedNamesTest, AnInsertCopiesOnePage) {
  SortedNames names;
  for (int i = 10'000; i < 20'000; ++i) names.Insert(1, std::to_string(i));
  SortedNames before = names;
  names.Insert(2, "15000a");
  EXPECT_LE(names.PagesNotIn(before), 2u);
  EXPECT_GE(names.PagesNotIn(before), 1u);
}

}  // namespace
}  // namespace kb::metadata
