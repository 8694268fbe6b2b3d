package tacet.transformer.model;

import java.io.IOException;
import java.util.List;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.CheckpointException;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.Weights;

/** Chooses the architecture and the head that a configuration names. */
public final class TextModels {
  private TextModels() {}

  /** What stands on top of a model, and so what its logits mean. */
  public enum Head {
    /** Nothing: hidden states only. */
    NONE,
    /** Logits [B, C] of classes, or one number of a regression. */
    CLASSIFIER,
    /** Logits [B, S, 2] of where an answer starts and ends. */
    QUESTION_ANSWERING,
    /** Logits [B, S, V] of the next token. */
    LANGUAGE_MODEL,
    /** Logits [B, St, V] of a target's tokens, for a source. */
    SEQUENCE_TO_SEQUENCE
  }

  /** The heads of pre-training and of other tasks, which a model with a given head leaves alone. */
  private static final String[] OTHER_HEADS = {
    "cls.", "lm_head.", "classifier.", "score.", "qa_outputs."
  };

  // ------------------------------------------------------------------ what a checkpoint is

  /**
   * The head of a checkpoint: the one whose weights the file has, else the one that the
   * configuration's architecture has. A language model's head is usually tied to the embeddings and
   * not in the file.
   *
   * @throws IOException if the model_type is not supported, or the head is one that judges tokens or
   *     choices, whose weights have the names of a classifier's
   */
  public static Head head(Checkpoint checkpoint) throws IOException {
    String type = type(checkpoint.config());
    String name = architecture(checkpoint.config());
    if (hasClassifier(checkpoint)) {
      if (name.endsWith("ForTokenClassification") || name.endsWith("ForMultipleChoice")) {
        throw checkpoint
            .config()
            .error(
                "architectures: the head of a "
                    + name
                    + " is not supported; those of sequence classification, question answering and"
                    + " language models are");
      }
      return Head.CLASSIFIER;
    }
    if (checkpoint.contains("qa_outputs.weight")) {
      return Head.QUESTION_ANSWERING;
    }
    boolean decoder = type.equals("gpt2") || type.equals("opt");
    boolean bare = name.endsWith("Model") && !name.endsWith("LMHeadModel");
    return decoder && !bare ? Head.LANGUAGE_MODEL : Head.NONE;
  }

  private static String architecture(Json config) throws IOException {
    if (!config.has("architectures")) {
      return "";
    }
    List<Json> names = config.get("architectures").elements();
    return names.isEmpty() ? "" : names.get(0).asString();
  }

  /** Number of outputs of the head that the configuration describes. */
  public static int labels(Checkpoint checkpoint) throws IOException {
    return Loader.labels(checkpoint.config());
  }

  /** The longest sequence, in tokens, for which a model has positions. */
  public static int longest(Json config) throws IOException {
    return switch (type(config)) {
      case "bert" -> Bert.Config.of(config).positions();
      case "roberta" -> {
        Bert.Config c = Bert.Config.of(config);
        yield c.positions() - c.padId() - 1;
      }
      case "gpt2" -> Gpt2.Config.of(config).positions();
      default -> Opt.Config.of(config).positions();
    };
  }

  /** What Hugging Face calls the class of a sequence classifier with this configuration. */
  public static String classifierName(Json config) throws IOException {
    return switch (type(config)) {
      case "bert" -> "BertForSequenceClassification";
      case "roberta" -> "RobertaForSequenceClassification";
      case "gpt2" -> "GPT2ForSequenceClassification";
      default -> "OPTForSequenceClassification";
    };
  }

  /** Whether the checkpoint has the head of a classifier. */
  public static boolean hasClassifier(Checkpoint checkpoint) {
    return checkpoint.contains("classifier.weight")
        || checkpoint.contains("classifier.out_proj.weight")
        || checkpoint.contains("score.weight");
  }

  // ------------------------------------------------------------------ loading

  /**
   * The model of a checkpoint with the head that it has, frozen.
   *
   * @throws IOException if the model_type is not supported, or tensors are missing, left over or of
   *     another shape
   */
  public static TextModel open(Checkpoint checkpoint) throws IOException {
    return switch (head(checkpoint)) {
      case NONE -> encoder(checkpoint);
      case CLASSIFIER -> whole(checkpoint, classifier(checkpoint, labels(checkpoint), 0));
      case QUESTION_ANSWERING -> questionAnswering(checkpoint, 0).model();
      case LANGUAGE_MODEL -> languageModel(checkpoint);
      case SEQUENCE_TO_SEQUENCE -> throw new AssertionError("no text model has this head");
    };
  }

