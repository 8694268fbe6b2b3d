package tacet.deft.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tacet.transformer.checkpoint.Json;

/** Plans become runs, runs become tables. */
class PlanTest {
  private static Plan plan() throws IOException {
    return Plan.of(
        Json.parse(
            """
            {"title": "t", "model": "m", "data": "root", "tasks": ["A", "B"],
             "methods": ["lora", "adapter"], "seeds": [1, 2], "epochs": 3,
             "train": {"lr": 0.001},
             "when": {"adapter": {"lr": 0.1}, "DEFT+adapter": {"lr": 0.2, "lambda": 7},
                      "B": {"epochs": 9}},
             "variants": {"PEFT": {"surrogate": "none"},
                          "DEFT": {"surrogate": "tanh", "lambda": 1}}}
            """,
            "plan"));
  }

  @Test
  void cellsAreAllCombinations() throws IOException {
    List<Plan.Cell> cells = plan().cells();
    assertThat(cells).hasSize(16);
    assertThat(cells.get(0).id()).isEqualTo("A-lora-PEFT-seed-1");
    assertThat(cells.get(0).options())
        .containsEntry("model", "m")
        .containsEntry("task", "A")
        .containsEntry("data", "root")
        .containsEntry("lr", "0.001")
        .containsEntry("epochs", "3")
        .containsEntry("surrogate", "none")
        .containsEntry("seed", "1")
        .doesNotContainKeys("title", "lambda", "tasks");
    Plan.Cell last = cells.get(15);
    assertThat(last.id()).isEqualTo("B-adapter-DEFT-seed-2");
    assertThat(last.options())
        .containsEntry("lr", "0.2") // two conditions go before one
        .containsEntry("lambda", "7")
        .containsEntry("epochs", "9");
    // The order of the data depends on the seed alone: PEFT and DEFT of a seed share it.
    assertThat(cells.get(2).options().get("seed")).isEqualTo(cells.get(0).options().get("seed"));
  }

  @Test
  void settingsAreChanged() throws IOException {
    Plan changed =
        plan()
            .with(
                Map.of(
                    "tasks", "C", "seeds", "5", "lambda", "0.5", "batch", "8", "axes.beta", "1,2"));
    List<Plan.Cell> cells = changed.cells();
    assertThat(cells).hasSize(2 * 2 * 2);
    assertThat(cells.get(0).options())
        .containsEntry("batch", "8")
        .containsEntry("beta", "1")
        .doesNotContainKey("lambda");
    assertThat(cells.get(1).options()).containsEntry("lambda", "0.5");
    assertThat(cells.get(1).id()).isEqualTo("C-lora-1-DEFT-seed-5");
    assertThatThrownBy(() -> changed.with(Map.of("seeds", "")).cells())
        .hasMessageContaining("seeds");
  }

  /** An option for every run is for every run; conditions that come with it still count. */
  @Test
  void anOptionForAllRunsTakesThePlaceOfThoseForSome() throws IOException {
    for (String name : List.of("lr", "train.lr")) {
      Plan changed = plan().with(Map.of(name, "0.5", "when.lora.lr", "0.25"));
      for (Plan.Cell cell : changed.cells()) {
        boolean lora = cell.labels().get("method").equals("lora");
        assertThat(cell.options()).containsEntry("lr", lora ? "0.25" : "0.5");
      }
    }
  }

  /** An axis that a plan comes with gives way to a value for all runs, and to another axis. */
  @Test
  void anOptionForAllRunsTakesThePlaceOfAnAxis() throws IOException {
    Plan ablation = plan().with(Map.of("axes.beta", "5,20,80", "axes.rank", "2,4"));
    assertThat(ablation.cells()).hasSize(16 * 6);
    Plan one = ablation.with(Map.of("beta", "7", "axes.rank", "8"));
    assertThat(one.cells()).hasSize(16);
    for (Plan.Cell cell : one.cells()) {
      assertThat(cell.options()).containsEntry("beta", "7").containsEntry("rank", "8");
    }
  }

  private static Results results() {
    List<Results.Run> runs = new ArrayList<>();
    double[][] values = {{80, 50}, {82, 52}, {79, 10}, {81, 12}};
    for (int i = 0; i < 4; i++) {
      Map<String, String> labels = new LinkedHashMap<>();
      labels.put("task", "A_1");
      labels.put("variant", i < 2 ? "PEFT" : "DEFT");
      labels.put("seed", Integer.toString(i % 2));
      runs.add(
          new Results.Run(
              labels,
              Map.of("score", values[i][0], "density", values[i][1]),
              Map.of("layers", List.of(values[i][1], values[i][1] + 2))));
    }
    return new Results(runs);
  }

  @Test
  void meansDeviationsAndChanges() {
    Results.Group peft = results().groups().get(0);
    assertThat(peft.mean("score").mean()).isEqualTo(81);
    assertThat(peft.mean("score").deviation()).isCloseTo(Math.sqrt(2), within(1e-12));
    assertThat(peft.series("layers")).containsExactly(51.0, 53.0);
    assertThat(peft.mean("nothing")).isNull();
    Table paired = Table.paired(results());
    assertThat(paired.columns())
        .containsExactly(
            "task",
            "PEFT score",
            "PEFT density %",
            "DEFT score",
            "DEFT density %",
            "DEFT density change %");
    assertThat(paired.rows()).hasSize(1);
    assertThat(paired.rows().get(0).get(1)).isEqualTo("81.00 ± 1.41");
    assertThat(paired.rows().get(0).get(5)).isEqualTo("78.43"); // (51 − 11) / 51
  }

  @Test
  void notations() {
    Table t = new Table("T", List.of("a", "b %"), List.of(List.of("x_1 | y", "1 ± 2")));
    assertThat(t.markdown()).contains("| a | b % |", "| x_1 \\| y | 1 ± 2 |");
    assertThat(t.csv()).isEqualTo("a,b %\r\nx_1 | y,1 ± 2\r\n");
    assertThat(t.latex())
        .contains("x\\_1 | y & 1\\,$\\pm$\\,2 \\\\", "b \\%", "\\begin{tabular}{lr}");
    assertThat(new Table("T", List.of("a"), List.of(List.of("1,\"2\""))).csv())
        .contains("\"1,\"\"2\"\"\"");
  }
}
