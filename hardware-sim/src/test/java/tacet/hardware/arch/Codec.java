package tacet.hardware.arch;

import java.util.ArrayList;
import java.util.List;

/** Writes and reads the bit streams whose sizes {@link Compression} states. */
final class Codec {
  private final Compression format;
  private final int dataBits;
  private final List<Boolean> bits = new ArrayList<>();
  private int position;

  Codec(Compression format, int dataBits) {
    this.format = format;
    this.dataBits = dataBits;
  }

  int length() {
    return bits.size();
  }

  private void put(int value, int width) {
    for (int i = 0; i < width; i++) {
      bits.add((value >>> i & 1) != 0);
    }
  }

  private int get(int width) {
    int value = 0;
    for (int i = 0; i < width; i++) {
      value |= bits.get(position++) ? 1 << i : 0;
    }
    return value;
  }

  private static int pointerBits(int nonZero) {
    return Math.max(1, Compression.bitsFor(nonZero + 1L));
  }

  void encode(int[][] values) {
    if (format == Compression.CSR) {
      encodePointers(values);
    }
    for (int[] row : values) {
      switch (format) {
        case NONE -> putAll(row, true);
        case BITMAP -> {
          for (int v : row) {
            put(v != 0 ? 1 : 0, 1);
          }
          putAll(row, false);
        }
        case OFFSETS -> encodeBricks(row);
        case RUN_LENGTH -> encodeRuns(row);
        case CSR -> {
          for (int c = 0; c < row.length; c++) {
            if (row[c] != 0) {
              put(c, Compression.bitsFor(row.length));
              put(row[c], dataBits);
            }
          }
        }
      }
    }
  }

  private void putAll(int[] row, boolean zeros) {
    for (int v : row) {
      if (zeros || v != 0) {
        put(v, dataBits);
      }
    }
  }

  private void encodePointers(int[][] values) {
    int total = 0;
    for (int[] row : values) {
      for (int v : row) {
        total += v != 0 ? 1 : 0;
      }
    }
    int before = 0;
    for (int[] row : values) {
      put(before, pointerBits(total));
      for (int v : row) {
        before += v != 0 ? 1 : 0;
      }
    }
    put(before, pointerBits(total));
  }

  private void encodeBricks(int[] row) {
    for (int brick = 0; brick < row.length; brick += 16) {
      int end = Math.min(row.length, brick + 16);
      int count = 0;
      for (int c = brick; c < end; c++) {
        count += row[c] != 0 ? 1 : 0;
      }
      put(count, 5);
      for (int c = brick; c < end; c++) {
        if (row[c] != 0) {
          put(c - brick, 4);
          put(row[c], dataBits);
        }
      }
    }
  }

  private void encodeRuns(int[] row) {
    List<int[]> entries = new ArrayList<>();
    int run = 0;
    for (int v : row) {
      if (v == 0) {
        run++;
        continue;
      }
      for (; run > 15; run -= 16) {
        entries.add(new int[] {15, 0});
      }
      entries.add(new int[] {run, v});
      run = 0;
    }
    put(entries.size(), Compression.bitsFor(row.length + 1L));
    for (int[] entry : entries) {
      put(entry[0], 4);
      put(entry[1], dataBits);
    }
  }

  int[][] decode(int rows, int columns) {
    int[][] values = new int[rows][columns];
    int[] counts = format == Compression.CSR ? decodePointers(rows, columns) : new int[rows];
    for (int r = 0; r < rows; r++) {
      decodeRow(values[r], counts[r]);
    }
    return values;
  }

  private void decodeRow(int[] row, int count) {
    switch (format) {
      case NONE -> {
        for (int c = 0; c < row.length; c++) {
          row[c] = get(dataBits);
        }
      }
      case BITMAP -> {
        int[] present = new int[row.length];
        for (int c = 0; c < row.length; c++) {
          present[c] = get(1);
        }
        for (int c = 0; c < row.length; c++) {
          row[c] = present[c] == 0 ? 0 : get(dataBits);
        }
      }
      case OFFSETS -> {
        for (int brick = 0; brick < row.length; brick += 16) {
          for (int i = get(5); i > 0; i--) {
            int offset = get(4);
            row[brick + offset] = get(dataBits);
          }
        }
      }
      case RUN_LENGTH -> {
        int c = 0;
        for (int i = get(Compression.bitsFor(row.length + 1L)); i > 0; i--, c++) {
          c += get(4);
          row[c] = get(dataBits);
        }
      }
      case CSR -> {
        for (int i = 0; i < count; i++) {
          int c = get(Compression.bitsFor(row.length));
          row[c] = get(dataBits);
        }
      }
    }
  }

  /** The pointers' width depends on the last of them, which a header would carry: try widths until it fits. */
  private int[] decodePointers(int rows, int columns) {
    for (int width = 1; ; width++) {
      position = 0;
      int[] pointers = new int[rows + 1];
      for (int r = 0; r <= rows; r++) {
        pointers[r] = get(width);
      }
      int total = pointers[rows];
      long expected =
          (rows + 1L) * width + (long) total * (Compression.bitsFor(columns) + dataBits);
      if (pointerBits(total) == width && expected == length()) {
        int[] counts = new int[rows];
        for (int r = 0; r < rows; r++) {
          counts[r] = pointers[r + 1] - pointers[r];
        }
        return counts;
      }
    }
  }
}
