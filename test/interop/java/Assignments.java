// Assignments: what Apache Kafka's own assignors make of groups that live on, each decided by a seed.
//
//   java Assignments.java SEED SEQUENCES
//
// Writes one line for each thing that happens, in the form that test/group/assignor_golden_test.cc reads:
//
//   sequence SEED                        a new group; all numbers below start again
//   topic T UUID PARTITIONS              topic number T is there, or has grown; -1: it is gone
//   member M ID INSTANCE NAMES T,T,…     member number M joins, or changes its subscription: to topics T… by NAMES names
//   leave M
//   inherit M N                          member M (static) gets what N had
//   assign NAME homogeneous|heterogeneous
//   = M T:0-3,7 T:2                      … the result for those members for whom it is another than before
//   done | error                         … ends it
//
//   walk grown|copy SAID HASH,… INDEX,…  the order of a HashMap, a HashSet made from a collection that says it has SAID
//   timeline HASH,… INDEX,…              … of a TimelineHashMap, each element put twice
//   hash UUID HASH
//
// The input is as the coordinator makes it: a HashMap of members, filled in the order in which they joined; assignments as
// they come out of a record that has topics and partitions in ascending order.
import java.util.AbstractSet;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.coordinator.group.api.assignor.ConsumerGroupPartitionAssignor;
import org.apache.kafka.coordinator.group.api.assignor.GroupAssignment;
import org.apache.kafka.coordinator.group.api.assignor.PartitionAssignorException;
import org.apache.kafka.coordinator.group.api.assignor.SubscribedTopicDescriber;
import org.apache.kafka.coordinator.group.api.assignor.SubscriptionType;
import org.apache.kafka.coordinator.group.assignor.RangeAssignor;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;
import org.apache.kafka.coordinator.group.generated.ConsumerGroupTargetAssignmentMemberValue;
import org.apache.kafka.coordinator.group.modern.Assignment;
import org.apache.kafka.coordinator.group.modern.GroupSpecImpl;
import org.apache.kafka.coordinator.group.modern.MemberSubscriptionAndAssignmentImpl;
import org.apache.kafka.timeline.SnapshotRegistry;
import org.apache.kafka.timeline.TimelineHashMap;

public class Assignments {
    private static final StringBuilder OUT = new StringBuilder();
    private static final String[] ODD = {"é", "漢字", "\uD83D\uDE00", "\uFFEE", "\uE000x", "Z"};

    private static void print(Object... words) {
        OUT.append(Arrays.stream(words).map(String::valueOf).collect(Collectors.joining(" "))).append('\n');
    }

    private static String hex(Uuid id) {
        return String.format("%016x%016x", id.getMostSignificantBits(), id.getLeastSignificantBits());
    }

    // ---- one group

    private static final class Member {
        int number;
        String id;
        String instance;
        int names;
        List<Integer> topics = new ArrayList<>();
        Map<Integer, TreeSet<Integer>> assigned = new HashMap<>();  // by topic
    }

    /** The topics of a member, that says it is as large as its names are many (TopicIds). */
    private static final class Subscription extends AbstractSet<Uuid> {
        private final List<Uuid> ids;
        private final int names;

        Subscription(List<Uuid> ids, int names) {
            this.ids = ids;
            this.names = names;
        }

        @Override
        public Iterator<Uuid> iterator() {
            return ids.iterator();
        }

        @Override
        public boolean contains(Object id) {
            return ids.contains(id);
        }

        @Override
        public int size() {
            return names;
        }
    }

    private final Random random;
    private final int most;  // of everything
    private final boolean alike;  // all members always have the same subscription
    private int lostNames;  // names of topics that do not exist, in every subscription
    private int next;
    private final List<Uuid> ids = new ArrayList<>();
    private final List<Integer> partitions = new ArrayList<>();
    private List<Integer> common = new ArrayList<>();
    private final Map<Integer, Member> members = new LinkedHashMap<>();

    private Assignments(long seed) {
        random = new Random(seed);
        most = random.nextInt(40) == 0 ? 300 : random.nextInt(4) == 0 ? 50 : 10;
        alike = random.nextInt(5) < 3;
        lostNames = random.nextInt(4) == 0 ? 1 + random.nextInt(10) : 0;
    }

    private int upTo(int bound) {
        return 1 + random.nextInt(bound);
    }

    private Uuid randomId() {
        return new Uuid(random.nextLong(), random.nextLong());
    }

    private void newTopic() {
        ids.add(randomId());
        boolean small = random.nextInt(3) > 0;
        partitions.add(most >= 300 ? upTo(400) : small ? upTo(most) : upTo(6 * most));
        common.add(ids.size() - 1);
        print("topic", ids.size() - 1, hex(ids.get(ids.size() - 1)), partitions.get(ids.size() - 1));
    }

    private void grow(int topic, int to) {
        partitions.set(topic, to);
        print("topic", topic, hex(ids.get(topic)), to);
    }

