package tacet.cli;

import java.awt.image.BufferedImage;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.Raster;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import tacet.transformer.image.RgbImage;

/**
 * Reads PNG and JPEG files. It stands here and not in a library, because it is all that needs
 * java.desktop.
 */
final class ImageFile {
  private ImageFile() {}

  /** The pixels of a file as red, green and blue; transparency is left out, grey is repeated. */
  static RgbImage read(Path file) throws IOException {
    if (!Files.exists(file)) {
      throw new NoSuchFileException(file.toString());
    }
    BufferedImage image;
    try {
      image = ImageIO.read(file.toFile());
    } catch (IOException | RuntimeException e) { // its readers trip over damaged files in many ways
      throw new IOException(file + ": not a readable image: " + e.getMessage(), e);
    }
    if (image == null) {
      throw new IOException(file + ": not an image that Java can read; use PNG or JPEG");
    }
    int width = image.getWidth();
    int height = image.getHeight();
    byte[] rgb = new byte[Math.multiplyExact(3, Math.multiplyExact(width, height))];
    if (image.getColorModel() instanceof ComponentColorModel
        && image.getRaster().getTransferType() == DataBuffer.TYPE_BYTE) {
      samples(image.getRaster(), rgb);
    } else {
      for (int p = 0; p < width * height; p++) {
        int value = image.getRGB(p % width, p / width);
        rgb[3 * p] = (byte) (value >> 16);
        rgb[3 * p + 1] = (byte) (value >> 8);
        rgb[3 * p + 2] = (byte) value;
      }
    }
    return new RgbImage(width, height, rgb);
  }

  /** The bytes as they are in the file: getRGB would convert grey and colour profiles. */
  private static void samples(Raster raster, byte[] rgb) {
    int width = raster.getWidth();
    boolean grey = raster.getNumBands() < 3;
    for (int p = 0; p < width * raster.getHeight(); p++) {
      for (int c = 0; c < 3; c++) {
        rgb[3 * p + c] = (byte) raster.getSample(p % width, p / width, grey ? 0 : c);
      }
    }
  }
}
