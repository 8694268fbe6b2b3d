package tacet.cli;

import java.io.IOException;
import java.nio.file.Path;
import tacet.deft.Ada;
import tacet.peft.AdapterFile;
import tacet.peft.Lora;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;

/**
 * A classifier as it is used: with its adapter merged where that costs nothing.
 *
 * @param model ready for inference
 * @param method how it was tuned, by its adapter; null without one
 */
record TunedModel(TextModel model, String method) {

  /**
   * Loads a classifier.
   *
   * @param adapter in peft's format; null for the model's own head
   * @throws UserException if there is neither an adapter nor a head
   */
  static TunedModel load(
      ModelOptions options, ModelSource source, Path adapter, int outputs, long seed)
      throws IOException {
    if (adapter == null && !source.hasClassifier()) {
      throw new UserException(
          source.name() + " has no classification head; name an adapter with --adapter");
    }
    TextModel base = options.classifier(source, outputs, seed).model();
    if (adapter == null) {
      return new TunedModel(base, null);
    }
    AdapterFile.Loaded<TextModel> loaded = source.adapted(base, adapter);
    TextModel used = Ada.finish(merged(Ada.load(adapter, loaded.model())));
    return new TunedModel(used, loaded.method().name());
  }

  /**
   * The model of a task as it is used: with an adapter merged and skipped blocks gone.
   *
   * @param adapter in peft's format; null for the model's own head
   * @throws UserException if there is neither an adapter nor a head
   */
  static <M extends Part> M of(Work<M> work, ModelSource source, Path adapter) throws IOException {
    if (adapter != null) {
      M adapted = source.adapted(work.model(), adapter).model();
      return Ada.finish(merged(Ada.load(adapter, adapted)));
    }
    if (!source.hasHead()) {
      throw new UserException(
          source.name() + " has no head for the task; name an adapter with --adapter");
    }
    return work.model();
  }

  /** With LoRA merged, unless weights are in fewer bits: merging would expand them. */
  static <P extends Part> P merged(P adapted) {
    boolean compact =
        Surgery.parameters(adapted).values().stream().anyMatch(p -> p.compact() != null);
    return compact ? adapted : Lora.merge(adapted);
  }
}
