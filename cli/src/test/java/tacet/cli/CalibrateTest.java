package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.tensor.Engine;
import tacet.tensor.kernel.BreakEven;

class CalibrateTest {
  @TempDir Path dir;

  @Test
  void theFileIsInTheUsersCache() {
    try (Engine engine = Engine.ofThreads(2)) {
      String name = "break-even-" + engine.kernels().name() + "-2.txt";
      String home = dir.resolve("home").toString();
      String cache = dir.resolve("cache").toString();
      assertThat(BreakEvenFile.of(engine, Map.of("HOME", home)))
          .isEqualTo(Path.of(home, ".cache", "tacet", name));
      assertThat(BreakEvenFile.of(engine, Map.of("HOME", home, "XDG_CACHE_HOME", cache)))
          .isEqualTo(Path.of(cache, "tacet", name));
      assertThat(BreakEvenFile.of(engine, Map.of("HOME", home, "XDG_CACHE_HOME", "relative")))
          .isEqualTo(Path.of(home, ".cache", "tacet", name));
      assertThat(BreakEvenFile.of(engine, Map.of())).isNull();
    }
  }

  @Test
  void aTableThatFitsIsUsedAndOthersAreIgnoredWithOneLine() throws IOException {
    try (Engine engine = Engine.ofThreads(1)) {
      String fitting = BreakEven.builtIn(engine.kernels().name(), 1).text().replace(" 0.", " 0.0");
      Path file = dir.resolve("new/folder/table.txt");
      assertThat(apply(engine, null, "")).isSameAs(engine);
      assertThat(apply(engine, file, "")).isSameAs(engine);
      BreakEvenFile.write(file, BreakEven.parse(fitting, "memory"));
      Engine with = apply(engine, file, "");
      assertThat(with.breakEven()).isEqualTo(BreakEven.parse(fitting, "memory"));
      Files.writeString(file, fitting.replace("threads 1", "threads 3"));
      assertThat(apply(engine, file, "on 3 threads; ignored")).isSameAs(engine);
      Files.writeString(file, fitting.replace("product 16", "product x"));
      assertThat(apply(engine, file, file + ", line 7: ")).isSameAs(engine);
      Files.write(file, new byte[] {(byte) 0xff, 0, 1});
      assertThat(apply(engine, file, "ignored")).isSameAs(engine);
      Files.write(file, new byte[1 << 17]);
      assertThat(apply(engine, file, "too long")).isSameAs(engine);
      assertThat(apply(engine, dir, "ignored")).isSameAs(engine); // a folder
    }
  }

  private static Engine apply(Engine engine, Path file, String message) {
    StringWriter err = new StringWriter();
    Engine result = BreakEvenFile.apply(engine, file, new PrintWriter(err, true));
    assertThat(err.toString()).contains(message);
    assertThat(err.toString().lines().count()).isEqualTo(message.isEmpty() ? 0 : 1);
    return result;
  }

  @Test
  void refusesWrongUsage() {
    assertThat(Cli.run("calibrate", "--threads", 0).code()).isEqualTo(2);
    assertThat(Cli.run("calibrate", "--rounds", 0).err()).contains("--rounds must be at least 1");
  }
}
