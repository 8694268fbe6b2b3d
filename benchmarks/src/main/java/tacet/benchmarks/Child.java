package tacet.benchmarks;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.tensor.measure.Interleaved;

/**
 * Runs programs in processes of their own: on several threads no two libraries may share one, because
 * their idle threads spin. A program prints its figures as lines {@code name TAB value}.
 */
final class Child {
  private Child() {}

  /** Prints a figure for the parent to read. */
  static void print(String name, double value) {
    System.out.println(name + "\t" + value);
  }

  /** Runs a program of this class path in a JVM with this one's options; returns its figures. */
  static Map<String, Double> java(String main, Object... args) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main));
    for (Object a : args) {
      command.add(a.toString());
    }
    Map<String, Double> figures = new LinkedHashMap<>();
    for (String line : lines(command, Map.of())) {
      int tab = line.indexOf('\t');
      if (tab > 0) {
        figures.put(line.substring(0, tab), Double.valueOf(line.substring(tab + 1)));
      }
    }
    return figures;
  }

  /** Runs a command and returns what it prints; its errors go to ours. */
  static List<String> lines(List<String> command, Map<String, String> environment)
      throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.environment().putAll(environment);
    Process process = builder.start();
    List<String> lines =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
            .lines()
            .toList();
    try {
      if (process.waitFor() != 0) {
        throw new IOException(String.join(" ", command) + ": exit code " + process.exitValue());
      }
    } catch (InterruptedException e) {
      process.destroy();
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
    return lines;
  }

  /** The median of each figure over several runs. */
  static Map<String, Double> median(List<Map<String, Double>> runs) {
    Map<String, Double> result = new LinkedHashMap<>();
    for (String name : runs.get(0).keySet()) {
      double[] values =
          runs.stream().filter(r -> r.containsKey(name)).mapToDouble(r -> r.get(name)).toArray();
      result.put(name, Interleaved.median(values));
    }
    return result;
  }
}
