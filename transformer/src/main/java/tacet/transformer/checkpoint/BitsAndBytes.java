package tacet.transformer.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.tensor.Nf4;
import tacet.tensor.Shape;

/**
 * Weights in four bits as bitsandbytes stores them beside each other ({@code
 * QuantState.as_dict(packed=True)}). Of a weight {@code L.weight} there are
 *
 * <ul>
 *   <li>{@code L.weight}: the codes, U8 [(n + 1) / 2, 1]; other types are taken by their bytes
 *   <li>{@code L.weight.absmax}: the scales, F32, or U8 if they are quantised too
 *   <li>{@code L.weight.quant_map}: the 16 levels, F32
 *   <li>{@code L.weight.nested_absmax}, {@code L.weight.nested_quant_map}: F32, for scales in U8
 *   <li>{@code L.weight.quant_state.bitsandbytes__nf4}: JSON in bytes, with the shape
 * </ul>
 *
 * <p>A weight of a linear layer is [out, in] there, that of a GPT-2 too: transformers turns a Conv1D's
 * weight before it is quantised. The state's {@code dtype} says what bitsandbytes rounds expanded
 * values to; here they stay float32.
 */
public final class BitsAndBytes {
  /**
   * Layers that keep their floats: outputs, which lose most, and are often tied to the embeddings.
   * Names of path elements.
   */
  public static final List<String> KEPT =
      List.of("lm_head", "classifier", "score", "qa_outputs", "classification_head");

  private static final String STATE = ".quant_state.bitsandbytes__";
  private static final String NF4 = STATE + "nf4";
  private static final int MAX_STATE = 1 << 16;
  private static final List<String> COMPANIONS =
      List.of(".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", NF4);

  private BitsAndBytes() {}

  /**
   * A weight in four bits.
   *
   * @param value its values, in row-major order
   * @param rows outputs
   * @param columns inputs
   */
  public record Stored(Nf4 value, int rows, int columns) {}

  /** Whether a layer keeps its floats, by its path. */
  public static boolean keeps(String path) {
    return KEPT.stream().anyMatch(k -> ("." + path + ".").contains("." + k + "."));
  }

  // ------------------------------------------------------------------ reading

  /** Whether a tensor is a weight in four bits. */
  public static boolean has(Checkpoint checkpoint, String name) {
    return checkpoint.contains(name + NF4) || checkpoint.contains(name + STATE + "fp4");
  }

  /** The tensors that belong to a weight in four bits, of those that are there. */
  public static List<String> companions(Checkpoint checkpoint, String name) {
    return COMPANIONS.stream().map(name::concat).filter(checkpoint::contains).toList();
  }

  /** The extents of a weight in four bits, without reading it. */
  static List<Long> dims(Checkpoint checkpoint, String name) throws IOException {
    List<Long> dims = new ArrayList<>();
    for (Json d : state(checkpoint, name).get("shape").elements()) {
      dims.add(d.asLong());
    }
    return dims;
  }

  /**
   * Reads a weight in four bits. Sizes are checked against those of the stored tensors before
   * anything is read or allocated.
   *
   * @throws FormatException if a part is missing or does not fit the others, or it is of a kind that
   *     is not supported: FP4, blocks of another size, other levels
   */
  public static Stored read(Checkpoint checkpoint, String name) throws IOException {
    Json state = state(checkpoint, name);
    expect(state, "quant_type", "nf4");
    expectInt(state, "blocksize", Nf4.BLOCK);
    List<Json> shape = state.get("shape").elements();
    if (shape.size() != 2) {
      throw state.error("shape has " + shape.size() + " extents, a weight has 2");
    }
    int rows = extent(state, shape.get(0));
    int columns = extent(state, shape.get(1));
    long size = (long) rows * columns;
    if (size > Integer.MAX_VALUE - 8) {
      throw state.error("shape " + rows + " × " + columns + " does not fit a Java array");
    }
    int n = (int) size;
    byte[] codes = bytes(checkpoint, name, null, Nf4.bytes(n));
    requireLevels(checkpoint, name);
    Nf4.Scales scales =
        checkpoint.contains(name + ".nested_absmax")
            ? nested(checkpoint, name, state, Nf4.blocks(n))
            : new Nf4.Plain(floats(checkpoint, name + ".absmax", Nf4.blocks(n)));
    return new Stored(new Nf4(codes, scales, n), rows, columns);
  }

  private static Nf4.Nested nested(Checkpoint checkpoint, String name, Json state, int blocks)
      throws IOException {
    expectInt(state, "nested_blocksize", Nf4.NESTED_BLOCK);
    expect(state, "nested_dtype", "float32");
    float offset = (float) state.get("nested_offset").asDouble();
    if (!Float.isFinite(offset)) {
      throw state.error("nested_offset is " + offset);
    }
    return new Nf4.Nested(
        bytes(checkpoint, name + ".absmax", DType.U8, blocks),
        floats(checkpoint, name + ".nested_absmax", Nf4.Nested.blocks(blocks)),
        offset,
        floats(checkpoint, name + ".nested_quant_map", 256));
  }

