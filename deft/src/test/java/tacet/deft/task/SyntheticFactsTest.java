package tacet.deft.task;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

final class SyntheticFactsTest {
  private static final Set<String> FRAME = Set.of("the", "in", "on", "it", "was", "who");

  @Test
  void theSameSeedGivesTheSameExamples() throws IOException {
    Task pairs = SyntheticFacts.entailment(5, 200, 50);
    assertThat(pairs.train().read())
        .isEqualTo(SyntheticFacts.entailment(5, 200, 50).train().read())
        .isNotEqualTo(SyntheticFacts.entailment(6, 200, 50).train().read());
    assertThat(SyntheticFacts.reading(5, 50, true)).isEqualTo(SyntheticFacts.reading(5, 50, true));
    assertThat(SyntheticFacts.similarity(5, 50, 9).dev().read())
        .isEqualTo(SyntheticFacts.similarity(5, 50, 9).dev().read());
  }

  @Test
  void trainAndDevShareNoText() throws IOException {
    for (Task task :
        List.of(SyntheticFacts.entailment(1, 2000, 500), SyntheticFacts.similarity(1, 2000, 500))) {
      Set<String> train =
          task.train().read().stream().map(Example::text).collect(Collectors.toSet());
      assertThat(task.dev().read()).as(task.name()).noneMatch(e -> train.contains(e.text()));
      assertThat(new HashSet<>(task.train().read())).as(task.name()).hasSize(2000);
    }
  }

  @Test
  void entailmentIsBalancedTrueToTheTextAndNotToldByItsWords() throws IOException {
    List<Example> examples = SyntheticFacts.entailment(2, 2000, 100).train().read();
    assertThat(examples.stream().mapToDouble(Example::label).sum()).isEqualTo(1000);
    for (Example e : examples) {
      // Entailed means: one sentence of the text has exactly the hypothesis's content words.
      boolean told =
          Arrays.stream(e.text().split("(?<=\\.) "))
              .anyMatch(s -> content(s).equals(content(e.pair())));
      assertThat(told).as(e.text() + " | " + e.pair()).isEqualTo(e.label() == 0);
      assertThat(content(e.text())).as("every word occurs").containsAll(content(e.pair()));
    }
  }

  @Test
  void similarityCountsEqualRoles() throws IOException {
    Task task = SyntheticFacts.similarity(3, 1200, 100);
    assertThat(task.isRegression()).isTrue();
    Map<Double, Long> counts =
        task.train().read().stream()
            .collect(Collectors.groupingBy(Example::label, Collectors.counting()));
    assertThat(counts.keySet()).containsExactlyInAnyOrder(0.0, 1.0, 2.0, 3.0, 4.0, 5.0);
    for (Example e : task.train().read()) {
      // Roles share no words but colours and nouns of things: five equal roles are equal words.
      assertThat(content(e.text()).equals(content(e.pair())))
          .as(e.toString())
          .isEqualTo(e.label() == 5);
    }
  }

  @Test
  void answersLieInTheTextOnceAndNotInTheQuestion() {
    List<Squad.Question> all = new ArrayList<>(SyntheticFacts.reading(4, 500, false));
    all.addAll(SyntheticFacts.reading(4, 200, true));
    assertThat(all.stream().map(Squad.Question::context).distinct()).hasSize(700);
    assertThat(all.stream().map(Squad.Question::id).distinct()).hasSize(700);
    for (Squad.Question q : all) {
      String answer = q.answers().get(0).text();
      assertThat(q.context().split("\\b" + answer + "\\b", -1)).as(q.toString()).hasSize(2);
      assertThat(q.question()).as(q.toString()).doesNotContain(answer).endsWith("?");
    }
    assertThat(all.stream().map(q -> q.question().split(" ")[0]).distinct())
        .containsExactlyInAnyOrder("who", "what", "where", "when");
  }

  @Test
  void whatIsRetoldIsToldTwice() {
    List<String> texts = SyntheticFacts.retold(3, 300);
    assertThat(texts).isEqualTo(SyntheticFacts.retold(3, 300)).hasSize(300);
    for (String text : texts) {
      List<String> names =
          Arrays.stream(text.split("[ ,.?]+")).filter(w -> w.endsWith("day")).toList();
      assertThat(names.stream().distinct().count()).as(text).isBetween(2L, 4L);
    }
    assertThat(String.join(" ", texts)).contains("? the ").contains("who ").contains("it was ");
  }

  private static Set<String> content(String text) {
    Set<String> words = new HashSet<>(List.of(text.split("[ ,.]+")));
    words.removeAll(FRAME);
    return words;
  }
}
