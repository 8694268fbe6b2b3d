package tacet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tacet.tensor.Nf4;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.HalfMatrix;
import tacet.transformer.checkpoint.BitsAndBytes;
import tacet.transformer.checkpoint.DType;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensorsWriter;
import tacet.transformer.checkpoint.TensorInfo;

/** Weights on their way into a file in fewer bits, and what that costs for each of them. */
final class QuantisedTensors {
  /** What the weights become. */
  enum Format {
    nf4,
    bf16,
    f16
  }

  /** What became of a tensor. */
  private record Row(
      String name, List<Long> dims, long before, long after, double error, double largest) {}

  private final SafeTensorsWriter writer;
  private final Format format;
  private final boolean nested;
  private final List<Row> rows = new ArrayList<>();

  /**
   * Nothing yet.
   *
   * @param nested of nf4: whether scales are quantised too
   */
  QuantisedTensors(SafeTensorsWriter writer, Format format, boolean nested) {
    this.writer = writer;
    this.format = format;
    this.nested = nested;
  }

  /**
   * Adds the weight of a linear layer.
   *
   * @param info what the file says of it
   * @param inFirst whether it is [in, out]; NF4 turns it first, as transformers does
   * @return bytes that it takes now
   */
  long add(TensorInfo info, Tensor w, boolean inFirst) throws IOException {
    if (format == Format.nf4) {
      try {
        return addNf4(info.name(), info.byteSize(), inFirst ? transposed(w) : w);
      } catch (IllegalArgumentException e) {
        throw info.error(e.getMessage());
      }
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
    writer.add(info.name(), w, dtype);
    return row(info.name(), w, info.byteSize(), rounded, 2L * w.size());
  }

  /**
   * Adds a weight [out, in] in NF4.
   *
   * @param before bytes that it took
   * @throws IllegalArgumentException if a value is not finite
   */
  long addNf4(String name, long before, Tensor w) {
    Nf4 plain = Nf4.quantize(w.data(), w.size());
    Nf4 nf4 = nested ? plain.nested() : plain;
    int out = w.shape().dim(0);
    BitsAndBytes.add(writer, name, new BitsAndBytes.Stored(nf4, out, w.shape().last()));
    return row(name, w, before, nf4.expand(), BitsAndBytes.bytes(nf4));
  }

  private static Tensor transposed(Tensor w) {
    int in = w.shape().dim(0);
    int out = w.shape().last();
    Tensor t = Tensor.zeros(Shape.of(out, in));
    for (int i = 0; i < in; i++) {
      for (int o = 0; o < out; o++) {
        t.data()[o * in + i] = w.data()[i * out + o];
      }
    }
    return t;
  }

  /** The root of the squared error against that of the squares, and the largest error. */
  private long row(String name, Tensor before, long bytesBefore, float[] after, long bytes) {
    double error = 0;
    double squares = 0;
    double largest = 0;
    for (int i = 0; i < after.length; i++) {
      double d = (double) after[i] - before.data()[i];
      error += d * d;
      squares += (double) before.data()[i] * before.data()[i];
      largest = Math.max(largest, Math.abs(d));
    }
    double relative = squares == 0 ? 0 : Math.sqrt(error / squares);
    List<Long> dims = new ArrayList<>();
    for (int d : before.shape().toArray()) {
      dims.add((long) d);
    }
    rows.add(new Row(name, dims, bytesBefore, bytes, relative, largest));
    return bytes;
  }

  /** What was added, to a person or a program. */
  void print(Common common, long before, long after) {
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
      all.put("double_quant", format == Format.nf4 && nested);
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
      String error = String.format(Locale.ROOT, "%.2e", r.error);
      String largest = String.format(Locale.ROOT, "%.2e", r.largest);
      o.printf(Locale.ROOT, line, r.name, r.dims.toString(), r.after, r.before, error, largest);
    }
    o.printf(
        Locale.ROOT,
        "%d tensors as %s; all: %d bytes, were %d (%.2f); error: root mean square, as a share of"
            + " that of the values%n",
        rows.size(),
        format,
        after,
        before,
        (double) after / before);
  }
}
