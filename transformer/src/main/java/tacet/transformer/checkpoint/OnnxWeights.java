package tacet.transformer.checkpoint;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;

/**
 * The weights in an ONNX export of a BERT-like model, under the names and with the orientation they
 * have in a Hugging Face checkpoint. The graph itself is not run, and not checked beyond what is
 * needed to name the weights.
 *
 * <p>PyTorch's exporter keeps the names of embeddings, norms and biases, but folds the transposition
 * of every linear weight into an anonymous constant, {@code onnx::MatMul_885} of shape [in, out].
 * Its name is recovered from the node that uses it: {@code
 * /encoder/layer.0/attention/self/query/MatMul} makes {@code
 * encoder.layer.0.attention.self.query.weight}, transposed back to [out, in].
 *
 * <p>Field numbers are those of {@code onnx.proto} (github.com/onnx/onnx).
 */
public final class OnnxWeights {
  private static final int MAX_RANK = 64;

  private final String file;
  private final Map<String, Initializer> initializers = new LinkedHashMap<>();
  private final List<Node> nodes = new ArrayList<>();

  /** A constant tensor of the graph; nothing is converted yet. */
  private record Initializer(
      String name, int type, long[] dims, MemorySegment raw, MemorySegment floats, long[] longs) {}

  /** An operator; {@code transB} is Gemm's attribute. */
  private record Node(String name, String op, List<String> inputs, boolean transB) {
    boolean isMatMul() {
      return op.equals("MatMul") && inputs.size() == 2;
    }
  }

  private OnnxWeights(String file) {
    this.file = file;
  }

  /**
   * Reads an ONNX model from a stream, to its end; the stream is not closed.
   *
   * @param name stands for the model in error messages
   * @return float32 tensors by Hugging Face name, in file order; modifiable
   * @throws FormatException if it is damaged or not an export that can be understood
   */
  public static Map<String, Tensor> read(InputStream in, String name) throws IOException {
    byte[] bytes = in.readNBytes(Integer.MAX_VALUE - 8); // protocol buffers end at 2 GiB anyway
    return read(bytes, name);
  }

  /** Same, from bytes; they are not modified and not kept. */
  public static Map<String, Tensor> read(byte[] model, String name) throws FormatException {
    OnnxWeights onnx = new OnnxWeights(name);
    onnx.parse(new Protobuf(model, name));
    return onnx.weights();
  }

  // ---------------------------------------------------------------- the graph

  private void parse(Protobuf in) throws FormatException {
    boolean found = false;
    while (in.next()) {
      if (in.field() == 7) { // ModelProto.graph
        found = true;
        graph(in.message());
      } else {
        in.skip();
      }
    }
    if (!found) {
      throw error("not an ONNX model: it has no graph");
    }
  }

  private void graph(Protobuf in) throws FormatException {
    while (in.next()) {
      switch (in.field()) {
        case 1 -> nodes.add(node(in.message()));
        case 5 -> {
          Initializer i = initializer(in.message());
          if (initializers.putIfAbsent(i.name, i) != null) {
            throw error("two initializers named " + TensorInfo.quoted(i.name));
          }
        }
        case 15 -> throw error("sparse initializers are not supported; export dense weights");
        default -> in.skip();
      }
    }
  }

  private Node node(Protobuf in) throws FormatException {
    List<String> inputs = new ArrayList<>();
    String name = "";
    String op = "";
    String domain = "";
    boolean transB = false;
    while (in.next()) {
      switch (in.field()) {
        case 1 -> inputs.add(in.string());
        case 3 -> name = in.string();
        case 4 -> op = in.string();
        case 5 -> transB |= isTrue("transB", in.message());
        case 7 -> domain = in.string();
        default -> in.skip();
      }
    }
    if (!domain.isEmpty() && !domain.equals("ai.onnx")) {
      throw error(
          "operator "
              + TensorInfo.quoted(domain + "." + op)
              + " is not a standard one: optimised or quantised exports cannot be imported, export"
              + " the model from PyTorch without optimisation");
    }
    return new Node(name, op, inputs, transB);
  }

