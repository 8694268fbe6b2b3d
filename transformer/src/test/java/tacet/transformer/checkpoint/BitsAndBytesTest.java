package tacet.transformer.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.tensor.Nf4;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.WeightFormat;
import tacet.tensor.kernel.CompactMatrix;

/** Weights in four bits: what is written is read, and what is not one is refused. */
class BitsAndBytesTest {
  private static final String STATE = "w.quant_state.bitsandbytes__nf4";

  @TempDir private Path dir;

  private static Nf4 random(int size) {
    float[] x = RandomStream.of(7, "w", size).normal(Shape.of(size), 1).data();
    for (int i = 0; i < Math.min(64, size / 2); i++) {
      x[i] = 0; // a block of zeros, where there are several
    }
    return Nf4.quantize(x, size);
  }

  private Checkpoint open(SafeTensorsWriter writer) throws IOException {
    Checkpoint.write(dir.resolve("m"), Json.parse("{}", "config"), writer);
    return Checkpoint.open(dir.resolve("m"));
  }

  @Test
  void roundTrip() throws IOException {
    int[][] shapes = {{3, 5}, {1, 1}, {7, 64}, {33, 130}, {300, 64}};
    for (int[] s : shapes) {
      for (boolean nested : new boolean[] {false, true}) {
        Nf4 plain = random(s[0] * s[1]);
        Nf4 value = nested ? plain.nested() : plain;
        SafeTensorsWriter writer = new SafeTensorsWriter();
        BitsAndBytes.add(writer, "w", new BitsAndBytes.Stored(value, s[0], s[1]));
        try (Checkpoint c = open(writer)) {
          assertThat(c.names()).hasSize(nested ? 6 : 4);
          BitsAndBytes.Stored back = BitsAndBytes.read(c, "w");
          assertThat(List.of(back.rows(), back.columns())).containsExactly(s[0], s[1]);
          assertThat(back.value().codes()).isEqualTo(value.codes());
          assertThat(back.value().expand()).isEqualTo(value.expand());
          Shape shape = Shape.of(s[0], s[1]);
          Weights w = c.weights();
          assertThat(w.tensor("w", shape).data()).isEqualTo(value.expand());
          CompactMatrix compact = w.compactOrNull("w", s[0], s[1], false);
          assertThat(compact.expand()).isEqualTo(value.expand());
          assertThat(compact.format())
              .isEqualTo(nested ? WeightFormat.NF4_NESTED : WeightFormat.NF4);
          w.finish(); // all of its tensors are used
        }
      }
    }
  }

  @Test
  void aWeightOfAnotherShapeIsReportedOnce() throws IOException {
    SafeTensorsWriter writer = new SafeTensorsWriter();
    BitsAndBytes.add(writer, "w", new BitsAndBytes.Stored(random(64), 8, 8));
    try (Checkpoint c = open(writer)) {
      Weights w = c.weights();
      assertThat(w.compactOrNull("w", 4, 16, false)).isNull();
      w.tensor("w", Shape.of(4, 16));
      assertThatThrownBy(w::finish)
          .isInstanceOfSatisfying(
              CheckpointException.class, e -> assertThat(e.mismatched()).hasSize(1))
          .hasMessageContaining("[8, 8]");
    }
  }

  @Test
  void floatsAreQuantisedAsTheyAreLoaded() throws IOException {
    Tensor w = RandomStream.of(8, "w", 0).normal(Shape.of(6, 10), 1);
    SafeTensorsWriter writer = new SafeTensorsWriter();
    writer.add("a.weight", w).add("classifier.weight", w);
    try (Checkpoint c = open(writer)) {
      Weights plain = c.weights();
      assertThat(plain.compactOrNull("a.weight", 6, 10, false)).isNull();
      Weights four = c.linearsAs(WeightFormat.NF4).weights();
      assertThat(four.compactOrNull("a.weight", 6, 10, false).expand())
          .isEqualTo(Nf4.quantize(w.data(), 60).expand());
      CompactMatrix turned = four.compactOrNull("a.weight", 10, 6, true);
      assertThat(turned.expand()[1])
          .isEqualTo(CompactMatrix.ofTransposed(WeightFormat.NF4, w.data(), 10, 6).expand()[1]);
      assertThat(turned.expand()[1])
          .isCloseTo(w.data()[10], org.assertj.core.data.Offset.offset(.4f));
      assertThat(four.compactOrNull("classifier.weight", 6, 10, false)).isNull();
    }
  }

