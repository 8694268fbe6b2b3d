package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.tensor.Tensor;
import tacet.transformer.checkpoint.SafeTensors;

/** {@code tacet forward --adapter} against peft and plain PyTorch; see make_peft_goldens.py. */
class AdapterGoldenTest {
  private static final double VALUES = 1e-4;
  private static final double GRADIENTS = 1e-3;
  private static final double NOISE = 1e-6; // a gradient that is zero by algebra

  /** What the script makes: a case that gets lost is noticed. */
  private static final int CASES = 34;

  @TempDir Path temp;

  static Path folder() throws Exception {
    return Path.of(AdapterGoldenTest.class.getResource("/golden/peft").toURI());
  }

  @Test
  void allMethodsOnAllArchitecturesAgreeWithPython() throws Exception {
    List<Path> cases;
    try (Stream<Path> all = Files.list(folder())) {
      cases = all.filter(p -> p.getFileName().toString().contains("-")).sorted().toList();
    }
    assertThat(cases).hasSize(CASES);
    for (Path dir : cases) {
      String name = dir.getFileName().toString();
      Path out = temp.resolve(name + ".safetensors");
      Cli.Result r =
          Cli.run(
              "forward",
              "--model",
              folder().resolve(name.substring(0, name.indexOf('-'))),
              "--adapter",
              dir.resolve("adapter"),
              "--inputs",
              dir.resolve("inputs.safetensors"),
              "--output",
              out,
              "--gradients");
      assertThat(r.err()).as(name).isEmpty();
      assertThat(r.code()).as(name).isZero();
      compare(name, dir.resolve("expected.safetensors"), out);
    }
  }

  /** The same names, and every tensor within tolerance of its largest value. */
  private static void compare(String name, Path expectedFile, Path foundFile) throws IOException {
    try (SafeTensors expected = SafeTensors.open(expectedFile);
        SafeTensors found = SafeTensors.open(foundFile)) {
      assertThat(found.names()).as(name).containsExactlyInAnyOrderElementsOf(expected.names());
      for (String tensor : expected.names()) {
        String what = name + ": " + tensor;
        Tensor e = expected.read(tensor);
        Tensor f = found.read(tensor);
        assertThat(f.shape()).as(what).isEqualTo(e.shape());
        double largest = 0;
        double worst = 0;
        for (int i = 0; i < e.size(); i++) {
          largest = Math.max(largest, Math.abs(e.data()[i]));
          worst = Math.max(worst, Math.abs(e.data()[i] - f.data()[i]));
        }
        double tolerance = tensor.startsWith("grad.") ? GRADIENTS : VALUES;
        assertThat(worst).as(what).isLessThanOrEqualTo(Math.max(NOISE, tolerance * largest));
      }
    }
  }
}