  private static boolean isTrue(String wanted, Protobuf attribute) throws FormatException {
    String name = "";
    long value = 0;
    while (attribute.next()) {
      switch (attribute.field()) {
        case 1 -> name = attribute.string();
        case 3 -> value = attribute.varint();
        default -> attribute.skip();
      }
    }
    return name.equals(wanted) && value != 0;
  }

  private Initializer initializer(Protobuf in) throws FormatException {
    MemorySegment none = MemorySegment.ofArray(new byte[0]);
    String name = "";
    int type = 0;
    long[] dims = {};
    MemorySegment raw = none;
    MemorySegment floats = none;
    long[] longs = {};
    boolean external = false;
    while (in.next()) {
      switch (in.field()) {
        case 1 ->
            dims =
                append(name, dims, in.isPacked() ? in.packedVarints() : new long[] {in.varint()});
        case 2 -> type = (int) in.varint();
        case 4 -> floats = in.segment();
        case 7 -> longs = in.packedVarints();
        case 8 -> name = in.string();
        case 9 -> raw = in.segment();
        case 13 -> {
          external = true;
          in.skip();
        }
        case 14 -> external |= in.varint() != 0;
        default -> in.skip();
      }
    }
    if (external) {
      throw bad(name, "its data is in another file; export the model as a single file");
    }
    return new Initializer(name, type, dims, raw, floats, longs);
  }

  private long[] append(String name, long[] dims, long[] more) throws FormatException {
    long[] all = Arrays.copyOf(dims, dims.length + more.length);
    System.arraycopy(more, 0, all, dims.length, more.length);
    if (all.length > MAX_RANK) {
      throw bad(name, "has more than " + MAX_RANK + " extents");
    }
    return all;
  }

  // ---------------------------------------------------------------- the weights

  private Map<String, Tensor> weights() throws FormatException {
    Map<String, Tensor> weights = new LinkedHashMap<>();
    for (Initializer i : initializers.values()) {
      if (!isAnonymous(i.name)) {
        weights.put(i.name, tensor(i));
      }
    }
    Set<String> named = new HashSet<>();
    for (Node n : nodes) {
      for (String input : n.inputs) {
        Initializer i = initializers.get(input);
        if (i != null && isWeightMatrix(i)) {
          checkUse(n, i);
        }
      }
      Initializer right = n.isMatMul() ? initializers.get(n.inputs.get(1)) : null;
      if (right != null && isWeightMatrix(right)) {
        String name = weightName(n);
        if (!named.add(right.name)) { // a copy for each could fill any memory
          throw bad(right.name, "is used by two MatMul nodes; shared weights are not supported");
        }
        if (weights.putIfAbsent(name, transposed(right)) != null) {
          throw bad(right.name, "node " + n.name + " gives it the name of another weight");
        }
      }
    }
    for (Initializer i : initializers.values()) {
      if (isAnonymous(i.name) && isWeight(i) && !named.contains(i.name)) {
        throw bad(i.name, "has no name that tells what it is, and no MatMul node that does");
      }
    }
    return weights;
  }

  /** Whether the exporter made the name up, or took it from an operator instead of a module. */
  private static boolean isAnonymous(String name) {
    return name.isEmpty()
        || name.startsWith("onnx::")
        || name.indexOf('/') >= 0
        || name.chars().allMatch(c -> c >= '0' && c <= '9');
  }

  /** Constants such as axes, and single numbers such as epsilons, belong to the architecture. */
  private static boolean isWeight(Initializer i) {
    long elements = 1;
    for (long d : i.dims) {
      elements *= d; // only told apart from 1 here; checked for real in tensor()
    }
    return i.type != 7 && i.type != 6 && i.type != 9 && elements != 1;
  }

  private static boolean isWeightMatrix(Initializer i) {
    return i.dims.length == 2 && isWeight(i);
  }

  /** Refuses uses that would leave the orientation of a matrix in doubt. */
  private void checkUse(Node n, Initializer i) throws FormatException {
    boolean weightOfGemm = n.op.equals("Gemm") && n.inputs.indexOf(i.name) == 1;
    if (weightOfGemm && !n.transB) {
      throw bad(i.name, "node " + n.name + " uses it as [in, out]; only transB=1 is understood");
    }
    if (n.isMatMul() && (!isAnonymous(i.name) || n.inputs.get(0).equals(i.name))) {
      throw bad(i.name, "node " + n.name + " multiplies by it directly: orientation unknown");
    }
  }

