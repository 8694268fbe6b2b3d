package tacet.cli;

import java.io.IOException;
import picocli.CommandLine.Option;
import tacet.transformer.Activation;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.model.TextModels;

/** Which model, and with which activation. */
final class ModelOptions {
  @Option(
      names = "--model",
      required = true,
      paramLabel = "MODEL",
      description = "A Hugging Face directory, or minilm (all-MiniLM-L6-v2, comes with Tacet).")
  private String model;

  @Option(
      names = "--activation",
      paramLabel = "NAME",
      description =
          "Put this activation in the place of the model's: relu, gelu, gelu_new or silu.")
  private String activation;

  private ModelOptions() {}

  ModelSource open() throws IOException {
    return ModelSource.open(model);
  }

  /** The same where a config.json without weights is enough: only shapes are known then. */
  ModelSource openShapes() throws IOException {
    return ModelSource.openShapes(model);
  }

  /** The classifier of the model, new where the file has no head, with the chosen activation. */
  TextModels.Classifier classifier(ModelSource source, int labels, long seed) throws IOException {
    TextModels.Classifier c = source.classifier(labels, seed);
    return new TextModels.Classifier(withActivation(c.model()), c.head(), c.newModules());
  }

  <P extends Part> P withActivation(P m) {
    return activation == null ? m : withActivation(m, activation);
  }

  static <P extends Part> P withActivation(P m, String name) {
    Activation chosen = Activation.of(name);
    return Surgery.replace(m, (path, part) -> part instanceof Activation ? chosen : part);
  }

  /** The chosen activation, or null. */
  String chosen() {
    return activation;
  }

  /** The chosen activation; "as in the model" if none was. */
  String activation() {
    return activation == null ? "as in the model" : activation;
  }
}
