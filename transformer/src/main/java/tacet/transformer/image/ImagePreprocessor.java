package tacet.transformer.image;

import java.io.IOException;
import java.util.List;
import tacet.tensor.Tensor;
import tacet.transformer.checkpoint.Json;

/**
 * Images to the pixel values that a ViT was trained on, as Hugging Face's ViTImageProcessorPil makes
 * them: resize, multiply by a factor, subtract a mean and divide by a standard deviation per channel.
 *
 * <pre>{@code
 * ImagePreprocessor p = ImagePreprocessor.of(Json.read(dir.resolve("preprocessor_config.json")));
 * Tensor pixels = p.pixels(List.of(image));       // [1, 3, height, width]
 * }</pre>
 *
 * @param height of the result
 * @param width of the result
 * @param resampling null: images must have that size already
 * @param factor of bytes, usually 1/255
 * @param mean of red, green and blue, subtracted; null for none
 * @param deviation of red, green and blue, divided by; null for none
 */
public record ImagePreprocessor(
    int height, int width, Resampling resampling, double factor, float[] mean, float[] deviation) {

  private static final int MAX_PIXELS = 1 << 24; // 4096 x 4096, more than any model takes

  /** What ViT's processor does where its file says nothing: values in −1 to 1. */
  public static ImagePreprocessor standard(int height, int width) {
    float[] half = {0.5f, 0.5f, 0.5f};
    return new ImagePreprocessor(height, width, Resampling.BILINEAR, 1 / 255.0, half, half);
  }

  /**
   * Reads a preprocessor_config.json.
   *
   * @throws IOException if it asks for what is not supported
   */
  public static ImagePreprocessor of(Json json) throws IOException {
    if (json.booleanOr("do_center_crop", false)) {
      throw json.error("do_center_crop is not supported");
    }
    int[] size = size(json);
    boolean normalize = json.booleanOr("do_normalize", true);
    return new ImagePreprocessor(
        size[0],
        size[1],
        json.booleanOr("do_resize", true) ? resampling(json) : null,
        json.booleanOr("do_rescale", true) ? json.doubleOr("rescale_factor", 1 / 255.0) : 1,
        normalize ? channels(json, "image_mean") : null,
        normalize ? channels(json, "image_std") : null);
  }

  /** One number, or height and width. */
  private static int[] size(Json json) throws IOException {
    int[] size = {224, 224};
    if (json.has("size")) {
      Json s = json.get("size");
      size =
          s.isNumber()
              ? new int[] {s.asInt(), s.asInt()}
              : new int[] {s.get("height").asInt(), s.get("width").asInt()};
    }
    if (size[0] < 1 || size[1] < 1 || (long) size[0] * size[1] > MAX_PIXELS) {
      throw json.error(
          "a size of " + size[0] + " x " + size[1] + " is not from 1 to " + MAX_PIXELS + " pixels");
    }
    return size;
  }

  private static Resampling resampling(Json json) throws IOException {
    int number = json.intOr("resample", 2);
    return switch (number) {
      case 2 -> Resampling.BILINEAR;
      case 3 -> Resampling.BICUBIC;
      default ->
          throw json.error("resample " + number + " is not supported; 2 (bilinear) and 3 are");
    };
  }

  private static float[] channels(Json json, String name) throws IOException {
    float[] values = {0.5f, 0.5f, 0.5f};
    if (json.has(name)) {
      List<Json> given = json.get(name).elements();
      if (given.size() != values.length) {
        throw json.error(name + " must have three numbers");
      }
      for (int c = 0; c < values.length; c++) {
        values[c] = (float) given.get(c).asDouble();
      }
    }
    return values;
  }

  /**
   * The pixel values of a batch.
   *
   * @return [images, 3, height, width]
   * @throws IllegalArgumentException if images are not resized and one has another size
   */
  public Tensor pixels(List<RgbImage> images) {
    Tensor pixels = Tensor.zeros(images.size(), 3, height, width);
    for (int i = 0; i < images.size(); i++) {
      write(images.get(i), pixels, i * 3 * height * width);
    }
    return pixels;
  }

  private void write(RgbImage image, Tensor pixels, int at) {
    RgbImage fit = resampling == null ? image : resampling.resize(image, width, height);
    if (fit.width() != width || fit.height() != height) {
      throw new IllegalArgumentException(
          String.format(
              "an image of %d x %d pixels where %d x %d are needed; do_resize is off",
              fit.width(), fit.height(), width, height));
    }
    int plane = height * width;
    for (int p = 0; p < plane; p++) {
      for (int c = 0; c < 3; c++) {
        float value = (float) ((fit.rgb()[3 * p + c] & 0xff) * factor);
        pixels.data()[at + c * plane + p] = mean == null ? value : (value - mean[c]) / deviation[c];
      }
    }
  }
}
