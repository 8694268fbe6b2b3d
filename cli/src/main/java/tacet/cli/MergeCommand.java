package tacet.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.peft.AdapterFile;
import tacet.peft.Lora;
import tacet.transformer.Part;
import tacet.transformer.checkpoint.Json;

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

  @Mixin private Common common;

  private MergeCommand() {}

  @Override
  public Integer call() throws IOException {
    try (ModelSource source = ModelSource.open(model)) {
      Part base = source.adaptable(adapter);
      AdapterFile.Loaded<Part> loaded = AdapterFile.load(adapter, base);
      if (!(loaded.method() instanceof Lora)) {
        throw new UserException(
            adapter
                + ": an adapter of the method "
                + loaded.method().name()
                + " cannot be merged; only LoRA can");
      }
      source.saveWhole(out, Lora.merge(loaded.model()));
    }
    if (common.json) {
      Map<String, Object> result = new LinkedHashMap<>();
      result.put("out", out.toString());
      common.out().println(Json.of(result));
    }
    return 0;
  }
}
