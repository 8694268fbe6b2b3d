package tacet.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.autograd.Parameter;
import tacet.peft.AdapterFile;
import tacet.peft.Lora;
import tacet.tensor.Tensor;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensorsWriter;

/** {@code tacet merge}: a model with a LoRA folded into its weights, as a directory of its own. */
@Command(
    name = "merge",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Folds a LoRA into the weights of a model and writes a Hugging Face directory.",
      "The other methods add layers or tokens, which no weight can take up."
    })
final class MergeCommand implements Callable<Integer> {
  @Option(
      names = "--model",
      required = true,
      paramLabel = "MODEL",
      description = "A Hugging Face directory, or minilm.")
  private String model;

  @Option(
      names = "--adapter",
      required = true,
      paramLabel = "DIR",
      description = "A LoRA in peft's format.")
  private Path adapter;

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "Where to write.")
  private Path out;

  @Option(
      names = "--requantize",
      description =
          "Of a base in four bits: quantise what was merged again, and print what that costs (it is"
              + " written in float32).")
  private boolean requantise;

  @Mixin private Common common;

  private MergeCommand() {}

  @Override
  public Integer call() throws IOException {
    try (ModelSource source = ModelSource.open(model)) {
      Part base = source.adaptable(adapter);
      AdapterFile.Loaded<Part> loaded = source.adapted(base, adapter);
      if (!(loaded.method() instanceof Lora)) {
        throw new UserException(
            adapter
                + ": an adapter of the method "
                + loaded.method().name()
                + " cannot be merged; only LoRA can");
      }
      if (requantise) {
        requantise(source, base, Lora.merge(loaded.model()));
        return 0;
      }
      new ModelFolder(source).whole(out, Lora.merge(loaded.model()));
    }
    if (common.json) {
      Map<String, Object> result = new LinkedHashMap<>();
      result.put("out", out.toString());
      common.out().println(Json.of(result));
    }
    return 0;
  }

  /** The layers that were in four bits are again, all else is written as it is. */
  private void requantise(ModelSource source, Part base, Part merged) throws IOException {
    Map<String, Parameter> before = Surgery.parameters(base);
    if (before.values().stream().noneMatch(p -> p.compact() != null)) {
      throw new UserException(model + " is not in four bits; leave out --requantize");
    }
    Json quantisation = source.config().get("quantization_config");
    boolean nested = quantisation.booleanOr("bnb_4bit_use_double_quant", false);
    SafeTensorsWriter writer = new SafeTensorsWriter();
    QuantisedTensors tensors = new QuantisedTensors(writer, QuantisedTensors.Format.nf4, nested);
    long floats = 0;
    long bytes = 0;
    for (Map.Entry<String, Parameter> e : Surgery.parameters(merged).entrySet()) {
      Parameter old = before.get(e.getKey());
      Tensor value = e.getValue().value();
      floats += 4L * value.size();
      if (old != null && old.compact() != null) {
        bytes += tensors.addNf4(e.getKey(), 4L * value.size(), value);
      } else {
        writer.add(e.getKey(), value);
        bytes += 4L * value.size();
      }
    }
    new ModelFolder(source).weights(out, writer, new LinkedHashMap<>(source.config().members()));
    tensors.print(common, floats, bytes);
  }
}
