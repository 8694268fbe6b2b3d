package tacet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.transformer.Compact;
import tacet.transformer.ImageModel;
import tacet.transformer.Part;
import tacet.transformer.Seq2SeqModel;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensorsWriter;
import tacet.transformer.model.TextModels;

/**
 * Writes what was made of a model as a Hugging Face directory: with the configuration of the model it
 * came from, changed where it has to be, and with its tokenizer.
 *
 * @param source what it came from
 */
record ModelFolder(ModelSource source) {
  private static final List<String> TOKENIZER_FILES =
      List.of(
          "tokenizer.json",
          "vocab.txt",
          "vocab.json",
          "merges.txt",
          "tokenizer_config.json",
          "special_tokens_map.json",
          "added_tokens.json",
          "spiece.model",
          "generation_config.json",
          ModelSource.PREPROCESSOR);

  /** Weights under a configuration. */
  void weights(Path dir, SafeTensorsWriter weights, Map<String, Object> config) throws IOException {
    Checkpoint.write(dir, Json.of(config), weights);
    tokenizer(dir);
  }

  /** A model; with a head that the source has not, it is a classifier. */
  void whole(Path dir, Part model) throws IOException {
    Map<String, Object> config = new LinkedHashMap<>(source.config().members());
    if (!source.isImageModel() && source.head() == TextModels.Head.NONE) {
      config.put("architectures", List.of(TextModels.classifierName(source.config())));
    }
    write(dir, config, model);
  }

  /** A model with the head that the source has, and another activation. */
  void withActivation(Path dir, Part model, String activation) throws IOException {
    Map<String, Object> config = new LinkedHashMap<>(source.config().members());
    putActivation(config, activation);
    write(dir, config, model);
  }

  /**
   * A classifier of texts.
   *
   * @param activation null for the source's
   */
  void classifier(Path dir, TextModel model, int labels, String activation) throws IOException {
    save(dir, model, TextModels.classifierName(source.config()), labels, activation);
  }

  /** A model that points into texts. */
  void questionAnswering(Path dir, TextModel model, String activation) throws IOException {
    String name = source.type().equals("bert") ? "Bert" : "Roberta";
    save(dir, model, name + "ForQuestionAnswering", 2, activation);
  }

  /** A classifier of images. */
  void imageClassifier(Path dir, ImageModel model, int labels, String activation)
      throws IOException {
    save(dir, model, "ViTForImageClassification", labels, activation);
  }

  /** A model of text to text. */
  void seq2seq(Path dir, Seq2SeqModel model, String activation) throws IOException {
    save(dir, model, "T5ForConditionalGeneration", 0, activation);
  }

  private void save(Path dir, Part model, String architecture, int labels, String activation)
      throws IOException {
    Map<String, Object> config = new LinkedHashMap<>(source.config().members());
    config.put("architectures", List.of(architecture));
    if (labels > 0) {
      Map<String, Object> names = new LinkedHashMap<>();
      for (int i = 0; i < labels; i++) {
        names.put(Integer.toString(i), "LABEL_" + i);
      }
      config.put("id2label", names);
    }
    if (activation != null) {
      putActivation(config, activation);
    }
    write(dir, config, model);
  }

  private void putActivation(Map<String, Object> config, String activation) throws IOException {
    if (config.containsKey("feed_forward_proj")) {
      boolean gated = source.config().stringOr("feed_forward_proj", "relu").startsWith("gated");
      config.put("feed_forward_proj", (gated ? "gated-" : "") + activation);
    } else {
      config.put(
          config.containsKey("activation_function") ? "activation_function" : "hidden_act",
          activation);
    }
  }

  private void write(Path dir, Map<String, Object> config, Part model) throws IOException {
    config.remove("quantization_config"); // what is written is expanded
    boolean turned = source.type().equals("gpt2"); // its layers are [in, out] in files of floats
    Part whole = Compact.expanded(model, path -> turned && path.matches("(transformer\\.)?h\\..*"));
    SafeTensorsWriter tensors = new SafeTensorsWriter();
    Surgery.parameters(whole).forEach((path, p) -> tensors.add(path, p.source()));
    Checkpoint.write(dir, Json.of(config), tensors);
    tokenizer(dir);
  }

  private void tokenizer(Path dir) throws IOException {
    if (source.isBuiltIn()) {
      Files.write(dir.resolve("tokenizer.json"), ModelSource.builtInTokenizer());
    } else {
      copyTokenizer(Path.of(source.name()), dir);
    }
  }

  /** Copies what belongs to a tokenizer, from a directory or a single file. */
  static void copyTokenizer(Path from, Path dir) throws IOException {
    if (!Files.isDirectory(from)) {
      Files.copy(from, dir.resolve(from.getFileName()), StandardCopyOption.REPLACE_EXISTING);
      return;
    }
    for (String file : TOKENIZER_FILES) {
      if (Files.exists(from.resolve(file))) {
        Files.copy(from.resolve(file), dir.resolve(file), StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }
}
