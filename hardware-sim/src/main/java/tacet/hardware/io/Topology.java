package tacet.hardware.io;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import tacet.hardware.FormatException;
import tacet.hardware.arch.Workload;

/**
 * A SCALE-Sim topology file: one header line, then a layer per line. Convolutions have eight fields (name, input height
 * and width, filter height and width, channels, filters, stride), matrix products four (name, M, N, K); a last field N:M
 * may say that N of M weights are kept. Every line must end with a comma, because SCALE-Sim drops the last field.
 */
public final class Topology {

  private static final int CONVOLUTION_FIELDS = 8;
  private static final int GEMM_FIELDS = 4;

  private Topology() {}

  /**
   * Reads the layers of a file.
   *
   * @return dense layers; structured sparsity shortens K to ceil(K N / M), as SCALE-Sim's compressed filters do
   * @throws FormatException if a line is malformed; the message names file and line
   * @throws IOException if reading fails
   */
  public static List<Workload> read(Path file) throws IOException {
    return parse(file.toString(), KeyValues.lines(file));
  }

  /**
   * Reads layers from text.
   *
   * @param file stands for it in messages
   * @throws FormatException if a line is malformed
   */
  public static List<Workload> parse(String file, String text) throws FormatException {
    return parse(file, text.lines().toList());
  }

  private static List<Workload> parse(String file, List<String> lines) throws FormatException {
    List<Workload> layers = new ArrayList<>();
    for (int i = 1; i < lines.size(); i++) {
      if (!lines.get(i).isBlank()) {
        layers.add(new Row(file, i + 1, lines.get(i)).layer());
      }
    }
    if (layers.isEmpty()) {
      throw FormatException.atLine(
          file, Math.max(1, lines.size()), "no layer behind the header line");
    }
    return layers;
  }

  private static final class Row {
    private final String file;
    private final int line;
    private final String[] fields;

    Row(String file, int line, String text) throws FormatException {
      this.file = file;
      this.line = line;
      String row = text.strip();
      if (!row.endsWith(",")) {
        throw bad("a layer must end with a comma");
      }
      fields =
          Arrays.stream(row.substring(0, row.length() - 1).split(",", -1))
              .map(String::strip)
              .toArray(String[]::new);
    }

    Workload layer() throws FormatException {
      if (fields[0].isEmpty()) {
        throw bad("the layer has no name");
      }
      return switch (fields.length) {
        case GEMM_FIELDS, GEMM_FIELDS + 1 -> {
          long k = kept(number(3, "K"), GEMM_FIELDS);
          yield workload(number(1, "M"), number(2, "N"), k);
        }
        case CONVOLUTION_FIELDS, CONVOLUTION_FIELDS + 1 -> convolution();
        default ->
            throw bad(
                "expected 4 or 5 fields (matrix product) or 8 or 9 (convolution), found "
                    + fields.length);
      };
    }

    private Workload convolution() throws FormatException {
      long height = number(1, "IFMAP Height");
      long width = number(2, "IFMAP Width");
      long filterHeight = number(3, "Filter Height");
      long filterWidth = number(4, "Filter Width");
      long channels = number(5, "Channels");
      long filters = number(6, "Num Filter");
      long stride = number(7, "Strides");
      if (filterHeight > height || filterWidth > width) {
        throw bad("the filter is larger than its input");
      }
      long pixels = positions(height, filterHeight, stride) * positions(width, filterWidth, stride);
      return workload(
          pixels, filters, kept(filterHeight * filterWidth * channels, CONVOLUTION_FIELDS));
    }

    /** SCALE-Sim rounds up: the last position may reach past the border. */
    private static long positions(long size, long filter, long stride) {
      return (size - filter + 2 * stride - 1) / stride;
    }

    private long kept(long k, int field) throws FormatException {
      if (fields.length == field || fields[field].isEmpty()) {
        return k;
      }
      if (fields[field].matches("[1-9]\\d{0,4}:[1-9]\\d{0,4}")) {
        String[] ratio = fields[field].split(":");
        long n = Long.parseLong(ratio[0]);
        long m = Long.parseLong(ratio[1]);
        if (n <= m) {
          return (k * n + m - 1) / m;
        }
      }
      throw bad("sparsity must be N:M with N of M weights kept, not '" + fields[field] + "'");
    }

    private Workload workload(long m, long n, long k) throws FormatException {
      if (m > Integer.MAX_VALUE || k > Integer.MAX_VALUE) {
        throw bad("layer too large: M = " + m + ", K = " + k);
      }
      return Workload.dense(fields[0], (int) m, (int) n, (int) k);
    }

    private long number(int field, String name) throws FormatException {
      try {
        int value = Integer.parseInt(fields[field]);
        if (value > 0 && value <= 1 << 20 || value > 0 && fields.length <= GEMM_FIELDS + 1) {
          return value;
        }
      } catch (NumberFormatException e) {
        // Reported below, like a number out of range.
      }
      throw bad(name + " must be a positive integer, not '" + fields[field] + "'");
    }

    private FormatException bad(String problem) {
      return FormatException.atLine(file, line, problem);
    }
  }
}
