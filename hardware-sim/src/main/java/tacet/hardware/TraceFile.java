package tacet.hardware;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.StringJoiner;
import java.util.UUID;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/**
 * The file format of {@link ActivationTrace}: a header that {@code head} can show, then compressed bits.
 *
 * <pre>
 * TACET-TRACE 1
 * model=…                      one key=value per line, UTF-8, keys in this order
 * task=…
 * method=…
 * seed=42
 * threshold=0x0.0p0
 * neurons=1536
 * hidden=384
 * layer=encoder.layer.0        one line per layer
 * recorded=25 25 31            rows of each sequence
 * valid=20 25 29               of these, not padding
 * crc=9ae0daaf                 CRC-32 of all bytes before this line
 * </pre>
 *
 * For every layer follow blocks of up to 4096 rows: compressed length (int, big-endian), CRC-32 of the compressed bytes
 * (int), and the rows, ceil(neurons / 8) bytes each with neuron 0 in the lowest bit, deflated. Nothing may follow.
 */
final class TraceFile {

  private static final String MAGIC = "TACET-TRACE 1";
  private static final int ROWS_PER_BLOCK = 4096;
  private static final int MAX_LINE = 1 << 26;

  /** Deflate never shrinks data by more than this factor; a header that promises more is a lie. */
  private static final long MAX_EXPANSION = 1100;

  private TraceFile() {}

  static void write(ActivationTrace trace, Path file) throws IOException {
    Path temporary = file.resolveSibling("." + file.getFileName() + "." + UUID.randomUUID());
    try {
      try (OutputStream out =
          new BufferedOutputStream(
              Files.newOutputStream(temporary, StandardOpenOption.CREATE_NEW), 1 << 16)) {
        write(trace, out);
      }
      Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  private static void write(ActivationTrace trace, OutputStream stream) throws IOException {
    byte[] header = header(trace).getBytes(StandardCharsets.UTF_8);
    stream.write(header);
    stream.write(
        String.format(Locale.ROOT, "crc=%08x\n", crc(header, header.length))
            .getBytes(StandardCharsets.UTF_8));
    DataOutputStream out = new DataOutputStream(stream);
    Deflater deflater = new Deflater(Deflater.BEST_SPEED);
    try {
      for (int l = 0; l < trace.header().layers().size(); l++) {
        BitMatrix bits = trace.layer(l);
        for (int row = 0; row < bits.rows(); row += ROWS_PER_BLOCK) {
          byte[] raw = rows(bits, row, Math.min(bits.rows(), row + ROWS_PER_BLOCK));
          writeBlock(raw, deflater, out);
        }
      }
    } finally {
      deflater.end();
    }
    out.flush();
  }

  private static String header(ActivationTrace trace) {
    ActivationTrace.Header h = trace.header();
    StringBuilder text = new StringBuilder(MAGIC).append('\n');
    text.append("model=").append(h.model()).append('\n');
    text.append("task=").append(h.task()).append('\n');
    text.append("method=").append(h.method()).append('\n');
    text.append("seed=").append(h.seed()).append('\n');
    text.append("threshold=").append(Float.toHexString(h.threshold())).append('\n');
    text.append("neurons=").append(h.neurons()).append('\n');
    text.append("hidden=").append(h.hidden()).append('\n');
    h.layers().forEach(name -> text.append("layer=").append(name).append('\n'));
    StringJoiner recorded = new StringJoiner(" ", "recorded=", "\n");
    StringJoiner valid = new StringJoiner(" ", "valid=", "\n");
    for (int s = 0; s < trace.sequences(); s++) {
      recorded.add(Integer.toString(trace.recordedTokens(s)));
      valid.add(Integer.toString(trace.validTokens(s)));
    }
    return text.append(recorded).append(valid).toString();
  }

  private static void writeBlock(byte[] raw, Deflater deflater, DataOutputStream out)
      throws IOException {
    deflater.reset();
    deflater.setInput(raw);
    deflater.finish();
    byte[] packed = new byte[raw.length + raw.length / 1000 + 64];
    int length = 0;
    while (!deflater.finished()) {
      length += deflater.deflate(packed, length, packed.length - length);
    }
    out.writeInt(length);
    out.writeInt(crc(packed, length));
    out.write(packed, 0, length);
  }

  private static byte[] rows(BitMatrix bits, int from, int to) {
    int width = (bits.columns() + 7) / 8;
    byte[] raw = new byte[(to - from) * width];
    byte[] row = new byte[bits.wordsPerRow() * 8];
    ByteBuffer words = ByteBuffer.wrap(row).order(ByteOrder.LITTLE_ENDIAN);
    for (int r = from; r < to; r++) {
      for (int w = 0; w < bits.wordsPerRow(); w++) {
        words.putLong(8 * w, bits.word(r, w));
      }
      System.arraycopy(row, 0, raw, (r - from) * width, width);
    }
    return raw;
  }

  static ActivationTrace read(Path file) throws IOException {
    if (Files.isDirectory(file)) {
      throw FormatException.atLine(file.toString(), 1, "a folder, not a trace");
    }
    long size = Files.size(file);
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16)) {
      return new Reader(file.toString(), size, in).read();
    }
  }

