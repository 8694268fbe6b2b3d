package tacet.peft;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import tacet.autograd.Parameter;
import tacet.tensor.Tensor;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.checkpoint.AtomicFile;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensors;
import tacet.transformer.checkpoint.TensorFile;

/**
 * Adapters as folders that Python libraries read and write: LoRA, prefix and prompt as Hugging Face
 * peft has them ({@code adapter_config.json} with {@code peft_type}, {@code
 * adapter_model.safetensors}), bottleneck adapters as AdapterHub's library has them (see {@link
 * AdapterHubFile}).
 *
 * <p>A density-efficient adapter is an ordinary adapter to peft; peft's own type {@code DEFT} is
 * another method and is never written.
 */
public final class AdapterFile {
  /** Prefix of all names of a LoRA. */
  public static final String PREFIX = LoraFile.PREFIX;

  static final String CONFIG = "adapter_config.json";
  private static final String WEIGHTS = "adapter_model.safetensors";
  private static final String PICKLED = "adapter_model.bin";

  private AdapterFile() {}

  // ------------------------------------------------------------------ writing

  /** The parameters that belong to the adapter, by their names in the file. */
  public static Map<String, Parameter> parameters(Part model, PeftMethod method) {
    return switch (method) {
      case Lora lora -> LoraFile.parameters(model, lora);
      case Prefix prefix -> VirtualTokensFile.parameters(model, prefix);
      case Prompt prompt -> VirtualTokensFile.parameters(model, prompt);
      case Bottleneck bottleneck -> AdapterHubFile.parameters(model, bottleneck);
      default -> throw unknown(method);
    };
  }

  /**
   * Writes the adapter of a model, each file beside and renamed.
   *
   * @param dir folder, made if need be
   * @param taskType peft's task type, for example SEQ_CLS
   * @param baseModel name or path of the base model, for the reader's information
   */
  public static void save(
      Path dir, Part model, PeftMethod method, String taskType, String baseModel)
      throws IOException {
    Files.createDirectories(dir);
    Map<String, Object> config =
        switch (method) {
          case Lora lora -> LoraFile.config(model, lora);
          case Prefix prefix -> VirtualTokensFile.config(model, prefix);
          case Prompt prompt -> VirtualTokensFile.config(model, prompt, taskType, baseModel);
          case Bottleneck bottleneck -> {
            AdapterHubFile.save(dir, model, bottleneck, baseModel);
            yield null;
          }
          default -> throw unknown(method);
        };
    if (config == null) {
      return;
    }
    config.put("auto_mapping", null);
    config.put("base_model_name_or_path", baseModel);
    config.put("inference_mode", true);
    config.put("modules_to_save", method.modulesToSave().isEmpty() ? null : method.modulesToSave());
    config.put("revision", null);
    config.put("task_type", taskType);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    parameters(model, method).forEach((name, p) -> tensors.put(name, p.value()));
    SafeTensors.write(dir.resolve(WEIGHTS), tensors);
    AtomicFile.write(dir.resolve(CONFIG), Json.of(config).pretty());
  }

  private static IllegalArgumentException unknown(PeftMethod method) {
    return new IllegalArgumentException(
        "there is no file format for adapters of the method " + method.name());
  }

  // ------------------------------------------------------------------ reading

  /** A model with its adapter, and what the adapter is. */
  public record Loaded<P extends Part>(P model, PeftMethod method) {}

  /**
   * Puts the adapter of a folder into a model. The base's weights are shared, the model given is not
   * changed.
   *
   * @throws IOException if the folder is no adapter that Tacet knows, or does not fit the model
   */
  public static <P extends Part> Loaded<P> load(Path dir, P model) throws IOException {
    Json c = config(dir);
    if (isHub(c)) {
      return AdapterHubFile.load(dir, c, model);
    }
    String type = c.get("peft_type").asString();
    Path file = dir.resolve(Files.exists(dir.resolve(WEIGHTS)) ? WEIGHTS : PICKLED);
    Contents in = Contents.read(file);
    try {
      Loaded<P> loaded =
          switch (type) {
            case "LORA" -> LoraFile.load(c, in, model);
            case "PREFIX_TUNING", VirtualTokensFile.PAPER_PREFIX ->
                VirtualTokensFile.loadPrefix(c, in, model);
            case "PROMPT_TUNING", "P_TUNING" -> VirtualTokensFile.loadPrompt(c, in, model);
            default ->
                throw c.error(
                    "peft_type \""
                        + type
                        + "\" is not supported; LORA, PREFIX_TUNING, PROMPT_TUNING and P_TUNING are");
          };
      in.finish();
      return loaded;
    } catch (IllegalArgumentException e) { // what the method itself refuses
      throw new IOException(dir.resolve(CONFIG) + ": " + e.getMessage(), e);
    }
  }

