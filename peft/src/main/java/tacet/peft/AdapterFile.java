package tacet.peft;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import tacet.autograd.Parameter;
import tacet.tensor.Tensor;
import tacet.transformer.Conv1D;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.checkpoint.AtomicFile;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensors;
import tacet.transformer.checkpoint.TensorFile;

/**
 * Adapters in the format of Hugging Face peft: a folder with {@code adapter_config.json} and {@code
 * adapter_model.safetensors}, whose tensors are named {@code base_model.model.} + path + {@code
 * .lora_A.weight}, {@code .lora_B.weight}, or the original name for a module that was trained whole.
 *
 * <p>A density-efficient adapter is an ordinary LoRA to peft; peft's own type {@code DEFT} is another
 * method and is never written.
 */
public final class AdapterFile {
  /** Prefix of all names in the file. */
  public static final String PREFIX = "base_model.model.";

  private static final String CONFIG = "adapter_config.json";
  private static final String WEIGHTS = "adapter_model.safetensors";

  private AdapterFile() {}

  // ------------------------------------------------------------------ writing

  /** The parameters that belong to the adapter, by their names in the file. */
  public static Map<String, Parameter> parameters(Part model, Lora lora) {
    Map<String, Parameter> out = new LinkedHashMap<>();
    Surgery.parameters(model)
        .forEach(
            (path, p) -> {
              boolean factor = path.endsWith(".lora_A.weight") || path.endsWith(".lora_B.weight");
              boolean whole = lora.modulesToSave().stream().anyMatch(m -> Targets.within(path, m));
              if (factor || whole) {
                out.put(PREFIX + path, p);
              }
            });
    return out;
  }

  /**
   * Writes the adapter of a model, each file beside and renamed.
   *
   * @param dir folder, made if need be
   * @param taskType peft's task type, for example SEQ_CLS
   * @param baseModel name or path of the base model, for peft's information
   */
  public static void save(Path dir, Part model, Lora lora, String taskType, String baseModel)
      throws IOException {
    Files.createDirectories(dir);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    parameters(model, lora).forEach((name, p) -> tensors.put(name, p.value()));
    SafeTensors.write(dir.resolve(WEIGHTS), tensors);
    AtomicFile.write(
        dir.resolve(CONFIG), Json.of(config(model, lora, taskType, baseModel)).pretty());
  }

  private static Map<String, Object> config(
      Part model, Lora lora, String taskType, String baseModel) {
    boolean transposed = // what peft has to be told, and Tacet sees
        Surgery.parts(model).values().stream()
            .anyMatch(p -> p instanceof LoraLinear l && l.base() instanceof Conv1D);
    Map<String, Object> c = new TreeMap<>();
    c.put("alpha_pattern", Map.of());
    c.put("auto_mapping", null);
    c.put("base_model_name_or_path", baseModel);
    c.put("bias", "none");
    c.put("fan_in_fan_out", transposed);
    c.put("inference_mode", true);
    c.put("init_lora_weights", true);
    c.put("layers_pattern", null);
    c.put("layers_to_transform", null);
    c.put("lora_alpha", lora.alpha());
    c.put("lora_dropout", lora.dropout());
    c.put("modules_to_save", lora.modulesToSave().isEmpty() ? null : lora.modulesToSave());
    c.put("peft_type", "LORA");
    c.put("r", lora.r());
    c.put("rank_pattern", Map.of());
    c.put("revision", null);
    c.put(
        "target_modules",
        lora.targets().pattern() == null ? lora.targets().names() : lora.targets().pattern());
    c.put("task_type", taskType);
    c.put("use_dora", false);
    c.put("use_rslora", lora.rankStabilised());
    return c;
  }

  // ------------------------------------------------------------------ reading

  /** A model with its adapter, and what the adapter is. */
  public record Loaded<P extends Part>(P model, Lora lora) {}

