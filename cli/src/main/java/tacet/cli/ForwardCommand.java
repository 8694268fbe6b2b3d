package tacet.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.BiFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.deft.DensityLoss;
import tacet.deft.Padding;
import tacet.peft.AdapterFile;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.Kernels;
import tacet.transformer.Batch;
import tacet.transformer.ImageModel;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.Tap;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensors;
import tacet.transformer.checkpoint.SafeTensorsWriter;
import tacet.transformer.model.TextModels.Head;
import tacet.transformer.model.Vit;

/** {@code tacet forward}: tensors in, tensors out; the way to compare with PyTorch. */
@Command(
    name = "forward",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Runs a model on tensors from a safetensors file and writes logits, loss, hidden states and"
          + " gradients.",
      "Inputs are named as in Hugging Face: input_ids, attention_mask, token_type_ids, labels,"
          + " start_positions, end_positions, pixel_values."
    })
final class ForwardCommand implements Callable<Integer> {
  @Mixin private ModelOptions model;

  @Option(
      names = "--adapter",
      paramLabel = "DIR",
      description = "An adapter in peft's or AdapterHub's format.")
  private Path adapter;

  @Option(names = "--inputs", paramLabel = "F", description = "Tensors to read.")
  private Path inputs;

  @Option(
      names = "--images",
      split = ",",
      paramLabel = "F",
      description = "PNG or JPEG files, preprocessed as the model wants: in place of pixel_values.")
  private List<Path> images = List.of();

  @Option(names = "--output", required = true, paramLabel = "F", description = "File to write.")
  private Path output;

  @Option(names = "--hidden-states", description = "Write hidden.0, hidden.1, …")
  private boolean hiddenStates;

  @Option(
      names = "--gradients",
      description = "Write grad.NAME for every parameter (with --adapter: the adapter's).")
  private boolean gradients;

  @Mixin private DensityOptions density;
  @Mixin private Common common;

  private ForwardCommand() {}

  @Override
  public Integer call() throws IOException {
    DensityLoss densityLoss = density.loss();
    if (inputs == null && images.isEmpty()) {
      throw common.usage("--inputs is missing, and so is --images");
    }
    try (Engine engine = common.engine();
        SafeTensors file = inputs == null ? null : SafeTensors.open(inputs);
        ModelSource source = model.open()) {
      ForwardInputs in = new ForwardInputs(inputs, file);
      SafeTensorsWriter writer = new SafeTensorsWriter();
      if (source.isImageModel()) {
        Tensor pixels = images.isEmpty() ? in.pixels() : source.pixels(images);
        run(engine, source, images(source, pixels), in, densityLoss, writer);
      } else {
        Batch batch = in.batch(source.hasTokenTypes());
        run(engine, source, texts(source, batch), in, densityLoss, writer);
      }
      writer.write(output);
    }
    if (common.json) {
      printResult();
    }
    return 0;
  }

  /** The file written, its tensors with their shapes, and the loss where there is one. */
  private void printResult() throws IOException {
    Map<String, Object> shapes = new LinkedHashMap<>();
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("output", output.toString());
    try (SafeTensors written = SafeTensors.open(output)) {
      for (String name : written.names()) {
        shapes.put(name, written.info(name).dims());
      }
      if (written.names().contains("loss")) {
        result.put("loss", written.read("loss").item());
      }
    }
    result.put("tensors", shapes);
    common.out().println(Json.of(result));
  }

  /** A model, what runs it, and its parameters by the names of the file whose they are. */
  private record Run<P extends Part>(
      P model,
      BiFunction<Pass, P, TextModel.Output> forward,
      Head head,
      Map<String, Parameter> named,
      Batch tokens) {}

  private Run<TextModel> texts(ModelSource source, Batch batch) throws IOException {
    Head head = source.head();
    boolean newHead = head == Head.NONE && adapter != null; // the adapter brings its weights
    TextModel base =
        model.withActivation(
            newHead ? source.classifier(source.labels(), 0).model() : source.model());
    return prepare(
        source, base, (pass, m) -> m.forward(pass, batch), newHead ? Head.CLASSIFIER : head, batch);
  }

  private Run<ImageModel> images(ModelSource source, Tensor pixels) throws IOException {
    ImageModel base = model.withActivation(source.imageModel());
    Batch tokens = Batch.unpadded(pixels.shape().dim(0), source.imageTokens());
    return prepare(source, base, (pass, m) -> m.forward(pass, pixels), source.head(), tokens);
  }

