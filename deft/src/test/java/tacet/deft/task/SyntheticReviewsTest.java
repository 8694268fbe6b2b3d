package tacet.deft.task;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import tacet.deft.task.SyntheticReviews.Review;

final class SyntheticReviewsTest {
  @Test
  void sameSeedGivesTheSameSentencesAndAnotherSeedOthers() throws IOException {
    Task task = SyntheticReviews.task(7, 300, 100);
    assertThat(task.train().read()).isEqualTo(SyntheticReviews.task(7, 300, 100).train().read());
    assertThat(task.dev().read()).isEqualTo(task.dev().read());
    assertThat(texts(task.train().read()))
        .isNotEqualTo(texts(SyntheticReviews.task(8, 300, 100).train().read()));
    assertThat(task.outputs()).isEqualTo(2);
    assertThat(task.primary()).isEqualTo(Metric.ACCURACY);
  }

  @Test
  void aLongerSplitBeginsWithTheShorterOne() throws IOException {
    assertThat(SyntheticReviews.task(1, 1000, 200).train().read().subList(0, 400))
        .isEqualTo(SyntheticReviews.task(1, 400, 50).train().read());
  }

  @Test
  void labelsAreBalancedAndSentencesDistinct() throws IOException {
    Task task = SyntheticReviews.task(3, 6000, 1000);
    List<Example> all = new ArrayList<>(task.train().read());
    all.addAll(task.dev().read());
    assertThat(new HashSet<>(texts(all))).hasSize(7000);
    assertThat(task.train().read().stream().mapToDouble(Example::label).sum()).isEqualTo(3000);
    assertThat(task.dev().read().stream().mapToDouble(Example::label).sum()).isEqualTo(500);
    // A random order: no more than a chance run of equal labels, and pairs begin with either.
    assertThat(task.dev().read().subList(0, 40).stream().map(Example::label).toList())
        .isNotEqualTo(task.dev().read().subList(2, 42).stream().map(Example::label).toList());
  }

  @Test
  void sentencesAreLowerCaseEnglishOf5To30Words() {
    for (Review r : SyntheticReviews.reviews(5, 4000, false)) {
      assertThat(r.text()).as(r.pattern().text()).matches("[a-z]+(,? [a-z]+)*\\.");
      assertThat(r.text().split(" ").length).as(r.text()).isBetween(5, 30);
    }
  }

  @Test
  void devKnowsEveryWordAndPatternButNoCombination() {
    List<Review> train = SyntheticReviews.reviews(2, 4000, false);
    List<Review> dev = SyntheticReviews.reviews(2, 1000, true);
    Set<String> combinations =
        train.stream().map(r -> r.pattern().text() + r.adjective()).collect(Collectors.toSet());
    Set<String> words = train.stream().flatMap(r -> words(r.text())).collect(Collectors.toSet());
    Set<String> patterns = train.stream().map(r -> r.pattern().text()).collect(Collectors.toSet());
    for (Review r : dev) {
      assertThat(combinations).as(r.text()).doesNotContain(r.pattern().text() + r.adjective());
      assertThat(patterns).as(r.text()).contains(r.pattern().text());
      assertThat(words).as(r.text()).containsAll(words(r.text()).toList());
    }
    assertThat(patterns).hasSameSizeAs(ReviewGrammar.PATTERNS);
  }

  @Test
  void everyPatternOccursWithBothLabelsOnBothSides() {
    for (boolean dev : new boolean[] {false, true}) {
      Map<String, Integer> positives = new HashMap<>();
      Map<String, Integer> all = new HashMap<>();
      for (Review r : SyntheticReviews.reviews(4, 6000, dev)) {
        positives.merge(r.pattern().text(), r.positive() ? 1 : 0, Integer::sum);
        all.merge(r.pattern().text(), 1, Integer::sum);
      }
      assertThat(all).hasSameSizeAs(ReviewGrammar.PATTERNS);
      double slack = dev ? 0.5 : 0.3; // few combinations of a pattern belong to dev
      positives.forEach(
          (pattern, n) ->
              assertThat((double) n / all.get(pattern) - 0.5)
                  .as(pattern)
                  .isStrictlyBetween(-slack, slack));
    }
  }

