package tacet.hardware.io;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import tacet.hardware.BitMatrix;
import tacet.hardware.arch.Accelerator;
import tacet.hardware.arch.Comparison;
import tacet.hardware.arch.Fidelity;
import tacet.hardware.arch.LaneArray;
import tacet.hardware.arch.Platform;
import tacet.hardware.arch.Stall;
import tacet.hardware.arch.SystolicArray;
import tacet.hardware.arch.Workload;

class ReportsTest {

  private static List<Comparison> comparisons() {
    Platform p = Platform.standard();
    List<Accelerator> accelerators =
        List.of(SystolicArray.standard(SystolicArray.Dataflow.WS, p), LaneArray.standard(p));
    BitMatrix mask = BitMatrix.random(32, 256, .2, new SplittableRandom(1));
    List<Workload> layers =
        List.of(Workload.sparse("a, \"b\"", 64, mask), Workload.dense("dense", 32, 64, 256));
    return Comparison.all(accelerators, layers, Fidelity.TILE);
  }

  @Test
  void csvHasARowPerLayerAndArchitecture() {
    List<Comparison> all = comparisons();
    String[] lines = Reports.csv(all).split("\n");
    assertThat(lines).hasSize(5);
    List<String> header = Arrays.asList(lines[0].split(","));
    assertThat(header)
        .contains("name", "cycles", "speedup", "unit_cycles.lane_sync", "energy_pj.dram");
    assertThat(lines[1]).startsWith("\"a, \"\"b\"\"\",systolic-WS-32x32,TILE,32,64,256,");
    String[] dense = lines[2].split(",");
    assertThat(dense).hasSameSizeAs(header);
    assertThat(dense[header.indexOf("speedup")]).isEqualTo("1.0");
    assertThat(dense[header.indexOf("cycles")])
        .isEqualTo(Long.toString(all.get(1).sparse().cycles()));
    assertThat(Reports.csv(List.of())).isEmpty();
  }

  @Test
  void jsonHasLayersAndTotals() {
    List<Comparison> all = comparisons();
    String json = Reports.json(all);
    assertThat(json)
        .startsWith("{\n  \"layers\": [")
        .contains("\"name\": \"a, \\\"b\\\"\"")
        .contains("\"lane_sync\": " + all.get(2).sparse().stall(Stall.LANE_SYNC));
    long cycles = all.get(2).sparse().cycles() + all.get(3).sparse().cycles();
    assertThat(json.substring(json.indexOf("\"totals\""))).contains("\"cycles\": " + cycles);
  }

  @Test
  void markdownHasTwoTables() {
    String text = Reports.markdown(comparisons());
    assertThat(text.lines().filter(l -> l.startsWith("|---"))).hasSize(2);
    assertThat(text.lines().filter(l -> l.startsWith("| "))).hasSize(2 + 4 + 2);
    assertThat(text).contains("| lanes-16x16x16-sync1 | dense | 1.0000 |");
  }

  @Test
  void jsonEscapes() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("a\"\\\n\u0001", List.of(1, 2.5, Double.NaN, true, "é"));
    map.put("empty", Map.of());
    map.put("none", List.of());
    assertThat(Json.write(map))
        .isEqualTo(
            """
            {
              "a\\"\\\\\\n\\u0001": [
                1,
                2.5,
                null,
                true,
                "é"
              ],
              "empty": {},
              "none": []
            }
            """);
  }
}
