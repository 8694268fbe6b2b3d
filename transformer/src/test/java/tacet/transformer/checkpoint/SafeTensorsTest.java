package tacet.transformer.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;

class SafeTensorsTest {
  @TempDir Path dir;

  // ---------------------------------------------------------------- golden bytes
  // The byte strings are those of the reference implementation's own tests (tensor.rs).

  @Test
  void anEmptyFileIsAPaddedHeader() throws IOException {
    assertThat(written(new SafeTensorsWriter().metadata(Map.of()))).isEqualTo(bytes(8, "{}      "));
  }

  @Test
  void metadataComesFirst() throws IOException {
    assertThat(written(new SafeTensorsWriter().metadata(Map.of("framework", "pt"))))
        .isEqualTo(bytes(40, "{\"__metadata__\":{\"framework\":\"pt\"}}     "));
  }

  @Test
  void aHeaderOfAMultipleOfEightIsNotPadded() throws IOException {
    Tensor t = Tensor.of(Shape.of(1, 2, 3), 0, 1, 2, 3, 4, 5);
    byte[] file = written(new SafeTensorsWriter().metadata(Map.of()).add("attn.0", t));
    String header = "{\"attn.0\":{\"dtype\":\"F32\",\"shape\":[1,2,3],\"data_offsets\":[0,24]}}";
    assertThat(file).startsWith(bytes(64, header)).hasSize(8 + 64 + 24);
    ByteBuffer data = ByteBuffer.wrap(file, 72, 24).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < 6; i++) {
      assertThat(data.getFloat()).isEqualTo(i);
    }
  }

  @Test
  void aHeaderIsPaddedWithSpaces() throws IOException {
    Tensor t = Tensor.zeros(1, 1, 2, 3);
    byte[] file = written(new SafeTensorsWriter().metadata(Map.of()).add("attn0", t));
    String header =
        "{\"attn0\":{\"dtype\":\"F32\",\"shape\":[1,1,2,3],\"data_offsets\":[0,24]}}       ";
    assertThat(file).startsWith(bytes(72, header)).hasSize(8 + 72 + 24);
  }

  @Test
  void theUsualMetadataIsWrittenUnlessReplaced() throws IOException {
    byte[] file = written(new SafeTensorsWriter());
    assertThat(new String(file, 8, file.length - 8, StandardCharsets.UTF_8))
        .startsWith("{\"__metadata__\":{\"format\":\"pt\"}}");
  }

  @Test
  void elementsOfFourBits() throws IOException {
    byte[] data = {0x21};
    byte[] file =
        written(
            new SafeTensorsWriter()
                .metadata(Map.of())
                .addBytes("attn.0", DType.F4, Shape.of(1, 2), data));
    String header = "{\"attn.0\":{\"dtype\":\"F4\",\"shape\":[1,2],\"data_offsets\":[0,1]}}";
    assertThat(file).isEqualTo(concat(bytes(64, header + " ".repeat(64 - header.length())), data));
    try (SafeTensors f = open(file)) {
      assertThat(f.readBytes("attn.0")).isEqualTo(data);
      assertThatThrownBy(() -> f.read("attn.0"))
          .isInstanceOf(FormatException.class)
          .hasMessageContaining("F4 cannot be read as float32");
    }
  }

  @Test
  void aScalar() throws IOException {
    byte[] file =
        concat(
            bytes(56, "{\"test\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[0,4]}}"),
            new byte[4]);
    assertThat(file[0]).isEqualTo((byte) '8');
    try (SafeTensors f = open(file)) {
      assertThat(f.info("test").dims()).isEmpty();
      assertThat(f.read("test").item()).isZero();
      assertThat(f.readLongs("test")).containsExactly(0);
    }
    assertThat(
            written(
                new SafeTensorsWriter()
                    .metadata(Map.of())
                    .addLongs("test", Shape.of(), new long[1], DType.I32)))
        .isEqualTo(file);
  }

  @Test
  void wideTypesComeFirstThenNamesByTheirBytes() throws IOException {
    SafeTensorsWriter w = new SafeTensorsWriter();
    w.addLongs("a", Shape.of(1), new long[] {1}, DType.U8);
    w.add("b", Tensor.scalar(1), DType.BF16).add("f", Tensor.scalar(1), DType.F16);
    w.add("\uFF5A", Tensor.scalar(1)).add("\uD83D\uDE00", Tensor.scalar(1)); // U+FF5A, U+1F600
    w.add("c", Tensor.scalar(1)).addLongs("z", Shape.of(1), new long[] {1}, DType.I64);
    Path file = dir.resolve("order");
    w.write(file);
    try (SafeTensors f = SafeTensors.open(file)) {
      // UTF-16 order would put the surrogates of U+1F600 first.
      assertThat(f.names()).containsExactly("z", "c", "\uFF5A", "\uD83D\uDE00", "b", "f", "a");
    }
  }

  // ---------------------------------------------------------------- lenient reading

  @ParameterizedTest
  @CsvSource({"'{}\\r \\t\\n'", "'\\t\\n{}\\r '", "'{}'", "' {\"__metadata__\":null} '"})
  void whiteSpaceAroundTheHeaderIsFine(String escaped) throws IOException {
    String header = escaped.translateEscapes();
    try (SafeTensors f = open(bytes(header.length(), header))) {
      assertThat(f.names()).isEmpty();
      assertThat(f.metadata()).isEmpty();
    }
  }

  @Test
  void headerOrderAndUnknownMembersDoNotMatter() throws IOException {
    String header =
        "{\"b\":{\"data_offsets\":[2,3],\"future\":{\"x\":[1,{}]},\"shape\":[1],\"dtype\":\"U8\"},"
            + "\"e\":{\"dtype\":\"F32\",\"shape\":[2,0],\"data_offsets\":[2,2]},"
            + "\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]}}";
    try (SafeTensors f = open(concat(bytes(header.length(), header), 0, 0x3c, 7))) {
      assertThat(f.names()).containsExactly("a", "e", "b");
      assertThat(f.read("a").item()).isEqualTo(1f);
      assertThat(f.read("b").item()).isEqualTo(7f);
      assertThat(f.read("e").shape()).isEqualTo(Shape.of(2, 0));
      assertThat(f.segment("b").byteSize()).isEqualTo(1);
    }
  }

  // ---------------------------------------------------------------- bad files

  /** Every rule of the format, in the order in which the rules are checked. */
  static List<Bad> badFiles() {
    List<Bad> l = new ArrayList<>();
    byte[] good = tensors("\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}", 2);
    l.add(new Bad("no bytes", new byte[0], "header too small: 0 bytes"));
    l.add(new Bad("seven bytes", new byte[7], "header too small: 7 bytes"));
    byte[] top = {0x3c, 0, 0, 0, 0, (byte) 0xff, (byte) 0xff, (byte) 0xff};
    l.add(new Bad("negative as a Java long", top, "header too large: 18446742974197923900"));
    l.add(new Bad("one too many", bytes(100_000_001, ""), "header too large: 100000001"));
    l.add(new Bad("not too many", bytes(100_000_000, ""), "invalid header length: 100000000"));
    l.add(new Bad("0x3c and no more", bytes(0x3c, ""), "invalid header length: 60 bytes"));
    l.add(new Bad("0xff", concat(bytes(1, ""), 0xff), "not valid UTF-8"));
    l.add(new Bad("overlong UTF-8", concat(bytes(2, ""), 0xc0, 0x80), "not valid UTF-8"));
    l.add(new Bad("lone surrogate", concat(bytes(3, ""), 0xed, 0xa0, 0x80), "not valid UTF-8"));
    l.add(new Bad("no header", bytes(0, ""), "not valid JSON"));
    l.add(new Bad("one brace", bytes(1, "{"), "not valid JSON"));
    l.add(new Bad("an array", bytes(2, "[]"), "not valid JSON"));
    l.add(new Bad("padded with NUL", bytes(3, "{}\0"), "unexpected text"));
    l.add(new Bad("trailing comma", tensors("\"a\":{},", 0), "needs a dtype"));
    l.add(header("\"a\":3", "expected '{'"));
    l.add(header("\"a\":{\"dtype\":\"F33\",\"shape\":[],\"data_offsets\":[0,4]}", "unknown dtype"));
    l.add(header("\"a\":{\"dtype\":7,\"shape\":[],\"data_offsets\":[0,4]}", "expected '\"'"));
    l.add(header("\"a\":{\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[0,4]}", "expected '['"));
    l.add(header(tensor("[-1]", "[0,4]"), "shape has \\\"-1\\\", not an unsigned integer"));
    l.add(header(tensor("[1.0]", "[0,4]"), "not an unsigned integer"));
    l.add(header(tensor("[1e0]", "[0,4]"), "not an unsigned integer"));
    l.add(header(tensor("[18446744073709551616]", "[0,4]"), "not an unsigned integer"));
    l.add(header(tensor("[1]", "[0,4,4]"), "two data_offsets"));
    l.add(header(tensor("[1]", "[0]"), "two data_offsets"));
    l.add(header("\"a\":{\"dtype\":\"F32\",\"shape\":[1]}", "two data_offsets"));
    l.add(header(tensor("[1]", "[0,4],\"shape\":[1]"), "\"shape\" appears twice"));
    l.add(header(tensor("[1]", "[0,4]") + "," + tensor("[1]", "[0,4]"), "\"a\" appears twice"));
    l.add(header("\"__metadata__\":{\"a\":1}", "is not a string"));
    l.add(header("\"__metadata__\":{\"a\":\"1\",\"a\":\"1\"}", "has \"a\" twice"));
    l.add(header("\"\\ud800\":{}", "half of a surrogate pair"));
    l.add(header(tensor("[" + "1,".repeat(2000) + "1]", "[0,4]"), "more than 1000 numbers"));
    l.add(header("\"a\":" + "[".repeat(100_000), "not valid JSON"));
    l.add(header("\"a\":{\"x\":" + "[".repeat(100_000), "nested deeper than 200"));
    StringBuilder ten = new StringBuilder();
    for (int i = 0; i < 10; i++) {
      ten.append(i == 0 ? "" : ",").append("\"t").append(i);
      ten.append("\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}");
    }
    l.add(new Bad("ten in one place", tensors(ten.toString(), 16), "invalid offsets [0, 16]"));
    l.add(header(tensor("[1]", "[1,5]"), "invalid offsets [1, 5]"));
    l.add(header(tensor("[1]", "[0,18446744073709551615]"), "span 18446744073709551615"));
    l.add(header(tensor("[1]", "[4,0]"), "invalid offsets [4, 0]"));
    l.add(header(tensor("[2,2]", "[0,4]"), "need 16 bytes, its offsets span 4"));
    l.add(header(tensor("[2,18446744073709551614]", "[0,16]"), "overflows 64 bits"));
    l.add(header(tensor("[2,9223372036854775807]", "[0,16]"), "overflows 64 bits"));
    l.add(header(tensor("[4611686018427387904]", "[0,16]"), "overflows 64 bits"));
    String f4 = "\"a\":{\"dtype\":\"F4\",\"shape\":[1,3],\"data_offsets\":[0,1]}";
    l.add(new Bad("half a byte", tensors(f4, 1), "do not fill whole bytes"));
    byte[] junk = "extra_bogus_data_for_polyglot_file".getBytes(StandardCharsets.UTF_8);
    l.add(new Bad("polyglot", concat(good, junk), "describes 2 bytes, 36 follow"));
    l.add(
        new Bad(
            "two bytes short",
            Arrays.copyOf(good, good.length - 2),
            "describes 2 bytes, 0 follow"));
    return l;
  }

  private record Bad(String what, byte[] bytes, String problem) {}

  @Test
  void badFilesAreRefusedWithTheirNameAndTheReason() throws IOException {
    List<Bad> all = badFiles();
    for (Bad b : all) {
      Path file = dir.resolve("bad.safetensors");
      Files.write(file, b.bytes);
      assertThatThrownBy(() -> SafeTensors.open(file))
          .as(b.what)
          .isInstanceOf(FormatException.class)
          .hasMessageStartingWith(file + ": ")
          .hasMessageContaining(b.problem.replace("\\\"", "\""));
    }
    assertThat(all).hasSizeGreaterThan(40);
  }

  @Test
  void theReasonIsTheFirstRuleBroken() throws IOException {
    // Truncated, and with a hole, and of impossible size: the reference reports the hole.
    String t =
        "\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551615,3],\"data_offsets\":[1,2]}";
    assertThatThrownBy(() -> open(tensors(t, 0))).hasMessageContaining("invalid offsets");
  }

  @Test
  void whatIsNotAFileIsRefused() {
    assertThatThrownBy(() -> SafeTensors.open(dir))
        .isInstanceOf(FormatException.class)
        .hasMessage(dir + ": not a regular file");
    assertThatThrownBy(() -> SafeTensors.open(dir.resolve("none")))
        .isInstanceOf(NoSuchFileException.class);
  }

  @Test
  void aTensorLargerThanAnArrayIsRefusedNotAllocated() throws IOException {
    Path file = dir.resolve("huge.safetensors");
    String header =
        "{\"x\":{\"dtype\":\"U8\",\"shape\":[3000000000],\"data_offsets\":[0,3000000000]}}";
    try (RandomAccessFile f = new RandomAccessFile(file.toFile(), "rw")) {
      f.write(bytes(header.length(), header));
      f.setLength(8 + header.length() + 3_000_000_000L); // sparse: takes no space
    }
    try (SafeTensors f = SafeTensors.open(file)) {
      assertThat(f.segment("x").byteSize()).isEqualTo(3_000_000_000L);
      for (Read read : List.<Read>of(f::read, f::readLongs, f::readBytes)) {
        assertThatThrownBy(() -> read.of("x"))
            .isInstanceOf(FormatException.class)
            .hasMessageContaining("do not fit a Java array");
      }
    }
  }

  private interface Read {
    Object of(String name) throws IOException;
  }

  @Test
  void aHugeHeaderCostsNoMoreThanWhatItDescribes() throws IOException {
    String header = "{\"a\":{\"x\":[" + "0,".repeat(5_000_000) + "0]}}";
    assertTimeoutPreemptively( // it hangs or it does not: no measurement
        Duration.ofSeconds(30),
        () ->
            assertThatThrownBy(() -> open(bytes(header.length(), header)))
                .hasMessageContaining("needs a dtype"));
  }

  // ---------------------------------------------------------------- access

  @Test
  void askingForWhatIsNotThereListsWhatIs() throws IOException {
    try (SafeTensors f = SafeTensors.open(Golden.path("safetensors/model.safetensors"))) {
      assertThatThrownBy(() -> f.read("nope"))
          .isInstanceOf(FormatException.class)
          .hasMessageContaining("has no tensor \"nope\"; it has 13: \"");
      assertThatThrownBy(() -> f.readLongs("f32"))
          .hasMessageContaining("tensor \"f32\": expected integers, found dtype F32");
    }
  }

  @Test
  void aClosedFileSaysSo() throws IOException {
    SafeTensors f = SafeTensors.open(Golden.path("safetensors/model.safetensors"));
    MemorySegment s = f.segment("f32");
    f.close();
    f.close();
    assertThat(f.names()).hasSize(13); // the header stays
    assertThatThrownBy(() -> f.read("f32"))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("is closed");
    assertThatThrownBy(() -> f.segment("f32")).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> s.get(ValueLayout.JAVA_BYTE, 0))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void threadsMayReadWhileOneCloses() throws Exception {
    Path file = dir.resolve("threads");
    Tensor t = Tensor.zeros(100_000);
    Arrays.fill(t.data(), 1);
    SafeTensors.write(file, Map.of("t", t));
    SafeTensors f = SafeTensors.open(file);
    try (ExecutorService pool = Executors.newFixedThreadPool(4)) {
      List<Future<Integer>> reads = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        reads.add(
            pool.submit(
                () -> {
                  int n = 0;
                  try {
                    while (true) {
                      assertThat(f.read("t").data()).containsOnly(1);
                      n++;
                    }
                  } catch (IllegalStateException closed) {
                    return n;
                  }
                }));
      }
      Thread.sleep(50);
      f.close();
      for (Future<Integer> r : reads) {
        assertThat(r.get()).isNotNegative(); // no other exception, no crash
      }
    }
  }

  @Test
  void writingOverAFileThatIsOpenLeavesItsReaderTheOldOne() throws IOException {
    Path file = dir.resolve("model.safetensors");
    SafeTensors.write(file, Map.of("t", Tensor.scalar(1)));
    try (SafeTensors f = SafeTensors.open(file)) {
      SafeTensors.write(file, Map.of("t", Tensor.scalar(2)));
      assertThat(f.read("t").item()).isEqualTo(1);
      try (SafeTensors g = SafeTensors.open(file)) {
        assertThat(g.read("t").item()).isEqualTo(2);
      }
    }
  }

  @Test
  void aFailedWriteLeavesTheOldFileAndNoOther() throws IOException {
    Path file = dir.resolve("model.safetensors");
    SafeTensors.write(file, Map.of("t", Tensor.scalar(1)));
    assertThatThrownBy(
            () ->
                AtomicFile.write(
                    file,
                    out -> {
                      out.write(ByteBuffer.allocate(100));
                      throw new IOException("disk full");
                    }))
        .hasMessage("disk full");
    try (SafeTensors f = SafeTensors.open(file);
        Stream<Path> left = Files.list(dir)) {
      assertThat(f.read("t").item()).isEqualTo(1);
      assertThat(left).containsExactly(file);
    }
  }

  @Test
  void aSymbolicLinkIsFollowed() throws IOException {
    Path file = Files.writeString(dir.resolve("file"), "old");
    Path link = Files.createSymbolicLink(dir.resolve("link"), Path.of("file"));
    AtomicFile.write(link, "new ü");
    assertThat(link).isSymbolicLink();
    assertThat(file).hasContent("new ü");
  }

  @Test
  void theWriterRefusesWhatCannotBeWritten() {
    SafeTensorsWriter w = new SafeTensorsWriter().add("a", Tensor.scalar(1));
    assertThatThrownBy(() -> w.add("a", Tensor.scalar(1))).hasMessageContaining("named \"a\"");
    assertThatThrownBy(() -> w.add("__metadata__", Tensor.scalar(1)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> w.add("b", Tensor.scalar(1), DType.I64))
        .hasMessageContaining("cannot be stored as I64");
    assertThatThrownBy(() -> w.addLongs("b", Shape.of(2), new long[3], DType.I64))
        .hasMessageContaining("needs 2 values, got 3");
    assertThatThrownBy(() -> w.addLongs("b", Shape.of(1), new long[] {256}, DType.U8))
        .hasMessageContaining("256 does not fit U8");
    assertThatThrownBy(() -> w.addBytes("b", DType.F16, Shape.of(2), new byte[3]))
        .hasMessageContaining("3 bytes");
  }

  // ---------------------------------------------------------------- round trips

  @Test
  void filesOfPythonAreReadBitForBit() throws IOException {
    Map<String, Json> expected = Golden.expected("safetensors/expected.json");
    try (SafeTensors f = SafeTensors.open(Golden.path("safetensors/model.safetensors"))) {
      assertThat(f.names()).containsExactlyInAnyOrderElementsOf(expected.keySet());
      assertThat(f.metadata()).containsEntry("format", "pt").containsEntry("note", "\"quoted\" ü");
      for (String name : f.names()) {
        Golden.assertEqual(name, f.read(name), expected.get(name));
      }
      assertThat(f.readLongs("i64")).containsExactly(-(1L << 62), -1, 0, (1L << 53) + 1);
      assertThat(f.readLongs("i8")).containsExactly(-128, -1, 0, 127);
      assertThat(f.readLongs("u8")).containsExactly(0, 1, 128, 255);
      assertThat(f.readLongs("bool")).containsExactly(1, 0, 1);
    }
  }

  @Test
  void randomFilesComeBack() throws IOException {
    for (int seed = 0; seed < 300; seed++) {
      try {
        roundTrip(new SplittableRandom(seed));
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError("seed " + seed, e);
      }
    }
  }

  private void roundTrip(SplittableRandom random) throws IOException {
    SafeTensorsWriter w = new SafeTensorsWriter();
    Map<String, byte[]> data = new LinkedHashMap<>();
    Map<String, Shape> shapes = new LinkedHashMap<>();
    for (int k = random.nextInt(9); k > 0; k--) {
      DType dtype = DType.values()[random.nextInt(DType.values().length)];
      int[] dims = random.ints(random.nextInt(5), 0, 8).toArray();
      Shape shape = Shape.of(dims);
      if ((long) shape.size() * dtype.bits() % 8 != 0) {
        continue;
      }
      byte[] bytes = new byte[shape.size() * dtype.bits() / 8];
      random.nextBytes(bytes);
      String name = "t\u00e9\"\\\n" + k;
      w.addBytes(name, dtype, shape, bytes);
      data.put(name, bytes);
      shapes.put(name, shape);
    }
    Path file = dir.resolve("random.safetensors");
    w.write(file);
    try (SafeTensors f = SafeTensors.open(file)) {
      assertThat(f.names()).containsExactlyInAnyOrderElementsOf(data.keySet());
      for (String name : f.names()) {
        assertThat(f.readBytes(name)).as(name).isEqualTo(data.get(name));
        assertThat(f.info(name).shape()).as(name).isEqualTo(shapes.get(name));
        long width = Math.max(1, f.info(name).dtype().bits() / 8);
        assertThat(f.segment(name).address() % width).as(name).isZero();
      }
    }
  }

  /** Leaves target/for-python, which src/test/python/check_written_files.py compares. */
  @Test
  void whatPythonReadWasReallyWritten() throws IOException {
    Path out = Files.createDirectories(Path.of("target", "for-python"));
    float[] awkward = {0, -0f, 1, -1.5f, 3.1415927f, 65504, 6e-8f, 1e-7f, 3.39e38f, 1.00390625f};
    Tensor t = Tensor.of(Shape.of(2, 5), awkward);
    SafeTensorsWriter w = new SafeTensorsWriter();
    Map<String, Object> expected = new LinkedHashMap<>();
    for (DType dtype : List.of(DType.F32, DType.F64, DType.F16, DType.BF16)) {
      w.add(dtype.name(), t, dtype);
      expected.put(dtype.name(), awkward); // Python rounds them itself
    }
    for (DType dtype : DType.values()) {
      boolean known = dtype.bits() == 8 || !dtype.name().startsWith("U"); // to older torch
      if (dtype.isInteger() && known) {
        long max = dtype == DType.BOOL ? 1 : (1L << Math.min(62, dtype.bits() - 1)) - 1;
        w.addLongs(dtype.name(), Shape.of(3, 1), new long[] {0, 1, max}, dtype);
        expected.put(dtype.name(), List.of(0, 1, max));
      }
    }
    w.add("empty", Tensor.zeros(0, 3)).add("scalar", Tensor.scalar(7)).add("ü\n", Tensor.scalar(8));
    expected.put("empty", List.of());
    expected.put("scalar", List.of(7f));
    expected.put("ü\n", List.of(8f));
    Checkpoint.write(out, Json.of(Map.of("model_type", "bert")), w);
    AtomicFile.write(out.resolve("expected.json"), Json.of(expected).pretty());
    try (Checkpoint c = Checkpoint.open(out)) {
      assertThat(c.names()).containsExactlyInAnyOrderElementsOf(expected.keySet());
      assertThat(c.read("F32").toArray()).isEqualTo(awkward);
      assertThat(c.read("BF16").data()[9]).isEqualTo(1f); // a tie, to even
    }
  }

  @Test
  void dataOfSeveralChunksIsWhole() throws IOException {
    long[] values = new SplittableRandom(1).longs(300_001).toArray(); // 2.4 MB
    float[] floats = new float[300_001];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = i;
    }
    Path file = dir.resolve("large");
    new SafeTensorsWriter()
        .addLongs("l", Shape.of(values.length), values, DType.I64)
        .add("f", Tensor.of(Shape.of(floats.length), floats))
        .write(file);
    try (SafeTensors f = SafeTensors.open(file)) {
      assertThat(f.readLongs("l")).isEqualTo(values);
      assertThat(f.read("f").toArray()).isEqualTo(floats);
    }
  }

  @Test
  void onlyTheTensorsPartOfARecycledBufferIsWritten() throws IOException {
    Path file = dir.resolve("short");
    SafeTensors.write(file, Map.of("t", new Tensor(Shape.of(2), new float[] {1, 2, 99, 99})));
    try (SafeTensors f = SafeTensors.open(file)) {
      assertThat(f.read("t").toArray()).containsExactly(1, 2);
    }
  }

  // ---------------------------------------------------------------- helpers

  private static Bad header(String members, String problem) {
    return new Bad(
        members.substring(0, Math.min(80, members.length())), tensors(members, 4), problem);
  }

  private static String tensor(String shape, String offsets) {
    return "\"a\":{\"dtype\":\"F32\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
  }

  /** A file with this header, without its braces, and so many zero bytes of data. */
  private static byte[] tensors(String members, int data) {
    String header = "{" + members + "}";
    return concat(bytes(header.length(), header), new byte[data]);
  }

  private static byte[] bytes(long n, String header) {
    byte[] utf8 = header.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + utf8.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(n)
        .put(utf8)
        .array();
  }

  private static byte[] concat(byte[] a, int... b) {
    byte[] tail = new byte[b.length];
    for (int i = 0; i < b.length; i++) {
      tail[i] = (byte) b[i];
    }
    return concat(a, tail);
  }

  private static byte[] concat(byte[] a, byte[] b) {
    byte[] all = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, all, a.length, b.length);
    return all;
  }

  private byte[] written(SafeTensorsWriter writer) throws IOException {
    Path file = dir.resolve("written.safetensors");
    writer.write(file);
    return Files.readAllBytes(file);
  }

  private SafeTensors open(byte[] bytes) throws IOException {
    Path file = dir.resolve("file.safetensors");
    Files.write(file, bytes);
    return SafeTensors.open(file);
  }
}
