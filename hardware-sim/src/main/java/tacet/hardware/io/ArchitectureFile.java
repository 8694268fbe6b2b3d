package tacet.hardware.io;

import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import tacet.hardware.FormatException;
import tacet.hardware.arch.Accelerator;
import tacet.hardware.arch.BroadcastArray;
import tacet.hardware.arch.Compression;
import tacet.hardware.arch.EnergyTable;
import tacet.hardware.arch.LaneArray;
import tacet.hardware.arch.LaneArray.Sync;
import tacet.hardware.arch.Memory;
import tacet.hardware.arch.Platform;
import tacet.hardware.arch.SystolicArray;
import tacet.hardware.arch.SystolicArray.Dataflow;
import tacet.hardware.arch.TokenParallelArray;
import tacet.hardware.arch.TwoSidedArray;

/**
 * Reads an accelerator from a file: a SCALE-Sim configuration, or an INI file of our own with the sections below. All
 * keys but {@code kind} have defaults, those of the architecture's {@code standard}; unknown keys are refused.
 *
 * <pre>
 * [architecture]
 * kind: systolic | lanes | broadcast | two-sided | token-parallel
 *   systolic:        dataflow (os, ws, is), rows, columns, gated (yes, no)
 *   lanes:           lanes, filters, units, sync (tokens), run-ahead (yes, no), zero-brick-bubble (yes, no)
 *   broadcast:       elements, queue, scan
 *   two-sided:       elements, window
 *   token-parallel:  tokens, columns, lookahead
 *   all but systolic: token-block, pipeline
 * [platform]
 * data-bits: 8 | 16 | 32        gigahertz: 1
 * energy: horowitz45 | sponge | accelergy45 | a properties file beside this one
 * [memory]
 * preset: default | ideal       bytes-per-cycle, latency, burst, activation-sram, weight-sram, output-sram (bytes),
 * sram-words-per-cycle, activation-format, weight-format, output-format (none, bitmap, offsets, run-length, csr),
 * encoder-bricks-per-cycle
 * </pre>
 *
 * {@link Examples} has one of every kind.
 */
public final class ArchitectureFile {

  private static final String ARCHITECTURE = "architecture";
  private static final String PLATFORM = "platform";
  private static final String MEMORY = "memory";

  private final KeyValues p;
  private final Path file;

  private ArchitectureFile(KeyValues p, Path file) {
    this.p = p;
    this.file = file;
  }

  /**
   * Reads an accelerator.
   *
   * @throws FormatException if the file is malformed; the message names file and line
   * @throws IOException if reading fails
   */
  public static Accelerator read(Path file) throws IOException {
    return read(new KeyValues(file.toString(), KeyValues.lines(file)), file);
  }

  /**
   * Reads an accelerator from text; its prices must be built in.
   *
   * @param name stands for the file in messages
   * @throws FormatException if the text is malformed; the message names the line
   * @throws IOException never
   */
  public static Accelerator parse(String name, String text) throws IOException {
    return read(new KeyValues(name, text.lines().toList()), null);
  }

  private static Accelerator read(KeyValues p, Path file) throws IOException {
    if (ScaleSimConfig.looksLike(p)) {
      return ScaleSimConfig.of(p).array(EnergyTable.horowitz45());
    }
    ArchitectureFile reader = new ArchitectureFile(p, file);
    Accelerator accelerator = reader.accelerator(reader.platform());
    p.requireAllUsed();
    return accelerator;
  }

  private Accelerator accelerator(Platform platform) throws FormatException {
    String kind =
        p.oneOf(
            ARCHITECTURE,
            "kind",
            List.of("systolic", "lanes", "broadcast", "two-sided", "token-parallel"));
    return switch (kind) {
      case "systolic" ->
          new SystolicArray(
              p.constant(ARCHITECTURE, "dataflow", Dataflow.values(), Dataflow.OS),
              integer("rows", 1, 32),
              integer("columns", 1, 32),
              p.yes(ARCHITECTURE, "gated", false),
              platform);
      case "lanes" -> lanes(LaneArray.standard(platform));
      case "broadcast" -> broadcast(BroadcastArray.standard(platform));
      case "two-sided" -> twoSided(TwoSidedArray.standard(platform));
      default -> tokenParallel(TokenParallelArray.standard(platform));
    };
  }