  private static Json state(Checkpoint checkpoint, String name) throws IOException {
    if (!checkpoint.contains(name + NF4)) {
      throw checkpoint
          .info(name)
          .error("is quantised to FP4; only NF4 is supported (bnb_4bit_quant_type)");
    }
    TensorInfo info = checkpoint.info(name + NF4);
    if (info.byteSize() > MAX_STATE) {
      throw info.error("a quantisation state of " + info.byteSize() + " bytes");
    }
    Json state = Json.parse(checkpoint.readBytes(name + NF4), info.file() + ": " + name + NF4);
    state.members(); // an object, or an error
    return state;
  }

  private static int extent(Json state, Json extent) throws IOException {
    long e = extent.asLong();
    if (e < 1 || e > Integer.MAX_VALUE) {
      throw state.error("shape has an extent of " + e);
    }
    return (int) e;
  }

  private static void expect(Json state, String key, String value) throws IOException {
    String found = state.get(key).asString();
    if (!found.equals(value)) {
      throw state.error(key + " is \"" + found + "\", only \"" + value + "\" is supported");
    }
  }

  private static void expectInt(Json state, String key, int value) throws IOException {
    long found = state.get(key).asLong();
    if (found != value) {
      throw state.error(key + " is " + found + ", only " + value + " is supported");
    }
  }

  private static void requireLevels(Checkpoint checkpoint, String name) throws IOException {
    float[] map = floats(checkpoint, name + ".quant_map", 16);
    for (int c = 0; c < map.length; c++) {
      if (map[c] != Nf4.level(c)) {
        throw checkpoint
            .info(name + ".quant_map")
            .error("level " + c + " is " + map[c] + ", NF4 has " + Nf4.level(c));
      }
    }
  }

  /** A tensor of so many bytes; of a type, unless that is null. */
  private static byte[] bytes(Checkpoint checkpoint, String name, DType dtype, int count)
      throws IOException {
    TensorInfo info = checkpoint.info(name);
    if (dtype != null && info.dtype() != dtype) {
      throw info.error("is " + info.dtype() + ", expected " + dtype);
    }
    if (info.byteSize() != count) {
      throw info.error("has " + info.byteSize() + " bytes, its shape needs " + count);
    }
    return checkpoint.readBytes(name);
  }

  private static float[] floats(Checkpoint checkpoint, String name, int count) throws IOException {
    TensorInfo info = checkpoint.info(name);
    if (info.dtype() != DType.F32) {
      throw info.error("is " + info.dtype() + ", expected F32");
    }
    if (info.byteSize() != 4L * count) {
      throw info.error("has " + info.byteSize() / 4 + " values, expected " + count);
    }
    float[] values = checkpoint.read(name).data();
    for (int i = 0; i < count; i++) {
      if (!Float.isFinite(values[i])) {
        throw info.error("value " + i + " is " + values[i]);
      }
    }
    return values;
  }

  // ------------------------------------------------------------------ writing

  /**
   * Adds the tensors of a weight.
   *
   * @param name of the weight
   */
  public static void add(SafeTensorsWriter writer, String name, Stored weight) {
    Nf4 value = weight.value;
    Map<String, Object> state = new LinkedHashMap<>();
    state.put("quant_type", "nf4");
    state.put("blocksize", Nf4.BLOCK);
    state.put("dtype", "float32");
    state.put("shape", List.of(weight.rows, weight.columns));
    writer.addBytes(name, DType.U8, Shape.of(value.codes().length, 1), value.codes());
    float[] levels = new float[16];
    for (int c = 0; c < levels.length; c++) {
      levels[c] = Nf4.level(c);
    }
    floats(writer, name + ".quant_map", levels);
    switch (value.scales()) {
      case Nf4.Plain plain -> floats(writer, name + ".absmax", plain.values());
      case Nf4.Nested nested -> {
        byte[] codes = nested.codes();
        writer.addBytes(name + ".absmax", DType.U8, Shape.of(codes.length), codes);
        floats(writer, name + ".nested_absmax", nested.absmax());
        floats(writer, name + ".nested_quant_map", nested.map());
        state.put("nested_blocksize", Nf4.NESTED_BLOCK);
        state.put("nested_dtype", "float32");
        state.put("nested_offset", (double) nested.offset());
      }
    }
    byte[] json = Json.of(state).toString().getBytes(StandardCharsets.UTF_8);
    writer.addBytes(name + NF4, DType.U8, Shape.of(json.length), json);
  }

  /** Bytes of a weight's codes and scales, without what every weight repeats. */
  public static long bytes(Nf4 value) {
    long scales =
        switch (value.scales()) {
          case Nf4.Plain plain -> 4L * plain.count();
          case Nf4.Nested nested -> nested.count() + 4L * nested.absmax().length;
        };
    return value.codes().length + scales;
  }

  private static void floats(SafeTensorsWriter writer, String name, float[] values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    writer.addBytes(name, DType.F32, Shape.of(values.length), bytes.array());
  }

  /**
   * What config.json says of such weights, {@code quantization_config}.
   *
   * @param nested whether scales are quantised too
   * @param kept names of layers that are not quantised
   */
  public static Map<String, Object> config(boolean nested, List<String> kept) {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("quant_method", "bitsandbytes");
    c.put("load_in_4bit", true);
    c.put("load_in_8bit", false);
    c.put("bnb_4bit_quant_type", "nf4");
    c.put("bnb_4bit_use_double_quant", nested);
    c.put("bnb_4bit_compute_dtype", "float32");
    c.put("bnb_4bit_quant_storage", "uint8");
    c.put("llm_int8_skip_modules", kept);
    return c;
  }
}
