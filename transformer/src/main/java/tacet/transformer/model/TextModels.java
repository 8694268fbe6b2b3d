package tacet.transformer.model;

import java.io.IOException;
import java.util.List;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.Weights;

/** Chooses the architecture that a configuration names. */
public final class TextModels {
  private TextModels() {}

  /**
   * The encoder of a checkpoint without its head, frozen.
   *
   * @throws IOException if the model_type is not supported, or tensors are missing, left over or of
   *     another shape
   */
  public static TextModel encoder(Checkpoint checkpoint) throws IOException {
    requireBert(checkpoint.config());
    Weights w = checkpoint.weights();
    w.ignore("cls.", "classifier.");
    TextModel model = Bert.model(Bert.Config.of(checkpoint.config()), w);
    w.finish();
    return model;
  }

  /**
   * A classifier, and what is new in it.
   *
   * @param model frozen
   * @param newModules paths of the linear layers that the checkpoint lacks and that were drawn from
   *     the seed: they must be trained, and saved with an adapter
   */
  public record Classifier(TextModel model, List<String> newModules) {}

  /**
   * The sequence classifier of a checkpoint; a head (and pooler) that the file lacks is new.
   *
   * @param labels outputs of the head, 1 for a regression
   */
  public static Classifier classifier(Checkpoint checkpoint, int labels, long seed)
      throws IOException {
    requireBert(checkpoint.config());
    Weights w = checkpoint.weights();
    w.ignore("cls."); // the heads of pre-training
    TextModel model = Bert.classifier(Bert.Config.of(checkpoint.config()), w, labels, seed);
    w.finish();
    List<String> modules =
        w.newlyInitialised().stream()
            .map(name -> name.substring(0, name.lastIndexOf('.')))
            .distinct()
            .toList();
    return new Classifier(model, modules);
  }

  /** Number of outputs of the head that the configuration describes. */
  public static int labels(Checkpoint checkpoint) throws IOException {
    requireBert(checkpoint.config());
    return Bert.Config.of(checkpoint.config()).labels();
  }

  /** Whether the checkpoint has the head of a classifier. */
  public static boolean hasClassifier(Checkpoint checkpoint) {
    return checkpoint.contains("classifier.weight");
  }

  private static void requireBert(Json config) throws IOException {
    String type = config.get("model_type").asString();
    if (!type.equals("bert")) {
      throw config.error("model_type \"" + type + "\" is not supported; bert is");
    }
  }
}
