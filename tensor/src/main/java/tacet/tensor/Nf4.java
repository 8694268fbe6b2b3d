package tacet.tensor;

import java.util.Arrays;

/**
 * The 4-bit NormalFloat of QLoRA (Dettmers et al., NeurIPS 2023), stored as bitsandbytes stores it
 * ({@code functional.py}, {@code csrc/kernels.cu}): the values of a tensor in row-major order, in
 * blocks of {@value #BLOCK} that share a scale, each a code of four bits for one of 16 levels. Blocks
 * run on across the ends of rows.
 *
 * @param codes two per byte, the first in the high half; an odd number is padded with the code of 0
 * @param scales the largest magnitude of each block; value = level · scale
 * @param size number of values
 */
public record Nf4(byte[] codes, Scales scales, int size) {
  /** Values that share a scale. */
  public static final int BLOCK = 64;

  /** The code of the level 0. */
  public static final int ZERO = 7;

  /** Scales that share a scale of their own, where scales are quantised too. */
  public static final int NESTED_BLOCK = 256;

  /** The 16 levels: quantiles of the normal distribution, with an exact 0 and ±1 at the ends. */
  private static final int[] LEVEL_BITS = {
    0xbf800000, 0xbf3239b1, 0xbf066b30, 0xbeca32a0, 0xbe91a24d, 0xbe3d353f, 0xbdba7871, 0,
    0x3da2faff, 0x3e24cae3, 0x3e7c04dd, 0x3ead033a, 0x3ee1a4b8, 0x3f1007ab, 0x3f3913b3, 0x3f800000
  };

  /** A scaled value above threshold c has a code above c (the decision tree of kernels.cu). */
  private static final float[] THRESHOLDS = {
    -0.8480964004993439f,
    -0.6106329262256622f,
    -0.4599952697753906f,
    -0.33967943489551544f,
    -0.23460740596055984f,
    -0.13791173323988914f,
    -0.045525018125772476f,
    0.03979014977812767f,
    0.1202552504837513f,
    0.2035212516784668f,
    0.2920137718319893f,
    0.3893125355243683f,
    0.5016634166240692f,
    0.6427869200706482f,
    0.8614784181118011f
  };

  private static final float[] DYNAMIC_MAP = dynamicMap();

  /** Checks that the parts fit each other. */
  public Nf4 {
    if (codes.length != bytes(size) || scales.count() != blocks(size)) {
      throw new IllegalArgumentException(
          "NF4: "
              + size
              + " values need "
              + bytes(size)
              + " bytes and "
              + blocks(size)
              + " scales, got "
              + codes.length
              + " and "
              + scales.count());
    }
  }

  /** Scales of so many values. */
  public static int blocks(int size) {
    return (int) (((long) size + BLOCK - 1) / BLOCK);
  }

  /** Bytes of so many codes. */
  public static int bytes(int size) {
    return size / 2 + size % 2;
  }

  /** The value of a code where the scale is 1. */
  public static float level(int code) {
    return Float.intBitsToFloat(LEVEL_BITS[code]);
  }

  /**
   * Quantises to the nearest levels: scaled = x · (1/absmax), code = number of thresholds below it.
   *
   * @throws IllegalArgumentException if a value is not finite
   */
  public static Nf4 quantize(float[] x, int size) {
    byte[] codes = new byte[bytes(size)];
    float[] absmax = new float[blocks(size)];
    for (int b = 0; b < absmax.length; b++) {
      int end = (int) Math.min(size, (b + 1L) * BLOCK);
      float max = 0;
      for (int i = b * BLOCK; i < end; i++) {
        if (!Float.isFinite(x[i])) {
          throw new IllegalArgumentException("NF4 cannot hold " + x[i] + ", value " + i);
        }
        max = Math.max(max, Math.abs(x[i]));
      }
      absmax[b] = max;
      float inverse = 1 / Math.max(max, 1e-38f);
      for (int i = b * BLOCK; i < end; i++) {
        int code = code(Math.clamp(x[i] * inverse, -1f, 1f));
        codes[i / 2] |= (byte) (i % 2 == 0 ? code << 4 : code);
      }
    }
    if (size % 2 != 0) {
      codes[size / 2] |= ZERO;
    }
    return new Nf4(codes, new Plain(absmax), size);
  }

  private static int code(float scaled) {
    int c = 0;
    for (float t : THRESHOLDS) {
      c += scaled > t ? 1 : 0;
    }
    return c;
  }

  /** The code of value i. */
  public int code(int i) {
    return i % 2 == 0 ? codes[i / 2] >>> 4 & 15 : codes[i / 2] & 15;
  }

  /** All values: level · absmax, rounded to float. */
  public float[] expand() {
    float[] x = new float[size];
    for (int b = 0; b < scales.count(); b++) {
      float scale = scales.get(b);
      int end = (int) Math.min(size, (b + 1L) * BLOCK);
      for (int i = b * BLOCK; i < end; i++) {
        x[i] = level(code(i)) * scale;
      }
    }
    return x;
  }

