package tacet.cli;

import java.io.IOException;
import java.nio.file.Path;
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
import tacet.peft.AdapterFile;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.transformer.Batch;
import tacet.transformer.ImageModel;
import tacet.transformer.Part;
import tacet.transformer.Seq2SeqModel;
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
          + " start_positions, end_positions, pixel_values, decoder_input_ids."
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

  @Mixin private DensityOptions densityOptions;
  @Mixin private Common common;

  private ForwardCommand() {}

  @Override
  public Integer call() throws IOException {
    DensityLoss densityLoss = densityOptions.loss();
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
      } else if (source.isSeq2Seq()) {
        Batch batch = in.batch(false);
        run(engine, source, sequences(source, batch, in), in, densityLoss, writer);
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

  /**
   * A model, what runs it, and its parameters by the names of the file whose they are.
   *
   * @param target tokens of the decoder; null for a model without one
   */
  private record Run<P extends Part>(
      P model,
      BiFunction<Pass, P, TextModel.Output> forward,
      Head head,
      Map<String, Parameter> named,
      Batch tokens,
      Batch target) {}

  private Run<TextModel> texts(ModelSource source, Batch batch) throws IOException {
    Head head = source.head();
    boolean newHead = adapter != null && source.needsClassifier(adapter); // it brings its weights
    TextModel base =
        model.withActivation(
            newHead ? source.classifier(source.labels(), 0).model() : source.model());
    return prepare(
        source,
        base,
        (pass, m) -> m.forward(pass, batch),
        newHead ? Head.CLASSIFIER : head,
        batch,
        null);
  }

  private Run<Seq2SeqModel> sequences(ModelSource source, Batch batch, ForwardInputs in)
      throws IOException {
    Seq2SeqModel base = model.withActivation(source.seq2seq());
    Batch target = in.target(base, batch.size());
    return prepare(
        source, base, (pass, m) -> m.forward(pass, batch, target), source.head(), batch, target);
  }

  private Run<ImageModel> images(ModelSource source, Tensor pixels) throws IOException {
    ImageModel base = model.withActivation(source.imageModel());
    Batch tokens = Batch.unpadded(pixels.shape().dim(0), source.imageTokens());
    return prepare(source, base, (pass, m) -> m.forward(pass, pixels), source.head(), tokens, null);
  }

  private <P extends Part> Run<P> prepare(
      ModelSource source,
      P base,
      BiFunction<Pass, P, TextModel.Output> forward,
      Head head,
      Batch tokens,
      Batch target)
      throws IOException {
    if (adapter != null) {
      AdapterFile.Loaded<P> loaded = source.adapted(base, adapter);
      Map<String, Parameter> named = AdapterFile.parameters(loaded.model(), loaded.method());
      Batch seen =
          switch (loaded.model()) {
            case TextModel m -> m.seen(tokens);
            case Seq2SeqModel m -> m.seen(tokens);
            default -> tokens;
          };
      return new Run<>(loaded.model(), forward, head, named, seen, target);
    }
    P m = Surgery.replaceParameters(base, (path, p) -> p.withTrainable(gradients));
    Map<String, Parameter> named = source.fileNames(Surgery.parameters(m));
    return new Run<>(m, forward, head, named, tokens, target);
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
      ForwardDensity density = null;
      P m = run.model;
      if (densityLoss != null) {
        m = Tap.onActivations(m);
        density = ForwardDensity.observe(densityLoss, pass, run.tokens, run.target);
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
        if (density != null) {
          density.write(pass, writer); // there is no loss to add it to
        }
        return;
      }
      Var loss = in.loss(pass, out.logits(), run.head, source.problemType());
      if (density != null) {
        loss = density.addTo(pass, loss, writer);
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
}
