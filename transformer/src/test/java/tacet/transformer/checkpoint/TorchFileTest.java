package tacet.transformer.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TorchFileTest {
  @TempDir Path dir;

  @ParameterizedTest
  @ValueSource(strings = {"pytorch_adapter.bin", "protocol4.bin"})
  void aStateDictIsReadBitForBit(String name) throws IOException {
    Map<String, Json> expected = Golden.expected("pytorch_adapter.expected.json");
    try (TensorFile f = TensorFile.open(Golden.path(name))) {
      assertThat(f).isInstanceOf(TorchFile.class);
      assertThat(f.names()).containsExactlyElementsOf(expected.keySet());
      for (String tensor : f.names()) {
        Golden.assertEqual(tensor, f.read(tensor), expected.get(tensor));
      }
    }
  }

  @Test
  void integersBytesAndViewsAreRead() throws IOException {
    try (TorchFile f = TorchFile.open(Golden.path("torch/pytorch_model.bin"))) {
      assertThat(f.readLongs("i64")).containsExactly(-(1L << 62), -1, 0, (1L << 53) + 1);
      assertThat(f.readLongs("bool")).containsExactly(1, 0, 1);
      assertThat(f.info("transposed").dims()).containsExactly(6L, 4L);
      assertThat(f.readBytes("slice")).hasSize(2 * 3 * 4);
      assertThatThrownBy(() -> f.readLongs("f32")).hasMessageContaining("expected integers");
      assertThatThrownBy(() -> f.read("nope")).hasMessageContaining("has no tensor \"nope\"");
    }
  }

  @Test
  void aClosedFileSaysSo() throws IOException {
    TorchFile f = TorchFile.open(Golden.path("torch/pytorch_model.bin"));
    f.close();
    f.close();
    assertThatThrownBy(() -> f.read("slice")).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> f.read("f32")).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void otherFilesOfTorchAreRefusedWithAdvice() {
    refused(Golden.path("legacy.bin"), "before PyTorch 1.6; rewrite it in Python");
    refused(Golden.path("not-only-tensors.bin"), "\"epoch\" is the value 3, not a tensor");
    refused(Golden.path("expanded.bin"), "expanded tensor of 1000000 elements over 1");
    refused(Golden.path("whole-module.bin"), "refers to \"torch.nn.modules.linear.Linear\"");
    refused(Golden.path("sharded-torch/config.json"), "header too large");
  }

  // ---------------------------------------------------------------- hostile pickles

  @Test
  void codeIsRefusedByItsName() throws IOException {
    refusedPickle("cos\nsystem\n(X\4\0\0\0truetR.", "refers to \"os.system\"");
    refusedPickle("cbuiltins\neval\n.", "refers to \"builtins.eval\"");
    refusedPickle("\u0080\2ctorch\nload\n.", "refers to \"torch.load\"");
    refusedPickle("\u008c\2os\u008c\6system\u0093.", "refers to \"os.system\"");
    refusedPickle("(S'true'\nios\nsystem\n.", "opcode 0x53");
    refusedPickle("(ios\nsystem\n.", "opcode INST 0x69");
    refusedPickle("(o.", "opcode OBJ 0x6f");
    refusedPickle("))\u0081.", "opcode NEWOBJ 0x81");
    refusedPickle("\u0082\1.", "opcode EXT 0x82");
    refusedPickle("Pid\n.", "opcode 0x50");
  }

  @Test
  void damagedPicklesAreRefused() throws IOException {
    refusedPickle("", "it ends within an operation");
    refusedPickle(".", "its stack is empty");
    refusedPickle("\u0080\5}.", "protocol 5 is not supported");
    refusedPickle(").", "holds a tuple, not a dictionary");
    refusedPickle("X\377\377\377\377.", "ends within an operation");
    refusedPickle("X\377\377\377\177.", "ends within an operation");
    refusedPickle("}u.", "no mark");
    refusedPickle("}(K\1K\2u.", "unexpected the value 1");
    refusedPickle("}(X\1\0\0\0au.", "a key without a value");
    refusedPickle("}(X\1\0\0\0aNX\1\0\0\0aNu.", "\"a\" appears twice");
    refusedPickle("}(X\1\0\0\0aNu.", "\"a\" is None, not a tensor");
    refusedPickle("]q\0h\0a.", "holds a list"); // a list that contains itself
    refusedPickle("h\7.", "nothing is remembered as 7");
    refusedPickle("\u008a\t123456789.", "an integer of 9 bytes");
    refusedPickle("(K\1tQ.", "not a storage");
    refusedPickle("ccollections\nOrderedDict\n)R}b.", null);
    refusedPickle("(" + "]".repeat(5_000_000) + ".", "more than 4000000 operations");
  }

  @Test
  void viewsMustLieWithinTheirStorage() throws IOException {
    // storage of 4 floats, offset, extents, strides
    assertThat(open(view(0, "K\2K\2\u0086", "K\2K\1\u0086", 4)).info("w").dims())
        .containsExactly(2L, 2L);
    refusedPickle(view(1, "K\2K\2\u0086", "K\2K\1\u0086", 4), "reaches beyond its storage");
    refusedPickle(view(0, "K\5\u0085", "K\1\u0085", 4), "reaches beyond its storage");
    refusedPickle(view(0, "K\5\u0085", "K\0\u0085", 4), "expanded tensor of 5 elements over 4");
    refusedPickle(view(0, "K\2\u0085", "K\2K\1\u0086", 4), "impossible extents");
    refusedPickle(view(0, "J\377\377\377\377\u0085", "K\1\u0085", 4), "negative extents");
    refusedPickle(view(0, "K\2\u0085", "J\377\377\377\377\u0085", 4), "negative extents");
    String huge = "\u008a\10\377\377\377\377\377\377\377\177";
    refusedPickle(view(0, huge + huge + "\u0086", "K\0K\0\u0086", 4), "impossible extents");
    refusedPickle(view(0, "K\2\u0085", huge + "\u0085", 4), "beyond its storage");
    refusedPickle(view(0, "K\3\u0085", huge + "\u0085", 4), "impossible extents");
    refusedPickle(view(0, "(" + "K\1".repeat(65) + "t", "K\1\u0085", 4), "65 dimensions");
    refusedPickle(view(0, "K\2\u0085", "K\1\u0085", 5), "has 16 bytes, not 5 elements of F32");
    refusedPickle(view(0, "K\2\u0085", "K\1\u0085", 3), "has 16 bytes, not 3 elements of F32");
  }

  /** {"w": a tensor over the storage "0", which has 16 bytes}. */
  private static String view(int offset, String dims, String strides, int storageCount) {
    return "}X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n("
        + "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
        + "0X\3\0\0\0cpuK"
        + (char) storageCount
        + "tQK"
        + (char) offset
        + dims
        + strides
        + "\u0089NtRs.";
  }

  private TorchFile open(String pickle) throws IOException {
    Path file = dir.resolve("model.bin");
    Files.write(file, zip(pickle));
    return TorchFile.open(file);
  }

  /** Latin-1 text as bytes; with no problem it must be read as an empty dictionary. */
  private void refusedPickle(String pickle, String problem) throws IOException {
    if (problem == null) {
      try (TorchFile f = open(pickle)) {
        assertThat(f.names()).isEmpty();
      }
      return;
    }
    assertThatThrownBy(() -> open(pickle))
        .as(pickle.substring(0, Math.min(100, pickle.length())))
        .isInstanceOf(FormatException.class)
        .hasMessageStartingWith(dir.resolve("model.bin") + ": ")
        .hasMessageContaining(problem);
  }

  // ---------------------------------------------------------------- hostile zips

  @Test
  void zipFilesOfOtherKindsAreRefused() throws IOException {
    Path file = dir.resolve("x.bin");
    Files.write(file, zip(Map.of("a/readme", bytes("hello")), ZipEntry.STORED));
    refused(file, "not of torch.save: it has no data.pkl");
    Files.write(file, zip(Map.of("a/data.pkl", bytes("}.")), ZipEntry.DEFLATED));
    refused(file, "\"a/data.pkl\" is compressed or encrypted");
    Map<String, byte[]> big = new LinkedHashMap<>();
    big.put("a/data.pkl", bytes("}."));
    big.put("a/byteorder", bytes("big"));
    Files.write(file, zip(big, ZipEntry.STORED));
    refused(file, "byte order \"big\" is not supported");
    Files.write(file, zip(Map.of("a/data.pkl", new byte[65 << 20]), ZipEntry.STORED));
    refused(file, "data.pkl of 68157440 bytes is too large");
  }

  @Test
  void everyTruncationIsRefused() throws IOException {
    byte[] whole = Files.readAllBytes(Golden.path("pytorch_adapter.bin"));
    Path file = dir.resolve("cut.bin");
    for (int n = 0; n < whole.length; n += 7) {
      Files.write(file, Arrays.copyOf(whole, n));
      refused(file, "");
    }
  }

  private static void refused(Path file, String problem) {
    assertThatThrownBy(() -> TensorFile.open(file).close())
        .as(file.toString())
        .isInstanceOf(FormatException.class)
        .hasMessageStartingWith(file + ": ")
        .hasMessageContaining(problem);
  }

  private static byte[] zip(String pickle) throws IOException {
    Map<String, byte[]> entries = new LinkedHashMap<>();
    entries.put("archive/data.pkl", bytes(pickle));
    entries.put("archive/data/0", new byte[16]);
    return zip(entries, ZipEntry.STORED);
  }

  private static byte[] zip(Map<String, byte[]> entries, int method) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(out)) {
      for (String name : List.copyOf(entries.keySet())) {
        byte[] data = entries.get(name);
        ZipEntry e = new ZipEntry(name);
        e.setMethod(method);
        e.setSize(data.length);
        CRC32 crc = new CRC32();
        crc.update(data);
        e.setCrc(crc.getValue());
        zip.putNextEntry(e);
        zip.write(data);
        zip.closeEntry();
      }
    }
    return out.toByteArray();
  }

  private static byte[] bytes(String latin1) {
    return latin1.getBytes(StandardCharsets.ISO_8859_1);
  }
}
