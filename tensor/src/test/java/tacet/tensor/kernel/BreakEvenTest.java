package tacet.tensor.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import tacet.tensor.Engine;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;

class BreakEvenTest {
  @Test
  void theBuiltInTablesAreSharesAndGrowDearerWithFewRows() {
    for (String kernels : new String[] {"vector512", "vector128", "scalar"}) {
      BreakEven table = BreakEven.builtIn(kernels, 2);
      requireShares(table);
      assertThat(table.kernels()).isEqualTo(kernels);
      assertThat(table.density(128, 1536, 384)).isBetween(0.2, 0.45);
    }
    BreakEven table = BreakEven.builtIn("vector512", 1);
    assertThat(table.density(8, 1536, 384)).isLessThan(table.density(64, 1536, 384));
  }

  @Test
  void findsTheEntryByRowsAndSize() {
    assertThat(List.of(0, 1, 2, 15, 16, 63, 64, 5000).stream().map(BreakEven::row))
        .containsExactly(0, 0, 1, 1, 2, 2, 3, 3);
    assertThat(BreakEven.column(100_000, 63)).isZero();
    assertThat(BreakEven.column(1024, 64)).isEqualTo(1);
    assertThat(BreakEven.column(1025, 64)).isEqualTo(2);
    assertThat(BreakEven.column(1536, 384)).isEqualTo(3);
    assertThat(BreakEven.column(4096, 1024)).isEqualTo(4);
    assertThat(BreakEven.column(100_000, 100_000)).isEqualTo(4);
  }

  @Test
  void measuresSharesOnATinyGrid() {
    int[][][] shapes = {{{40, 8}}, {{33, 64}}, {{31, 65}}, {}, {}};
    // The scalar kernels, which are not slow before they are compiled.
    try (Engine engine = new Engine(new ScalarKernels(), new Workers(2), new Workspace(true))) {
      BreakEven table = new BreakEvenMeasurement(engine, 1, shapes).table();
      requireShares(table);
      assertThat(table.fits(engine)).isTrue();
      assertThat(BreakEven.parse(table.text(), "memory")).isEqualTo(table);
      Engine with = engine.withBreakEven(table);
      assertThat(with.breakEven()).isSameAs(table);
      assertThat(with.workers()).isSameAs(engine.workers());
      assertThat(with.alwaysDense().breakEven()).isSameAs(table);
      assertThat(with.alwaysDense().withBreakEven(table).skipsZeros()).isFalse();
    }
    try (Engine engine = Engine.ofThreads(1)) {
      assertThat(BreakEven.builtIn("vector1024", 1).fits(engine)).isFalse();
      assertThat(BreakEven.builtIn(engine.kernels().name(), 2).fits(engine)).isFalse();
      assertThatThrownBy(() -> BreakEven.measure(engine, 0)).hasMessageContaining("rounds");
    }
  }

  private static void requireShares(BreakEven table) {
    assertThat(table.product()).hasSize(4).allSatisfy(row -> assertThat(row).hasSize(5));
    assertThat(table.sampled()).hasSize(4).allSatisfy(row -> assertThat(row).hasSize(5));
    for (List<List<Double>> rows : List.of(table.product(), table.sampled())) {
      rows.forEach(row -> row.forEach(share -> assertThat(share).isBetween(0.0, 1.0)));
    }
  }

  @Test
  void theTextKeepsEverything() {
    BreakEven table = BreakEven.builtIn("scalar", 7);
    assertThat(BreakEven.parse(table.text(), "memory")).isEqualTo(table).hasSameHashCodeAs(table);
    String windows = "\n# mine\n" + table.text().replace("\n", "\r\n");
    assertThat(BreakEven.parse(windows, "memory")).isEqualTo(table);
    assertThat(BreakEven.parse(BreakEven.constant(1).text(), "memory").density(3, 4, 5))
        .isEqualTo(1);
    assertThat(table).isNotEqualTo(BreakEven.builtIn("scalar", 6));
  }

  @Test
  void refusesWhatIsNotATableAndSaysWhere() {
    String good = BreakEven.constant(0.25).text();
    refused("", "line 1", "ends too early");
    refused("{}", "line 1", "expected 'tacet break-even 1'");
    refused(good.replace("even 1", "even 2"), "line 1", "found 'tacet break-even 2'");
    refused(good.replace("kernels any", "kernels"), "line 2", "expected 'kernels'");
    refused(good.replace("threads 1", "threads 0"), "line 3", "number of threads");
    refused(good.replace("threads 1", "threads 99999999999"), "line 3", "number of threads");
    refused(good.replaceFirst("0\\.250", "1.250"), "line 5", "'1.250'");
    refused(good.replaceFirst("0\\.250", "NaN"), "line 5", "'NaN'");
    refused(good.replaceFirst("0\\.250", "-0.2"), "line 5", "'-0.2'");
    refused(good.replaceFirst(" 0\\.250", ""), "line 5", "6 more words");
    refused(good.replace("product 16", "product 17"), "line 7", "for 16 rows");
    refused(good.replace("sampled 64", "product 64"), "line 12", "expected 'sampled'");
    refused(good.substring(0, good.indexOf("sampled 64")), "line 12", "ends too early");
    refused(good + "more", "line 13", "nothing may follow");
  }

  private static void refused(String text, String... parts) {
    assertThatThrownBy(() -> BreakEven.parse(text, "a.txt"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("a.txt, line ")
        .hasMessageContainingAll(parts)
        .hasMessageContaining("tacet calibrate");
  }
}
