package tacet.transformer.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Path;
import java.util.Map;
import tacet.tensor.Tensor;

/** Files made by src/test/python/make_checkpoint_goldens.py and what must be read from them. */
final class Golden {
  private Golden() {}

  /** A file or directory of src/test/resources/checkpoint. */
  static Path path(String name) {
    try {
      URL url = Golden.class.getResource("/checkpoint/" + name);
      assertThat(url).as(name).isNotNull();
      return Path.of(url.toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  /** Name to {dtype, shape, values}. */
  static Map<String, Json> expected(String name) throws IOException {
    return Json.read(path(name)).members();
  }

  /** Bit-equal to what Python saw; JSON keeps a float32 exactly. */
  static void assertEqual(String name, Tensor actual, Json expected) throws IOException {
    int[] shape = expected.get("shape").elements().stream().mapToInt(Golden::integer).toArray();
    assertThat(actual.shape().toArray()).as(name).isEqualTo(shape);
    float[] values = new float[actual.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) expected.get("values").elements().get(i).asDouble();
    }
    assertThat(expected.get("values").elements()).as(name).hasSize(values.length);
    assertThat(bits(actual.toArray())).as(name).isEqualTo(bits(values));
  }

  /** NaN payloads and the sign of zero count. */
  static int[] bits(float[] values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToRawIntBits(values[i]);
    }
    return bits;
  }

  private static int integer(Json j) {
    try {
      return j.asInt();
    } catch (FormatException e) {
      throw new AssertionError(e);
    }
  }
}
