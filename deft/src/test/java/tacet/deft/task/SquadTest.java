package tacet.deft.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.deft.task.Squad.Answer;
import tacet.deft.task.Squad.Question;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

final class SquadTest {
  @TempDir Path dir;

  @Test
  void metricsAgreeWithTheOfficialRules() throws IOException {
    List<String> lines;
    try (InputStream in = SquadTest.class.getResourceAsStream("squad.txt")) {
      lines = new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    }
    assertThat(lines).hasSize(85);
    for (String line : lines) {
      List<Json> row = Json.parse(line, "squad.txt").elements();
      String prediction = row.get(0).asString();
      String reference = row.get(1).asString();
      assertThat(Squad.normalize(prediction)).as(line).isEqualTo(row.get(2).asString());
      assertThat(Squad.exactMatch(prediction, reference))
          .as(line)
          .isEqualTo(row.get(3).asBoolean());
      assertThat(Squad.f1(prediction, reference))
          .as(line)
          .isCloseTo(row.get(4).asDouble(), within(1e-12));
    }
  }

  @Test
  void theBestReferenceCountsAndASilentQuestionIsWrong() {
    String context = "one two three four";
    Question a =
        new Question("a", context, "?", List.of(new Answer("one", 0), new Answer("two three", 4)));
    Question b = new Question("b", context, "?", List.of(new Answer("four", 14)));
    // a: no exact match; words {two} against {two, three}: P 1, R 1/2, F1 2/3. b: nothing.
    Squad.Scores scores = Squad.score(List.of(a, b), Map.of("a", "The two!"));
    assertThat(scores.exactMatch()).isZero();
    assertThat(scores.f1()).isCloseTo(100.0 / 3, within(1e-9));
    assertThat(Squad.score(List.of(a, b), Map.of("a", "ONE", "b", "four.")))
        .isEqualTo(new Squad.Scores(100, 100));
    assertThatThrownBy(() -> Squad.score(List.of(), Map.of()))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void offsetsCountCodePoints() throws IOException {
    Path file = write("\"context\":\"\uD83D\uDE00 smile now\"", "smile", 2);
    assertThat(Squad.read(file).get(0).answers()).containsExactly(new Answer("smile", 3));
  }

  @Test
  void errorsNameFileAndPlace() throws IOException {
    refused(write("\"context\":\"a smile\"", "smile", 3), "question q1", "at character 3");
    refused(write("\"context\":\"a smile\"", "smile", 99), "answer_start 99", "answers[0]");
    refused(write("\"context\":\"a smile\"", "smile", -1), "answer_start -1");
    refused(write("\"text\":\"a smile\"", "smile", 2), "context");
    Path file = dir.resolve("dev-v1.1.json");
    Files.writeString(file, "{\"data\":[]}");
    refused(file, "no question");
    Files.writeString(
        file,
        "{\"data\":[{\"paragraphs\":[{\"context\":\"c\",\"qas\":"
            + "[{\"id\":\"q1\",\"question\":\"?\",\"answers\":[]}]}]}]}");
    refused(file, "question q1 has no answer");
    String qa =
        "{\"id\":\"q1\",\"question\":\"?\",\"answers\":[{\"text\":\"c\",\"answer_start\":0}]}";
    Files.writeString(
        file,
        "{\"data\":[{\"paragraphs\":[{\"context\":\"c\",\"qas\":[" + qa + "," + qa + "]}]}]}");
    refused(file, "\"q1\" occurs twice");
  }

  @Test
  void readsTheRealFiles() throws IOException {
    Path squad = GlueTest.shared().resolve("data/squad");
    assumeTrue(Files.isDirectory(squad));
    List<Question> dev = Squad.read(squad.resolve("dev-v1.1.json"));
    assertThat(dev).hasSize(10570);
    assertThat(dev.get(0).question())
        .isEqualTo("Which NFL team represented the AFC at Super Bowl 50?");
    assertThat(dev.get(0).answers().get(0)).isEqualTo(new Answer("Denver Broncos", 177));
    assertThat(Squad.read(squad.resolve("train-v1.1.json"))).allMatch(q -> q.answers().size() == 1);
  }

  private static void refused(Path file, String... words) {
    assertThatThrownBy(() -> Squad.read(file))
        .isInstanceOf(FormatException.class)
        .hasMessageContaining(file.toString())
        .hasMessageContainingAll(words);
  }

  private Path write(String context, String answer, int start) throws IOException {
    Path file = dir.resolve("train-v1.1.json");
    return Files.writeString(
        file,
        "{\"data\":[{\"title\":\"t\",\"paragraphs\":[{"
            + context
            + ",\"qas\":[{\"id\":\"q1\",\"question\":\"What?\",\"answers\":[{\"text\":\""
            + answer
            + "\",\"answer_start\":"
            + start
            + "}]}]}]}]}");
  }
}