  /** The same codes with scales that are quantised too: double quantisation. */
  public Nf4 nested() {
    return scales instanceof Nested ? this : new Nf4(codes, Nested.of(scales.expand()), size);
  }

  /** The scales of the blocks, in one of two forms. */
  public sealed interface Scales permits Plain, Nested {
    /** Number of blocks. */
    int count();

    /** The scale of block b. */
    float get(int b);

    /** All scales, in a new array. */
    default float[] expand() {
      float[] s = new float[count()];
      for (int b = 0; b < s.length; b++) {
        s[b] = get(b);
      }
      return s;
    }
  }

  /**
   * Scales as floats.
   *
   * @param values one per block; not copied
   */
  public record Plain(float[] values) implements Scales {
    @Override
    public int count() {
      return values.length;
    }

    @Override
    public float get(int b) {
      return values[b];
    }
  }

  /**
   * Scales that are quantised themselves ("double quantisation"): the mean is taken off, then blocks
   * of {@value Nf4#NESTED_BLOCK} share a scale, and each value is the nearest of 256 in a map that is
   * finer near 0. A scale is map · absmax + offset, each operation rounded to float.
   *
   * @param codes index into the map, one byte per scale
   * @param absmax the largest magnitude of each block of scales, after the mean was taken off
   * @param offset the mean
   * @param map 256 values, ascending
   */
  public record Nested(byte[] codes, float[] absmax, float offset, float[] map) implements Scales {
    /** Checks that the parts fit each other. */
    public Nested {
      int needed = blocks(codes.length);
      if (absmax.length != needed || map.length != 256) {
        throw new IllegalArgumentException(
            "NF4: "
                + codes.length
                + " scales need "
                + needed
                + " of their own and a map of 256 values, got "
                + absmax.length
                + " and "
                + map.length);
      }
    }

    /** Scales that share a scale, for so many scales. */
    public static int blocks(int scales) {
      return (int) (((long) scales + NESTED_BLOCK - 1) / NESTED_BLOCK);
    }

    @Override
    public int count() {
      return codes.length;
    }

    @Override
    public float get(int b) {
      return get(b, codes[b]);
    }

    /** What a code stands for as the scale of block b. */
    public float get(int b, byte code) {
      return map[code & 255] * absmax[b / NESTED_BLOCK] + offset;
    }

    /** Quantises the scales of a tensor. */
    public static Nested of(float[] scales) {
      double sum = 0;
      for (float s : scales) {
        sum += s;
      }
      float offset = scales.length == 0 ? 0 : (float) (sum / scales.length);
      byte[] codes = new byte[scales.length];
      float[] absmax = new float[blocks(scales.length)];
      for (int b = 0; b < absmax.length; b++) {
        int end = Math.min(scales.length, (b + 1) * NESTED_BLOCK);
        float max = 0;
        for (int i = b * NESTED_BLOCK; i < end; i++) {
          max = Math.max(max, Math.abs(scales[i] - offset));
        }
        absmax[b] = max;
        float inverse = 1 / Math.max(max, 1e-38f);
        for (int i = b * NESTED_BLOCK; i < end; i++) {
          codes[i] = (byte) nearest(Math.clamp((scales[i] - offset) * inverse, -1f, 1f));
        }
      }
      return new Nested(codes, absmax, offset, DYNAMIC_MAP);
    }

    /** A value halfway between two of the map goes to the lower one. */
    private static int nearest(float x) {
      int at = Arrays.binarySearch(DYNAMIC_MAP, x);
      if (at >= 0) {
        return at;
      }
      int above = Math.min(-at - 1, 255);
      int below = Math.max(above - 1, 0);
      return x > (DYNAMIC_MAP[below] + DYNAMIC_MAP[above]) / 2 ? above : below;
    }
  }

  /** The 256 values that scales are quantised to, ascending. */
  public static float[] dynamicMapValues() {
    return DYNAMIC_MAP.clone();
  }

  /**
   * The signed dynamic 8-bit map ({@code create_dynamic_map}): for i in 0 to 6, the means of
   * neighbours among 2^i + 1 even steps from 0.1 to 1, times 10^(i − 6), with both signs; and 0, 1.
   * Rounded as PyTorch's linspace rounds: from both ends to the middle.
   */
  private static float[] dynamicMap() {
    float[] map = new float[256];
    int at = 0;
    for (int i = 0; i < 7; i++) {
      int steps = 1 << i;
      float factor = (float) Math.pow(10, i - 6);
      for (int s = 0; s < steps; s++) {
        float mean = (boundary(s, steps) + boundary(s + 1, steps)) / 2;
        map[at++] = mean * factor;
        map[at++] = -mean * factor;
      }
    }
    map[at++] = 0;
    map[at] = 1;
    Arrays.sort(map);
    return map;
  }

  private static float boundary(int s, int steps) {
    float step = (1 - 0.1f) / steps;
    return s < (steps + 1) / 2 ? Math.fma(step, s, 0.1f) : Math.fma(-step, steps - s, 1f);
  }
}
