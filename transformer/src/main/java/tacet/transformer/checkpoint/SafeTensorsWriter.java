package tacet.transformer.checkpoint;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.tensor.Shape;
import tacet.tensor.TensorSource;

/**
 * Collects tensors and writes them as one safetensors file.
 *
 * <pre>{@code
 * new SafeTensorsWriter()
 *     .add("logits", logits)                              // F32
 *     .add("embedding", weights, DType.BF16)              // rounded to nearest even
 *     .addLongs("input_ids", Shape.of(2, 7), ids, DType.I64)
 *     .write(Path.of("out.safetensors"));
 * }</pre>
 *
 * <p>The bytes are those of the reference implementation: widest types first, then by name, header
 * padded with spaces to a multiple of 8. Values are referenced, not copied, until {@link #write}.
 * Not for several threads at once.
 */
public final class SafeTensorsWriter {
  private static final int CHUNK_BYTES = 1 << 20;

  private final Map<String, Entry> entries = new LinkedHashMap<>();
  private Map<String, String> metadata = Map.of("format", "pt");

  /** A tensor to write; {@code count} is its number of elements (of bytes, if added as bytes). */
  private record Entry(
      String name, byte[] utf8, DType dtype, long[] dims, long byteSize, int count, Encoder from) {}

  /** Stores {@code n} elements from the index {@code at} on. */
  @FunctionalInterface
  private interface Encoder {
    void encode(int at, int n, MemorySegment to);
  }

  /** A writer without tensors and with the metadata {@code {"format":"pt"}}. */
  public SafeTensorsWriter() {}

  /**
   * Replaces the metadata. Loaders of Hugging Face models refuse files without {@code "format"}.
   *
   * @param strings copied, in its order
   */
  public SafeTensorsWriter metadata(Map<String, String> strings) {
    metadata = new LinkedHashMap<>(strings);
    return this;
  }

  /** Adds a tensor as F32; one that is not in memory is read while the file is written. */
  public SafeTensorsWriter add(String name, TensorSource tensor) {
    return add(name, tensor, DType.F32);
  }

  /**
   * Adds a tensor as F64, F32, F16 or BF16.
   *
   * @throws IllegalArgumentException if the name is taken or the type is none of these
   */
  public SafeTensorsWriter add(String name, TensorSource tensor, DType dtype) {
    if (!dtype.isFloat()) {
      throw new IllegalArgumentException(
          name + ": float32 cannot be stored as " + dtype + "; use addLongs or addBytes");
    }
    return put(
        name,
        dtype,
        extents(tensor.shape()),
        tensor.shape().size(),
        (at, n, to) -> {
          float[] values = new float[n];
          tensor.read(at, values, 0, n);
          dtype.encode(values, 0, n, to);
        });
  }

  /**
   * Adds integers in row-major order.
   *
   * @param dtype an integer type or BOOL
   * @throws IllegalArgumentException if the name is taken, the number of values is not that of the
   *     shape, or a value does not fit the type
   */
  public SafeTensorsWriter addLongs(String name, Shape shape, long[] values, DType dtype) {
    if (values.length != shape.size()) {
      throw new IllegalArgumentException(
          name + ": shape " + shape + " needs " + shape.size() + " values, got " + values.length);
    }
    for (long v : values) {
      dtype.checkFits(v);
    }
    return put(
        name,
        dtype,
        extents(shape),
        values.length,
        (at, n, to) -> dtype.encodeLongs(values, at, n, to));
  }

  /**
   * Adds elements of any type as they are stored: little-endian, row-major.
   *
   * @throws IllegalArgumentException if the name is taken or the number of bytes is not that of the
   *     shape
   */
  public SafeTensorsWriter addBytes(String name, DType dtype, Shape shape, byte[] bytes) {
    if ((long) shape.size() * dtype.bits() != 8L * bytes.length) {
      throw new IllegalArgumentException(
          name + ": " + bytes.length + " bytes are not those of " + dtype + " " + shape);
    }
    return put(
        name,
        dtype,
        extents(shape),
        bytes.length,
        (at, n, to) -> MemorySegment.copy(bytes, at, to, ValueLayout.JAVA_BYTE, 0, n));
  }

  private SafeTensorsWriter put(String name, DType dtype, long[] dims, int count, Encoder from) {
    if (name.equals("__metadata__")) {
      throw new IllegalArgumentException("__metadata__ cannot be the name of a tensor");
    }
    long elements = Arrays.stream(dims).reduce(1, (a, b) -> a * b);
    byte[] utf8 = name.getBytes(StandardCharsets.UTF_8);
    long byteSize = elements * dtype.bits() / 8;
    if (entries.putIfAbsent(name, new Entry(name, utf8, dtype, dims, byteSize, count, from))
        != null) {
      throw new IllegalArgumentException("two tensors named " + TensorInfo.quoted(name));
    }
    return this;
  }

  private static long[] extents(Shape shape) {
    return Arrays.stream(shape.toArray()).asLongStream().toArray();
  }

  /**
   * Writes the file beside its place and renames it.
   *
   * @throws FormatException if the header would exceed the format's 100 MB
   * @throws IOException if it cannot be written; an existing file is then left as it was
   */
  public void write(Path file) throws IOException {
    List<Entry> order = new ArrayList<>(entries.values());
    order.sort(
        Comparator.comparing(Entry::dtype)
            .reversed()
            .thenComparing(Entry::utf8, Arrays::compareUnsigned));
    byte[] header = header(order);
    if (header.length > SafeTensors.MAX_HEADER) {
      throw new FormatException(
          file.toString(), "too many tensors: the header would have " + header.length + " bytes");
    }
    AtomicFile.write(
        file,
        out -> {
          ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
          AtomicFile.writeFully(out, length.putLong(header.length).flip());
          AtomicFile.writeFully(out, ByteBuffer.wrap(header));
          byte[] chunk = new byte[CHUNK_BYTES];
          for (Entry e : order) {
            writeData(out, e, chunk);
          }
        });
  }

  private static void writeData(FileChannel out, Entry e, byte[] chunk) throws IOException {
    if (e.count == 0) {
      return;
    }
    int width = (int) (e.byteSize / e.count); // bytes per element
    int step = chunk.length / width;
    for (int at = 0; at < e.count; at += step) {
      int n = Math.min(step, e.count - at);
      e.from.encode(at, n, MemorySegment.ofArray(chunk));
      AtomicFile.writeFully(out, ByteBuffer.wrap(chunk, 0, n * width));
      if (e.count - at <= step) {
        return; // at + step might overflow an int
      }
    }
  }

  private byte[] header(List<Entry> order) {
    StringBuilder json = new StringBuilder("{");
    if (!metadata.isEmpty()) {
      json.append("\"__metadata__\":").append(Json.of(metadata)).append(',');
    }
    long at = 0;
    for (Entry e : order) {
      Json.quote(json, e.name);
      json.append(":{\"dtype\":\"").append(e.dtype).append("\",\"shape\":[");
      for (int i = 0; i < e.dims.length; i++) {
        json.append(i == 0 ? "" : ",").append(e.dims[i]);
      }
      json.append("],\"data_offsets\":[").append(at).append(',');
      at += e.byteSize;
      json.append(at).append("]},");
    }
    if (json.length() > 1) {
      json.setLength(json.length() - 1); // the last comma
    }
    byte[] utf8 = json.append('}').toString().getBytes(StandardCharsets.UTF_8);
    byte[] padded = Arrays.copyOf(utf8, (utf8.length + 7) / 8 * 8);
    Arrays.fill(padded, utf8.length, padded.length, (byte) ' ');
    return padded;
  }
}
