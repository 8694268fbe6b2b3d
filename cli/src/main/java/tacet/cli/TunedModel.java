package tacet.cli;

import java.io.IOException;
import java.nio.file.Path;
import tacet.deft.Ada;
import tacet.peft.Lora;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;

/** A classifier as it is used: with its adapter merged where that costs nothing. */
final class TunedModel {
  private TunedModel() {}

  /**
   * Loads a classifier.
   *
   * @param adapter in peft's format; null for the model's own head
   * @throws UserException if there is neither an adapter nor a head
   */
  static TextModel load(
      ModelOptions options, ModelSource source, Path adapter, int outputs, long seed)
      throws IOException {
    if (adapter == null && !source.hasClassifier()) {
      throw new UserException(
          source.name() + " has no classification head; name an adapter with --adapter");
    }
    TextModel base = options.classifier(source, outputs, seed).model();
    if (adapter == null) {
      return base;
    }
    return Ada.finish(merged(Ada.load(adapter, source.adapted(base, adapter).model())));
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