  private String weightName(Node n) throws FormatException {
    String suffix = "/MatMul";
    if (!n.name.startsWith("/") || !n.name.endsWith(suffix) || n.name.equals(suffix)) {
      throw error(
          "node "
              + TensorInfo.quoted(n.name)
              + " does not tell the name of its weight; export the model with PyTorch 1.13 or later");
    }
    return n.name.substring(1, n.name.length() - suffix.length()).replace('/', '.') + ".weight";
  }

  private Tensor tensor(Initializer i) throws FormatException {
    Shape shape = shape(i);
    float[] values = new float[checkedCount(i, shape)];
    if (i.longs.length > 0) {
      for (int k = 0; k < values.length; k++) {
        values[k] = i.longs[k];
      }
    } else if (i.floats.byteSize() > 0) {
      DType.F32.decode(i.floats, values, 0, values.length);
    } else {
      dtype(i).decode(i.raw, values, 0, values.length);
    }
    return new Tensor(shape, values);
  }

  private static Shape shapeOrNull(long[] dims) {
    int[] d = new int[dims.length];
    for (int k = 0; k < d.length; k++) {
      d[k] = (int) dims[k];
      if (d[k] != dims[k]) {
        return null;
      }
    }
    try {
      return Shape.of(d);
    } catch (IllegalArgumentException e) {
      return null; // negative, or more elements than an array holds
    }
  }

  private Shape shape(Initializer i) throws FormatException {
    Shape shape = shapeOrNull(i.dims);
    if (shape == null) {
      throw bad(i.name, "has impossible extents");
    }
    return shape;
  }

  /** The number of elements, after comparing it with the data that is really there. */
  private int checkedCount(Initializer i, Shape shape) throws FormatException {
    DType dtype = dtype(i);
    long raw = i.raw.byteSize();
    long floats = i.floats.byteSize();
    long present;
    if (raw == 0 && floats == 0 && dtype == DType.I64) {
      present = i.longs.length * 8L;
    } else if (raw == 0 && i.longs.length == 0 && dtype == DType.F32) {
      present = floats;
    } else if (floats == 0 && i.longs.length == 0) {
      present = raw;
    } else {
      throw bad(i.name, "has data of two kinds");
    }
    if (present != (long) shape.size() * dtype.bytes()) {
      throw bad(i.name, "shape " + shape + " does not fit its " + present + " bytes of " + dtype);
    }
    return shape.size();
  }

  private DType dtype(Initializer i) throws FormatException {
    return switch (i.type) {
      case 1 -> DType.F32;
      case 7 -> DType.I64;
      case 10 -> DType.F16;
      case 11 -> DType.F64;
      case 16 -> DType.BF16;
      default ->
          throw bad(
              i.name,
              "has ONNX data type "
                  + i.type
                  + ", not a float or int64: quantised models cannot be imported");
    };
  }

  /** [in, out] to [out, in], in tiles that stay in the first-level cache. */
  private Tensor transposed(Initializer i) throws FormatException {
    Tensor t = tensor(i);
    float[] from = t.data();
    int rows = t.shape().dim(0);
    int columns = t.shape().dim(1);
    float[] to = new float[from.length];
    int tile = 32;
    for (int r0 = 0; r0 < rows; r0 += tile) {
      for (int c0 = 0; c0 < columns; c0 += tile) {
        for (int r = r0; r < Math.min(rows, r0 + tile); r++) {
          for (int c = c0; c < Math.min(columns, c0 + tile); c++) {
            to[c * rows + r] = from[r * columns + c];
          }
        }
      }
    }
    return new Tensor(Shape.of(columns, rows), to);
  }

  private FormatException bad(String name, String problem) {
    return error("initializer " + TensorInfo.quoted(name) + " " + problem);
  }

  private FormatException error(String problem) {
    return new FormatException(file, problem);
  }
}