  /**
   * Whether an adapter's folder has parts of a model that were trained whole, such as a head.
   *
   * @throws IOException if it is no adapter's folder, or its configuration is damaged
   */
  public static boolean hasModules(Path dir) throws IOException {
    Json c = config(dir);
    return isHub(c) ? AdapterHubFile.hasHead(dir) : !strings(c, "modules_to_save").isEmpty();
  }

  private static Json config(Path dir) throws IOException {
    Path file = dir.resolve(CONFIG);
    if (!Files.exists(file)) {
      throw new IOException(dir + ": no " + CONFIG + " here; is it the folder of an adapter?");
    }
    return Json.read(file);
  }

  private static boolean isHub(Json c) throws IOException {
    return !c.has("peft_type") && c.has("config");
  }

  /** The tensors of an adapter's file, and account of what does not fit. */
  record Contents(
      Path file, Map<String, Tensor> tensors, TreeSet<String> unused, List<String> problems) {
    static Contents read(Path file) throws IOException {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      try (TensorFile in = TensorFile.open(file)) {
        for (String name : in.names()) {
          tensors.put(name, in.read(name));
        }
      }
      return new Contents(file, tensors, new TreeSet<>(tensors.keySet()), new ArrayList<>());
    }

    /** The same under other names. */
    Contents renamed(UnaryOperator<String> names) {
      Map<String, Tensor> other = new LinkedHashMap<>();
      tensors.forEach((name, t) -> other.put(names.apply(name), t));
      unused.clear(); // the new view keeps account
      return new Contents(file, other, new TreeSet<>(other.keySet()), problems);
    }

    /** A tensor of the given extents; zeros and a note where there is none. */
    Tensor take(String name, int... dims) {
      unused.remove(name);
      Tensor t = tensors.get(name);
      tacet.tensor.Shape expected = tacet.tensor.Shape.of(dims);
      if (t == null) {
        problems.add(name + " is missing");
      } else if (!t.shape().equals(expected)) {
        problems.add(name + " has shape " + t.shape() + ", expected " + expected);
      } else {
        return t;
      }
      return Tensor.zeros(expected);
    }

    /**
     * The model with the file's tensors in the place of parameters of the modules to save.
     *
     * @param saved modules that the file must have whole, if the model has them
     */
    <P extends Part> P modules(P model, List<String> saved, UnaryOperator<String> nameOf) {
      return Surgery.replaceParameters(
          model,
          (path, p) -> {
            String name = nameOf.apply(path);
            if (name == null || !unused.remove(name)) {
              if (name != null && !tensors.containsKey(name) && Adapted.isSaved(path, saved)) {
                problems.add(name + " is missing");
              }
              return p;
            }
            Tensor t = tensors.get(name);
            if (!t.shape().equals(p.shape())) {
              problems.add(name + " has shape " + t.shape() + ", the model's is " + p.shape());
              return p;
            }
            return Parameter.trainable(t);
          });
    }

    void finish() throws IOException {
      unused.forEach(name -> problems.add(name + " has no place in the model"));
      if (!problems.isEmpty()) {
        throw new IOException(file + ": does not fit the model: " + String.join("; ", problems));
      }
    }
  }

  static List<String> strings(Json c, String name) throws IOException {
    List<String> out = new ArrayList<>();
    if (c.has(name)) {
      if (c.get(name).isString()) {
        return List.of(c.get(name).asString());
      }
      for (Json j : c.get(name).elements()) {
        if (!out.contains(j.asString())) {
          out.add(j.asString());
        }
      }
    }
    return out;
  }
}