  private static int crc(byte[] bytes, int length) {
    CRC32 crc = new CRC32();
    crc.update(bytes, 0, length);
    return (int) crc.getValue();
  }

  private static final class Reader {
    private final String file;
    private final long size;
    private final InputStream in;
    private final CRC32 headerCrc = new CRC32();
    private long offset;
    private int line;
    private String pending;

    Reader(String file, long size, InputStream in) {
      this.file = file;
      this.size = size;
      this.in = in;
    }

    ActivationTrace read() throws IOException {
      if (!MAGIC.equals(readLine())) {
        throw bad("not an activation trace: the first line must be '" + MAGIC + "'");
      }
      String model = value("model");
      String task = value("task");
      String method = value("method");
      long seed = number("seed", value("seed"), Long.MIN_VALUE, Long.MAX_VALUE);
      float threshold = threshold(value("threshold"));
      int neurons = (int) number("neurons", value("neurons"), 1, 1 << 24);
      int hidden = (int) number("hidden", value("hidden"), 1, 1 << 24);
      List<String> layers = new ArrayList<>();
      pending = readLine();
      while (pending.startsWith("layer=")) {
        layers.add(pending.substring("layer=".length()));
        pending = readLine();
      }
      int[] recorded = lengths("recorded");
      int[] valid = lengths("valid");
      checkLengths(recorded, valid);
      long expectedCrc = headerCrc.getValue();
      if (!value("crc").equals(String.format(Locale.ROOT, "%08x", expectedCrc))) {
        throw bad("header damaged: its CRC-32 is " + Long.toHexString(expectedCrc));
      }
      ActivationTrace.Header header;
      try {
        header =
            new ActivationTrace.Header(
                model, task, method, seed, threshold, neurons, hidden, layers);
      } catch (IllegalArgumentException e) {
        throw bad(e.getMessage());
      }
      BitMatrix[] bits = bits(layers.size(), recorded, neurons);
      if (in.read() >= 0) {
        throw FormatException.atOffset(file, offset, "unexpected bytes behind the last layer");
      }
      return new ActivationTrace(header, recorded, valid, bits);
    }

    private BitMatrix[] bits(int layers, int[] recorded, int neurons) throws IOException {
      long rows = Arrays.stream(recorded).asLongStream().sum();
      double bytes = (double) layers * rows * ((neurons + 7) / 8);
      if (rows > Integer.MAX_VALUE || bytes / MAX_EXPANSION > size) {
        throw FormatException.atOffset(
            file, offset, "truncated: " + rows + " rows cannot be in " + size + " bytes");
      }
      BitMatrix[] bits = new BitMatrix[layers];
      Inflater inflater = new Inflater();
      try {
        for (int l = 0; l < layers; l++) {
          try {
            bits[l] = new BitMatrix((int) rows, neurons);
          } catch (IllegalArgumentException e) {
            throw FormatException.atOffset(file, offset, e.getMessage());
          }
          for (int row = 0; row < rows; row += ROWS_PER_BLOCK) {
            readBlock(bits[l], row, (int) Math.min(rows, row + ROWS_PER_BLOCK), inflater);
          }
        }
      } finally {
        inflater.end();
      }
      return bits;
    }

    private void readBlock(BitMatrix bits, int from, int to, Inflater inflater) throws IOException {
      int width = (bits.columns() + 7) / 8;
      byte[] raw = new byte[(to - from) * width];
      long start = offset;
      int length = readInt();
      int crc = readInt();
      if (length < 0 || length > raw.length + raw.length / 1000 + 64) {
        throw FormatException.atOffset(file, start, "impossible block length " + length);
      }
      byte[] packed = readFully(length);
      if (crc(packed, length) != crc) {
        throw FormatException.atOffset(file, start, "damaged block: CRC-32 differs");
      }
      inflater.reset();
      inflater.setInput(packed);
      try {
        int n = inflater.inflate(raw);
        if (n != raw.length || inflater.inflate(new byte[1]) != 0 || !inflater.finished()) {
          throw FormatException.atOffset(file, start, "block holds the wrong number of rows");
        }
      } catch (DataFormatException e) {
        throw FormatException.atOffset(file, start, "damaged block: " + e.getMessage());
      }
      unpack(raw, bits, from, to, start);
    }

