package tacet.cli;

import java.io.IOException;
import picocli.CommandLine.Option;
import tacet.tensor.WeightFormat;
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

  /** How weights are kept. */
  enum Weights {
    f32(WeightFormat.F32),
    bf16(WeightFormat.BF16),
    f16(WeightFormat.F16),
    nf4(WeightFormat.NF4_NESTED);

    private final WeightFormat format;

    Weights(WeightFormat format) {
      this.format = format;
    }
  }

  @Option(
      names = "--weights",
      paramLabel = "FORMAT",
      description =
          "Keep the frozen weights of linear layers as ${COMPLETION-CANDIDATES} while running; those"
              + " stored in four bits stay so (f32).")
  private Weights weights = Weights.f32;

  @Option(names = "--no-double-quant", description = "With nf4: keep the scales in float32.")
  private boolean plainScales;

  private ModelOptions() {}

  ModelSource open() throws IOException {
    return open(weights);
  }

  /** The model with frozen weights in NF4. */
  ModelSource openQuantised() throws IOException {
    return open(Weights.nf4);
  }

  private ModelSource open(Weights kept) throws IOException {
    boolean plain = kept == Weights.nf4 && plainScales;
    return ModelSource.open(model, plain ? WeightFormat.NF4 : kept.format);
  }

  /** How weights are kept. */
  String weights() {
    return weights.name();
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
