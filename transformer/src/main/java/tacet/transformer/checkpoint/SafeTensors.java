package tacet.transformer.checkpoint;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import tacet.tensor.Tensor;
import tacet.tensor.TensorSource;

/**
 * A safetensors file: named tensors behind a JSON header. It is mapped, not read: opening checks
 * the header, and the data of a tensor is touched when it is asked for.
 *
 * <pre>{@code
 * try (SafeTensors file = SafeTensors.open(Path.of("model.safetensors"))) {
 *   file.info("wte.weight").dims();         // [50257, 768]
 *   Tensor wte = file.read("wte.weight");   // float32, whatever it is stored as
 * }
 * }</pre>
 *
 * <p>Layout, all little-endian: {@code u64 N}, {@code N} bytes of JSON, data to the end of the
 * file. The header maps a name to {@code {"dtype","shape","data_offsets":[begin,end]}}, offsets
 * counted from the end of the header, and {@code "__metadata__"} to strings. The checks are those of
 * the reference implementation (github.com/huggingface/safetensors, {@code tensor.rs}) in its
 * order; beyond it, duplicate names are refused, as its README demands.
 */
public final class SafeTensors implements TensorFile {
  /** Largest header the format allows, in bytes. */
  static final long MAX_HEADER = 100_000_000;

  /** Far more than any library's limit; keeps a hostile header from filling memory with extents. */
  private static final int MAX_RANK = 1000;

  private static final String METADATA = "__metadata__";
  private static final ValueLayout.OfLong U64 =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MappedFile mapped;
  private final MemorySegment data; // everything behind the header
  private final Map<String, Entry> entries; // by ascending begin
  private final Map<String, String> metadata;

  /** A tensor and the place of its first byte behind the header. */
  private record Entry(TensorInfo info, long begin) {}

  /** Reads the header. */
  SafeTensors(MappedFile mapped) throws FormatException {
    String file = mapped.name();
    MemorySegment all = mapped.bytes();
    long size = all.byteSize();
    if (size < 8) {
      throw new FormatException(
          file, "header too small: " + size + " bytes, a safetensors file has at least 8");
    }
    long n = all.get(U64, 0);
    if (n < 0 || n > MAX_HEADER) {
      throw new FormatException(
          file,
          "header too large: "
              + Long.toUnsignedString(n)
              + " bytes, the limit is "
              + MAX_HEADER
              + "; is it really a safetensors file?");
    }
    if (8 + n > size) {
      throw new FormatException(
          file, "invalid header length: " + n + " bytes, but the file has only " + size);
    }
    byte[] json = all.asSlice(8, n).toArray(ValueLayout.JAVA_BYTE);
    Header header = new Header(file, Utf8.decode(json, file), size - 8 - n);
    this.mapped = mapped;
    this.data = all.asSlice(8 + n);
    this.entries = Collections.unmodifiableMap(header.entries);
    this.metadata = Collections.unmodifiableMap(header.metadata);
  }

  /**
   * Maps a file and checks its header.
   *
   * @throws FormatException if it is not a whole, valid safetensors file
   * @throws IOException if it cannot be read
   */
  public static SafeTensors open(Path path) throws IOException {
    return MappedFile.open(path, SafeTensors::new);
  }

  /**
   * Writes float32 tensors with the usual metadata; see {@link SafeTensorsWriter} for anything
   * else.
   *
   * @throws IOException if it cannot be written; an existing file is then left as it was
   */
  public static void write(Path file, Map<String, Tensor> tensors) throws IOException {
    SafeTensorsWriter writer = new SafeTensorsWriter();
    tensors.forEach(writer::add);
    writer.write(file);
  }

  @Override
  public String file() {
    return mapped.name();
  }

  @Override
  public Set<String> names() {
    return entries.keySet();
  }

  @Override
  public TensorInfo info(String name) throws FormatException {
    return entry(name).info;
  }

  /** The strings of {@code __metadata__}, in file order; empty if there are none. Unmodifiable. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /**
   * The stored bytes of a tensor, without a copy; usable until {@link #close}. Not aligned to its
   * elements in every file.
   *
   * @throws FormatException if there is none of that name
   */
  public MemorySegment segment(String name) throws FormatException {
    Entry e = entry(name);
    mapped.bytes(); // refuses a closed file
    return data.asSlice(e.begin, e.info.byteSize());
  }

  @Override
  public Tensor read(String name) throws IOException {
    return mapped.read(info(name), segment(name));
  }

  @Override
  public TensorSource source(String name) throws IOException {
    return mapped.source(info(name), segment(name));
  }

  @Override
  public long[] readLongs(String name) throws IOException {
    return mapped.readLongs(info(name), segment(name));
  }

  @Override
  public byte[] readBytes(String name) throws IOException {
    return mapped.readBytes(info(name), segment(name));
  }

  private Entry entry(String name) throws FormatException {
    Entry e = entries.get(name);
    if (e == null) {
      throw TensorInfo.noSuchTensor(file(), name, names());
    }
    return e;
  }

  @Override
  public void close() {
    mapped.close();
  }

  // ---------------------------------------------------------------- header

