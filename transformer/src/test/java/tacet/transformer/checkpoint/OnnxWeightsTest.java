package tacet.transformer.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;

class OnnxWeightsTest {

  @Test
  void theTinyModelHasItsHuggingFaceNamesAndOrientation() throws IOException {
    byte[] bytes = Files.readAllBytes(Golden.path("tiny.onnx"));
    Map<String, Json> expected = Golden.expected("tiny.onnx.expected.json");
    Map<String, Tensor> weights = OnnxWeights.read(new ByteArrayInputStream(bytes), "tiny.onnx");
    assertThat(weights.keySet()).containsExactlyInAnyOrderElementsOf(expected.keySet());
    for (String name : weights.keySet()) {
      Golden.assertEqual(name, weights.get(name), expected.get(name));
    }
  }

  @Test
  void everyTruncationIsRefused() throws IOException {
    byte[] bytes = Files.readAllBytes(Golden.path("tiny.onnx"));
    for (int n = 0; n < bytes.length; n++) {
      byte[] cut = Arrays.copyOf(bytes, n);
      assertThatThrownBy(() -> OnnxWeights.read(cut, "cut.onnx"))
          .as("%d bytes", n)
          .isInstanceOf(FormatException.class)
          .hasMessageStartingWith("cut.onnx: ");
    }
  }

  // ---------------------------------------------------------------- what is not understood

  private static final byte[] WEIGHT =
      initializer("onnx::MatMul_1", 1, new long[] {1, 2}, field(9, new byte[8]));

  @Test
  void aMatrixIsNamedByItsNodeAndTransposed() throws IOException {
    byte[] data = {0, 0, (byte) 0x80, 0x3f, 0, 0, 0, 0x40}; // 1, 2
    byte[] w = initializer("onnx::MatMul_1", 1, new long[] {1, 2}, field(9, data));
    Map<String, Tensor> weights =
        read(node("MatMul", "/a/layer.0/q/MatMul", "x", "onnx::MatMul_1"), w);
    assertThat(weights).containsOnlyKeys("a.layer.0.q.weight");
    Tensor t = weights.get("a.layer.0.q.weight");
    assertThat(t.shape()).isEqualTo(Shape.of(2, 1));
    assertThat(t.toArray()).containsExactly(1, 2);
  }

  @Test
  void quantisedAndFusedExportsAreRefused() {
    byte[] quantised = initializer("w_quantized", 2, new long[] {2}, field(9, new byte[2]));
    refused("data type 2, not a float or int64: quantised", quantised);
    byte[] fused =
        field(1, field(3, "Attention_0"), field(4, "Attention"), field(7, "com.microsoft"));
    refused("operator \"com.microsoft.Attention\" is not a standard one", fused);
  }

  @Test
  void dataElsewhereIsRefused() {
    byte[] location = field(13, field(1, "location"), field(2, "../../secret"));
    refused("its data is in another file", initializer("w", 1, new long[] {2}, location));
    refused("its data is in another file", initializer("w", 1, new long[] {2}, number(14, 1)));
    refused("sparse initializers", field(15, new byte[0]));
  }

  @Test
  void weightsThatNoNodeNamesAreRefused() {
    refused("has no name that tells what it is", WEIGHT);
    byte[] old = node("MatMul", "MatMul_123", "x", "onnx::MatMul_1");
    refused("node \"MatMul_123\" does not tell the name of its weight", old, WEIGHT);
    byte[] twice = node("MatMul", "/q/MatMul", "x", "onnx::MatMul_1");
    refused("is used by two MatMul nodes", twice, twice, WEIGHT);
    byte[] other = initializer("onnx::MatMul_2", 1, new long[] {1, 2}, field(9, new byte[8]));
    byte[] same = node("MatMul", "/q/MatMul", "x", "onnx::MatMul_2");
    refused("gives it the name of another weight", twice, same, WEIGHT, other);
  }

  @Test
  void matricesOfUnknownOrientationAreRefused() {
    byte[] named = initializer("q.weight", 1, new long[] {1, 2}, field(9, new byte[8]));
    refused("orientation unknown", node("MatMul", "/q/MatMul", "x", "q.weight"), named);
    byte[] left =
        field(
            1,
            field(1, "onnx::MatMul_1"),
            field(1, "x"),
            field(3, "/q/MatMul"),
            field(4, "MatMul"));
    refused("orientation unknown", left, WEIGHT);
    refused("only transB=1 is understood", node("Gemm", "/q/Gemm", "x", "q.weight"), named);
  }

  @Test
  void dataMustFillTheShape() {
    long[] dims = {2};
    refused("does not fit its 4 bytes", initializer("w", 1, dims, field(9, new byte[4])));
    refused("does not fit its 0 bytes", initializer("w", 1, dims));
    refused(
        "data of two kinds",
        initializer("w", 1, dims, field(9, new byte[8]), field(4, new byte[8])));
    refused("impossible extents", initializer("w", 1, new long[] {-2}, field(9, new byte[8])));
    refused(
        "impossible extents", initializer("w", 1, new long[] {1L << 40}, field(9, new byte[8])));
    long[] product = {1 << 20, 1 << 20};
    refused("impossible extents", initializer("w", 1, product, field(9, new byte[8])));
    refused("more than 64 extents", initializer("w", 1, new long[65], field(9, new byte[8])));
    refused(
        "two initializers named \"w\"", twoOf(initializer("w", 1, dims, field(9, new byte[8]))));
  }

  @Test
  void whatIsNotProtobufIsRefused() {
    for (String text :
        new String[] {"", "PK\3\4", "{}", "\377\377\377\377\377\377\377\377\377\377\377"}) {
      assertThatThrownBy(
              () -> OnnxWeights.read(text.getBytes(StandardCharsets.ISO_8859_1), "x.onnx"))
          .as(text)
          .isInstanceOf(FormatException.class)
          .hasMessageStartingWith("x.onnx: ");
    }
  }

  // ---------------------------------------------------------------- protobuf by hand

  private static Map<String, Tensor> read(byte[]... graph) throws FormatException {
    return OnnxWeights.read(field(7, join(graph)), "x.onnx");
  }

  private static void refused(String problem, byte[]... graph) {
    assertThatThrownBy(() -> read(graph))
        .isInstanceOf(FormatException.class)
        .hasMessageStartingWith("x.onnx: ")
        .hasMessageContaining(problem);
  }

  private static byte[] twoOf(byte[] field) {
    return join(field, field);
  }

  private static byte[] node(String op, String name, String... inputs) {
    byte[] in = join(field(1, inputs[0]), field(1, inputs[1]));
    return field(1, in, field(3, name), field(4, op));
  }

  private static byte[] initializer(String name, int type, long[] dims, byte[]... data) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (long d : dims) {
      out.writeBytes(number(1, d));
    }
    return field(5, out.toByteArray(), number(2, type), field(8, name), join(data));
  }

  private static byte[] number(int field, long value) {
    return join(varint(field << 3), varint(value));
  }

  private static byte[] field(int field, String text) {
    return field(field, text.getBytes(StandardCharsets.UTF_8));
  }

  private static byte[] field(int field, byte[]... parts) {
    byte[] content = join(parts);
    return join(varint(field << 3 | 2), varint(content.length), content);
  }

  private static byte[] varint(long v) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (; (v & ~0x7fL) != 0; v >>>= 7) {
      out.write((int) (v & 0x7f | 0x80));
    }
    out.write((int) v);
    return out.toByteArray();
  }

  private static byte[] join(byte[]... parts) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (byte[] p : parts) {
      out.writeBytes(p);
    }
    return out.toByteArray();
  }
}
