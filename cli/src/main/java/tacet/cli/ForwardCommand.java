package tacet.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.autograd.Losses;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.deft.DensityLoss;
import tacet.deft.Padding;
import tacet.peft.AdapterFile;
import tacet.tensor.Engine;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.Kernels;
import tacet.transformer.Batch;
import tacet.transformer.Surgery;
import tacet.transformer.Tap;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensors;
import tacet.transformer.checkpoint.SafeTensorsWriter;
import tacet.transformer.checkpoint.TensorInfo;

/** {@code tacet forward}: tensors in, tensors out; the way to compare with PyTorch. */
@Command(
    name = "forward",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Runs a model on tensors from a safetensors file and writes logits, loss, hidden states and"
          + " gradients.",
      "Inputs are named as in Hugging Face: input_ids, attention_mask, token_type_ids, labels."
    })
final class ForwardCommand implements Callable<Integer> {
  @Mixin private ModelOptions model;

  @Option(names = "--adapter", paramLabel = "DIR", description = "An adapter in peft's format.")
  private Path adapter;

  @Option(names = "--inputs", required = true, paramLabel = "F", description = "Tensors to read.")
  private Path inputs;

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
    try (Engine engine = common.engine();
        SafeTensors in = SafeTensors.open(inputs);
        ModelSource source = model.open()) {
      Batch batch = batch(in);
      TextModel base =
          model.withActivation(
              source.hasHead() || adapter != null
                  ? source.classifier(source.labels(), 0).model()
                  : source.encoder());
      Map<String, Parameter> named; // by the names of the file whose parameters they are
      TextModel m;
      if (adapter != null) {
        AdapterFile.Loaded<TextModel> loaded = AdapterFile.load(adapter, base);
        m = loaded.model();
        named = AdapterFile.parameters(m, loaded.lora());
      } else {
        m = Surgery.replaceParameters(base, (path, p) -> p.withTrainable(gradients));
        named = source.fileNames(Surgery.parameters(m));
      }
      SafeTensorsWriter writer = new SafeTensorsWriter();
      run(engine, m, batch, in, densityLoss, named, writer);
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

  private void run(
      Engine engine,
      TextModel m,
      Batch batch,
      SafeTensors in,
      DensityLoss densityLoss,
      Map<String, Parameter> named,
      SafeTensorsWriter writer)
      throws IOException {
    try (Pass pass = gradients ? Pass.gradient(engine) : Pass.inference(engine)) {
      DensityLoss.Terms terms = null;
      List<double[]> densities = new ArrayList<>();
      TextModel run = m;
      if (densityLoss != null) {
        run = Tap.onActivations(m);
        terms = densityLoss.observe(pass, batch, v -> densities.add(shares(pass, batch, v)));
      }
      TextModel.Output out = run.forward(pass, batch);
      if (out.logits() == null) {
        Var last = out.hidden().get(out.hidden().size() - 1);
        writer.add("last_hidden_state", last.value().copy());
      } else {
        writer.add("logits", out.logits().value().copy());
      }
      for (int i = 0; hiddenStates && i < out.hidden().size(); i++) {
        writer.add("hidden." + i, out.hidden().get(i).value().copy());
      }
      if (!in.names().contains("labels") || out.logits() == null) {
        if (gradients) {
          throw new UserException(
              inputs + ": --gradients needs labels in the inputs and a model with a head");
        }
        return;
      }
      Var loss = loss(pass, out.logits(), in);
      if (terms != null) {
        Var d = terms.loss(pass);
        writer.add("density_loss", d.value().copy());
        writer.add("density", exact(densities, densityLoss.padding(), batch));
        loss = terms.addTo(pass, loss, d);
      }
      writer.add("loss", loss.value().copy());
      if (gradients) {
        pass.backward(loss);
        named.forEach(
            (name, p) -> {
              if (p.gradient() != null) {
                writer.add("grad." + name, p.gradient());
              }
            });
      }
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

  private Var loss(Pass pass, Var logits, SafeTensors in) throws IOException {
    TensorInfo info = in.info("labels");
    int examples = logits.shape().rows();
    boolean regression = logits.shape().last() == 1;
    if (info.dims().isEmpty() || info.dims().get(0) != examples) {
      throw new UserException(inputs + ": labels must be one per example, " + examples + " here");
    }
    if (regression) {
      return Losses.meanSquaredError(pass, logits, in.read("labels").toArray());
    }
    return Losses.crossEntropy(
        pass, logits, Arrays.stream(in.readLongs("labels")).mapToInt(Math::toIntExact).toArray());
  }

  private Batch batch(SafeTensors in) throws IOException {
    Map<String, int[]> arrays = new LinkedHashMap<>();
    Shape shape = in.read("input_ids").shape();
    if (shape.rank() != 2) {
      throw new UserException(inputs + ": input_ids must be [batch, length], it is " + shape);
    }
    for (String name : List.of("input_ids", "attention_mask", "token_type_ids")) {
      int[] values = new int[shape.size()];
      if (in.names().contains(name)) {
        if (!in.read(name).shape().equals(shape)) {
          throw new UserException(
              inputs
                  + ": "
                  + name
                  + " has shape "
                  + in.read(name).shape()
                  + ", input_ids "
                  + shape);
        }
        values = Arrays.stream(in.readLongs(name)).mapToInt(Math::toIntExact).toArray();
      } else if (name.equals("attention_mask")) {
        Arrays.fill(values, 1);
      }
      arrays.put(name, values);
    }
    return new Batch(
        shape.dim(0),
        shape.dim(1),
        arrays.get("input_ids"),
        arrays.get("token_type_ids"),
        arrays.get("attention_mask"));
  }
}