    private void unpack(byte[] raw, BitMatrix bits, int from, int to, long start)
        throws FormatException {
      int width = (bits.columns() + 7) / 8;
      int stride = bits.wordsPerRow();
      byte[] row = new byte[stride * 8];
      ByteBuffer words = ByteBuffer.wrap(row).order(ByteOrder.LITTLE_ENDIAN);
      for (int r = from; r < to; r++) {
        System.arraycopy(raw, (r - from) * width, row, 0, width);
        for (int w = 0; w < stride; w++) {
          bits.words()[r * stride + w] = words.getLong(8 * w);
        }
        if (bits.columns() % 64 != 0 && bits.word(r, stride - 1) >>> bits.columns() != 0) {
          throw FormatException.atOffset(file, start, "bits beyond the last neuron");
        }
      }
    }

    private int[] lengths(String key) throws IOException {
      String text = value(key);
      if (text.isEmpty()) {
        return new int[0];
      }
      String[] parts = text.split(" ", -1);
      int[] lengths = new int[parts.length];
      for (int i = 0; i < parts.length; i++) {
        lengths[i] = (int) number(key, parts[i], 0, Integer.MAX_VALUE);
      }
      return lengths;
    }

    private void checkLengths(int[] recorded, int[] valid) throws FormatException {
      if (recorded.length != valid.length) {
        throw bad(valid.length + " valid lengths for " + recorded.length + " sequences");
      }
      for (int s = 0; s < valid.length; s++) {
        if (valid[s] > recorded[s]) {
          throw bad("sequence " + s + " has " + valid[s] + " valid of " + recorded[s] + " tokens");
        }
      }
    }

    private String value(String key) throws IOException {
      String text = pending != null ? pending : readLine();
      pending = null;
      if (!text.startsWith(key + "=")) {
        throw bad("expected '" + key + "=', found '" + abbreviate(text) + "'");
      }
      return text.substring(key.length() + 1);
    }

    private long number(String key, String text, long min, long max) throws FormatException {
      try {
        long n = Long.parseLong(text);
        if (n >= min && n <= max) {
          return n;
        }
      } catch (NumberFormatException e) {
        // Reported below, like a number out of range.
      }
      throw bad(
          key + " must be an integer in " + min + ".." + max + ", not '" + abbreviate(text) + "'");
    }

    private float threshold(String text) throws FormatException {
      try {
        return Float.parseFloat(text);
      } catch (NumberFormatException e) {
        throw bad("threshold must be a number, not '" + abbreviate(text) + "'");
      }
    }

    /** Reads one line; the CRC covers every line read before the current one. */
    private String readLine() throws IOException {
      line++;
      byte[] buffer = new byte[128];
      int n = 0;
      for (int b = in.read(); b != '\n'; b = in.read()) {
        if (b < 0 || n == MAX_LINE) {
          throw bad(b < 0 ? "the header ends early" : "line too long");
        }
        if (n == buffer.length) {
          buffer = Arrays.copyOf(buffer, 2 * n);
        }
        buffer[n++] = (byte) b;
        if (n > MAGIC.length() && line == 1) {
          throw bad("not an activation trace: the first line must be '" + MAGIC + "'");
        }
      }
      offset += n + 1;
      String text = new String(buffer, 0, n, StandardCharsets.UTF_8);
      if (!text.startsWith("crc=")) {
        headerCrc.update(buffer, 0, n);
        headerCrc.update('\n');
      }
      return text;
    }

    private int readInt() throws IOException {
      return ByteBuffer.wrap(readFully(4)).getInt();
    }

    private byte[] readFully(int length) throws IOException {
      byte[] bytes = in.readNBytes(length);
      if (bytes.length < length) {
        throw FormatException.atOffset(file, offset, "truncated: " + length + " bytes expected");
      }
      offset += length;
      return bytes;
    }

    private FormatException bad(String problem) {
      return FormatException.atLine(file, line, problem);
    }

    private static String abbreviate(String text) {
      return text.length() <= 40 ? text : text.substring(0, 40) + "…";
    }
  }
}
