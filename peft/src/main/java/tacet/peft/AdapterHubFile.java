package tacet.peft;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import tacet.autograd.Nonlinearity;
import tacet.autograd.Parameter;
import tacet.tensor.Tensor;
import tacet.transformer.Activation;
import tacet.transformer.Join;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.checkpoint.AtomicFile;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensors;

/**
 * Bottleneck adapters in the files of AdapterHub's {@code adapters} library: {@code
 * adapter_config.json} with {@code adapter.safetensors} (read and written) or {@code
 * pytorch_adapter.bin} (read), and the classification head beside them in {@code head_config.json}
 * with {@code model_head.safetensors} or {@code pytorch_model_head.bin}.
 *
 * <p>The adapter's name is part of the tensors' names. Heads have the names of the library's
 * flexible heads ({@code heads.NAME.1.weight}) where its head computes what the model's does: dense,
 * tanh and dense over the first token in BERT and RoBERTa, one layer in ViT. Other heads keep their
 * own names, as in the library's models with fixed heads.
 */
final class AdapterHubFile {
  private static final String HEAD_CONFIG = "head_config.json";
  private static final List<String> WEIGHTS = List.of("adapter.safetensors", "pytorch_adapter.bin");
  private static final List<String> HEADS =
      List.of("model_head.safetensors", "pytorch_model_head.bin");
  private static final List<String> BASE_MODELS =
      List.of("bert.", "roberta.", "transformer.", "vit.", "model.");
  private static final String VERSION = "adapters.1.2.0"; // whose format this is

  /** Options of the library that are not done; what they must be. */
  private static final Map<String, Object> ONLY =
      Map.of(
          "original_ln_after", true,
          "ln_before", false,
          "ln_after", false,
          "is_parallel", false,
          "use_gating", false,
          "adapter_residual_before_ln", false,
          "cross_adapter", false,
          "phm_layer", false,
          "residual_before_ln", true);

  private AdapterHubFile() {}

  // ------------------------------------------------------------------ names

  /** The names of the parameters of an adapter in the tree, and in the file behind {@code NAME.}. */
  private static final Map<String, String> PARAMETERS =
      Map.of(
          "adapter_down.weight", "adapter_down.0.weight",
          "adapter_down.bias", "adapter_down.0.bias",
          "adapter_up.weight", "adapter_up.weight",
          "adapter_up.bias", "adapter_up.bias");

  /** Where the library has the adapter of a join. */
  private static String place(String join, String adapter) {
    int dot = join.lastIndexOf('.');
    String block = join.substring(0, dot);
    String place =
        switch (join.substring(dot + 1)) {
          case "attn_join" -> ".attention_adapters";
          case "mlp_join" ->
              block.contains("encoder.layer.") ? ".output.output_adapters" : ".output_adapters";
          default -> "";
        };
    return block + place + ".adapters." + adapter + ".";
  }

  /** The name in the file of a parameter of an adapter in the tree; null for others. */
  private static String adapterName(String path, String adapter) {
    for (Map.Entry<String, String> e : PARAMETERS.entrySet()) {
      if (path.endsWith("." + e.getKey())) {
        String join = path.substring(0, path.length() - e.getKey().length() - 1);
        return place(join, adapter) + e.getValue();
      }
    }
    return null;
  }

  /**
   * The modules of the model's head by their numbers in a flexible head; empty where there is none
   * that computes the same.
   *
   * @param two whether it has two layers
   */
  private static Map<String, String> flexibleHead(Set<String> paths, boolean two) {
    if (paths.contains("classifier.out_proj.weight")) {
      return two ? Map.of("1", "classifier.dense", "4", "classifier.out_proj") : Map.of();
    }
    if (!paths.contains("classifier.weight")) {
      return Map.of();
    }
    return two
        ? paths.contains("bert.pooler.dense.weight")
            ? Map.of("1", "bert.pooler.dense", "4", "classifier")
            : Map.of()
        : Map.of("1", "classifier");
  }

  /** Whether the adapter's head has two layers: BERT's pooler may be the base's. */
  private static boolean twoLayers(Set<String> paths, List<String> saved) {
    return paths.contains("classifier.out_proj.weight")
        || paths.contains("bert.pooler.dense.weight")
            && Adapted.isSaved("bert.pooler.dense.weight", saved);
  }

