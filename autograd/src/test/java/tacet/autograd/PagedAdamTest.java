package tacet.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;

/** Moments in a file change no bit. */
class PagedAdamTest {
  private static final AdamW.Settings SETTINGS = AdamW.Settings.standard();

  @TempDir private Path dir;

  /** One parameter of one window and a bit, two small ones, one of which gets no gradient at times. */
  private static Map<String, Parameter> parameters() {
    Map<String, Parameter> all = new LinkedHashMap<>();
    for (int size : new int[] {7, PagedMoments.WINDOW + 13, 1000}) {
      Tensor w = RandomStream.of(3, "w", size).normal(Shape.of(size), 1);
      all.put("p" + size, Parameter.trainable(w));
    }
    all.put("frozen", Parameter.frozen(Tensor.zeros(5)));
    return all;
  }

  private static void step(Map<String, Parameter> parameters, AdamW adam, int step) {
    for (Parameter p : parameters.values()) {
      if (p.trainable() && (step != 1 || p.shape().size() != 1000)) {
        Tensor g = RandomStream.of(4, "g", step).normal(p.shape(), 1);
        System.arraycopy(g.data(), 0, p.freshGradient().data(), 0, g.size());
      }
    }
    adam.step(1e-2);
  }

  @Test
  void sameBitsAsInMemory() {
    Path file = dir.resolve("moments");
    Map<String, Parameter> here = parameters();
    Map<String, Parameter> there = parameters();
    try (Engine one = Engine.ofThreads(1);
        Engine two = Engine.ofThreads(2);
        AdamW plain = new AdamW(one, here, SETTINGS);
        AdamW paged = new AdamW(two, there, SETTINGS, file)) {
      for (int i = 0; i < 3; i++) {
        step(here, plain, i);
        step(there, paged, i);
      }
      equal(here, there);
      Map<String, Tensor> a = plain.state();
      Map<String, Tensor> b = paged.state();
      assertThat(b.keySet()).isEqualTo(a.keySet()).hasSize(6);
      a.forEach((name, t) -> assertThat(b.get(name).data()).as(name).isEqualTo(t.data()));
      assertThat(a.get("p7.m").data()).doesNotContain(0f);

      Map<String, Parameter> third = parameters();
      here.forEach(
          (n, p) ->
              System.arraycopy(
                  p.value().data(), 0, third.get(n).value().data(), 0, p.shape().size()));
      try (AdamW resumed = new AdamW(one, third, SETTINGS, dir.resolve("resumed"))) {
        resumed.restore(a, 3);
        step(third, resumed, 3);
        step(here, plain, 3);
        equal(here, third);
      }
    }
    assertThat(file).doesNotExist();
  }

  private static void equal(Map<String, Parameter> a, Map<String, Parameter> b) {
    a.forEach(
        (name, p) -> assertThat(b.get(name).value().data()).as(name).isEqualTo(p.value().data()));
  }

  @Test
  void aFileThatCannotBeMadeIsReported() throws Exception {
    Path file = Files.createFile(dir.resolve("file")).resolve("moments");
    try (Engine engine = Engine.ofThreads(1)) {
      assertThatThrownBy(() -> new AdamW(engine, parameters(), SETTINGS, file))
          .isInstanceOf(UncheckedIOException.class)
          .hasMessageContaining("no place for the optimizer's moments");
    }
  }
}