  /** The model, if nothing in it is new: logits of random weights would look like others. */
  private static TextModel whole(Checkpoint checkpoint, Classifier c) throws IOException {
    if (!c.newModules.isEmpty()) {
      List<String> missing = c.newModules.stream().map(m -> m + ".weight").toList();
      throw new CheckpointException(checkpoint.name(), missing, List.of(), List.of());
    }
    return c.model;
  }

  /** The model of a checkpoint without its head, frozen; see {@link #open}. */
  public static TextModel encoder(Checkpoint checkpoint) throws IOException {
    Json config = checkpoint.config();
    Weights w = checkpoint.weights();
    w.ignore(OTHER_HEADS);
    TextModel model =
        switch (type(config)) {
          case "bert" -> Bert.model(Bert.Config.of(config), w);
          case "roberta" -> Roberta.model(Bert.Config.of(config), w);
          case "gpt2" -> Gpt2.model(Gpt2.Config.of(config), w);
          default -> Opt.model(Opt.Config.of(config), w);
        };
    w.finish();
    return model;
  }

  /** A language model, frozen; see {@link #open}. */
  public static TextModel languageModel(Checkpoint checkpoint) throws IOException {
    Json config = checkpoint.config();
    Weights w = checkpoint.weights();
    w.ignore("score.", "classifier.", "qa_outputs.");
    TextModel model =
        switch (type(config)) {
          case "gpt2" -> Gpt2.languageModel(Gpt2.Config.of(config), w);
          case "opt" -> Opt.languageModel(Opt.Config.of(config), w);
          default -> throw config.error("a " + type(config) + " is no language model");
        };
    w.finish();
    return model;
  }

  /**
   * A model with the head of a task, and what is new in it.
   *
   * @param model frozen
   * @param head path of the head
   * @param newModules paths of the linear layers that the checkpoint lacks and that were drawn from
   *     the seed: they must be trained, and saved with an adapter
   */
  public record Classifier(TextModel model, String head, List<String> newModules) {}

  /**
   * The sequence classifier of a checkpoint; a head (and pooler) that the file lacks is new.
   *
   * @param labels outputs of the head, 1 for a regression
   */
  public static Classifier classifier(Checkpoint checkpoint, int labels, long seed)
      throws IOException {
    Json config = checkpoint.config();
    Weights w = checkpoint.weights();
    w.ignore("cls.", "lm_head.", "qa_outputs."); // the heads of pre-training and other tasks
    String head = "classifier";
    TextModel model;
    switch (type(config)) {
      case "bert" -> model = Bert.classifier(Bert.Config.of(config), w, labels, seed);
      case "roberta" -> {
        w.ignore("pooler.", "roberta.pooler.");
        model = Roberta.classifier(Bert.Config.of(config), w, labels, seed);
      }
      case "gpt2" -> {
        head = "score";
        model = Gpt2.classifier(Gpt2.Config.of(config), w, labels, seed);
      }
      default -> {
        head = "score";
        model = Opt.classifier(Opt.Config.of(config), w, labels, seed);
      }
    }
    w.finish();
    return new Classifier(model, head, newModules(w));
  }

  /** The question answering model of an encoder; a head that the file lacks is new. */
  public static Classifier questionAnswering(Checkpoint checkpoint, long seed) throws IOException {
    Json config = checkpoint.config();
    Weights w = checkpoint.weights();
    w.ignore("cls.", "lm_head.", "classifier.", "pooler.", "bert.pooler.", "roberta.pooler.");
    TextModel model =
        switch (type(config)) {
          case "bert" -> Bert.questionAnswering(Bert.Config.of(config), w, seed);
          case "roberta" -> Roberta.questionAnswering(Bert.Config.of(config), w, seed);
          default ->
              throw config.error(
                  "question answering with a "
                      + type(config)
                      + " is not supported; use an encoder");
        };
    w.finish();
    return new Classifier(model, "qa_outputs", newModules(w));
  }

  private static List<String> newModules(Weights w) {
    return w.newlyInitialised().stream()
        .map(name -> name.substring(0, name.lastIndexOf('.')))
        .distinct()
        .toList();
  }

  private static String type(Json config) throws IOException {
    String type = config.get("model_type").asString();
    if (!List.of("bert", "roberta", "gpt2", "opt").contains(type)) {
      throw config.error(
          "model_type \"" + type + "\" is not supported; bert, roberta, gpt2 and opt are");
    }
    return type;
  }
}