  private static String headName(String path, String adapter, Map<String, String> flexible) {
    for (Map.Entry<String, String> e : flexible.entrySet()) {
      if (path.startsWith(e.getValue() + ".")) {
        return "heads." + adapter + "." + e.getKey() + path.substring(e.getValue().length());
      }
    }
    return path;
  }

  static Map<String, Parameter> parameters(Part model, Bottleneck method) {
    Map<String, Parameter> out = new LinkedHashMap<>(adapter(model, method));
    out.putAll(head(model, method));
    return out;
  }

  private static Map<String, Parameter> adapter(Part model, Bottleneck method) {
    Map<String, Parameter> out = new LinkedHashMap<>();
    Surgery.parameters(model)
        .forEach(
            (path, p) -> {
              String name = adapterName(path, method.adapter());
              if (name != null) {
                out.put(name, p);
              }
            });
    return out;
  }

  private static Map<String, Parameter> head(Part model, Bottleneck method) {
    Map<String, Parameter> all = Surgery.parameters(model);
    List<String> saved = method.modulesToSave();
    Map<String, String> flexible = flexibleHead(all.keySet(), twoLayers(all.keySet(), saved));
    Map<String, Parameter> out = new LinkedHashMap<>();
    all.forEach(
        (path, p) -> {
          if (adapterName(path, "x") == null && Adapted.isSaved(path, saved)) {
            out.put(headName(path, method.adapter(), flexible), p);
          }
        });
    return out;
  }

  // ------------------------------------------------------------------ writing

  static void save(Path dir, Part model, Bottleneck method, String baseModel) throws IOException {
    Map<String, Parameter> head = head(model, method);
    if (!head.isEmpty()) {
      write(dir.resolve(HEADS.get(0)), head);
      AtomicFile.write(
          dir.resolve(HEAD_CONFIG),
          Json.of(about(model, method, baseModel, headConfig(model, head, method))).pretty());
    }
    write(dir.resolve(WEIGHTS.get(0)), adapter(model, method));
    AtomicFile.write(
        dir.resolve(AdapterFile.CONFIG),
        Json.of(about(model, method, baseModel, config(method))).pretty());
  }

  private static void write(Path file, Map<String, Parameter> parameters) throws IOException {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    parameters.forEach((name, p) -> tensors.put(name, p.value()));
    SafeTensors.write(file, tensors);
  }

  private static Map<String, Object> about(
      Part model, Bottleneck method, String baseModel, Map<String, Object> config) {
    int[] width = new int[1];
    Surgery.replace(
        model,
        (path, part) -> {
          width[0] = part instanceof Join j ? j.width() : width[0];
          return part;
        });
    String[] type = modelType(Surgery.parameters(model).keySet());
    Map<String, Object> c = new TreeMap<>();
    c.put("config", config);
    c.put("hidden_size", width[0]);
    c.put("model_class", type[1]);
    c.put("model_name", baseModel);
    c.put("model_type", type[0]);
    c.put("name", method.adapter());
    c.put("version", VERSION);
    return c;
  }

  /** model_type and the library's class in whose models the names are those written here. */
  private static String[] modelType(Set<String> paths) {
    String[][] types = {
      {"roberta.", "roberta", "RobertaAdapterModel"},
      {"bert.", "bert", "BertAdapterModel"},
      {"vit.", "vit", "ViTAdapterModel"},
      {"score.", "gpt2", "GPT2ForSequenceClassification"},
      {"transformer.", "gpt2", "GPT2LMHeadModel"},
      {"encoder.block.", "t5", "T5ForConditionalGeneration"}
    };
    boolean opt = paths.stream().anyMatch(p -> p.startsWith("model.decoder."));
    if (opt) {
      boolean head = paths.stream().anyMatch(p -> p.startsWith("score."));
      return new String[] {"opt", head ? "OPTForSequenceClassification" : "OPTForCausalLM"};
    }
    for (String[] t : types) {
      if (paths.stream().anyMatch(p -> p.startsWith(t[0]))) {
        return new String[] {t[1], t[2]};
      }
    }
    return new String[] {null, null};
  }