    private List<Integer> someTopics() {
        List<Integer> topics = new ArrayList<>(common);
        Collections.shuffle(topics, random);
        if (alike || topics.isEmpty()) return topics;
        int kinds = random.nextInt(3);
        if (kinds == 0) return topics;
        return new ArrayList<>(topics.subList(0, kinds == 1 ? upTo(topics.size()) : upTo(Math.min(3, topics.size()))));
    }

    private void subscribe(Member member, List<Integer> topics) {
        member.topics = topics;
        member.names = topics.size() + lostNames;
        print("member", member.number, member.id, member.instance == null ? "-" : member.instance, member.names,
            topics.isEmpty() ? "-" : topics.stream().map(String::valueOf).collect(Collectors.joining(",")));
    }

    private String memberId() {
        switch (random.nextInt(6)) {
            case 0: return "consumer-" + ODD[random.nextInt(ODD.length)] + random.nextInt(1000) + "-" + randomId();
            case 1: return ODD[random.nextInt(ODD.length)] + random.nextInt(100000);
            default: return randomId().toString();
        }
    }

    private Member join(String instance, List<Integer> topics) {
        Member member = new Member();
        member.number = next++;
        do {
            member.id = memberId();
        } while (members.values().stream().anyMatch(other -> other.id.equals(member.id)));
        member.instance = instance;
        members.put(member.number, member);
        subscribe(member, topics);
        return member;
    }

    private void joinNew() {
        boolean isStatic = random.nextInt(4) == 0;
        join(isStatic ? ODD[random.nextInt(ODD.length)] + "-" + next : null, someTopics());
    }

    private Member any() {
        return new ArrayList<>(members.values()).get(random.nextInt(members.size()));
    }

    private void leave(Member member) {
        members.remove(member.number);
        print("leave", member.number);
    }

    private void comeBack(Member before) {
        if (before.instance == null) return;
        leave(before);
        Member now = join(before.instance, before.topics);
        now.assigned = before.assigned;
        print("inherit", now.number, before.number);
    }

    private void event() {
        int what = random.nextInt(12);
        if (members.isEmpty() || what < 3) {
            for (int i = upTo(1 + most / 4); i > 0; i--) joinNew();
        } else if (what < 6) {
            for (int i = upTo(1 + members.size() / 3); i > 0; i--) leave(any());
        } else if (what == 6) {
            comeBack(any());
        } else if (what == 7) {
            int topic = random.nextInt(ids.size());
            grow(topic, partitions.get(topic) + upTo(most));
        } else if (what < 10) {
            if (what == 8) newTopic(); else common.remove(random.nextInt(Math.max(1, common.size())));
            if (common.isEmpty()) newTopic();
            for (Member member : members.values()) if (alike) subscribe(member, someTopics());
        } else if (!alike) {
            for (int i = upTo(3); i > 0; i--) subscribe(any(), someTopics());
        }
    }

    private boolean homogeneous() {
        Set<Set<Integer>> all = members.values().stream().map(m -> new HashSet<>(m.topics)).collect(Collectors.toSet());
        return all.size() <= 1 && random.nextInt(20) > 0;  // by names that lead nowhere a group can be heterogeneous, too
    }

    private MemberSubscriptionAndAssignmentImpl spec(Member member) {
        TreeMap<String, Integer> ascending = new TreeMap<>();
        for (int topic : member.assigned.keySet()) ascending.put(hex(ids.get(topic)), topic);
        List<ConsumerGroupTargetAssignmentMemberValue.TopicPartition> topics = new ArrayList<>();
        for (int topic : ascending.values()) {
            topics.add(new ConsumerGroupTargetAssignmentMemberValue.TopicPartition()
                .setTopicId(ids.get(topic)).setPartitions(new ArrayList<>(member.assigned.get(topic))));
        }
        return new MemberSubscriptionAndAssignmentImpl(
            Optional.empty(), Optional.ofNullable(member.instance),
            new Subscription(member.topics.stream().map(ids::get).collect(Collectors.toList()), member.names),
            Assignment.fromRecord(new ConsumerGroupTargetAssignmentMemberValue().setTopicPartitions(topics)));
    }

    private final SubscribedTopicDescriber describer = new SubscribedTopicDescriber() {
        @Override
        public int numPartitions(Uuid id) {
            int topic = ids.indexOf(id);
            return topic < 0 ? -1 : partitions.get(topic);
        }

        @Override
        public Set<String> racksForPartition(Uuid id, int partition) {
            throw new UnsupportedOperationException("nobody asks for racks");
        }
    };

    private GroupSpecImpl group(boolean homogeneous) {
        Map<String, MemberSubscriptionAndAssignmentImpl> specs = new HashMap<>();
        Map<Uuid, Map<Integer, String>> inverted = new HashMap<>();
        for (Member member : members.values()) {
            specs.put(member.id, spec(member));
            member.assigned.forEach((topic, of) -> of.forEach(partition ->
                inverted.computeIfAbsent(ids.get(topic), __ -> new HashMap<>()).put(partition, member.id)));
        }
        return new GroupSpecImpl(Collections.unmodifiableMap(specs),
            homogeneous ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS, inverted);
    }

