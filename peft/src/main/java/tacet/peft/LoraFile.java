package tacet.peft;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import tacet.autograd.Parameter;
import tacet.tensor.Tensor;
import tacet.transformer.Conv1D;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.checkpoint.Json;

/**
 * LoRA in peft's files: tensors are named {@code base_model.model.} + path + {@code .lora_A.weight},
 * {@code .lora_B.weight}, or the original name for a module that was trained whole.
 */
final class LoraFile {
  static final String PREFIX = "base_model.model.";

  /** What would change the result if it were passed over. */
  private static final List<String> UNSUPPORTED =
      List.of(
          "use_dora",
          "lora_bias",
          "use_qalora",
          "use_bdlora",
          "layer_replication",
          "target_parameters",
          "trainable_token_indices",
          "alora_invocation_tokens");

  private static final List<String> BASE_MODELS =
      List.of("bert.", "roberta.", "transformer.", "model.", "vit.");

  /** Beginnings of the ways to begin that take something out of the base's weights. */
  private static final List<String> FROM_THE_BASE = List.of("pissa", "olora", "corda", "loftq");

  private LoraFile() {}

  static Map<String, Parameter> parameters(Part model, Lora lora) {
    Map<String, Parameter> out = new LinkedHashMap<>();
    Surgery.parameters(model)
        .forEach(
            (path, p) -> {
              boolean factor = path.endsWith(".lora_A.weight") || path.endsWith(".lora_B.weight");
              if (factor || Adapted.isSaved(path, lora.modulesToSave())) {
                out.put(PREFIX + path, p);
              }
            });
    return out;
  }

  static Map<String, Object> config(Part model, Lora lora) {
    boolean[] transposed = new boolean[1]; // what peft has to be told, and Tacet sees
    Surgery.replace(
        model,
        (path, part) -> {
          transposed[0] |= part instanceof LoraLinear l && l.base() instanceof Conv1D;
          return part;
        });
    Targets targets = lora.targets();
    Targets excluded = targets.excluded();
    Map<String, Object> c = new TreeMap<>();
    c.put("alpha_pattern", lora.alphaPattern());
    c.put("bias", "none");
    c.put("exclude_modules", excluded == null ? null : modules(excluded));
    c.put("fan_in_fan_out", transposed[0]);
    c.put("init_lora_weights", true);
    c.put("layers_pattern", targets.layersPattern().isEmpty() ? null : targets.layersPattern());
    c.put("layers_to_transform", targets.layers().isEmpty() ? null : targets.layers());
    c.put("lora_alpha", lora.alpha());
    c.put("lora_dropout", lora.dropout());
    c.put("peft_type", "LORA");
    c.put("r", lora.r());
    c.put("rank_pattern", lora.rankPattern());
    c.put("target_modules", modules(targets));
    c.put("use_dora", false);
    c.put("use_rslora", lora.rankStabilised());
    return c;
  }

  private static Object modules(Targets targets) {
    return targets.pattern() == null ? targets.names() : targets.pattern();
  }

  static <P extends Part> AdapterFile.Loaded<P> load(Json c, AdapterFile.Contents file, P model)
      throws IOException {
    Lora lora = read(c, model);
    Set<String> parts = Surgery.parts(model).keySet();
    AdapterFile.Contents in = file.renamed(name -> located(pathOf(name), parts));
    P adapted =
        lora.install(
            model,
            (path, layer) -> {
              int r = lora.rank(path);
              return new Tensor[] {
                in.take(path + ".lora_A.weight", r, layer.in()),
                in.take(path + ".lora_B.weight", layer.out(), r)
              };
            });
    P complete =
        in.modules(adapted, lora.modulesToSave(), path -> path.contains(".lora_") ? null : path);
    in.finish();
    return new AdapterFile.Loaded<>(complete, lora);
  }

  private static String pathOf(String name) {
    String path = name.startsWith(PREFIX) ? name.substring(PREFIX.length()) : name;
    return path.replace(".default.", ".").replace(".modules_to_save.", ".");
  }

  /**
   * The path in the model of what a file calls by its path in another: an adapter of a model with a
   * head, in one without, and the other way round.
   */
  private static String located(String path, Set<String> parts) {
    int end = path.indexOf(".lora_");
    String module = path.substring(0, end < 0 ? Math.max(0, path.lastIndexOf('.')) : end);
    if (parts.contains(module)) {
      return path;
    }
    for (String base : BASE_MODELS) {
      if (module.startsWith(base) && parts.contains(module.substring(base.length()))) {
        return path.substring(base.length());
      }
      if (parts.contains(base + module)) {
        return base + path;
      }
    }
    return path;
  }

  private static Lora read(Json c, Part model) throws IOException {
    for (String feature : UNSUPPORTED) {
      if (c.has(feature)
          && !(c.get(feature).isBoolean() && !c.get(feature).asBoolean())
          && !(c.get(feature).isArray() && c.get(feature).elements().isEmpty())) {
        throw c.error(feature + " is not supported");
      }
    }
    if (c.has("init_lora_weights") && c.get("init_lora_weights").isString()) {
      String start = c.get("init_lora_weights").asString();
      if (FROM_THE_BASE.stream().anyMatch(start.toLowerCase(Locale.ROOT)::startsWith)) {
        throw c.error(
            "init_lora_weights \""
                + start
                + "\": such an adapter changes the base's weights too, which is not supported; save it"
                + " in Python with path_initial_model_for_weight_conversion, as an ordinary LoRA");
      }
    }
    if (!c.stringOr("bias", "none").equals("none")) {
      throw c.error("bias \"" + c.get("bias").asString() + "\" is not supported; none is");
    }
    try {
      return new Lora(
          c.intOr("r", 8),
          c.doubleOr("lora_alpha", 8),
          c.doubleOr("lora_dropout", 0),
          c.booleanOr("use_rslora", false),
          targets(c, model),
          AdapterFile.strings(c, "modules_to_save"),
          numbers(c, "rank_pattern", Json::asInt),
          numbers(c, "alpha_pattern", Json::asDouble));
    } catch (IllegalArgumentException e) {
      throw c.error(e.getMessage());
    }
  }

  private interface Number<V> {
    V of(Json value) throws IOException;
  }

  private static <V> Map<String, V> numbers(Json c, String name, Number<V> number)
      throws IOException {
    Map<String, V> out = new LinkedHashMap<>();
    if (c.has(name)) {
      for (Map.Entry<String, Json> e : c.get(name).members().entrySet()) {
        out.put(e.getKey(), number.of(e.getValue()));
      }
    }
    return out;
  }

  private static Targets targets(Json c, Part model) throws IOException {
    if (!c.has("target_modules")) {
      return Targets.standard(model);
    }
    Targets targets = modules(c, "target_modules");
    if (c.has("layers_to_transform")) {
      Json layers = c.get("layers_to_transform");
      List<Integer> numbers = new java.util.ArrayList<>();
      for (Json j : layers.isArray() ? layers.elements() : List.of(layers)) {
        numbers.add(j.asInt());
      }
      targets = targets.inLayers(numbers, AdapterFile.strings(c, "layers_pattern"));
    }
    boolean excludes =
        c.has("exclude_modules")
            && !(c.get("exclude_modules").isArray()
                && c.get("exclude_modules").elements().isEmpty());
    return excludes ? targets.without(modules(c, "exclude_modules")) : targets;
  }

  private static Targets modules(Json c, String name) throws IOException {
    Json t = c.get(name);
    return t.isString()
        ? new Targets(List.of(), t.asString())
        : new Targets(AdapterFile.strings(c, name), null);
  }
}