  private LaneArray lanes(LaneArray d) throws FormatException {
    return new LaneArray(
        integer("lanes", 1, d.lanes()),
        integer("filters", 1, d.filters()),
        integer("units", 1, d.units()),
        new Sync(
            p.yes(ARCHITECTURE, "run-ahead", d.sync().runAhead()),
            integer("sync", 1, d.sync().tokens())),
        p.yes(ARCHITECTURE, "zero-brick-bubble", d.zeroBrickBubble()),
        integer("token-block", 1, d.tokenBlock()),
        integer("pipeline", 0, d.pipeline()),
        d.platform());
  }

  private BroadcastArray broadcast(BroadcastArray d) throws FormatException {
    return new BroadcastArray(
        integer("elements", 1, d.elements()),
        integer("queue", 1, d.queue()),
        integer("scan", 1, d.scan()),
        integer("token-block", 1, d.tokenBlock()),
        integer("pipeline", 0, d.pipeline()),
        d.platform());
  }

  private TwoSidedArray twoSided(TwoSidedArray d) throws FormatException {
    return new TwoSidedArray(
        integer("elements", 1, d.elements()),
        integer("window", 1, d.window()),
        integer("token-block", 1, d.tokenBlock()),
        integer("pipeline", 0, d.pipeline()),
        d.platform());
  }

  private TokenParallelArray tokenParallel(TokenParallelArray d) throws FormatException {
    return new TokenParallelArray(
        integer("tokens", 1, d.tokens()),
        integer("columns", 1, d.columns()),
        integer("lookahead", 0, d.lookahead()),
        integer("token-block", 1, d.tokenBlock()),
        integer("pipeline", 0, d.pipeline()),
        d.platform());
  }

  private int integer(String name, int min, int otherwise) throws FormatException {
    return p.integer(ARCHITECTURE, name, min, otherwise);
  }

  private Platform platform() throws IOException {
    int bits = p.integer(PLATFORM, "data-bits", 8, 8);
    if (bits != 8 && bits != 16 && bits != 32) {
      throw p.refuse(PLATFORM, "data-bits", "data-bits must be 8, 16 or 32");
    }
    return new Platform(bits, p.positive(PLATFORM, "gigahertz", 1), memory(), energy());
  }

  private Memory memory() throws FormatException {
    boolean ideal =
        p.has(MEMORY, "preset")
            && p.oneOf(MEMORY, "preset", List.of("default", "ideal")).equals("ideal");
    Memory d = ideal ? Memory.IDEAL : Memory.DEFAULT;
    return new Memory(
        p.positive(MEMORY, "bytes-per-cycle", d.bytesPerCycle()),
        p.integer(MEMORY, "latency", 0, d.latency()),
        p.integer(MEMORY, "burst", 1, d.burst()),
        bytes("activation-sram", d.activationSram()),
        bytes("weight-sram", d.weightSram()),
        bytes("output-sram", d.outputSram()),
        p.positive(MEMORY, "sram-words-per-cycle", d.sramWordsPerCycle()),
        p.constant(MEMORY, "activation-format", Compression.values(), d.activations()),
        p.constant(MEMORY, "weight-format", Compression.values(), d.weights()),
        p.constant(MEMORY, "output-format", Compression.values(), d.outputs()),
        p.positive(MEMORY, "encoder-bricks-per-cycle", d.encoderBricks()));
  }

  private long bytes(String name, long otherwise) throws FormatException {
    return p.has(MEMORY, name) ? p.integer(MEMORY, name, 1) : otherwise;
  }

  private EnergyTable energy() throws IOException {
    String name = p.has(PLATFORM, "energy") ? p.text(PLATFORM, "energy") : "horowitz45";
    switch (name) {
      case "horowitz45":
        return EnergyTable.horowitz45();
      case "sponge":
        return EnergyTable.sponge();
      case "accelergy45":
        return EnergyTable.accelergy45();
      default:
        break;
    }
    if (file == null) {
      throw unknownTable();
    }
    try (Reader table =
        Files.newBufferedReader(file.resolveSibling(name), StandardCharsets.UTF_8)) {
      return EnergyTable.read(name, table);
    } catch (NoSuchFileException e) {
      throw unknownTable();
    } catch (IllegalArgumentException e) {
      throw p.refuse(PLATFORM, "energy", e.getMessage());
    }
  }

  private FormatException unknownTable() throws FormatException {
    return p.refuse(
        PLATFORM,
        "energy",
        "energy must be horowitz45, sponge, accelergy45 or a properties file beside this one");
  }
}
