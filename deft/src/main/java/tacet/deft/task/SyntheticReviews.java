package tacet.deft.task;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import tacet.deft.task.ReviewGrammar.Aspect;
import tacet.deft.task.ReviewGrammar.Domain;
import tacet.deft.task.ReviewGrammar.Pattern;

/**
 * Reviews of films, products and restaurants that need no file: sentences from a grammar, positive
 * (1) or negative (0) by construction.
 *
 * <p>The words alone do not tell the label. The same adjectives are negated ("by no means
 * predictable"), set against each other ("despite the clumsy ending, …"), only wished for ("could
 * have been more moving"), compared or reported, and every pattern occurs with both labels: a model
 * must read the sentence.
 *
 * <p>The same seed gives the same sentences. They are all different, the two labels alternate in
 * random pairs (every even number of examples is balanced), and a longer split begins with the
 * shorter one. Every combination of a pattern and its deciding adjective belongs either to train or
 * to dev: dev asks for known words in known patterns, together for the first time.
 */
public final class SyntheticReviews {
  /** The name of the task. */
  public static final String NAME = "reviews";

  /** How often a kind of pattern is drawn, in percent. */
  private static final Map<String, Integer> SHARES = shares();

  /** One of so many combinations of pattern and adjective belongs to dev. */
  private static final int HELD_OUT = 5;

  private static final int FEWEST_WORDS = 5;
  private static final double OPENER = 0.3;
  private static final double TAIL = 0.25;

  private static final Map<String, List<Pattern>> PATTERNS =
      ReviewGrammar.PATTERNS.stream().collect(Collectors.groupingBy(Pattern::kind));

  private SyntheticReviews() {}

  /**
   * The task with splits of the given sizes.
   *
   * @param seed chooses the sentences
   * @param train how many examples to learn from
   * @param dev how many to judge by
   */
  public static Task task(long seed, int train, int dev) {
    return new Task(
        NAME,
        List.of("negative", "positive"),
        List.of(Metric.ACCURACY),
        () -> examples(seed, train, false),
        () -> examples(seed, dev, true));
  }

  private static List<Example> examples(long seed, int count, boolean dev) {
    return reviews(seed, count, dev).stream()
        .map(r -> new Example(r.text, null, r.positive ? 1 : 0))
        .toList();
  }

  /** A sentence with what the generator knows about it. */
  record Review(String text, boolean positive, Pattern pattern, String adjective) {}

  /** Distinct reviews of one side of the split, labels in balanced pairs. */
  static List<Review> reviews(long seed, int count, boolean dev) {
    SplittableRandom random = new SplittableRandom(2 * seed + (dev ? 1 : 0));
    Set<String> seen = new HashSet<>();
    List<Review> reviews = new ArrayList<>(count);
    boolean first = false;
    while (reviews.size() < count) {
      boolean opensPair = reviews.size() % 2 == 0;
      first = opensPair ? random.nextBoolean() : first;
      Review review;
      do {
        review = review(random, opensPair == first, dev);
      } while (!seen.add(review.text));
      reviews.add(review);
    }
    return reviews;
  }

  /** Draws until the combination of pattern and adjective belongs to the wanted side. */
  private static Review review(SplittableRandom random, boolean positive, boolean dev) {
    while (true) {
      Pattern pattern = pick(PATTERNS.get(kind(random)), random);
      Domain domain = pick(ReviewGrammar.DOMAINS, random);
      boolean polarity = positive == (pattern.sign() > 0);
      Aspect x = pick(domain.aspects(), random);
      String adjective = pick(x.adjectives(polarity), random);
      boolean heldOut = Math.floorMod(mix(pattern.text(), adjective), HELD_OUT) == 0;
      if (heldOut == dev) {
        String sentence = fill(pattern, domain, x, adjective, polarity, random);
        String text = decorate(sentence, domain, random);
        if (text.split(" ").length >= FEWEST_WORDS) {
          return new Review(text, positive, pattern, adjective);
        }
      }
    }
  }

  private static String fill(
      Pattern pattern,
      Domain domain,
      Aspect x,
      String adjective,
      boolean polarity,
      SplittableRandom random) {
    Aspect y = pickOther(domain.aspects(), x, random);
    return pattern
        .text()
        .replaceAll("\\[(.*?)\\|(.*?)\\]", polarity ? "$1" : "$2")
        .replace("{x}", x.noun())
        .replace("{y}", y.noun())
        .replace("{was x}", x.plural() ? "were" : "was")
        .replace("{was y}", y.plural() ? "were" : "was")
        .replace("{it}", x.plural() ? "they" : "it")
        .replace("{p}", adjective)
        .replace("{r}", pickOther(x.adjectives(polarity), adjective, random))
        .replace("{n}", pick(x.adjectives(!polarity), random))
        .replace("{q}", pickOther(y.adjectives(polarity), adjective, random))
        .replace("{m}", pick(y.adjectives(!polarity), random))
        .replace("{deg}", pick(ReviewGrammar.DEGREES, random))
        .replace("{some}", pick(ReviewGrammar.DEGREES_AFTER_NOT, random))
        .replace("{other}", pick(domain.comparisons(), random))
        .replace("{others}", pick(domain.critics(), random));
  }

  /** Neutral words before and after, so that a pattern does not always stand in the same place. */
  private static String decorate(String sentence, Domain domain, SplittableRandom random) {
    StringBuilder text = new StringBuilder(sentence);
    if (random.nextDouble() < OPENER) {
      text.insert(0, pick(domain.openers(), random) + ", ");
    }
    if (random.nextDouble() < TAIL) {
      text.append(", ").append(pick(ReviewGrammar.TAILS, random));
    }
    return text.append('.').toString();
  }

  private static String kind(SplittableRandom random) {
    int at = random.nextInt(100);
    for (Map.Entry<String, Integer> share : SHARES.entrySet()) {
      at -= share.getValue();
      if (at < 0) {
        return share.getKey();
      }
    }
    throw new AssertionError("shares do not add up to 100");
  }

  private static Map<String, Integer> shares() {
    Map<String, Integer> shares = new LinkedHashMap<>();
    shares.put("plain", 44);
    shares.put("negation", 16);
    shares.put("emphasis", 8);
    shares.put("contrast", 14);
    shares.put("irrealis", 6);
    shares.put("comparison", 6);
    shares.put("reported", 6);
    return shares;
  }

  private static <T> T pick(List<T> list, SplittableRandom random) {
    return list.get(random.nextInt(list.size()));
  }

  private static <T> T pickOther(List<T> list, T not, SplittableRandom random) {
    T choice;
    do {
      choice = pick(list, random);
    } while (choice.equals(not));
    return choice;
  }

  /** A hash that spreads: the last bits of {@link String#hashCode} alone do not. */
  private static int mix(String pattern, String adjective) {
    int h = (31 * pattern.hashCode() + adjective.hashCode()) * 0x9E3779B9;
    return h ^ h >>> 15;
  }
}