  private <P extends Part> Run<P> prepare(
      ModelSource source,
      P base,
      BiFunction<Pass, P, TextModel.Output> forward,
      Head head,
      Batch tokens)
      throws IOException {
    if (adapter != null) {
      AdapterFile.Loaded<P> loaded = AdapterFile.load(adapter, base);
      Map<String, Parameter> named = AdapterFile.parameters(loaded.model(), loaded.method());
      Batch seen = loaded.model() instanceof TextModel t ? t.seen(tokens) : tokens;
      return new Run<>(loaded.model(), forward, head, named, seen);
    }
    P m = Surgery.replaceParameters(base, (path, p) -> p.withTrainable(gradients));
    return new Run<>(m, forward, head, source.fileNames(Surgery.parameters(m)), tokens);
  }

  private <P extends Part> void run(
      Engine engine,
      ModelSource source,
      Run<P> run,
      ForwardInputs in,
      DensityLoss densityLoss,
      SafeTensorsWriter writer)
      throws IOException {
    try (Pass pass = gradients ? Pass.gradient(engine) : Pass.inference(engine)) {
      DensityLoss.Terms terms = null;
      List<double[]> densities = new ArrayList<>();
      P m = run.model;
      if (densityLoss != null) {
        m = Tap.onActivations(m);
        terms =
            densityLoss.observe(pass, run.tokens, v -> densities.add(shares(pass, run.tokens, v)));
      }
      TextModel.Output out = run.forward.apply(pass, m);
      writeLogits(pass, m, out, run.head, writer);
      for (int i = 0; hiddenStates && i < out.hidden().size(); i++) {
        writer.add("hidden." + i, out.hidden().get(i).value().copy());
      }
      if (!in.hasLabels(run.head)) {
        if (gradients) {
          throw new UserException(
              (inputs == null ? "--images" : inputs)
                  + ": --gradients needs labels in the inputs and a model with a head");
        }
        return;
      }
      Var loss = in.loss(pass, out.logits(), run.head, source.problemType());
      if (terms != null) {
        Var d = terms.loss(pass);
        writer.add("density_loss", d.value().copy());
        writer.add("density", exact(densities, densityLoss.padding(), run.tokens));
        loss = terms.addTo(pass, loss, d);
      }
      writer.add("loss", loss.value().copy());
      if (gradients) {
        pass.backward(loss);
        run.named.forEach(
            (name, p) -> {
              if (p.gradient() != null) {
                writer.add("grad." + name, p.gradient());
              }
            });
      }
    }
  }

  private static void writeLogits(
      Pass pass, Part m, TextModel.Output out, Head head, SafeTensorsWriter writer) {
    if (head == Head.NONE) {
      Var last = out.hidden().get(out.hidden().size() - 1);
      Var end = m instanceof Vit.Model vit ? vit.layernorm().forward(pass, last) : last;
      writer.add("last_hidden_state", end.value().copy());
    } else if (head == Head.QUESTION_ANSWERING) {
      int b = out.logits().shape().dim(0);
      int s = out.logits().shape().dim(1);
      for (int end = 0; end < 2; end++) {
        Tensor logits = Tensor.zeros(b, s);
        for (int t = 0; t < b * s; t++) {
          logits.data()[t] = out.logits().value().data()[2 * t + end];
        }
        writer.add(end == 0 ? "start_logits" : "end_logits", logits);
      }
    } else {
      writer.add("logits", out.logits().value().copy());
    }
  }

  /** Share of non-zeros per token. */
  private static double[] shares(Pass pass, Batch batch, Var activation) {
    Kernels kernels = pass.kernels();
    int f = activation.shape().last();
    double[] shares = new double[batch.size() * batch.length()];
    for (int t = 0; t < shares.length; t++) {
      shares[t] = kernels.countAbove(activation.value().data(), t * f, f, 0) / (double) f;
    }
    return shares;
  }

  private static Tensor exact(List<double[]> densities, Padding padding, Batch batch) {
    float[] weights = padding.tokenWeights(batch);
    Tensor t = Tensor.zeros(densities.size());
    for (int l = 0; l < densities.size(); l++) {
      double sum = 0;
      for (int i = 0; i < weights.length; i++) {
        sum += weights[i] * densities.get(l)[i];
      }
      t.data()[l] = (float) sum;
    }
    return t;
  }
}
