package tacet.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.Parameter;
import tacet.tensor.Tensor;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.OnnxWeights;
import tacet.transformer.model.TextModels;
import tacet.transformer.text.Tokenizer;

/** A pre-trained model by name: a Hugging Face directory, or minilm. */
final class ModelSource implements AutoCloseable {
  static final String MINILM = "minilm";

  private static final String ONNX = "all-minilm-l6-v2.onnx";
  private static final String TOKENIZER = "all-minilm-l6-v2-tokenizer.json";

  /** What the model's config.json on the hub says; the artifact does not carry it. */
  private static final String MINILM_CONFIG =
      """
      {"architectures": ["BertModel"], "model_type": "bert", "vocab_size": 30522,
       "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12,
       "intermediate_size": 1536, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
       "attention_probs_dropout_prob": 0.1, "max_position_embeddings": 512,
       "type_vocab_size": 2, "layer_norm_eps": 1e-12, "initializer_range": 0.02,
       "pad_token_id": 0}
      """;

  private final String name;
  private final Checkpoint checkpoint;

  private ModelSource(String name, Checkpoint checkpoint) {
    this.name = name;
    this.checkpoint = checkpoint;
  }

  static ModelSource open(String model) throws IOException {
    if (model.equals(MINILM)) {
      try (InputStream in = resource(ONNX)) {
        Map<String, Tensor> tensors = OnnxWeights.read(in, ONNX);
        Json config = Json.parse(MINILM_CONFIG, "minilm's config.json");
        return new ModelSource(MINILM, Checkpoint.of(MINILM, config, tensors));
      }
    }
    Path dir = Path.of(model);
    if (!Files.isDirectory(dir)) {
      throw new UserException(
          "--model " + model + ": no such directory; name a Hugging Face directory, or minilm");
    }
    return new ModelSource(model, Checkpoint.open(dir));
  }

  private static InputStream resource(String file) throws IOException {
    InputStream in = ClassLoader.getSystemResourceAsStream(file);
    if (in == null) {
      throw new IOException(
          file + " is not on the class path; start Tacet with its launcher script, tacet");
    }
    return in;
  }

  /** The name as the user wrote it. */
  String name() {
    return name;
  }

  /** What config.json says. */
  Json config() {
    return checkpoint.config();
  }

  Tokenizer tokenizer() throws IOException {
    if (name.equals(MINILM)) {
      try (InputStream in = resource(TOKENIZER)) {
        return Tokenizer.parse(in.readAllBytes(), TOKENIZER);
      }
    }
    return Tokenizer.open(Path.of(name));
  }

  boolean hasHead() {
    return TextModels.hasClassifier(checkpoint);
  }

  int labels() throws IOException {
    return TextModels.labels(checkpoint);
  }

  TextModel encoder() throws IOException {
    return TextModels.encoder(checkpoint);
  }

  TextModels.Classifier classifier(int labels, long seed) throws IOException {
    return TextModels.classifier(checkpoint, labels, seed);
  }

  /** Parameters by the names that the model's file has for them. */
  Map<String, Parameter> fileNames(Map<String, Parameter> parameters) {
    Map<String, Parameter> named = new LinkedHashMap<>();
    parameters.forEach(
        (path, p) -> {
          String bare = path.startsWith("bert.") ? path.substring("bert.".length()) : path;
          boolean useBare = !checkpoint.contains(path) && checkpoint.contains(bare);
          named.put(useBare ? bare : path, p);
        });
    return named;
  }

  /** Writes a classifier as a Hugging Face directory with this model's configuration. */
  void save(Path dir, TextModel model, int labels, String activation) throws IOException {
    Map<String, Object> config = new LinkedHashMap<>(checkpoint.config().members());
    config.put("architectures", List.of("BertForSequenceClassification"));
    Map<String, Object> names = new LinkedHashMap<>();
    for (int i = 0; i < labels; i++) {
      names.put(Integer.toString(i), "LABEL_" + i);
    }
    config.put("id2label", names);
    if (activation != null) {
      config.put("hidden_act", activation);
    }
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    Surgery.parameters(model).forEach((path, p) -> tensors.put(path, p.value()));
    Checkpoint.write(dir, Json.of(config), tensors);
    if (!name.equals(MINILM)) {
      for (String file : new String[] {"tokenizer.json", "vocab.txt", "tokenizer_config.json"}) {
        Path from = Path.of(name).resolve(file);
        if (Files.exists(from)) {
          Files.copy(from, dir.resolve(file), StandardCopyOption.REPLACE_EXISTING);
        }
      }
    } else {
      try (InputStream in = resource(TOKENIZER)) {
        Files.write(dir.resolve("tokenizer.json"), in.readAllBytes());
      }
    }
  }

  @Override
  public void close() {
    checkpoint.close();
  }
}
