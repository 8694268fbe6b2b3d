package tacet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import tacet.tensor.Engine;
import tacet.tensor.kernel.BreakEven;
import tacet.transformer.checkpoint.AtomicFile;

/**
 * Where {@code tacet calibrate} keeps the break-even table of this machine and the other commands find
 * it: {@code tacet/break-even-KERNELS-THREADS.txt} in the user's cache folder.
 */
final class BreakEvenFile {
  private BreakEvenFile() {}

  /** The user's file for an engine; null where the environment names no folder for it. */
  static Path of(Engine engine, Map<String, String> environment) {
    String cache = environment.get("XDG_CACHE_HOME");
    String home = environment.getOrDefault("HOME", environment.get("USERPROFILE"));
    Path folder;
    if (cache != null && Path.of(cache).isAbsolute()) { // others are invalid, says the XDG standard
      folder = Path.of(cache);
    } else if (home != null && !home.isEmpty()) {
      folder = Path.of(home, ".cache");
    } else {
      return null;
    }
    String name = "break-even-" + engine.kernels().name() + "-" + engine.workers().size() + ".txt";
    return folder.resolve("tacet").resolve(name);
  }

  /**
   * The engine with the table in a file, if there is one that fits; else the engine as it is. A file that
   * cannot be used costs time, not correctness, so one line says why and the command goes on.
   */
  static Engine apply(Engine engine, Path file, PrintWriter err) {
    if (file == null || !Files.exists(file)) {
      return engine;
    }
    try {
      BreakEven table = read(file);
      if (table.fits(engine)) {
        return engine.withBreakEven(table);
      }
      err.println(
          "tacet: "
              + file
              + " is for "
              + table.kernels()
              + " kernels on "
              + table.threads()
              + " threads; ignored");
    } catch (IOException e) {
      err.println("tacet: " + file + " cannot be read; ignored");
    } catch (IllegalArgumentException e) {
      err.println("tacet: " + e.getMessage() + "; ignored");
    }
    return engine;
  }

  /**
   * Reads a table.
   *
   * @throws IllegalArgumentException naming the file and the line, if it is not one
   */
  static BreakEven read(Path file) throws IOException {
    if (Files.size(file) > 1 << 16) {
      throw new IllegalArgumentException(file + ": too long for a break-even table");
    }
    return BreakEven.parse(Files.readString(file), file.toString());
  }

  static void write(Path file, BreakEven table) throws IOException {
    Files.createDirectories(file.toAbsolutePath().getParent());
    AtomicFile.write(file, table.text());
  }
}
