package tacet.transformer.image;

/**
 * An image in memory.
 *
 * @param width pixels in a row
 * @param height rows
 * @param rgb [height, width, 3], one unsigned byte each for red, green and blue; not copied
 */
public record RgbImage(int width, int height, byte[] rgb) {
  /** Checks that the array fits. */
  public RgbImage {
    if (width < 1 || height < 1 || rgb.length != 3L * width * height) {
      throw new IllegalArgumentException(
          "an image of "
              + width
              + " x "
              + height
              + " pixels does not fit "
              + rgb.length
              + " bytes");
    }
  }
}
