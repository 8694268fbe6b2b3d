package tacet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.transformer.checkpoint.BitsAndBytes;
import tacet.transformer.checkpoint.SafeTensorsWriter;
import tacet.transformer.checkpoint.TensorInfo;

/** {@code tacet quantize}: the same model with the weights of its linear layers in fewer bits. */
@Command(
    name = "quantize",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Writes the model with the weights of its linear layers in fewer bits, as a Hugging Face"
          + " directory, and prints what that costs for each of them. Output layers, embeddings,"
          + " biases and norms stay as they are; of a T5 also wo, which transformers never"
          + " quantises."
    })
final class QuantizeCommand implements Callable<Integer> {
  @Option(
      names = "--model",
      required = true,
      paramLabel = "MODEL",
      description = "A Hugging Face directory, or minilm.")
  private String model;

  @Option(
      names = "--format",
      paramLabel = "FORMAT",
      description =
          "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}); nf4 as bitsandbytes stores it.")
  private QuantisedTensors.Format format = QuantisedTensors.Format.nf4;

  @Option(
      names = "--no-double-quant",
      description = "Of nf4: leave the scales in float32, 4.5 bits a weight instead of 4.13.")
  private boolean plainScales;

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "Where to write.")
  private Path out;

  @Mixin private Common common;

  private QuantizeCommand() {}

  @Override
  public Integer call() throws IOException {
    if (plainScales && format != QuantisedTensors.Format.nf4) {
      throw common.usage("--no-double-quant is for --format nf4");
    }
    try (ModelSource source = ModelSource.open(model)) {
      if (Files.exists(out)
          && Files.exists(Path.of(model))
          && Files.isSameFile(out, Path.of(model))) {
        throw new UserException("--out is the model itself; name another directory");
      }
      if (source.config().has("quantization_config")) {
        throw new UserException(model + " is quantised already");
      }
      List<String> kept = new ArrayList<>(BitsAndBytes.KEPT);
      if (source.config().get("model_type").asString().equals("t5")) {
        kept.add("wo");
      }
      Set<String> chosen = source.linearWeights(path -> !within(path, kept));
      Set<String> turned = source.turnedWeights();
      Progress progress = common.progress();
      SafeTensorsWriter writer = new SafeTensorsWriter();
      QuantisedTensors quantised = new QuantisedTensors(writer, format, !plainScales);
      long before = 0;
      long after = 0;
      int done = 0;
      for (String name : source.checkpoint().names()) {
        TensorInfo info = source.checkpoint().info(name);
        long size = info.byteSize();
        if (chosen.contains(name)) {
          size = quantised.add(info, source.checkpoint().read(name), turned.contains(name));
        } else {
          byte[] bytes = source.checkpoint().readBytes(name);
          writer.addBytes(name, info.dtype(), info.shape(), bytes);
        }
        before += info.byteSize();
        after += size;
        progress.update("quantising", ++done, source.checkpoint().names().size(), 0, "");
      }
      new ModelFolder(source).weights(out, writer, configuration(source, kept));
      quantised.print(common, before, after);
    }
    return 0;
  }

  private static boolean within(String path, List<String> names) {
    return names.stream().anyMatch(n -> ("." + path + ".").contains("." + n + "."));
  }

  private Map<String, Object> configuration(ModelSource source, List<String> kept)
      throws IOException {
    Map<String, Object> config = new LinkedHashMap<>(source.config().members());
    if (format == QuantisedTensors.Format.nf4) {
      config.put("quantization_config", BitsAndBytes.config(!plainScales, kept));
    } else {
      String key = config.containsKey("torch_dtype") ? "torch_dtype" : "dtype";
      config.put(key, format == QuantisedTensors.Format.bf16 ? "bfloat16" : "float16");
    }
    return config;
  }
}