  /** A weight with one of its tensors replaced. */
  private Checkpoint damaged(String name, DType dtype, byte[] bytes) throws IOException {
    SafeTensorsWriter good = new SafeTensorsWriter();
    BitsAndBytes.add(good, "w", new BitsAndBytes.Stored(random(130).nested(), 13, 10));
    SafeTensorsWriter bad = new SafeTensorsWriter();
    try (Checkpoint c = open(good)) {
      for (String t : c.names()) {
        if (!t.equals(name)) {
          bad.addBytes(t, c.info(t).dtype(), c.info(t).shape(), c.readBytes(t));
        } else if (bytes != null) {
          bad.addBytes(t, dtype, Shape.of(bytes.length * 8 / dtype.bits()), bytes);
        }
      }
    }
    return open(bad);
  }

  private void refused(String name, DType dtype, byte[] bytes, String why) throws IOException {
    try (Checkpoint c = damaged(name, dtype, bytes)) {
      assertThatThrownBy(() -> BitsAndBytes.read(c, "w"))
          .as(why)
          .isInstanceOf(FormatException.class)
          .hasMessageContaining(why)
          .hasMessageContaining("m");
    }
  }

  private void refusedState(UnaryOperator<String> change, String why) throws IOException {
    String good =
        "{\"quant_type\":\"nf4\",\"blocksize\":64,\"dtype\":\"bfloat16\",\"shape\":[13,10],"
            + "\"nested_blocksize\":256,\"nested_dtype\":\"float32\",\"nested_offset\":0.5}";
    String bad = change.apply(good);
    assertThat(bad).isNotEqualTo(good);
    refused(STATE, DType.U8, bad.getBytes(StandardCharsets.UTF_8), why);
  }

  @Test
  void hostileWeightsAreRefused() throws IOException {
    refused("w", DType.U8, new byte[64], "has 64 bytes, its shape needs 65");
    refused("w.absmax", DType.U8, new byte[2], "has 2 bytes, its shape needs 3");
    refused("w.absmax", DType.I8, new byte[3], "is I8, expected U8");
    refused("w.absmax", null, null, "no tensor");
    refused("w.nested_absmax", DType.F32, new byte[8], "has 2 values, expected 1");
    refused("w.nested_absmax", DType.F32, new byte[] {0, 0, -64, 127}, "value 0 is NaN");
    refused("w.nested_quant_map", DType.F32, new byte[64], "has 16 values, expected 256");
    refused("w.quant_map", DType.F32, new byte[64], "level 0 is 0.0");
    refused(STATE, DType.U8, new byte[70000], "state of 70000 bytes");
    refused(STATE, DType.U8, new byte[] {'['}, "w.quant_state");
    refusedState(s -> s.replace("64", "128"), "blocksize is 128");
    refusedState(s -> s.replace("nf4", "fp4"), "quant_type is \"fp4\"");
    refusedState(s -> s.replace("256", "255"), "nested_blocksize is 255");
    refusedState(s -> s.replace("0.5", "1e300"), "nested_offset is Infinity");
    refusedState(s -> s.replace("[13,10]", "[13,10,1]"), "shape has 3 extents");
    refusedState(s -> s.replace("[13,10]", "[0,10]"), "extent of 0");
    refusedState(s -> s.replace("[13,10]", "[-13,-10]"), "extent of -13");
    refusedState(s -> s.replace("[13,10]", "[4294967296,10]"), "extent of 4294967296");
    refusedState(s -> s.replace("[13,10]", "[2147483647,2147483647]"), "does not fit");
    refusedState(s -> s.replace("[13,10]", "[2000000000,1]"), "its shape needs 1000000000");
    refusedState(s -> s.replace("\"shape\"", "\"form\""), "shape");
  }
}
