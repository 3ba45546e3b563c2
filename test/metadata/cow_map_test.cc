// A map whose copies share nodes must behave like a map whose copies do not: random changes are made to both, copies are
// kept on the way, and in the end every copy still has what it had when it was taken.
#include "metadata/cow_map.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/random.h"

namespace kb::metadata {
namespace {

using Map = CowMap<std::string, int>;
using Model = std::map<std::string, int>;

Model ContentOf(const Map& map) {
  Model model;
  map.ForEach([&](const std::string& key, int value) { model[key] = value; });
  return model;
}

TEST(CowMapTest, CopiesKeepWhatTheyHad) {
  Random random(7);
  Map map;
  Model model;
  Edition edition = 1;
  std::vector<std::pair<Map, Model>> copies;
  for (int step = 0; step < 20'000; ++step) {
    std::string key = "key" + std::to_string(random.Below(3000));
    if (random.Below(3) == 0) {
      EXPECT_EQ(map.Erase(edition, key), model.erase(key) == 1);
    } else {
      map.Set(edition, key, step);
      model[key] = step;
    }
    if (step % 500 == 0) {
      copies.emplace_back(map, model);
      ++edition;
    }
  }
  EXPECT_EQ(map.size(), model.size());
  EXPECT_EQ(ContentOf(map), model);
  for (const auto& [copy, then] : copies) {
    EXPECT_EQ(copy.size(), then.size());
    EXPECT_EQ(ContentOf(copy), then);
  }
}

TEST(CowMapTest, FindsWhatIsThereAndNothingElse) {
  Map map;
  EXPECT_EQ(map.Find(std::string("a")), nullptr);
  for (int i = 0; i < 1000; ++i) map.Set(1, std::to_string(i), i);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(*map.Find(std::to_string(i)), i);
  EXPECT_EQ(map.Find(std::string("1000")), nullptr);
  EXPECT_FALSE(map.Erase(1, std::string("1000")));
}

TEST(CowMapTest, AChangeCopiesOnePathOnly) {
  Map map;
  for (int i = 0; i < 50'000; ++i) map.Set(1, std::to_string(i), i);
  Map before = map;
  map.Set(2, "777", -1);
  EXPECT_LE(map.NodesNotIn(before), 5u);
  EXPECT_GE(map.NodesNotIn(before), 2u);
  EXPECT_EQ(*before.Find(std::string("777")), 777);
  map.Set(2, "777", -2);  // the same edition again: nothing more is copied
  EXPECT_LE(map.NodesNotIn(before), 5u);
}

struct Colliding {
  size_t operator()(const std::string&) const { return 42; }
};

TEST(CowMapTest, KeysOfOneHashShareALeaf) {
  CowMap<std::string, int, Colliding> map;
  for (int i = 0; i < 100; ++i) map.Set(1, std::to_string(i), i);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(*map.Find(std::to_string(i)), i);
  for (int i = 0; i < 100; i += 2) EXPECT_TRUE(map.Erase(2, std::to_string(i)));
  EXPECT_EQ(map.size(), 50u);
  EXPECT_EQ(map.Find(std::string("2")), nullptr);
  EXPECT_EQ(*map.Find(std::string("3")), 3);
}

}  // namespace
}  // namespace kb::metadata