  /**
   * Puts the adapter of a folder into a model. The base's weights are shared, the model given is not
   * changed.
   *
   * @throws IOException if the folder is no adapter that Tacet knows, or does not fit the model
   */
  public static <P extends Part> Loaded<P> load(Path dir, P model) throws IOException {
    Path configFile = dir.resolve(CONFIG);
    if (!Files.exists(configFile)) {
      throw new IOException(dir + ": no " + CONFIG + " here; is it the folder of an adapter?");
    }
    Lora lora = readConfig(Json.read(configFile));
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    try (TensorFile file = TensorFile.open(dir.resolve(WEIGHTS))) {
      for (String name : file.names()) {
        tensors.put(pathOf(name), file.read(name));
      }
    }
    List<String> problems = new ArrayList<>();
    TreeSet<String> unused = new TreeSet<>(tensors.keySet());
    P adapted =
        lora.install(
            model,
            (path, layer) -> {
              Tensor a = take(path + ".lora_A.weight", tensors, unused, problems);
              Tensor b = take(path + ".lora_B.weight", tensors, unused, problems);
              check(path + ".lora_A", a, lora.r(), layer.in(), problems);
              check(path + ".lora_B", b, layer.out(), lora.r(), problems);
              return new Tensor[] {a, b};
            });
    P complete =
        Surgery.replaceParameters(
            adapted,
            (path, p) -> {
              if (!tensors.containsKey(path) || path.contains(".lora_")) {
                return p;
              }
              unused.remove(path);
              Tensor t = tensors.get(path);
              if (!t.shape().equals(p.value().shape())) {
                problems.add(
                    path + " has shape " + t.shape() + ", the model's is " + p.value().shape());
                return p;
              }
              return Parameter.trainable(t);
            });
    unused.forEach(name -> problems.add(name + " has no place in the model"));
    if (!problems.isEmpty()) {
      throw new IOException(
          dir.resolve(WEIGHTS) + ": does not fit the model: " + String.join("; ", problems));
    }
    return new Loaded<>(complete, lora);
  }

  private static String pathOf(String name) {
    String path = name.startsWith(PREFIX) ? name.substring(PREFIX.length()) : name;
    return path.replace(".default.", ".").replace(".modules_to_save.", ".");
  }

  private static Tensor take(
      String name, Map<String, Tensor> tensors, TreeSet<String> unused, List<String> problems) {
    unused.remove(name);
    Tensor t = tensors.get(name);
    if (t == null) {
      problems.add(name + " is missing");
      return Tensor.zeros(0, 0);
    }
    return t;
  }

  private static void check(String name, Tensor t, int rows, int columns, List<String> problems) {
    boolean fits = t.shape().rank() == 2 && t.shape().dim(0) == rows && t.shape().dim(1) == columns;
    if (!fits && t.size() > 0) {
      problems.add(name + " has shape " + t.shape() + ", expected [" + rows + ", " + columns + "]");
    }
  }

  private static Lora readConfig(Json c) throws IOException {
    String type = c.get("peft_type").asString();
    if (!type.equals("LORA")) {
      throw c.error("peft_type \"" + type + "\" is not supported; LORA is");
    }
    for (String feature :
        List.of(
            "use_dora",
            "lora_bias",
            "use_qalora",
            "layer_replication",
            "target_parameters",
            "trainable_token_indices")) {
      if (c.has(feature)
          && !(c.get(feature).isBoolean() && !c.get(feature).asBoolean())
          && !(c.get(feature).isArray() && c.get(feature).elements().isEmpty())) {
        throw c.error(feature + " is not supported");
      }
    }
    for (String pattern : List.of("rank_pattern", "alpha_pattern")) {
      if (c.has(pattern) && !c.get(pattern).members().isEmpty()) {
        throw c.error(pattern + " is not supported");
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
          targets(c),
          c.has("modules_to_save") ? strings(c.get("modules_to_save")) : List.of());
    } catch (IllegalArgumentException e) {
      throw c.error(e.getMessage());
    }
  }

  private static Targets targets(Json c) throws IOException {
    if (!c.has("target_modules")) {
      return Targets.of("query", "value");
    }
    Json t = c.get("target_modules");
    return t.isString() ? new Targets(List.of(), t.asString()) : new Targets(strings(t), null);
  }

  private static List<String> strings(Json array) throws IOException {
    List<String> out = new ArrayList<>();
    for (Json j : array.elements()) {
      out.add(j.asString());
    }
    return out;
  }
}