    private void take(Member member, GroupAssignment result) {
        Map<Integer, TreeSet<Integer>> assigned = new TreeMap<>();
        if (result.members().containsKey(member.id)) {
            result.members().get(member.id).partitions().forEach((id, of) -> {
                TreeSet<Integer> ascending = new TreeSet<>();
                for (Integer partition : of) ascending.add(partition);
                assigned.put(ids.indexOf(id), ascending);
            });
        }
        if (assigned.equals(member.assigned)) return;
        member.assigned = assigned;
        StringBuilder line = new StringBuilder("= " + member.number);
        assigned.forEach((topic, of) -> line.append(' ').append(topic).append(':').append(ranges(of)));
        print(line);
    }

    private static String ranges(TreeSet<Integer> partitions) {
        StringBuilder out = new StringBuilder();
        int first = -2;
        int last = -2;
        for (int partition : partitions) {
            if (partition == last + 1) {
                last = partition;
                continue;
            }
            if (first >= 0) out.append(first == last ? first + "," : first + "-" + last + ",");
            first = last = partition;
        }
        return out.append(first == last ? "" + first : first + "-" + last).toString();
    }

    /** Whether the group can go on. */
    private boolean assign(ConsumerGroupPartitionAssignor assignor) {
        boolean homogeneous = homogeneous();
        print("assign", assignor.name(), homogeneous ? "homogeneous" : "heterogeneous");
        GroupAssignment result;
        try {
            result = assignor.assign(group(homogeneous), describer);
        } catch (PartitionAssignorException e) {
            print("error");
            return false;
        }
        for (Member member : members.values()) take(member, result);
        print("done");
        return true;
    }

    private void live() {
        for (int i = upTo(Math.min(most, 30)); i > 0; i--) newTopic();
        for (int i = upTo(most); i > 0; i--) joinNew();
        boolean mostlyRange = random.nextInt(8) == 0;
        for (int step = upTo(12); step > 0; step--) {
            boolean range = mostlyRange ? random.nextInt(5) > 0 : random.nextInt(10) == 0;
            if (random.nextInt(150) == 0) grow(random.nextInt(ids.size()), -1);
            if (!assign(range ? new RangeAssignor() : new UniformAssignor())) return;
            if (partitions.contains(-1)) return;
            for (int i = upTo(3); i > 0; i--) event();
        }
    }

    // ---- hash tables

    private static String join(List<Integer> numbers) {
        return numbers.isEmpty() ? "-" : numbers.stream().map(String::valueOf).collect(Collectors.joining(","));
    }

    private static void tables(Random random) {
        List<Integer> keys = new ArrayList<>();  // an Integer is its own hash
        boolean crowded = random.nextInt(3) == 0;  // one bin has nine, and a small table grows for it
        int bound = crowded || random.nextBoolean() ? 40 : Integer.MAX_VALUE;
        for (int i = crowded ? 12 : random.nextInt(60); i > 0; i--) {
            int key = crowded ? 16 * random.nextInt(bound) : random.nextInt(bound) * (random.nextInt(8) == 0 ? -1 : 1);
            if (!keys.contains(key)) keys.add(key);
        }
        Map<Integer, Integer> grown = new HashMap<>();
        TimelineHashMap<Integer, Integer> timeline = new TimelineHashMap<>(new SnapshotRegistry(new LogContext()), 0);
        for (int i = 0; i < keys.size(); i++) grown.put(keys.get(i), i);
        for (int i = 0; i < keys.size(); i++) {
            timeline.put(keys.get(i), i);
            timeline.put(keys.get(i), i);
        }
        int said = keys.size() + random.nextInt(20);
        Set<Integer> copy = new HashSet<>(new java.util.AbstractCollection<Integer>() {
            @Override
            public Iterator<Integer> iterator() {
                return keys.iterator();
            }

            @Override
            public int size() {
                return said;
            }
        });
        print("walk", "grown", 0, join(keys), join(new ArrayList<>(grown.values())));
        print("walk", "copy", said, join(keys), join(copy.stream().map(keys::indexOf).collect(Collectors.toList())));
        List<Integer> walk = new ArrayList<>();
        timeline.forEach((key, index) -> walk.add(index));
        print("timeline", join(keys), join(walk));
        Uuid id = new Uuid(random.nextLong(), random.nextLong());
        print("hash", hex(id), id.hashCode());
    }

    /** Whether a HashSet gets its size as in Java 17, which ours copies: from Java 19 on it is smaller for 12, 24, 48 … */
    private static boolean sizedAsInJava17() {
        Set<Integer> twelve = new HashSet<>(List.of(16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
        return twelve.iterator().next() == 0;  // in a table of 16 the number 16 shares the first bin, and came earlier
    }

    public static void main(String[] arguments) throws Exception {
        if (!sizedAsInJava17()) {
            System.err.println("this Java makes smaller hash tables than Java 17");
            System.exit(2);
        }
        long seed = Long.parseLong(arguments[0]);
        Random tables = new Random(seed);
        for (int i = Integer.parseInt(arguments[1]); i > 0; i--) {
            print("sequence", seed);
            new Assignments(seed++).live();
            tables(tables);
            System.out.write(OUT.toString().getBytes("UTF-8"));
            OUT.setLength(0);
        }
        System.out.flush();
    }
}