  @Test
  void meaningFollowsTheGrammar() {
    // Read by hand: one sentence per kind of reasoning, found among the generated ones.
    List<Review> reviews = SyntheticReviews.reviews(1, 20_000, false);
    judged(reviews, "by no means (predictable|tedious|clumsy|rude|slow)", true);
    judged(
        reviews,
        "neither (delicious|fresh|witty|reliable|friendly|superb|elegant|helpful|stunning) nor",
        false);
    judged(reviews, "could have been more (witty|gripping|reliable|attentive)", false);
    judged(reviews, "could hardly have been more (witty|gripping|reliable|attentive)", true);
    judged(reviews, "hoped that .* would be .*, but (it|they) (was|were) not", false);
    judged(reviews, "feared that .* would be .*, but (it|they) (was|were) not", true);
    judged(reviews, "^not even .* could save", false);
    judged(reviews, "^not even .* could spoil", true);
    judged(reviews, "much less (tasteless|tedious|noisy|flimsy) than", true);
    judged(reviews, "called .* (witty|delicious|reliable|superb), and i disagree", false);
    judged(reviews, "called .* (witty|delicious|reliable|superb), and i agree", true);
  }

  private static void judged(List<Review> reviews, String regex, boolean positive) {
    List<Review> found =
        reviews.stream()
            .filter(r -> java.util.regex.Pattern.compile(regex).matcher(r.text()).find())
            .toList();
    assertThat(found).as(regex).hasSizeGreaterThan(3).allMatch(r -> r.positive() == positive);
  }

  @Test
  void aBagOfWordsDoesNotSolveIt() {
    // Logistic regression on which words occur, with far more epochs than a fine-tuning gets.
    BagOfWords bag = new BagOfWords();
    List<Review> train = SyntheticReviews.reviews(1, 4000, false);
    bag.fit(train, 30);
    double onTrain = bag.accuracy(train);
    double onDev = bag.accuracy(SyntheticReviews.reviews(1, 1000, true));
    assertThat(onTrain).as("train").isLessThan(0.80);
    assertThat(onDev).as("dev").isLessThan(0.72);
    // The learner itself is sound: where only plain sentences are asked for, it finds the
    // adjectives.
    BagOfWords plainBag = new BagOfWords();
    plainBag.fit(plain(train), 30);
    assertThat(plainBag.accuracy(plain(SyntheticReviews.reviews(1, 1000, true))))
        .as("plain sentences")
        .isGreaterThan(0.90);
  }

  private static List<Review> plain(List<Review> reviews) {
    return reviews.stream().filter(r -> r.pattern().kind().equals("plain")).toList();
  }

  /** Logistic regression over word presence, by stochastic gradient descent. */
  private static final class BagOfWords {
    private static final double RATE = 0.1;
    private final Map<String, Double> weights = new HashMap<>();

    void fit(List<Review> reviews, int epochs) {
      for (int e = 0; e < epochs; e++) {
        for (Review r : reviews) {
          double error = (r.positive() ? 1 : 0) - 1 / (1 + Math.exp(-score(r)));
          double move = RATE / (1 + e) * error;
          features(r).forEach(w -> weights.merge(w, move, Double::sum));
        }
      }
    }

    double accuracy(List<Review> reviews) {
      return (double) reviews.stream().filter(r -> score(r) > 0 == r.positive()).count()
          / reviews.size();
    }

    private double score(Review r) {
      return features(r).stream().mapToDouble(w -> weights.getOrDefault(w, 0.0)).sum();
    }

    private static Set<String> features(Review r) {
      Set<String> features = words(r.text()).collect(Collectors.toSet());
      features.add(""); // the bias
      return features;
    }
  }

  private static java.util.stream.Stream<String> words(String text) {
    return Arrays.stream(text.split("[ ,.]+"));
  }

  private static List<String> texts(List<Example> examples) {
    return examples.stream().map(Example::text).toList();
  }
}
