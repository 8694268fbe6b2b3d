package tacet.hardware.io;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import tacet.hardware.arch.Accelerator;
import tacet.hardware.arch.Workload;

/** Architecture and topology files that come with the library, to use by name or to copy and change. */
public final class Examples {
  private static final List<String> ARCHITECTURES =
      List.of(
          "systolic-os",
          "systolic-ws",
          "systolic-is",
          "gated-os",
          "gated-ws",
          "gated-is",
          "lanes",
          "lanes-ahead",
          "broadcast",
          "two-sided",
          "token-parallel",
          "token-parallel-ahead",
          "scalesim");

  private static final List<String> TOPOLOGIES =
      List.of("minilm", "bert-base", "roberta-large", "alexnet");

  private Examples() {}

  /** Names of the architectures, baselines first. */
  public static List<String> architectures() {
    return ARCHITECTURES;
  }

  /** Names of the topologies. */
  public static List<String> topologies() {
    return TOPOLOGIES;
  }

  /**
   * The file of that name as text.
   *
   * @param name one of {@link #architectures()} or {@link #topologies()}
   * @throws IllegalArgumentException if there is none
   */
  public static String text(String name) {
    String ending = TOPOLOGIES.contains(name) ? ".csv" : name.equals("scalesim") ? ".cfg" : ".ini";
    if (!TOPOLOGIES.contains(name) && !ARCHITECTURES.contains(name)) {
      throw new IllegalArgumentException("no example is called " + name);
    }
    try (InputStream in = Examples.class.getResourceAsStream(name + ending)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException("example " + name + " cannot be read", e);
    }
  }

  /**
   * An architecture.
   *
   * @throws IllegalArgumentException if there is none of that name
   */
  public static Accelerator architecture(String name) {
    try {
      return ArchitectureFile.parse(name, text(name));
    } catch (IOException e) {
      throw new UncheckedIOException("example " + name + " is damaged", e);
    }
  }

  /**
   * The layers of a topology, dense.
   *
   * @throws IllegalArgumentException if there is none of that name
   */
  public static List<Workload> topology(String name) {
    try {
      return Topology.parse(name, text(name));
    } catch (IOException e) {
      throw new UncheckedIOException("example " + name + " is damaged", e);
    }
  }
}
