package tacet.deft.experiment;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/**
 * What an experiment varies, and the options of every run.
 *
 * <p>A plan is a flat map of settings:
 *
 * <ul>
 *   <li>{@code tasks}, {@code methods}, {@code seeds}, {@code after}: lists
 *   <li>{@code model}, {@code data}, {@code title}: texts
 *   <li>{@code refit}: how many examples of each task the model is refitted on, once, before all runs,
 *       when another activation is put into it
 *   <li>{@code variants.NAME.OPTION}: options of {@code tacet train} that make a variant
 *   <li>{@code axes.OPTION}: a list of values of an option, each of which is run
 *   <li>{@code when.A+B.OPTION}: options for runs of which A and B (tasks, methods, variants) are true
 *   <li>{@code train.OPTION}, or any other {@code OPTION}: options of every run
 * </ul>
 *
 * @param settings by name; lists as comma-separated text
 */
public record Plan(Map<String, String> settings) {
  private static final Set<String> LISTS = Set.of("tasks", "methods", "seeds", "after");
  private static final Set<String> TEXTS =
      Set.of("name", "base", "title", "model", "data", "refit");
  private static final String VARIANTS = "variants.";
  private static final String AXES = "axes.";
  private static final String WHEN = "when.";
  private static final String TRAIN = "train.";
  private static final String DATA = "data.";

  /** Copies the map, keeping its order. */
  public Plan {
    settings = new LinkedHashMap<>(settings);
  }

  /**
   * One run.
   *
   * @param labels what tells it apart: task, method, variant, values of axes, seed
   * @param options of {@code tacet train}, without dashes
   */
  public record Cell(Map<String, String> labels, Map<String, String> options) {
    /** The run's folder. */
    public String id() {
      return labels.entrySet().stream()
          .map(e -> e.getKey().equals("seed") ? "seed-" + e.getValue() : e.getValue())
          .map(s -> s.replaceAll("[^A-Za-z0-9._-]", "_"))
          .collect(Collectors.joining("-"));
    }
  }

  /** The settings in a JSON object: members of members get names with dots. */
  public static Plan of(Json json) throws FormatException {
    Map<String, String> flat = new LinkedHashMap<>();
    flatten("", json, flat);
    return new Plan(flat);
  }

  private static void flatten(String prefix, Json json, Map<String, String> out)
      throws FormatException {
    for (Map.Entry<String, Json> e : json.members().entrySet()) {
      String name = prefix + e.getKey();
      Json value = e.getValue();
      if (value.isObject()) {
        flatten(name + ".", value, out);
      } else if (value.isArray()) {
        List<String> list = new ArrayList<>();
        for (Json element : value.elements()) {
          list.add(text(element));
        }
        out.put(name, String.join(",", list));
      } else {
        out.put(name, text(value));
      }
    }
  }

  private static String text(Json json) throws FormatException {
    return json.isString() ? json.asString() : json.toString();
  }

  /**
   * This plan with the settings of another put over it. An option that is set for every run takes the
   * place of what this plan says of it for some runs, and of its axis.
   */
  public Plan with(Map<String, String> changes) {
    Map<String, String> all = new LinkedHashMap<>(settings);
    all.keySet()
        .removeIf(
            key -> {
              String option = key.substring(key.lastIndexOf('.') + 1);
              return (key.startsWith(WHEN) || key.startsWith(AXES))
                  && (changes.containsKey(option) || changes.containsKey(TRAIN + option));
            });
    changes.forEach(
        (name, value) -> {
          String plain = name.startsWith(TRAIN) ? name.substring(TRAIN.length()) : name;
          // An option that the variants set is meant for them: --set lambda=0.3.
          List<String> inVariants =
              all.keySet().stream()
                  .filter(k -> k.startsWith(VARIANTS) && k.endsWith("." + plain))
                  .toList();
          if (!name.contains(".") && !inVariants.isEmpty() && !isSpecial(name)) {
            inVariants.forEach(k -> all.put(k, value));
          } else {
            all.put(plain, value);
          }
        });
    return new Plan(all);
  }

  private static boolean isSpecial(String name) {
    return LISTS.contains(name) || TEXTS.contains(name);
  }

