package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.deft.task.Example;
import tacet.deft.task.Squad;
import tacet.deft.task.Task;
import tacet.transformer.checkpoint.FormatException;

/** Files that src/test/python/make_parquet.py made. */
class ParquetTaskTest {
  private static final Path FILES = Path.of("src/test/resources/parquet");

  @TempDir Path temp;

  @Test
  void readsAllPartsAndRowGroups() throws IOException {
    assertThat(ParquetTask.isIn(FILES.resolve("sst2"))).isTrue();
    assertThat(ParquetTask.isIn(FILES)).isFalse();
    Task task = ParquetTask.glue("sst2", FILES.resolve("sst2"));
    assertThat(task.train().read())
        .isEqualTo(
            List.of(
                new Example("a fine film", null, 1),
                new Example("dull", null, 0),
                new Example("warm and funny", null, 1),
                new Example("no \"plot\" – at all", null, 0)));
    assertThat(task.dev().read()).hasSize(2);
  }

  @Test
  void readsPairsScoresAndTheOtherSplitOfMnli() throws IOException {
    Task mnli = ParquetTask.glue("MNLI", FILES.resolve("mnli"));
    assertThat(mnli.dev().read().get(0))
        .isEqualTo(new Example("it rained in validation_matched", "it was dry", 2));
    assertThat(mnli.others().get("mm").read().get(0).text())
        .isEqualTo("it rained in validation_mismatched");
    assertThat(ParquetTask.glue("STS-B", FILES.resolve("stsb")).train().read())
        .isEqualTo(
            List.of(
                new Example("a man plays", "a man is playing", 4.75),
                new Example("a cat sleeps", "rain falls", 0)));
  }

  @Test
  void answersStartWhereTheyStandEvenBehindWideCharacters() throws IOException {
    List<Squad.Question> questions = ParquetTask.squad(FILES.resolve("squad"), false);
    assertThat(questions).hasSize(2);
    assertThat(questions.get(0).question()).isEqualTo("Where was the key?");
    for (Squad.Question q : questions) {
      for (Squad.Answer a : q.answers()) {
        assertThat(q.context().substring(a.start())).startsWith(a.text());
      }
    }
    assertThat(questions.get(1).answers()).hasSize(2);
  }

  @Test
  void saysWhichFileIsWrong() throws IOException {
    assertThatThrownBy(ParquetTask.glue("SST-2", FILES.resolve("broken")).train()::read)
        .isInstanceOf(FormatException.class)
        .hasMessageContaining("train.parquet")
        .hasMessageContaining("label");
    assertThatThrownBy(ParquetTask.glue("SST-2", FILES.resolve("broken")).dev()::read)
        .hasMessageContaining("validation");
    Files.write(temp.resolve("train.parquet"), new byte[] {'P', 'A', 'R', '1', 0, 1, 2, 3});
    assertThatThrownBy(ParquetTask.glue("SST-2", temp).train()::read)
        .isInstanceOf(FormatException.class)
        .hasMessageContaining("train.parquet");
  }
}