  private static Map<String, Object> config(Bottleneck b) {
    Map<String, Object> c = new TreeMap<>(ONLY);
    c.put("architecture", null);
    c.put("dropout", b.dropout());
    c.put("init_weights", "bert");
    c.put("inv_adapter", null);
    c.put("inv_adapter_reduction_factor", null);
    c.put("leave_out", List.of());
    c.put("mh_adapter", b.afterAttention());
    c.put("output_adapter", b.afterMlp());
    c.put(
        "non_linearity",
        b.activation().kind() == Nonlinearity.SILU ? "swish" : b.activation().toString());
    c.put("original_ln_before", b.normFirst());
    c.put("reduction_factor", b.reduction());
    c.put("scaling", (double) b.scaling());
    return c;
  }

  private static Map<String, Object> headConfig(
      Part model, Map<String, Parameter> head, Bottleneck method) {
    boolean flexible = head.keySet().stream().anyMatch(n -> n.startsWith("heads."));
    if (!flexible) {
      return null; // a fixed head: its class says what it is
    }
    Set<String> paths = Surgery.parameters(model).keySet();
    boolean two = twoLayers(paths, method.modulesToSave());
    boolean image = paths.stream().anyMatch(p -> p.startsWith("vit."));
    int labels =
        head.get("heads." + method.adapter() + (two ? ".4." : ".1.") + "bias").shape().size();
    Map<String, Object> names = new LinkedHashMap<>();
    for (int i = 0; i < labels; i++) {
      names.put("LABEL_" + i, i);
    }
    Map<String, Object> c = new TreeMap<>();
    c.put("activation_function", "tanh");
    c.put("bias", true);
    c.put("dropout_prob", null);
    c.put("head_type", image ? "image_classification" : "classification");
    c.put("label2id", names);
    c.put("layers", two ? 2 : 1);
    c.put("num_labels", labels);
    c.put("use_pooler", !two && !image);
    return c;
  }

  // ------------------------------------------------------------------ reading

  static <P extends Part> AdapterFile.Loaded<P> load(Path dir, Json c, P model) throws IOException {
    Path headFile = existing(dir, HEADS);
    AdapterFile.Contents head =
        headFile == null ? null : AdapterFile.Contents.read(headFile).renamed(n -> n);
    String name = c.stringOr("name", "default");
    Map<String, String> flexible = Map.of();
    List<String> saved = new ArrayList<>();
    Set<String> paths = Surgery.parameters(model).keySet();
    if (head != null) {
      flexible = readHead(dir, head, paths);
      savedModules(paths, head, flexible, saved);
    }
    Path file = existing(dir, WEIGHTS);
    if (file == null) {
      throw new IOException(dir + ": no adapter here: none of " + String.join(", ", WEIGHTS));
    }
    AdapterFile.Contents in = AdapterFile.Contents.read(file).renamed(AdapterHubFile::withoutBase);
    Bottleneck method = read(c, name, saved);
    P adapted;
    try {
      adapted =
          method.install(
              model,
              (path, d) -> {
                String at = withoutBase(place(path, name));
                int b = method.bottleneck(d);
                return new Tensor[] {
                  in.take(at + "adapter_down.0.weight", b, d),
                  in.take(at + "adapter_down.0.bias", b),
                  in.take(at + "adapter_up.weight", d, b),
                  in.take(at + "adapter_up.bias", d)
                };
              });
    } catch (IllegalArgumentException e) {
      throw new IOException(dir.resolve(AdapterFile.CONFIG) + ": " + e.getMessage(), e);
    }
    in.finish();
    if (head != null) {
      Map<String, String> map = flexible;
      String headName = headNameIn(head);
      adapted = head.modules(adapted, saved, path -> headName(path, headName, map));
      head.finish();
    }
    return new AdapterFile.Loaded<>(adapted, method);
  }

  /** Whether there is a head beside the adapter. */
  static boolean hasHead(Path dir) {
    return existing(dir, HEADS) != null;
  }

  private static Path existing(Path dir, List<String> names) {
    return names.stream().map(dir::resolve).filter(Files::exists).findFirst().orElse(null);
  }

