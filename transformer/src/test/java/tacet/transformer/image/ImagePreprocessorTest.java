package tacet.transformer.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tacet.tensor.Tensor;
import tacet.transformer.checkpoint.Json;

/**
 * Sizes, filters and configurations. That the numbers are Pillow's and Hugging Face's, the golden
 * case vit-images of the command line's tests shows.
 */
class ImagePreprocessorTest {
  private static RgbImage grey(int width, int height, int... values) {
    byte[] rgb = new byte[3 * width * height];
    for (int i = 0; i < rgb.length; i++) {
      rgb[i] = (byte) values[i / 3];
    }
    return new RgbImage(width, height, rgb);
  }

  private static int[] values(RgbImage image) {
    int[] values = new int[image.width() * image.height()];
    Arrays.setAll(values, i -> image.rgb()[3 * i] & 0xff);
    return values;
  }

  @ParameterizedTest
  @EnumSource(Resampling.class)
  void flatImagesStayFlat(Resampling r) {
    int[] flat = new int[35];
    Arrays.fill(flat, 201);
    for (int[] size : new int[][] {{1, 1}, {7, 5}, {3, 17}, {40, 2}}) {
      int[] found = values(r.resize(grey(7, 5, flat), size[0], size[1]));
      assertThat(found).hasSize(size[0] * size[1]).containsOnly(201);
    }
  }

  /** Triangle of radius 2 at centres 1 and 3: weights .75, .75, .25 and .25, .75, .75, normed. */
  @Test
  void halfTheSize() {
    RgbImage row = grey(4, 1, 0, 70, 140, 210);
    assertThat(values(Resampling.BILINEAR.resize(row, 2, 1))).containsExactly(50, 160);
    RgbImage column = grey(1, 4, 0, 70, 140, 210);
    assertThat(values(Resampling.BILINEAR.resize(column, 1, 2))).containsExactly(50, 160);
  }

  /** The cubic overshoots at an edge, and bytes hold it. */
  @Test
  void cubicIsClipped() {
    RgbImage edge = grey(4, 1, 0, 0, 255, 255);
    int[] found = values(Resampling.BICUBIC.resize(edge, 8, 1));
    assertThat(found[0]).isZero();
    assertThat(found[7]).isEqualTo(255);
    assertThat(found).isSorted();
  }

  @Test
  void configurationsAreRead() throws IOException {
    ImagePreprocessor p =
        ImagePreprocessor.of(
            Json.parse(
                """
                {"size": {"height": 2, "width": 1}, "resample": 3, "rescale_factor": 0.01,
                 "image_mean": [0.1, 0.2, 0.3], "image_std": [1, 2, 4]}
                """,
                "p"));
    Tensor pixels = p.pixels(List.of(grey(1, 2, 100, 200)));
    assertThat(pixels.shape().toArray()).containsExactly(1, 3, 2, 1);
    assertThat(pixels.data())
        .containsExactly(
            1 - 0.1f, 2 - 0.1f, (1 - 0.2f) / 2, (2 - 0.2f) / 2, (1 - 0.3f) / 4, (2 - 0.3f) / 4);
    ImagePreprocessor plain =
        ImagePreprocessor.of(
            Json.parse(
                "{\"size\": 3, \"do_resize\": false, \"do_rescale\": false,"
                    + " \"do_normalize\": false}",
                "p"));
    assertThat(plain.pixels(List.of(grey(3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9))).data())
        .startsWith(1, 2, 3, 4);
    assertThatThrownBy(() -> plain.pixels(List.of(grey(1, 1, 1))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("1 x 1")
        .hasMessageContaining("3 x 3");
  }

  @Test
  void whatIsNotSupportedIsRefused() {
    for (String json :
        List.of(
            "{\"resample\": 1}",
            "{\"do_center_crop\": true}",
            "{\"size\": {\"shortest_edge\": 224}}",
            "{\"size\": 0}",
            "{\"image_mean\": [0.5]}")) {
      assertThatThrownBy(() -> ImagePreprocessor.of(Json.parse(json, "preprocessor")))
          .as(json)
          .isInstanceOf(IOException.class)
          .hasMessageContaining("preprocessor");
    }
    assertThatThrownBy(() -> new RgbImage(2, 2, new byte[11]))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
