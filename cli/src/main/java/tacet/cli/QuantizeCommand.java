package tacet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.tensor.Nf4;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.HalfMatrix;
import tacet.transformer.checkpoint.BitsAndBytes;
import tacet.transformer.checkpoint.DType;
import tacet.transformer.checkpoint.Json;
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
  /** What the weights become. */
  enum Format {
    nf4,
    bf16,
    f16
  }

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
  private Format format = Format.nf4;

  @Option(
      names = "--no-double-quant",
      description = "Of nf4: leave the scales in float32, 4.5 bits a weight instead of 4.13.")
  private boolean plainScales;

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "Where to write.")
  private Path out;

  @Mixin private Common common;

  private QuantizeCommand() {}

  /** What became of a tensor. */
  private record Row(
      String name, List<Long> dims, long before, long after, double error, double largest) {}

  @Override
  public Integer call() throws IOException {
    if (plainScales && format != Format.nf4) {
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
      List<Row> rows = new ArrayList<>();
      long before = 0;
      long after = 0;
      int done = 0;
      for (String name : source.checkpoint().names()) {
        TensorInfo info = source.checkpoint().info(name);
        long size = info.byteSize();
        if (chosen.contains(name)) {
          Row row = quantize(source, name, turned.contains(name), writer);
          rows.add(row);
          size = row.after;
        } else {
          byte[] bytes = source.checkpoint().readBytes(name);
          writer.addBytes(name, info.dtype(), info.shape(), bytes);
        }
        before += info.byteSize();
        after += size;
        progress.update("quantising", ++done, source.checkpoint().names().size(), 0, "");
      }
      source.save(out, writer, configuration(source, kept));
      print(rows, before, after);
    }
    return 0;
  }

  private static boolean within(String path, List<String> names) {
    return names.stream().anyMatch(n -> ("." + path + ".").contains("." + n + "."));
  }

  private Row quantize(ModelSource source, String name, boolean inFirst, SafeTensorsWriter writer)
      throws IOException {
    TensorInfo info = source.checkpoint().info(name);
    Tensor w = source.checkpoint().read(name);
    int rows = w.shape().dim(0);
    int columns = w.shape().last();
    if (format == Format.nf4) {
      float[] values = inFirst ? transposed(w.data(), rows, columns) : w.data();
      int outputs = inFirst ? columns : rows;
      Nf4 nf4;
      try {
        nf4 = Nf4.quantize(values, w.size());
      } catch (IllegalArgumentException e) {
        throw info.error(e.getMessage());
      }
      nf4 = plainScales ? nf4 : nf4.nested();
      BitsAndBytes.Stored stored = new BitsAndBytes.Stored(nf4, outputs, inFirst ? rows : columns);
      BitsAndBytes.add(writer, name, stored);
      long bytes = BitsAndBytes.bytes(nf4);
      return row(info, values, nf4.expand(), bytes);
    }
    DType dtype = format == Format.bf16 ? DType.BF16 : DType.F16;
    float[] rounded = new float[w.size()];
    for (int i = 0; i < rounded.length; i++) {
      float v = w.data()[i];
      rounded[i] =
          dtype == DType.BF16
              ? HalfMatrix.fromBf16(HalfMatrix.toBf16(v))
              : Float.float16ToFloat(Float.floatToFloat16(v));
      if (!Float.isFinite(rounded[i])) {
        throw info.error(format + " cannot hold " + v + ", value " + i);
      }
    }
    writer.add(name, w, dtype);
    return row(info, w.data(), rounded, 2L * w.size());
  }

  private static float[] transposed(float[] w, int rows, int columns) {
    float[] t = new float[w.length];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        t[c * rows + r] = w[r * columns + c];
      }
    }
    return t;
  }

  /** The root of the squared error against that of the squares, and the largest error. */
  private static Row row(TensorInfo info, float[] before, float[] after, long bytes) {
    double error = 0;
    double squares = 0;
    double largest = 0;
    for (int i = 0; i < after.length; i++) {
      double d = (double) after[i] - before[i];
      error += d * d;
      squares += (double) before[i] * before[i];
      largest = Math.max(largest, Math.abs(d));
    }
    double relative = squares == 0 ? 0 : Math.sqrt(error / squares);
    return new Row(info.name(), info.dims(), info.byteSize(), bytes, relative, largest);
  }

  private Map<String, Object> configuration(ModelSource source, List<String> kept)
      throws IOException {
    Map<String, Object> config = new LinkedHashMap<>(source.config().members());
    if (format == Format.nf4) {
      config.put("quantization_config", BitsAndBytes.config(!plainScales, kept));
    } else {
      String key = config.containsKey("torch_dtype") ? "torch_dtype" : "dtype";
      config.put(key, format == Format.bf16 ? "bfloat16" : "float16");
    }
    return config;
  }

  private void print(List<Row> rows, long before, long after) {
    PrintWriter o = common.out();
    if (common.json) {
      List<Map<String, Object>> tensors = new ArrayList<>();
      for (Row r : rows) {
        Map<String, Object> t = new LinkedHashMap<>();
        t.put("name", r.name);
        t.put("shape", r.dims);
        t.put("bytes_before", r.before);
        t.put("bytes", r.after);
        t.put("relative_error", r.error);
        t.put("largest_error", r.largest);
        tensors.add(t);
      }
      Map<String, Object> all = new LinkedHashMap<>();
      all.put("format", format.name());
      all.put("double_quant", format == Format.nf4 && !plainScales);
      all.put("tensors", tensors);
      all.put("bytes_before", before);
      all.put("bytes", after);
      o.println(Json.of(all));
      return;
    }
    int width = rows.stream().mapToInt(r -> r.name.length()).max().orElse(6);
    String line = "%-" + width + "s  %16s %12s %12s %9s %9s%n";
    o.printf(Locale.ROOT, line, "tensor", "shape", "bytes", "were", "error", "largest");
    for (Row r : rows) {
      String shape = r.dims.toString();
      String error = String.format(Locale.ROOT, "%.2e", r.error);
      String largest = String.format(Locale.ROOT, "%.2e", r.largest);
      o.printf(Locale.ROOT, line, r.name, shape, r.after, r.before, error, largest);
    }
    o.printf(
        Locale.ROOT,
        "%d tensors as %s; the whole model: %d bytes, were %d (%.2f); error is the root mean square"
            + " error, as a share of the root mean square%n",
        rows.size(),
        format,
        after,
        before,
        (double) after / before);
  }
}