  /** A text setting. */
  public String text(String name, String other) {
    return settings.getOrDefault(name, other);
  }

  /** A list setting; empty if there is none. */
  public List<String> list(String name) {
    String value = settings.getOrDefault(name, "");
    return Stream.of(value.split(",")).map(String::strip).filter(s -> !s.isEmpty()).toList();
  }

  /**
   * All runs: tasks, then methods, then axes, then variants, then seeds.
   *
   * @throws IllegalArgumentException if a list that is needed is empty
   */
  public List<Cell> cells() {
    for (String needed : List.of("tasks", "methods", "seeds")) {
      if (list(needed).isEmpty()) {
        throw new IllegalArgumentException("the experiment has no " + needed);
      }
    }
    Set<String> variants = new LinkedHashSet<>();
    Map<String, List<String>> axes = new LinkedHashMap<>();
    for (String key : settings.keySet()) {
      if (key.startsWith(VARIANTS)) {
        variants.add(key.substring(VARIANTS.length()).split("\\.")[0]);
      } else if (key.startsWith(AXES)) {
        axes.put(key.substring(AXES.length()), list(key));
      }
    }
    List<Map<String, String>> combinations = List.of(new LinkedHashMap<>());
    combinations = times(combinations, "task", list("tasks"));
    combinations = times(combinations, "method", list("methods"));
    for (Map.Entry<String, List<String>> axis : axes.entrySet()) {
      combinations = times(combinations, axis.getKey(), axis.getValue());
    }
    combinations =
        times(combinations, "variant", variants.isEmpty() ? List.of("run") : List.copyOf(variants));
    combinations = times(combinations, "seed", list("seeds"));
    return combinations.stream().map(labels -> new Cell(labels, options(labels, axes))).toList();
  }

  private static List<Map<String, String>> times(
      List<Map<String, String>> all, String name, List<String> values) {
    List<Map<String, String>> out = new ArrayList<>();
    for (Map<String, String> labels : all) {
      for (String value : values) {
        Map<String, String> more = new LinkedHashMap<>(labels);
        more.put(name, value);
        out.add(more);
      }
    }
    return out;
  }

  private Map<String, String> options(Map<String, String> labels, Map<String, List<String>> axes) {
    Map<String, String> options = new LinkedHashMap<>();
    options.put("model", text("model", "minilm"));
    options.put("task", labels.get("task"));
    String data = settings.get(DATA + labels.get("task"));
    data = data == null ? settings.get("data") : data;
    if (data != null) {
      options.put("data", data);
    }
    options.put("method", labels.get("method"));
    settings.forEach(
        (key, value) -> {
          boolean special =
              isSpecial(key) || Stream.of(VARIANTS, AXES, WHEN, DATA).anyMatch(key::startsWith);
          if (!special) {
            options.put(key.startsWith(TRAIN) ? key.substring(TRAIN.length()) : key, value);
          }
        });
    String variant = VARIANTS + labels.get("variant") + ".";
    settings.forEach(
        (key, value) -> {
          if (key.startsWith(variant)) {
            options.put(key.substring(variant.length()), value);
          }
        });
    axes.keySet().forEach(axis -> options.put(axis, labels.get(axis)));
    conditional(labels, options);
    options.put("seed", labels.get("seed"));
    return options;
  }

  /** The more conditions a setting has, the later it is put on. */
  private void conditional(Map<String, String> labels, Map<String, String> options) {
    Map<Integer, Map<String, String>> byConditions = new TreeMap<>(Comparator.naturalOrder());
    settings.forEach(
        (key, value) -> {
          if (key.startsWith(WHEN)) {
            int dot = key.lastIndexOf('.');
            String[] conditions = key.substring(WHEN.length(), dot).split("\\+");
            if (labels.values().containsAll(Arrays.asList(conditions))) {
              byConditions
                  .computeIfAbsent(conditions.length, n -> new LinkedHashMap<>())
                  .put(key.substring(dot + 1), value);
            }
          }
        });
    byConditions.values().forEach(options::putAll);
  }

  /** The settings as an object, for the run folder. */
  public Json toJson() {
    return Json.of(settings);
  }
}
