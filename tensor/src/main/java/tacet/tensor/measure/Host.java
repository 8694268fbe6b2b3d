package tacet.tensor.measure;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tacet.tensor.Engine;

/** Facts about the machine, for reports. */
public final class Host {
  private Host() {}

  /** The processor's name, or the architecture where the name is unknown. */
  public static String processor() {
    return fact("model name").orElse(System.getProperty("os.arch"));
  }

  /**
   * Whether the processor says that it has a feature.
   *
   * @param name as Linux calls it in {@code /proc/cpuinfo}; elsewhere nothing is known, and nothing
   *     there
   */
  public static boolean hasFeature(String name) {
    return fact("flags").stream().anyMatch(flags -> List.of(flags.split(" ")).contains(name));
  }

  /** What the system says of the first processor; empty where it is not Linux. */
  private static Optional<String> fact(String name) {
    try {
      return Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
          .filter(l -> l.startsWith(name))
          .map(l -> l.substring(l.indexOf(':') + 1).strip())
          .findFirst();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /** Processor, cores, threads, kernels, memory, Java and system, for a person to read. */
  public static Map<String, String> facts(Engine engine) {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("Processor", processor());
    facts.put("Processors", Integer.toString(Runtime.getRuntime().availableProcessors()));
    facts.put("Threads used", Integer.toString(engine.workers().size()));
    facts.put("Kernels", engine.kernels().name());
    facts.put("Heap limit", Runtime.getRuntime().maxMemory() / (1 << 20) + " MiB");
    facts.put("Java", System.getProperty("java.vm.name") + " " + Runtime.version());
    facts.put("System", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
    return facts;
  }

  /** Largest resident memory of this process so far in MiB; the heap in use where that is unknown. */
  public static double peakMemoryMb() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        if (line.startsWith("VmHWM:")) {
          return Double.parseDouble(line.replaceAll("[^0-9]", "")) / 1024;
        }
      }
    } catch (IOException e) {
      // not Linux
    }
    Runtime r = Runtime.getRuntime();
    return (r.totalMemory() - r.freeMemory()) / (double) (1 << 20);
  }
}