  /** The parsed and checked header. */
  private static final class Header {
    private final String file;
    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    Header(String file, String json, long dataSize) throws FormatException {
      this.file = file;
      List<Raw> tensors = parse(json);
      // Offsets are u64: sorted and compared unsigned, so that none of them can wrap around.
      tensors.sort(
          Comparator.comparing(Raw::begin, Long::compareUnsigned)
              .thenComparing(Raw::end, Long::compareUnsigned));
      long end = 0;
      for (Raw t : tensors) {
        entries.put(t.name, check(t, end));
        end = t.end;
      }
      if (end != dataSize) {
        throw new FormatException(
            file,
            "incomplete or foreign data: the header describes "
                + Long.toUnsignedString(end)
                + " bytes, "
                + dataSize
                + " follow it");
      }
    }

    /** One tensor as the header has it; the numbers are unsigned. */
    private record Raw(String name, DType dtype, long[] dims, long begin, long end) {}

    private Entry check(Raw t, long previousEnd) throws FormatException {
      if (t.begin != previousEnd || Long.compareUnsigned(t.end, t.begin) < 0) {
        throw bad(
            t.name,
            "invalid offsets ["
                + Long.toUnsignedString(t.begin)
                + ", "
                + Long.toUnsignedString(t.end)
                + "]: its data must begin where the data before it ends, at "
                + Long.toUnsignedString(previousEnd));
      }
      long bits = 1;
      for (long d : t.dims) {
        bits = multiply(t.name, bits, d);
      }
      bits = multiply(t.name, bits, t.dtype.bits());
      if ((bits & 7) != 0) {
        throw bad(t.name, "misaligned: its elements do not fill whole bytes");
      }
      long bytes = bits >>> 3;
      if (t.end - t.begin != bytes) {
        throw bad(
            t.name,
            "its shape and dtype need "
                + bytes
                + " bytes, its offsets span "
                + Long.toUnsignedString(t.end - t.begin));
      }
      List<Long> dims = Arrays.stream(t.dims).boxed().collect(Collectors.toList());
      return new Entry(new TensorInfo(file, t.name, t.dtype, dims, bytes), t.begin);
    }

    private long multiply(String name, long a, long b) throws FormatException {
      if (Math.unsignedMultiplyHigh(a, b) != 0) {
        throw bad(name, "its size overflows 64 bits");
      }
      return a * b;
    }

    private List<Raw> parse(String json) throws FormatException {
      List<Raw> tensors = new ArrayList<>();
      Set<String> seen = new HashSet<>();
      JsonScanner in = new JsonScanner(json, file);
      in.expect('{');
      for (boolean more = !in.take('}'); more; more = in.another('}')) {
        String name = in.key();
        if (name.codePoints().anyMatch(c -> Character.getType(c) == Character.SURROGATE)) {
          throw bad(name, "is not Unicode text: half of a surrogate pair");
        }
        if (!seen.add(name)) {
          throw bad(name, "appears twice");
        }
        if (name.equals(METADATA)) {
          metadata(in);
        } else {
          tensors.add(tensor(in, name));
        }
      }
      in.end();
      return tensors;
    }

    private void metadata(JsonScanner in) throws FormatException {
      if (in.next() == 'n') {
        in.word("null");
        return;
      }
      in.expect('{');
      for (boolean more = !in.take('}'); more; more = in.another('}')) {
        String key = in.key();
        if (in.next() != '"') {
          throw new FormatException(
              file, "header: " + METADATA + " " + TensorInfo.quoted(key) + " is not a string");
        }
        if (metadata.put(key, in.string()) != null) {
          throw new FormatException(
              file, "header: " + METADATA + " has " + TensorInfo.quoted(key) + " twice");
        }
      }
    }

    private Raw tensor(JsonScanner in, String name) throws FormatException {
      DType dtype = null;
      long[] dims = null;
      long[] offsets = null;
      in.expect('{');
      for (boolean more = !in.take('}'); more; more = in.another('}')) {
        String key = in.key();
        if (key.equals("dtype") && dtype == null) {
          dtype = dtype(name, in.string());
        } else if (key.equals("shape") && dims == null) {
          dims = integers(in, name, key);
        } else if (key.equals("data_offsets") && offsets == null) {
          offsets = integers(in, name, key);
        } else if (key.equals("dtype") || key.equals("shape") || key.equals("data_offsets")) {
          throw bad(name, "\"" + key + "\" appears twice");
        } else {
          in.skip(0); // later versions of the format may say more about a tensor
        }
      }
      if (dtype == null || dims == null || offsets == null || offsets.length != 2) {
        throw bad(name, "needs a dtype, a shape and two data_offsets");
      }
      return new Raw(name, dtype, dims, offsets[0], offsets[1]);
    }

    private DType dtype(String name, String text) throws FormatException {
      for (DType d : DType.values()) {
        if (d.name().equals(text)) {
          return d;
        }
      }
      throw bad(name, "unknown dtype " + TensorInfo.quoted(text));
    }

    private long[] integers(JsonScanner in, String name, String key) throws FormatException {
      long[] values = new long[4];
      int n = 0;
      in.expect('[');
      for (boolean more = !in.take(']'); more; more = in.another(']')) {
        if (n == MAX_RANK) {
          throw bad(name, "more than " + MAX_RANK + " numbers in " + key);
        }
        if (n == values.length) {
          values = Arrays.copyOf(values, 2 * n);
        }
        String number = in.number();
        try {
          values[n++] = Long.parseUnsignedLong(number);
        } catch (NumberFormatException e) {
          throw bad(name, key + " has " + TensorInfo.quoted(number) + ", not an unsigned integer");
        }
      }
      return Arrays.copyOf(values, n);
    }

    private FormatException bad(String name, String problem) {
      return new FormatException(file, "header: " + TensorInfo.quoted(name) + " " + problem);
    }
  }
}