  /** Models with heads have the name of the base model before all names, bare ones do not. */
  private static String withoutBase(String name) {
    for (String base : BASE_MODELS) {
      if (name.startsWith(base)) {
        return name.substring(base.length());
      }
    }
    return name;
  }

  /** The name of the flexible head in a file; a head may be called otherwise than the adapter. */
  private static String headNameIn(AdapterFile.Contents head) {
    return head.tensors().keySet().stream()
        .filter(n -> n.startsWith("heads."))
        .map(n -> n.split("\\.")[1])
        .findFirst()
        .orElse("");
  }

  private static Map<String, String> readHead(
      Path dir, AdapterFile.Contents head, Set<String> paths) throws IOException {
    if (headNameIn(head).isEmpty()) {
      return Map.of();
    }
    Json about = Json.read(dir.resolve(HEAD_CONFIG));
    Json c = about.get("config");
    int layers = c.intOr("layers", 2);
    String activation = c.stringOr("activation_function", "tanh");
    boolean pooled = c.booleanOr("use_pooler", false);
    boolean hasPooler = paths.contains("bert.pooler.dense.weight");
    Map<String, String> flexible =
        layers == 1 || layers == 2 ? flexibleHead(paths, layers == 2) : Map.of();
    boolean same =
        !flexible.isEmpty()
            && (layers == 1 || activation.equals("tanh"))
            && (layers == 2 ? !pooled : pooled == hasPooler);
    if (!same) {
      throw c.error(
          "a head of "
              + layers
              + " layers with activation "
              + activation
              + (pooled ? " over the pooler" : "")
              + " is not what this model has");
    }
    return flexible;
  }

  /** The modules of the model that the head's file has. */
  private static void savedModules(
      Set<String> paths,
      AdapterFile.Contents head,
      Map<String, String> flexible,
      List<String> saved) {
    if (!flexible.isEmpty()) {
      flexible.values().stream()
          .map(m -> m.startsWith("classifier.") ? "classifier" : m)
          .distinct()
          .sorted()
          .forEach(saved::add);
      return;
    }
    head.tensors().keySet().stream()
        .filter(paths::contains)
        .map(n -> n.substring(0, n.lastIndexOf('.')))
        .distinct()
        .forEach(saved::add);
  }

  private static Bottleneck read(Json about, String name, List<String> saved) throws IOException {
    Json c = about.get("config");
    if (c.has("architecture") && !c.get("architecture").isNull()) {
      throw c.error(
          "architecture "
              + c.get("architecture")
              + " is not supported; bottleneck adapters are, and LoRA and prefixes in peft's files");
    }
    for (Map.Entry<String, Object> e : ONLY.entrySet()) {
      boolean as = e.getValue().equals(true);
      Json value = c.has(e.getKey()) ? c.get(e.getKey()) : null;
      if (value != null && !(value.isBoolean() && value.asBoolean() == as)) {
        throw c.error(e.getKey() + " " + value + " is not supported; " + as + " is");
      }
    }
    if (c.has("inv_adapter") || c.has("leave_out") && !c.get("leave_out").elements().isEmpty()) {
      throw c.error("inv_adapter and leave_out are not supported");
    }
    Json reduction = c.get("reduction_factor");
    Json scaling = c.has("scaling") ? c.get("scaling") : null;
    if (!reduction.isNumber() || scaling != null && !scaling.isNumber()) {
      throw c.error("reduction_factor and scaling must be numbers, one for all layers");
    }
    String activation = c.get("non_linearity").asString();
    if (!about.has("version")) { // written by adapter-transformers, which had other names
      activation =
          switch (activation) {
            case "gelu" -> "gelu_new";
            case "gelu_orig" -> "gelu";
            default -> activation;
          };
    }
    try {
      return new Bottleneck(
          c.get("mh_adapter").asBoolean(),
          c.get("output_adapter").asBoolean(),
          c.booleanOr("original_ln_before", false),
          reduction.asDouble(),
          Activation.of(activation),
          scaling == null ? 1 : (float) scaling.asDouble(),
          c.doubleOr("dropout", 0),
          name,
          saved);
    } catch (IllegalArgumentException e) {
      throw c.error(e.getMessage());
    }
  }
}
